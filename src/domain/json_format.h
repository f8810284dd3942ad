/*-------------------------------------------------------------------------
 *
 * json_format.h
 *	  The formats that a JSON Schema may ask of a string.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_JSON_FORMAT_H
#define SCHED_JSON_FORMAT_H

#include "domain/domain.h"

/* All of them, for messages. */
extern const char *sched_json_format_names(void);

extern bool sched_json_format_is_known(const char *format);

/* Has the text the format?  The format is one that is known. */
extern bool sched_json_format_suits(const char *format, const char *text,
									int length);

#endif							/* SCHED_JSON_FORMAT_H */
