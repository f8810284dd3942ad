/*-------------------------------------------------------------------------
 *
 * http_result.h
 *	  What an answer means for the attempt that asked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HTTP_RESULT_H
#define SCHED_HTTP_RESULT_H

#include "application/tasks/attempt.h"
#include "application/http/http_request.h"

/* Fill in how the attempt ended, in the current memory context. */
extern void sched_http_result(const SchedHttpAnswer *answer,
							  const SchedHttpSpec *spec, SchedEnd *end);

/* "while resolving the name" and so on. */
extern const char *sched_http_phase_text(SchedHttpPhase phase);

/*
 * The answer as JSON: status, headers, body, timings.  plain: the body as text,
 * even if it claims to be JSON.  What is in secrets is masked.
 */
extern Jsonb *sched_http_answer_json(const SchedHttpAnswer *answer,
									 const List *secrets, bool plain);

#endif							/* SCHED_HTTP_RESULT_H */
