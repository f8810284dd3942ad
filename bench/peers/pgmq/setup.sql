CREATE TABLE pgmq_q (
	msg_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	read_ct int NOT NULL DEFAULT 0,
	enqueued_at timestamptz NOT NULL DEFAULT now(),
	vt timestamptz NOT NULL DEFAULT now(),
	message jsonb
);
CREATE INDEX ON pgmq_q (vt);
CREATE TABLE pgmq_a (
	msg_id bigint PRIMARY KEY,
	read_ct int NOT NULL,
	enqueued_at timestamptz NOT NULL,
	archived_at timestamptz NOT NULL DEFAULT now(),
	vt timestamptz NOT NULL,
	message jsonb
);
CREATE INDEX ON pgmq_a (archived_at);
