CREATE TABLE skip_locked_task (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	job_id bigint NOT NULL,
	queue text NOT NULL DEFAULT 'default',
	priority smallint NOT NULL DEFAULT 5,
	state smallint NOT NULL DEFAULT 0,
	attempt smallint NOT NULL DEFAULT 0,
	run_at timestamptz NOT NULL DEFAULT now(),
	created_at timestamptz NOT NULL DEFAULT now(),
	locked_at timestamptz,
	locked_by text,
	payload jsonb NOT NULL
);
CREATE INDEX ON skip_locked_task (priority, run_at, id) WHERE state = 0;
CREATE TABLE skip_locked_history (LIKE skip_locked_task, finished_at timestamptz NOT NULL, outcome smallint NOT NULL);
CREATE INDEX ON skip_locked_history (id);
