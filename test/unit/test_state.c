/*-------------------------------------------------------------------------
 *
 * test_state.c
 *	  The state machines allow what is documented, and nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/state.h"
#include "unit.h"

/* Every move of a task that is allowed, as text to be compared with names */
static const char *const task_moves[] = {
	"scheduled>waiting", "scheduled>ready", "scheduled>missed",
	"scheduled>cancelled",
	"waiting>ready", "waiting>skipped", "waiting>upstream_failed",
	"waiting>missed", "waiting>cancelled",
	"ready>assigned", "ready>missed", "ready>cancelled",
	"assigned>running", "assigned>ready", "assigned>cancelled",
	"running>completed", "running>failed", "running>timeout",
	"running>waiting_retry", "running>cancelled",
	"waiting_retry>ready", "waiting_retry>cancelled",
};

static const char *const job_moves[] = {
	"created>active", "created>disabled",
	"active>paused", "active>disabled", "active>completed",
	"paused>active", "paused>disabled",
	"disabled>active",
};

static bool
is_listed(const char *const *moves, int count, const char *move)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(moves[i], move) == 0)
			return true;
	}
	return false;
}

static void
test_task_moves(void)
{
	int			allowed = 0;

	for (int from = 0; from < SCHED_TASK_STATUS_COUNT; from++)
	{
		int			ways_out = 0;

		for (int to = 0; to < SCHED_TASK_STATUS_COUNT; to++)
		{
			const char *move = psprintf("%s>%s",
										sched_task_status_name((SchedTaskStatus) from),
										sched_task_status_name((SchedTaskStatus) to));
			bool		listed = is_listed(task_moves, lengthof(task_moves), move);
			bool		can = sched_task_transition_allowed((SchedTaskStatus) from,
															(SchedTaskStatus) to);

			unit_ok(can == listed, "task %s is %s", move,
					listed ? "allowed" : "refused");
			allowed += can;
			ways_out += can;
		}
		unit_ok(sched_task_status_is_terminal((SchedTaskStatus) from) == (ways_out == 0),
				"task status %s is terminal if and only if nothing follows",
				sched_task_status_name((SchedTaskStatus) from));
		unit_ok(sched_task_status_is_terminal((SchedTaskStatus) from) ||
				sched_task_transition_allowed((SchedTaskStatus) from,
											  SCHED_TASK_CANCELLED),
				"a task that is %s can be cancelled unless it has ended",
				sched_task_status_name((SchedTaskStatus) from));
	}
	unit_is_int(allowed, lengthof(task_moves), "every documented move exists");
}

static void
test_job_moves(void)
{
	int			allowed = 0;

	for (int from = 0; from < SCHED_JOB_STATUS_COUNT; from++)
	{
		for (int to = 0; to < SCHED_JOB_STATUS_COUNT; to++)
		{
			const char *move = psprintf("%s>%s",
										sched_job_status_name((SchedJobStatus) from),
										sched_job_status_name((SchedJobStatus) to));
			bool		listed = is_listed(job_moves, lengthof(job_moves), move);
			bool		can = sched_job_transition_allowed((SchedJobStatus) from,
														   (SchedJobStatus) to);

			unit_ok(can == listed, "job %s is %s", move,
					listed ? "allowed" : "refused");
			allowed += can;
		}
	}
	unit_is_int(allowed, lengthof(job_moves), "every documented move of jobs exists");
}

/* Each state can be reached from one in which a task may be born. */
static void
test_reachable(void)
{
	uint32		reached = 0;
	uint32		before;

	for (int s = 0; s < SCHED_TASK_STATUS_COUNT; s++)
	{
		if (sched_task_status_is_initial((SchedTaskStatus) s))
			reached |= 1u << s;
	}
	do
	{
		before = reached;
		for (int from = 0; from < SCHED_TASK_STATUS_COUNT; from++)
		{
			for (int to = 0; (reached & (1u << from)) && to < SCHED_TASK_STATUS_COUNT; to++)
			{
				if (sched_task_transition_allowed((SchedTaskStatus) from,
												  (SchedTaskStatus) to))
					reached |= 1u << to;
			}
		}
	} while (reached != before);
	for (int s = 0; s < SCHED_TASK_STATUS_COUNT; s++)
		unit_ok((reached & (1u << s)) != 0, "a task can become %s",
				sched_task_status_name((SchedTaskStatus) s));
}

static void
test_classes(void)
{
	static const char *const occupying[] = {
		"waiting", "ready", "assigned", "running", "waiting_retry"
	};
	static const char *const leased[] = {"assigned", "running"};

	for (int s = 0; s < SCHED_TASK_STATUS_COUNT; s++)
	{
		const char *name = sched_task_status_name((SchedTaskStatus) s);

		unit_ok(sched_task_status_occupies_job((SchedTaskStatus) s) ==
				is_listed(occupying, lengthof(occupying), name),
				"whether a task that is %s occupies its job", name);
		unit_ok(sched_task_status_holds_lease((SchedTaskStatus) s) ==
				is_listed(leased, lengthof(leased), name),
				"whether a task that is %s is leased", name);
	}
}

static void
test_names_and_events(void)
{
	static const char *const events[] = {
		"task.scheduled", NULL, "task.ready", "task.assigned", "task.started",
		"task.retry_scheduled", "task.completed", "task.failed",
		"task.timeout", "task.cancelled", "task.skipped",
		"task.upstream_failed", "task.missed"
	};
	SchedTaskStatus task = SCHED_TASK_MISSED;
	SchedJobStatus job = SCHED_JOB_COMPLETED;

	for (int s = 0; s < SCHED_TASK_STATUS_COUNT; s++)
	{
		const char *event = sched_task_event_name((SchedTaskStatus) s);

		unit_ok(sched_task_status_from_name(sched_task_status_name((SchedTaskStatus) s),
											&task) && task == s,
				"task status %s is found by its name",
				sched_task_status_name((SchedTaskStatus) s));
		unit_ok(events[s] == NULL ? event == NULL :
				event != NULL && strcmp(event, events[s]) == 0,
				"becoming %s is reported as %s",
				sched_task_status_name((SchedTaskStatus) s),
				events[s] == NULL ? "nothing" : events[s]);
	}
	for (int s = 0; s < SCHED_JOB_STATUS_COUNT; s++)
		unit_ok(sched_job_status_from_name(sched_job_status_name((SchedJobStatus) s),
										   &job) && job == s,
				"job status %s is found by its name",
				sched_job_status_name((SchedJobStatus) s));
	unit_ok(!sched_task_status_from_name("Running", &task) &&
			!sched_task_status_from_name("", &task) &&
			!sched_task_status_from_name(NULL, &task),
			"other words are no task status");
	unit_ok(!sched_job_status_from_name("running", &job) &&
			!sched_job_status_from_name(NULL, &job),
			"other words are no job status");
	unit_is_str(sched_job_event_name(SCHED_JOB_PAUSED, SCHED_JOB_ACTIVE),
				"job.resumed", "active after paused is resumed");
	unit_is_str(sched_job_event_name(SCHED_JOB_DISABLED, SCHED_JOB_ACTIVE),
				"job.activated", "active after disabled is activated");
	unit_is_str(sched_job_event_name(SCHED_JOB_ACTIVE, SCHED_JOB_COMPLETED),
				"job.completed", "the end of a schedule is reported");
}

int
main(void)
{
	test_task_moves();
	test_job_moves();
	test_reachable();
	test_classes();
	test_names_and_events();
	return unit_done();
}
