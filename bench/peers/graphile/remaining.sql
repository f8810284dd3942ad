SELECT count(*) FROM graphile_job WHERE is_available
