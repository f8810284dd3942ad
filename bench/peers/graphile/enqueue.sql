INSERT INTO graphile_job (task_id, payload)
SELECT 1, json_build_object('n', i) FROM generate_series(1, :n) AS i;
