/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The configuration parameters sched.*, defined once in the postmaster.
 *
 * Only what sizes shared memory needs a restart; the rest takes effect at
 * reload.  Times are kept in seconds: the finer grain of a job's own settings
 * is in its row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <unistd.h>

#include "domain/egress.h"
#include "infrastructure/settings.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

char	   *sched_databases;
bool		sched_enabled;
bool		sched_cluster_enabled;
char	   *sched_node_id;
int			sched_max_workers;
int			sched_max_queued_tasks;
int			sched_max_concurrent_jobs;
int			sched_http_max_in_flight;
int			sched_retry_max_attempts;
int			sched_default_retry_delay;
int			sched_retry_strategy;
int			sched_retry_max_delay;
int			sched_default_timeout;
int			sched_default_priority;
int			sched_executor_heartbeat_interval;
int			sched_executor_timeout;
int			sched_misfire_threshold;
int			sched_history_retention;
int			sched_log_retention;
char	   *sched_timezone;
int			sched_priority_aging_interval;
char	   *sched_http_allowed_hosts;
char	   *sched_http_ca_file;
char	   *sched_secret_key_file;
int			sched_webhook_max_attempts;
int			sched_http_max_response_size;
char	   *sched_executor_auth_header;
bool		sched_security_enabled;
int			sched_log_level;
int			sched_event_level;
int			sched_worker_idle_timeout;
int			sched_cancel_grace;
int			sched_callback_timeout;
int			sched_max_executors;
int			sched_start_timeout;
char	   *sched_executor_token;
int			sched_notify_interval;
int			sched_stall_timeout;

static const struct config_enum_entry retry_strategy_options[] = {
	{"exponential_backoff", SCHED_RETRY_EXPONENTIAL_BACKOFF, false},
	{"fixed_delay", SCHED_RETRY_FIXED_DELAY, false},
	{"linear_backoff", SCHED_RETRY_LINEAR_BACKOFF, false},
	{"fibonacci_backoff", SCHED_RETRY_FIBONACCI_BACKOFF, false},
	{"none", SCHED_RETRY_NONE, false},
	{NULL, 0, false}
};

static const struct config_enum_entry log_level_options[] = {
	{"debug", DEBUG1, false},
	{"info", INFO, false},
	{"warning", WARNING, false},
	{"error", ERROR, false},
	{NULL, 0, false}
};

static const struct config_enum_entry event_level_options[] = {
	{"all", 2, false},
	{"important", 1, false},
	{"none", 0, false},
	{NULL, 0, false}
};

