/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  The configuration parameters sched.*.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SETTINGS_H
#define SCHED_SETTINGS_H

#include "domain/retry.h"

extern char *sched_databases;
extern bool sched_enabled;
extern bool sched_cluster_enabled;
extern char *sched_node_id;
extern int	sched_max_workers;
extern int	sched_max_queued_tasks;
extern int	sched_max_concurrent_jobs;
extern int	sched_http_max_in_flight;
extern int	sched_retry_max_attempts;
extern int	sched_default_retry_delay;	/* seconds */
extern int	sched_retry_strategy;	/* SchedRetryStrategy */
extern int	sched_retry_max_delay;	/* seconds */
extern int	sched_default_timeout;	/* seconds, 0: none */
extern int	sched_default_priority;
extern int	sched_executor_heartbeat_interval;	/* seconds */
extern int	sched_executor_timeout; /* seconds */
extern int	sched_misfire_threshold;	/* seconds */
extern int	sched_history_retention;	/* seconds, 0: for ever */
extern int	sched_log_retention;	/* seconds, 0: for ever */
extern char *sched_timezone;
extern int	sched_priority_aging_interval;	/* seconds, 0: strict priority */
extern char *sched_http_allowed_hosts;
extern char *sched_http_ca_file;
extern char *sched_secret_key_file;
extern int	sched_webhook_max_attempts;
extern int	sched_http_max_response_size;	/* kB */
extern char *sched_executor_auth_header;
extern bool sched_security_enabled;
extern int	sched_log_level;
extern int	sched_event_level;
extern int	sched_worker_idle_timeout;	/* seconds */
extern int	sched_cancel_grace; /* seconds between cancel and terminate */
extern int	sched_callback_timeout; /* milliseconds */
extern int	sched_max_executors;
extern int	sched_start_timeout;	/* seconds from claim to start, 0: none */
extern char *sched_executor_token;
extern int	sched_notify_interval;	/* milliseconds, 0: never */
extern int	sched_stall_timeout;	/* seconds, 0: none */

extern void sched_settings_define(void);

/* Is the database one of sched.databases? */
extern bool sched_settings_database_wanted(const char *name);

/* sched.node_id, else cluster_name, else the host's name. */
extern const char *sched_settings_node_id(void);

#endif							/* SCHED_SETTINGS_H */
