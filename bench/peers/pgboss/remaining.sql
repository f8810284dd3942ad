SELECT count(*) FROM pgboss_job WHERE state < 2
