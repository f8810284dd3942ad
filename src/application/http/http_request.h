/*-------------------------------------------------------------------------
 *
 * http_request.h
 *	  The request that a job's command and parameters stand for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HTTP_REQUEST_H
#define SCHED_HTTP_REQUEST_H

#include "domain/http.h"
#include "infrastructure/http/http_client.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* In the memory context that it was parsed in. */
typedef struct SchedHttpSpec
{
	char	   *url;
	char	   *method;
	SchedHttpHeader *headers;
	int			header_count;
	char	   *body;			/* NULL: none */
	Size		body_length;
	bool		body_is_json;
	bool		body_secret;
	bool		has_key;		/* it brings an Idempotency-Key of its own */
	int64		timeout_ms;		/* 0: the task's only */
	int			max_redirects;
	SchedStatusSet expect;
	List	   *secrets;		/* values that were put in, char * */
} SchedHttpSpec;

/* What is wrong with it; texts are palloc'd or constant. */
typedef struct SchedHttpProblem
{
	const char *field;			/* "command" or "parameters" */
	const char *detail;			/* a sentence, with the path in the JSON */
	const char *hint;
} SchedHttpProblem;

/* The value of a secret, or NULL after setting *why. */
typedef const char *(*SchedSecretSource) (void *arg, const char *name,
										  const char **why);

/*
 * What command and parameters ask for, with {{secret:NAME}} where a secret is
 * to be put in.  False, with *problem set, when they are not valid.
 */
extern bool sched_http_spec_parse(const char *command, Jsonb *parameters,
								  SchedHttpSpec *spec,
								  SchedHttpProblem *problem);

/* Put the secrets in, and check the result. */
extern bool sched_http_spec_fill_in(SchedHttpSpec *spec,
									SchedSecretSource source, void *arg,
									SchedHttpProblem *problem);

/*
 * The same with a task's own parameters over those of its job.  These cannot
 * name secrets: whoever orders a task need not be the one who defined the job.
 */
extern bool sched_http_spec_overlay(const char *command, Jsonb *parameters,
									Jsonb *own, SchedHttpSpec *spec,
									SchedHttpProblem *problem);

/*
 * Replace what is secret in a text by three asterisks, in place.  cut: the text
 * was cut off, so the beginning of a secret at its end counts as well.
 */
extern void sched_http_mask(char *text, Size *length, const List *secrets,
							bool cut);

#endif							/* SCHED_HTTP_REQUEST_H */
