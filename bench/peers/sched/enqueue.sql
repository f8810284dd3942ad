SELECT count(*) FROM sched.schedule_tasks('queue',
	ARRAY(SELECT jsonb_build_object('n', i) FROM generate_series(1, :n) AS i));