static void
define_seconds(const char *name, const char *description, int *variable,
			   int value, int minimum)
{
	DefineCustomIntVariable(name, description, NULL, variable, value, minimum,
							INT_MAX, PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
}

static void
define_count(const char *name, const char *description, int *variable,
			 int value, int minimum, int maximum, GucContext context)
{
	DefineCustomIntVariable(name, description, NULL, variable, value, minimum,
							maximum, context, 0, NULL, NULL, NULL);
}

static void
define_text(const char *name, const char *description, char **variable,
			const char *value, int flags)
{
	DefineCustomStringVariable(name, description, NULL, variable, value,
							   PGC_SIGHUP, flags, NULL, NULL, NULL);
}

static void
define_bool(const char *name, const char *description, bool *variable,
			bool value)
{
	DefineCustomBoolVariable(name, description, NULL, variable, value,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}

static bool
check_allowed_hosts(char **newval, void **extra, GucSource source)
{
	SchedError	err;
	SchedEgress *egress = sched_egress_parse(*newval, &err);

	if (egress == NULL)
	{
		GUC_check_errdetail("%s", err.detail);
		GUC_check_errhint("%s", err.hint);
		return false;
	}
	pfree(egress);
	return true;
}

/* Called from _PG_init(), in the postmaster. */
void
sched_settings_define(void)
{
	define_text("sched.databases",
				"Databases in which jobs run, separated by commas; * means every one that has the extension.",
				&sched_databases, "*", GUC_LIST_INPUT);
	define_bool("sched.enabled",
				"Fires triggers and starts tasks.", &sched_enabled, true);
	define_bool("sched.cluster_enabled",
				"Lets external executors take part.",
				&sched_cluster_enabled, true);
	define_text("sched.node_id",
				"Name of this server among the executors; empty means cluster_name.",
				&sched_node_id, "", 0);

	define_count("sched.max_workers",
				 "Most background workers that run tasks at once in this server.",
				 &sched_max_workers, 8, 1, 1024, PGC_POSTMASTER);
	define_count("sched.max_queued_tasks",
				 "Tasks that shared memory has room for; more wait in their table.",
				 &sched_max_queued_tasks, 100000, 1000, 10000000,
				 PGC_POSTMASTER);
	define_count("sched.max_concurrent_jobs",
				 "Most tasks assigned or running at once in a database, 0 means no limit.",
				 &sched_max_concurrent_jobs, 100, 0, INT_MAX, PGC_SIGHUP);
	define_count("sched.http_max_in_flight",
				 "Most HTTP requests on the wire at once in a database.",
				 &sched_http_max_in_flight, 64, 1, 10000, PGC_SIGHUP);

	define_count("sched.retry_max_attempts",
				 "Attempts of a task, the first included, of jobs that do not say.",
				 &sched_retry_max_attempts, 3, 1, 1000000, PGC_SIGHUP);
	define_seconds("sched.retry_delay",
				   "Delay before the first retry, of jobs that do not say.",
				   &sched_default_retry_delay, 60, 0);
	DefineCustomEnumVariable("sched.retry_strategy",
							 "How the delay grows from retry to retry, of jobs that do not say.",
							 NULL, &sched_retry_strategy,
							 SCHED_RETRY_EXPONENTIAL_BACKOFF, retry_strategy_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	define_seconds("sched.retry_max_delay",
				   "Longest delay before a retry, of jobs that do not say.",
				   &sched_retry_max_delay, 3600, 0);
	define_seconds("sched.default_timeout",
				   "Timeout of an attempt of jobs that do not say, 0 means none.",
				   &sched_default_timeout, 3600, 0);
	define_count("sched.default_priority",
				 "Priority of jobs that do not say, 1 to 10, 10 first.",
				 &sched_default_priority, 5, 1, 10, PGC_SIGHUP);

	define_seconds("sched.executor_heartbeat_interval",
				   "How often executors are asked to beat.",
				   &sched_executor_heartbeat_interval, 30, 1);
	define_seconds("sched.executor_timeout",
				   "An executor that was silent for longer is lost.",
				   &sched_executor_timeout, 120, 1);
	define_seconds("sched.misfire_threshold",
				   "An occurrence later than this has been missed, and the misfire policy decides.",
				   &sched_misfire_threshold, 60, 0);
	define_seconds("sched.stall_timeout",
				   "How long a run may stand still that nothing will move by itself, 0 means for ever.",
				   &sched_stall_timeout, 3600, 0);
	define_seconds("sched.history_retention",
				   "How long ended tasks are kept, 0 means for ever.",
				   &sched_history_retention, 30 * 86400, 0);
	define_seconds("sched.log_retention",
				   "How long task logs are kept, 0 means for ever.",
				   &sched_log_retention, 30 * 86400, 0);
	define_text("sched.timezone",
				"Time zone of jobs that do not say; empty means the server's.",
				&sched_timezone, "", 0);
	define_seconds("sched.priority_aging_interval",
				   "Waiting this long counts as one step of priority, 0 means strict priority.",
				   &sched_priority_aging_interval, 60, 0);

	DefineCustomStringVariable("sched.http_allowed_hosts",
							   "Hosts that HTTP requests may go to, separated by commas; empty means any public address.",
							   "Names, *.names, addresses, networks, each with or without :port; * is every public address.",
							   &sched_http_allowed_hosts, "", PGC_SIGHUP,
							   GUC_LIST_INPUT, check_allowed_hosts, NULL, NULL);
	define_text("sched.http_ca_file",
				"Certificates of authorities to trust in HTTPS, in PEM; empty means the system's.",
				&sched_http_ca_file, "", GUC_SUPERUSER_ONLY);
	define_count("sched.webhook_max_attempts",
				 "Attempts to send an event, after which its subscription is paused.",
				 &sched_webhook_max_attempts, 15, 1, 1000, PGC_SIGHUP);
	define_text("sched.secret_key_file",
				"File whose content encrypts secrets; empty means that they are stored in clear.",
				&sched_secret_key_file, "", GUC_SUPERUSER_ONLY);
	DefineCustomIntVariable("sched.http_max_response_size",
							"The most that is read of the body of an answer.",
							NULL, &sched_http_max_response_size, 64, 0, 16384,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	define_text("sched.executor_auth_header",
				"HTTP header that carries an executor's token.",
				&sched_executor_auth_header, "X-Executor-Auth-Token", 0);
	define_bool("sched.security_enabled",
				"Checks the token or the role of whoever acts as an executor.",
				&sched_security_enabled, true);

	DefineCustomEnumVariable("sched.log_level",
							 "Least level of the lines that sched writes to the server log.",
							 NULL, &sched_log_level, INFO, log_level_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("sched.event_level",
							 "Which domain events are recorded.",
							 NULL, &sched_event_level, 1, event_level_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	define_seconds("sched.worker_idle_timeout",
				   "A worker that had nothing to do for this long leaves.",
				   &sched_worker_idle_timeout, 300, 1);
	define_seconds("sched.cancel_grace",
				   "A task that goes on for this long after its cancellation is terminated.",
				   &sched_cancel_grace, 10, 1);
	DefineCustomIntVariable("sched.callback_timeout",
							"Longest time that a function of a user may take which the scheduler needs the answer of.",
							NULL, &sched_callback_timeout, 5000, 10, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	define_count("sched.max_executors",
				 "External executors that shared memory has room for, in all databases.",
				 &sched_max_executors, 10240, 16, 1000000, PGC_POSTMASTER);
	define_seconds("sched.start_timeout",
				   "A task that an executor has claimed and not started for this long goes to another one, 0 means never.",
				   &sched_start_timeout, 300, 0);
	DefineCustomIntVariable("sched.notify_interval",
							"Least time between two notifications on channel sched_tasks that there are tasks for executors, 0 means none.",
							NULL, &sched_notify_interval, 0, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("sched.executor_token",
							   "Token of the executor that this session speaks for.",
							   NULL, &sched_executor_token, "", PGC_USERSET,
							   GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE |
							   GUC_DISALLOW_IN_FILE, NULL, NULL, NULL);

	MarkGUCPrefixReserved("sched");
}

bool
sched_settings_database_wanted(const char *name)
{
	char	   *raw = pstrdup(sched_databases);
	List	   *names;
	ListCell   *cell;
	bool		wanted = false;

	if (SplitIdentifierString(raw, ',', &names))
	{
		foreach(cell, names)
		{
			const char *item = lfirst(cell);

			if (strcmp(item, "*") == 0 || strcmp(item, name) == 0)
				wanted = true;
		}
		list_free(names);
	}
	pfree(raw);
	return wanted;
}

const char *
sched_settings_node_id(void)
{
	static char host[256];

	if (sched_node_id[0] != '\0')
		return sched_node_id;
	if (cluster_name[0] != '\0')
		return cluster_name;
	if (host[0] == '\0' && gethostname(host, sizeof(host) - 1) != 0)
		strlcpy(host, "localhost", sizeof(host));
	return host;
}
