INSERT INTO river_job (kind, args)
SELECT 'work', jsonb_build_object('n', i) FROM generate_series(1, :n) AS i;
