/*-------------------------------------------------------------------------
 *
 * http_flight.c
 *	  An attempt of an HTTP task, from taking the task to writing its outcome.
 *
 * Runs in the HTTP worker.  A flight is prepared in a short transaction, which reads
 * the job and the task; then it is on the wire with no transaction; then its
 * outcome is written in another.  What the tasks of a job have in common is kept
 * until a job changes, so that most of them are sent without parsing anything.
 *
 * The request carries an idempotency key run-task-N, where N counts the
 * attempts that ended with an answer or a fault.  An attempt that was lost is
 * sent again under the same key, since nobody knows whether the first one
 * arrived.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/http/http_flight.h"
#include "application/http/http_result.h"
#include "application/http/secret.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

typedef struct JobEntry
{
	int64		job_id;			/* key */
	HttpJob    *job;
} JobEntry;

static HTAB *jobs;
static uint32 jobs_generation;
static uint32 secrets_generation;	/* that they were read with */

/* ---------- jobs ---------- */

static void
free_job(HttpJob *job)
{
	MemoryContextDelete(job->context);
}

void
sched_http_flight_forget_jobs(void)
{
	HASH_SEQ_STATUS status;
	JobEntry   *entry;

	if (jobs == NULL)
		return;
	hash_seq_init(&status, jobs);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		entry->job->current = false;
		if (entry->job->users == 0)
			free_job(entry->job);
	}
	hash_destroy(jobs);
	jobs = NULL;
}

static const char *
secret_value(void *arg, const char *name, const char **why)
{
	const SchedJob *job = arg;

	return sched_secret_value(name, job->owner, job->defined_by, why);
}

static uint32
current_secrets_generation(void)
{
	int			me = sched_shmem_my_database();

	return me < 0 ? 0 :
		*(volatile uint32 *) &sched_shared->databases[me].http.secret_generation;
}

/* False, with the problem set, when there is no valid request. */
static bool
make_spec(const SchedJob *job, Jsonb *parameters, SchedHttpSpec *spec,
		  SchedHttpProblem *problem)
{
	return sched_http_spec_parse(job->command, parameters, spec, problem) &&
		sched_http_spec_fill_in(spec, secret_value, (void *) job, problem);
}

/* Read a job, and parse what its tasks without parameters ask for. */
static HttpJob *
read_job(int64 job_id)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "sched http job",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HttpJob    *job = palloc0(sizeof(HttpJob));

	job->context = context;
	job->job_id = job_id;
	job->job = sched_store_job(job_id);
	if (job->job != NULL)
		job->parsed = make_spec(job->job, job->job->parameters, &job->spec,
								&job->problem);
	MemoryContextSwitchTo(old);
	return job;
}

