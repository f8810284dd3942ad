--
-- The graph of jobs and runs as text and picture.
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
SET client_min_messages = notice;
\pset format unaligned
\pset tuples_only on

-- ids depend on what ran before: jobs are shown as A, B, ... in the order of their names
CREATE FUNCTION plain(graph text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_job	record;
BEGIN
	FOR v_job IN SELECT job_id, chr(64 + row_number() OVER (ORDER BY name COLLATE "C")::int) AS letter FROM sched.jobs WHERE name LIKE 'gr %' LOOP
		graph := regexp_replace(graph, '\mj' || v_job.job_id || '\M', v_job.letter, 'g');
		graph := regexp_replace(graph, '("(job_id|from|to)": )' || v_job.job_id || '\M', '\1"' || v_job.letter || '"', 'g');
	END LOOP;
	RETURN regexp_replace(graph, '("(run_id|task_id)": )[0-9]+', '\1N', 'g');
END $$;

SELECT sched.create_job('gr a', 'SELECT 1') > 0;
SELECT sched.create_job('gr b', 'SELECT 1/0', depends_on => '{gr a}', max_attempts => 1) > 0;
SELECT sched.create_job('gr c "x" <y> & \z', 'SELECT 1', depends_on => '{gr a}') > 0;
SELECT sched.create_job('gr d', 'SELECT 1', depends_on => ARRAY['gr b', 'gr c "x" <y> & \z']) > 0;
SELECT sched.create_job('gr e', 'SELECT 1') > 0;
SELECT sched.add_dependency('gr e', 'gr b', 'failure') > 0;
SELECT sched.create_job('gr alone', 'SELECT 1') > 0;

SELECT plain(sched.dependency_graph());
SELECT plain(sched.dependency_graph('dot'));
SELECT plain(sched.dependency_graph('json'));
SELECT jsonb_array_length(sched.dependency_graph('JSON')::jsonb -> 'edges');
-- around one job, by name and by id
SELECT plain(sched.dependency_graph('mermaid', 'gr e'));
SELECT sched.dependency_graph('mermaid', job_id) = sched.dependency_graph('mermaid', 'gr e') FROM sched.jobs WHERE name = 'gr e';
SELECT plain(sched.dependency_graph('mermaid', 'gr alone'));
-- it is the same each time, and well-formed
SELECT sched.dependency_graph('svg') = sched.dependency_graph('svg', NULL);
SELECT xpath('count(//*[local-name() = "rect"])', sched.dependency_graph('svg')::xml),
	xpath('//*[local-name() = "text" and @class = "name"]/text()', sched.dependency_graph('svg')::xml);
-- a run: the states of its tasks, and the edges that it began with
SELECT sched.run_job('gr a') AS run \gset
SELECT sched.wait_for_task(t.task_id, '20 s') FROM sched._node t WHERE t.run_id = :run ORDER BY task_id;
SELECT sched.remove_dependency('gr d', 'gr b');
SELECT plain(sched.dependency_graph('mermaid', run_id => :run));
SELECT plain(sched.dependency_graph('mermaid', 'gr e', :run));
SELECT plain(sched.dependency_graph('mermaid', 'gr alone', :run));
SELECT plain(sched.dependency_graph('json', run_id => :run));
SELECT plain(sched.dependency_graph('mermaid', 'gr d'));
-- names of many bytes
SELECT sched.create_job('gr ' || repeat('long', 63), 'SELECT 1', depends_on => '{gr alone}') > 0;
SELECT xpath('//*[local-name() = "text" and @class = "name"]/text()', sched.dependency_graph('svg', 'gr alone')::xml),
	xpath('//*[local-name() = "title"]/text()', sched.dependency_graph('svg', 'gr alone')::xml);
-- only what the caller may see
CREATE ROLE graph_user LOGIN;
GRANT USAGE ON SCHEMA sched TO graph_user;
GRANT EXECUTE ON FUNCTION sched.dependency_graph(text, text, bigint), sched.dependency_graph(text, bigint, bigint) TO graph_user;
SET ROLE graph_user;
SELECT sched.dependency_graph();
SELECT sched.dependency_graph('json');
SELECT sched.dependency_graph('svg', 'gr a');
\set VERBOSITY sqlstate
SELECT sched.dependency_graph('svg', run_id => :run);
\set VERBOSITY default
RESET ROLE;
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT sched.dependency_graph('png');
SELECT sched.dependency_graph(NULL);
SELECT sched.dependency_graph('svg', 'gr nobody');
SELECT sched.dependency_graph('svg', 0);
SELECT sched.dependency_graph('svg', run_id => 0);
\set VERBOSITY terse
DO $$
BEGIN
	PERFORM sched.remove_dependency(job_id, depends_on) FROM sched.dependencies WHERE job LIKE 'gr %';
	PERFORM sched.delete_job(name) FROM sched.jobs WHERE name LIKE 'gr %';
END $$;
REVOKE ALL ON FUNCTION sched.dependency_graph(text, text, bigint), sched.dependency_graph(text, bigint, bigint) FROM graph_user;
REVOKE ALL ON SCHEMA sched FROM graph_user;
DROP ROLE graph_user;
DROP FUNCTION plain(text);
