INSERT INTO pgmq_q (message)
SELECT jsonb_build_object('n', i) FROM generate_series(1, :n) AS i;
