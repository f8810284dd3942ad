/*-------------------------------------------------------------------------
 *
 * names.h
 *	  Enum values and the words that users write for them.
 *
 * Every policy and status is text in the tables and an enum in C; both ways
 * go through one array of words per enum, indexed by value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_NAMES_H
#define SCHED_NAMES_H

#include "domain/domain.h"

/* The index of an exact (case-sensitive) word, -1 when it is none of them. */
static inline int
sched_name_lookup(const char *const *names, int count, const char *name)
{
	if (name == NULL)
		return -1;
	for (int i = 0; i < count; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

#endif							/* SCHED_NAMES_H */
