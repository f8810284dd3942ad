CREATE TABLE pgboss_job (
	id uuid NOT NULL DEFAULT gen_random_uuid(),
	name text NOT NULL,
	priority int NOT NULL DEFAULT 0,
	data jsonb,
	state smallint NOT NULL DEFAULT 0,
	retry_limit int NOT NULL DEFAULT 2,
	retry_count int NOT NULL DEFAULT 0,
	retry_delay int NOT NULL DEFAULT 0,
	retry_backoff boolean NOT NULL DEFAULT false,
	start_after timestamptz NOT NULL DEFAULT now(),
	started_on timestamptz,
	singleton_key text,
	expire_seconds int NOT NULL DEFAULT 900,
	created_on timestamptz NOT NULL DEFAULT now(),
	completed_on timestamptz,
	keep_until timestamptz NOT NULL DEFAULT now() + interval '14 days',
	output jsonb,
	policy text,
	PRIMARY KEY (name, id)
);
CREATE INDEX ON pgboss_job (name, priority DESC, created_on, start_after) WHERE state < 2;
CREATE INDEX ON pgboss_job (name, state, start_after) WHERE state <= 2;
CREATE INDEX ON pgboss_job (name, created_on);
CREATE INDEX ON pgboss_job (name, completed_on) WHERE completed_on IS NOT NULL;
