/*-------------------------------------------------------------------------
 *
 * http.h
 *	  What is a valid request, and what an answer's status means.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HTTP_H
#define SCHED_HTTP_H

#include "domain/domain.h"

#define SCHED_HTTP_MAX_URL		8000	/* bytes */
#define SCHED_SECRET_MAX_NAME	63

/* Statuses from 100 to 599. */
typedef struct SchedStatusSet
{
	uint64		bits[8];
} SchedStatusSet;

/* A method that requests may use, upper case. */
extern bool sched_http_method_is_valid(const char *method);

/* NULL, or what is wrong with the name or value of a header. */
extern const char *sched_http_header_name_fault(const char *name);
extern const char *sched_http_value_fault(const char *value);

/* May another host see this header of a request that it did not get? */
extern bool sched_http_header_is_credential(const char *name);

/* NULL, or what is wrong with the URL, as a sentence without its period. */
extern const char *sched_http_url_fault(const char *url);

/* "200", "2xx" or "200-299"; false when it is none of these. */
extern bool sched_status_set_add(SchedStatusSet *set, const char *text);
extern bool sched_status_set_has(const SchedStatusSet *set, int status);

/* Is it worth trying again? */
extern bool sched_http_status_is_retryable(int status);

/* "Not Found", or an empty string. */
extern const char *sched_http_status_text(int status);

/* A name of a secret: letters, digits, underscore, dot, hyphen. */
extern bool sched_secret_name_is_valid(const char *name, Size length);

/*
 * The next {{secret:NAME}} in text, NULL when there is no more.  *length is
 * that of the whole, *name and *name_length say which secret.  Braces that
 * enclose no valid name are nothing special.
 */
extern const char *sched_secret_find(const char *text, Size *length,
									 const char **name, Size *name_length);

#endif							/* SCHED_HTTP_H */
