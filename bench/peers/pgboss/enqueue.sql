INSERT INTO pgboss_job (name, data)
SELECT 'queue', jsonb_build_object('n', i) FROM generate_series(1, :n) AS i;