static HttpJob *
get_job(int64 job_id)
{
	uint32		generation = sched_pending_job_generation();
	JobEntry   *entry;
	HttpJob    *job;

	if (jobs != NULL && (jobs_generation != generation ||
						 secrets_generation != current_secrets_generation()))
		sched_http_flight_forget_jobs();
	if (jobs == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(int64);
		control.entrysize = sizeof(JobEntry);
		jobs = hash_create("sched http jobs", 64, &control,
						   HASH_ELEM | HASH_BLOBS);
		jobs_generation = generation;
		secrets_generation = current_secrets_generation();
	}
	entry = hash_search(jobs, &job_id, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->job;
	job = read_job(job_id);
	entry = hash_search(jobs, &job_id, HASH_ENTER, NULL);
	entry->job = job;
	job->current = true;
	return job;
}

/* ---------- preparing ---------- */

static void
cannot_send(HttpFlight *flight, const char *sqlstate, const char *error,
			const char *reason)
{
	flight->spec = NULL;
	flight->end.status = SCHED_OUTCOME_FAILED;
	flight->end.retryable = false;
	flight->end.sqlstate = sqlstate;
	flight->end.error = error;
	flight->end.reason = reason;
	flight->end.row_count = SCHED_UNSET;
	flight->end.executor_id = SCHED_EXECUTOR_HTTP;
}

static void
read_request(HttpFlight *flight)
{
	HttpJob    *job = get_job(flight->attempt.job_id);
	SchedTaskRow row;
	SchedHttpSpec *spec;
	SchedHttpProblem problem;

	flight->job = job;
	job->users++;
	if (job->job == NULL)
	{
		cannot_send(flight, "42704", "the job no longer exists", NULL);
		return;
	}
	if (!sched_store_task(flight->attempt.task_id, &row))
	{
		cannot_send(flight, "42704", "the task no longer exists", NULL);
		return;
	}
	if (row.parameters == NULL)
	{
		if (job->parsed)
			flight->spec = &job->spec;
		else
			cannot_send(flight, "22023",
						psprintf("invalid %s: %s", job->problem.field,
								 job->problem.detail), NULL);
		return;
	}
	spec = palloc(sizeof(SchedHttpSpec));
	if (sched_http_spec_overlay(job->job->command, job->job->parameters,
								row.parameters, spec, &problem) &&
		sched_http_spec_fill_in(spec, secret_value, job->job, &problem))
		flight->spec = spec;
	else
		cannot_send(flight, "22023", psprintf("invalid %s: %s", problem.field,
											  problem.detail), NULL);
}

/*
 * Run code that may raise an error in a subtransaction; NULL or the error, in
 * the current context.
 */
static ErrorData *
try_out(void (*code) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		code(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

static void
read_request_code(void *arg)
{
	read_request(arg);
}

HttpFlight *
sched_http_flight_prepare(const SchedAttempt *attempt)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "sched http flight",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HttpFlight *flight = palloc0(sizeof(HttpFlight));
	ErrorData  *error;

	flight->kind = HTTP_OWNER_FLIGHT;
	flight->context = context;
	flight->attempt = *attempt;
	/* one request that cannot be read must not stop the others */
	error = try_out(read_request_code, flight);
	if (error != NULL)
		cannot_send(flight, pstrdup(unpack_sql_state(error->sqlerrcode)),
					error->message, NULL);
	MemoryContextSwitchTo(old);
	return flight;
}

/* ---------- on the wire ---------- */

bool
sched_http_flight_start(HttpFlight *flight, SchedHttpClient *client)
{
	const SchedHttpSpec *spec = flight->spec;
	const SchedAttempt *attempt = &flight->attempt;
	SchedHttpHeader headers[128];
	char		key[80];
	char		run[24];
	char		task[24];
	char		number[16];
	SchedHttpRequest request = {0};
	int			n = spec->header_count;

	Assert(n + 4 <= lengthof(headers));
	if (n > 0)
		memcpy(headers, spec->headers, n * sizeof(SchedHttpHeader));
	snprintf(run, sizeof(run), INT64_FORMAT, attempt->run_id);
	snprintf(task, sizeof(task), INT64_FORMAT, attempt->task_id);
	snprintf(number, sizeof(number), "%d", attempt->attempt);
	snprintf(key, sizeof(key), "%s-%s-%d", run, task, attempt->tries + 1);
	headers[n++] = (SchedHttpHeader)
	{
		"X-Sched-Run-Id", run, false
	};
	headers[n++] = (SchedHttpHeader)
	{
		"X-Sched-Task-Id", task, false
	};
	headers[n++] = (SchedHttpHeader)
	{
		"X-Sched-Attempt", number, false
	};
	if (!spec->has_key)
		headers[n++] = (SchedHttpHeader)
	{
		"Idempotency-Key", key, false
	};

	request.method = spec->method;
	request.url = spec->url;
	request.headers = headers;
	request.header_count = n;
	request.body = spec->body;
	request.body_length = spec->body_length;
	request.body_secret = spec->body_secret;
	request.timeout_ms = spec->timeout_ms;
	request.max_redirects = spec->max_redirects;
	request.max_body = (Size) sched_http_max_response_size * 1024;
	request.owner = flight;
	flight->call = sched_http_client_start(client, &request);
	return flight->call != NULL;
}

/* ---------- afterwards ---------- */

void
sched_http_flight_conclude(HttpFlight *flight)
{
	SchedEnd   *end = &flight->end;
	MemoryContext old = MemoryContextSwitchTo(flight->context);

	switch (flight->stop)
	{
		case SCHED_STOP_NONE:
			if (flight->call != NULL)
				sched_http_result(sched_http_call_answer(flight->call),
								  flight->spec, end);
			break;
		case SCHED_STOP_TIMEOUT:
			cannot_send(flight, "08006",
						psprintf("request to %s timed out %s",
								 sched_http_call_answer(flight->call)->host,
								 sched_http_phase_text(sched_http_call_phase(flight->call))),
						"timeout");
			end->status = SCHED_OUTCOME_TIMEOUT;
			end->retryable = true;
			break;
		case SCHED_STOP_CANCEL:
		case SCHED_STOP_REPLACED:
			cannot_send(flight, "57014",
						psprintf("request to %s given up %s",
								 sched_http_call_answer(flight->call)->host,
								 sched_http_phase_text(sched_http_call_phase(flight->call))),
						flight->stop == SCHED_STOP_CANCEL ?
						SCHED_ON_REQUEST : "replaced by a newer run");
			end->status = SCHED_OUTCOME_CANCELLED;
			break;
	}
	MemoryContextSwitchTo(old);
}

typedef struct ResultArgs
{
	HttpFlight *flight;
	bool		plain;
} ResultArgs;

static void
make_result_code(void *arg)
{
	ResultArgs *args = arg;
	HttpFlight *flight = args->flight;

	flight->end.result = sched_http_answer_json(sched_http_call_answer(flight->call),
												flight->spec->secrets,
												args->plain);
}

/* Is the answer to be kept?  There is one if there was a status. */
static bool
keeps_result(const HttpFlight *flight)
{
	const char *history = flight->job == NULL || flight->job->job == NULL ?
	NULL : flight->job->job->history;

	if (flight->spec == NULL || flight->call == NULL ||
		sched_http_call_answer(flight->call)->status == 0)
		return false;
	if (history == NULL || strcmp(history, "all") == 0)
		return true;
	return strcmp(history, "failures") == 0 &&
		flight->end.status != SCHED_OUTCOME_COMPLETED;
}

void
sched_http_flight_write(HttpFlight *flight, int thrift)
{
	SchedEnd   *end = &flight->end;
	TimestampTz now = sched_clock_now();
	MemoryContext old = MemoryContextSwitchTo(flight->context);
	SchedJob   *job = flight->job == NULL ? NULL : flight->job->job;

	end->result = NULL;
	if (thrift < 2 && keeps_result(flight))
	{
		ResultArgs	args = {flight, thrift > 0};

		if (try_out(make_result_code, &args) != NULL)
		{
			args.plain = true;
			(void) try_out(make_result_code, &args);
		}
	}
	if (end->error != NULL)
		sched_store_insert_log(flight->attempt.task_id,
							   flight->attempt.attempt, SCHED_LOG_ERROR, now,
							   end->error);
	(void) sched_attempt_end(job, &flight->attempt, end, now);
	MemoryContextSwitchTo(old);
}

void
sched_http_flight_free(HttpFlight *flight, SchedHttpClient *client)
{
	HttpJob    *job = flight->job;

	if (flight->call != NULL)
		sched_http_client_release(client, flight->call);
	if (job != NULL && --job->users == 0 && !job->current)
		free_job(job);
	MemoryContextDelete(flight->context);
}
