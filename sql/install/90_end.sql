/*
 * The end of the install script: rights, dumps, the first segments.
 */

REVOKE ALL ON ALL TABLES IN SCHEMA sched FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA sched FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sched FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA sched FROM PUBLIC;

/*
 * What a dump brings along: definitions and the positions of ids, not what
 * happened.  And where the data was made, which keeps a copy from running.
 */
SELECT pg_catalog.pg_extension_config_dump('sched._job', 'WHERE status <> ''deleted''');
SELECT pg_catalog.pg_extension_config_dump('sched._trigger', '');
SELECT pg_catalog.pg_extension_config_dump('sched._calendar', '');
SELECT pg_catalog.pg_extension_config_dump('sched._trigger_type', '');
SELECT pg_catalog.pg_extension_config_dump('sched._dependency', 'WHERE removed_at IS NULL');
SELECT pg_catalog.pg_extension_config_dump('sched._dependency_dependency_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sched._task_type', 'WHERE NOT built_in');
SELECT pg_catalog.pg_extension_config_dump('sched._executor', 'WHERE status <> ''deregistered''');
SELECT pg_catalog.pg_extension_config_dump('sched._executor_executor_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sched._pool', '');
SELECT pg_catalog.pg_extension_config_dump('sched._router', '');
SELECT pg_catalog.pg_extension_config_dump('sched._origin', '');
SELECT pg_catalog.pg_extension_config_dump('sched._job_job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sched._trigger_trigger_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sched._task_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sched._event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sched._subscription', '');
SELECT pg_catalog.pg_extension_config_dump('sched._secret', 'WHERE pg_catalog.get_byte(sealed, 0) > 0');
SELECT pg_catalog.pg_extension_config_dump('sched._subscription_subscription_id_seq', '');

SELECT sched._segments_ensure(2);
SELECT sched._event_partitions_ensure(1);

INSERT INTO sched._origin (system_identifier, database_oid, recorded_at)
SELECT c.system_identifier, d.oid, sched._now()
FROM pg_catalog.pg_control_system() AS c, pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database();

SELECT sched._wake_launcher();
