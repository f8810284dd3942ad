CREATE TABLE graphile_job (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	queue_id int,
	task_id int NOT NULL,
	payload json NOT NULL DEFAULT '{}',
	priority smallint NOT NULL DEFAULT 0,
	run_at timestamptz NOT NULL DEFAULT now(),
	attempts smallint NOT NULL DEFAULT 0,
	max_attempts smallint NOT NULL DEFAULT 25,
	last_error text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	key text UNIQUE,
	locked_at timestamptz,
	locked_by text,
	revision int NOT NULL DEFAULT 0,
	flags jsonb,
	is_available boolean GENERATED ALWAYS AS (locked_at IS NULL AND attempts < max_attempts) STORED NOT NULL
);
CREATE INDEX ON graphile_job (priority, run_at) INCLUDE (id, task_id, queue_id) WHERE is_available;
