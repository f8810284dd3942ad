INSERT INTO skip_locked_task (job_id, payload)
SELECT 1, jsonb_build_object('n', i) FROM generate_series(1, :n) AS i;
