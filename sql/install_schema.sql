-- The extension goes into a schema of its own, or none.
\set SHOW_CONTEXT never
SET client_min_messages = error;
DROP EXTENSION IF EXISTS sched CASCADE;
DROP SCHEMA IF EXISTS sched CASCADE;
CREATE ROLE regress_sched_mallory;
RESET client_min_messages;

-- Somebody else's schema.
CREATE SCHEMA sched AUTHORIZATION regress_sched_mallory;
CREATE EXTENSION sched;

-- One that somebody else may create objects in.
ALTER SCHEMA sched OWNER TO CURRENT_USER;
GRANT CREATE, USAGE ON SCHEMA sched TO regress_sched_mallory;
CREATE EXTENSION sched;

-- One in which somebody else has done so.
SET ROLE regress_sched_mallory;
CREATE FUNCTION sched._check_name(name varchar) RETURNS void LANGUAGE sql AS 'SELECT';
RESET ROLE;
REVOKE CREATE ON SCHEMA sched FROM regress_sched_mallory;
CREATE EXTENSION sched;

-- One that is there and harmless, as a dump makes it.
DROP FUNCTION sched._check_name(varchar);
CREATE EXTENSION sched;
DROP EXTENSION sched;
CREATE EXTENSION sched;
SELECT count(*) FROM sched.jobs;

-- The schema for HTTP clients is the extension's own, and nobody's before.
DROP EXTENSION sched;
CREATE SCHEMA sched_api AUTHORIZATION regress_sched_mallory;
CREATE EXTENSION sched;
DROP SCHEMA sched_api;
CREATE EXTENSION sched;
SELECT count(*) FROM sched_api.jobs;

REVOKE ALL ON SCHEMA sched FROM regress_sched_mallory;
DROP ROLE regress_sched_mallory;
