/*
 * Metrics, in the text format of Prometheus 0.0.4.  What has been counted comes
 * from shared memory, what is the case now is looked up; no name or text of a job is
 * in there, only the names of pools.
 */

/* One family: its samples are label sets and values. */
CREATE FUNCTION sched._metric(p_name text, p_type text, p_help text, p_labels text[], p_values numeric[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN format(E'# HELP %s %s\n# TYPE %s %s\n', p_name, p_help, p_name, p_type)
		|| coalesce((SELECT string_agg(format(E'%s%s %s\n', p_name, coalesce('{' || nullif(s.label, '') || '}', ''),
											  trim_scale(s.number)), '' ORDER BY s.n)
					 FROM unnest(p_labels, p_values) WITH ORDINALITY AS s (label, number, n)), '');
END $$;
COMMENT ON FUNCTION sched._metric(text, text, text, text[], numeric[]) IS 'A family of metrics as text.';

CREATE FUNCTION sched._metric(p_name text, p_type text, p_help text, p_value numeric) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._metric(p_name, p_type, p_help, ARRAY[''], ARRAY[coalesce(p_value, 0)]);
END $$;
COMMENT ON FUNCTION sched._metric(text, text, text, numeric) IS 'A metric with one sample as text.';

/* A label's value, with what the format wants escaped. */
CREATE FUNCTION sched._metric_label(p_label text, p_value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN format('%s="%s"', p_label,
		replace(replace(replace(p_value, '\', '\\'), '"', '\"'), E'\n', '\n'));
END $$;
COMMENT ON FUNCTION sched._metric_label(text, text) IS 'A label of a sample as text.';

/* A histogram out of the counts; buckets are cumulative and in seconds. */
CREATE FUNCTION sched._metric_histogram(p_name text, p_help text, p_counts jsonb, p_key text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_bounds	bigint[] := sched._counter_bounds();
	v_text		text := format(E'# HELP %s %s\n# TYPE %s histogram\n', p_name, p_help, p_name);
	v_total		numeric := 0;
BEGIN
	FOR i IN 0 .. cardinality(v_bounds) LOOP
		v_total := v_total + coalesce((p_counts ->> format('%s_%s', p_key, i))::numeric, 0);
		v_text := v_text || format(E'%s_bucket{le="%s"} %s\n', p_name,
			CASE WHEN i < cardinality(v_bounds) THEN trim_scale(v_bounds[i + 1] / 1000000.0)::text ELSE '+Inf' END,
			v_total);
	END LOOP;
	RETURN v_text || format(E'%s_sum %s\n%s_count %s\n', p_name,
		trim_scale(coalesce((p_counts ->> (p_key || '_usec'))::numeric, 0) / 1000000), p_name, v_total);
END $$;
COMMENT ON FUNCTION sched._metric_histogram(text, text, jsonb, text) IS 'A histogram of seconds as text.';

CREATE FUNCTION sched._prometheus_metrics(p_caller oid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_counts	jsonb := coalesce((SELECT jsonb_object_agg(c.name, c.value) FROM sched._counters() AS c), '{}');
	v_state		record;
	v_ended		text[] := ARRAY['completed', 'failed', 'timeout', 'cancelled', 'skipped', 'upstream_failed', 'missed'];
	v_text		text;
	v_labels	text[];
	v_values	numeric[];
	v_active	bigint;
	v_executors	bigint;
BEGIN
	SELECT s.* INTO v_state FROM sched._scheduler_state() AS s;
	SELECT count(*) INTO v_active FROM sched._job j WHERE j.status = 'active';
	SELECT count(*) INTO v_executors FROM sched.active_executors;

	/* untyped: names in _count are otherwise those of histograms */
	v_text := sched._metric('scheduler_jobs_active_count', 'untyped', 'Jobs of status active.', v_active)
		|| sched._metric('scheduler_tasks_scheduled_count', 'untyped', 'Tasks that were ordered or fired so far.',
			(v_counts ->> 'tasks')::numeric)
		|| sched._metric('scheduler_tasks_completed_count', 'untyped', 'Tasks that completed so far.',
			(v_counts ->> 'completed')::numeric)
		|| sched._metric('scheduler_tasks_failed_count', 'untyped', 'Tasks that failed for good so far, timeouts included.',
			(v_counts ->> 'failed')::numeric + (v_counts ->> 'timeout')::numeric)
		|| sched._metric('scheduler_executor_count', 'untyped', 'Executors that are online, the built-in ones included.',
			v_executors);

	/* is it well? */
	v_text := v_text
		|| sched._metric('sched_up', 'gauge', 'Whether sched.liveness() says UP.',
			CASE sched._liveness(p_caller) ->> 'status' WHEN 'UP' THEN 1 ELSE 0 END)
		|| sched._metric('sched_ready', 'gauge', 'Whether sched.readiness() says UP.',
			CASE sched._readiness(p_caller) ->> 'status' WHEN 'UP' THEN 1 ELSE 0 END)
		|| sched._metric('sched_scheduler_last_turn_seconds', 'gauge',
			'How long ago the scheduler last looked around; at most 60 when it is well.',
			round(extract(epoch FROM clock_timestamp() - v_state.last_cycle_at), 3))
		|| sched._metric('sched_held', 'gauge', 'Whether the database is a copy in which nothing runs.',
			(v_state.held IS NOT NULL)::int);

	/* jobs and triggers */
	SELECT array_agg(sched._metric_label('status', s.status) ORDER BY s.n),
		array_agg((SELECT count(*) FROM sched._job j WHERE j.status = s.status)::numeric ORDER BY s.n)
	INTO v_labels, v_values
	FROM unnest(ARRAY['created', 'active', 'paused', 'disabled', 'completed']) WITH ORDINALITY AS s (status, n);
	v_text := v_text || sched._metric('sched_jobs', 'gauge', 'Jobs by status.', v_labels, v_values)
		|| sched._metric('sched_triggers', 'gauge', 'Triggers that the scheduler has a time for.', v_state.triggers)
		|| sched._metric('sched_triggers_quarantined', 'gauge', 'Triggers that cannot be worked with.',
			(SELECT count(*) FROM sched._trigger_state s WHERE s.fault IS NOT NULL));

	/* what happened */
	SELECT array_agg(sched._metric_label('status', s.status) ORDER BY s.n),
		array_agg(coalesce((v_counts ->> s.status)::numeric, 0) ORDER BY s.n)
	INTO v_labels, v_values
	FROM unnest(v_ended) WITH ORDINALITY AS s (status, n);
	v_text := v_text
		|| sched._metric('sched_tasks_scheduled_total', 'counter', 'Tasks that were ordered or fired.',
			(v_counts ->> 'tasks')::numeric)
		|| sched._metric('sched_tasks_ended_total', 'counter', 'Tasks that ended, by status.', v_labels, v_values)
		|| sched._metric('sched_retries_total', 'counter', 'Attempts that ended badly and are followed by another.',
			(v_counts ->> 'retries')::numeric)
		|| sched._metric('sched_timeouts_total', 'counter', 'Attempts that exceeded their timeout.',
			(v_counts ->> 'timeouts')::numeric)
		|| sched._metric('sched_misfires_total', 'counter', 'Occurrences of triggers that were not run in time.',
			(v_counts ->> 'misfires')::numeric)
		|| sched._metric('sched_lost_leases_total', 'counter', 'Attempts that were lost with whoever ran them.',
			(v_counts ->> 'lost')::numeric)
		|| sched._metric('sched_released_total', 'counter', 'Attempts that were given back unfinished.',
			(v_counts ->> 'released')::numeric)
		|| sched._metric_histogram('sched_task_lateness_seconds',
			'From the time that an attempt was due to its start.', v_counts, 'lateness')
		|| sched._metric_histogram('sched_task_duration_seconds',
			'From the start of an attempt to its end.', v_counts, 'duration');

	/* what is the case */
	SELECT array_agg(concat_ws(',', sched._metric_label('pool', d.pool), sched._metric_label('status', d.status))
					 ORDER BY d.pool, d.n),
		array_agg(d.tasks ORDER BY d.pool, d.n)
	INTO v_labels, v_values
	FROM (SELECT coalesce(j.pool, '') AS pool, s.status, s.n, sum(s.tasks)::numeric AS tasks
		  FROM sched._live_jobs() AS l
		  JOIN sched._job j ON j.job_id = l.job_id
		  CROSS JOIN LATERAL (VALUES ('ready', 1, l.ready), ('running', 2, l.running), ('waiting', 3, l.waiting),
			('waiting_retry', 4, l.retrying), ('scheduled', 5, l.scheduled)) AS s (status, n, tasks)
		  GROUP BY 1, 2, 3) AS d;
	v_text := v_text
		|| sched._metric('sched_queue_tasks', 'gauge', 'Live tasks in memory, by pool and status; pool is empty for jobs without one.',
			coalesce(v_labels, ARRAY['pool="",status="ready"']), coalesce(v_values, ARRAY[0]))
		|| sched._metric('sched_queue_places', 'gauge', 'Tasks that memory has room for, in the whole server.', v_state.queue_size)
		|| sched._metric('sched_queue_places_used', 'gauge', 'Of these, taken.', v_state.queue_used)
		|| sched._metric('sched_queue_spilled_jobs', 'gauge', 'Jobs with tasks that are left in their table because memory is full.', v_state.spilled);

	SELECT array_agg(sched._metric_label('state', s.state) ORDER BY s.n),
		array_agg((SELECT count(*) FROM sched._workers() AS w
				   WHERE w.state = s.state
					 AND w.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()))::numeric
				  ORDER BY s.n)
	INTO v_labels, v_values
	FROM unnest(ARRAY['starting', 'idle', 'busy']) WITH ORDINALITY AS s (state, n);
	v_text := v_text
		|| sched._metric('sched_workers', 'gauge', 'Built-in workers of this database, by state.', v_labels, v_values)
		|| sched._metric('sched_worker_slots', 'gauge', 'Built-in workers that the server may have, see sched.max_workers.',
			current_setting('sched.max_workers', true)::numeric)
		|| sched._metric('sched_worker_slots_used', 'gauge', 'Of these, taken.', v_state.worker_slots_used)
		|| sched._metric('sched_worker_slot_shortage', 'gauge', 'Whether the server has no room for a worker, see max_worker_processes.',
			(v_state.no_slot_since IS NOT NULL)::int);

	v_text := v_text || sched._metric('sched_http_in_flight', 'gauge', 'HTTP tasks on the wire.',
		(SELECT e.running FROM sched.executors e WHERE e.executor_id = 2));
	SELECT array_agg(sched._metric_label('status', s.status) ORDER BY s.n),
		array_agg((SELECT count(*) FROM sched.subscriptions x WHERE x.status = s.status)::numeric ORDER BY s.n)
	INTO v_labels, v_values
	FROM unnest(ARRAY['active', 'paused']) WITH ORDINALITY AS s (status, n);
	v_text := v_text || sched._metric('sched_subscriptions', 'gauge', 'Webhook subscriptions by status.', v_labels, v_values);
	SELECT array_agg(sched._metric_label('status', s.status) ORDER BY s.n),
		array_agg((SELECT count(*) FROM sched.executors e WHERE e.status = s.status)::numeric ORDER BY s.n)
	INTO v_labels, v_values
	FROM unnest(ARRAY['registered', 'online', 'offline', 'draining', 'maintenance']) WITH ORDINALITY AS s (status, n);
	RETURN v_text
		|| sched._metric('sched_executors', 'gauge', 'Executors by status, the built-in ones included.', v_labels, v_values)
		|| sched._metric('sched_executor_capacity', 'gauge', 'Tasks that the executors that are online may have at once, without the built-in ones.',
			(SELECT sum(e.max_concurrent) FROM sched.active_executors e WHERE e.executor_id >= 10));
END $$;
COMMENT ON FUNCTION sched._prometheus_metrics(oid) IS 'Behind sched.prometheus_metrics().';
CREATE FUNCTION sched.prometheus_metrics() RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.prometheus_metrics() IS 'All metrics of this database, in the text format of Prometheus.';

/* How much there is to be done: for something that starts and stops executors. */
CREATE FUNCTION sched._scaling_metric(p_caller oid, p_pool text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN coalesce((SELECT sum(l.running + CASE WHEN j.status = 'paused' THEN 0 ELSE l.ready END)
					 FROM sched._live_jobs() AS l
					 JOIN sched._job j ON j.job_id = l.job_id
					 WHERE p_pool IS NULL OR j.pool = p_pool), 0);
END $$;
COMMENT ON FUNCTION sched._scaling_metric(oid, text) IS 'Behind sched.scaling_metric().';
CREATE FUNCTION sched.scaling_metric(pool text DEFAULT NULL) RETURNS bigint
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.scaling_metric(text) IS 'The backlog of a pool, or of all: tasks that are ready, assigned or running, without those that a paused job holds back. Never NULL.';
