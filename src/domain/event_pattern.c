/*-------------------------------------------------------------------------
 *
 * event_pattern.c
 *	  Which events a pattern of dotted names means.
 *
 * A pattern is compared part by part.  Where parts differ behind a "**", the
 * comparison goes back to the latest "**" only and lets it take one part
 * more: an earlier one could not do better, so that there is no exponential
 * search.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/event_pattern.h"

static inline bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || c == '-';
}

static inline bool
is_end(char c)
{
	return c == '\0' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int
sched_event_pattern_length(const char *text, const char **stop,
						   const char **message)
{
	const char *at = text;

	*message = NULL;
	for (;;)
	{
		size_t		stars = strspn(at, "*");

		if (stars > 2)
		{
			at += 2;
			*message = "at most two \"*\" may follow each other";
			break;
		}
		if (stars == 0 && !is_name_char(*at))
		{
			*message = is_end(*at) ? "a part of the event name is missing" :
				"unexpected character in the event name";
			break;
		}
		if (stars > 0)
			at += stars;
		else
		{
			while (is_name_char(*at))
				at++;
		}
		if (is_end(*at))
			break;
		if (*at != '.')
		{
			*message = "unexpected character in the event name";
			break;
		}
		at++;
	}
	*stop = at;
	return *message == NULL ? (int) (at - text) : -1;
}

/* The part at the start of a path, and where the next one begins, if any. */
static size_t
part_length(const char *path, const char **next)
{
	size_t		length = strcspn(path, ".");

	*next = path[length] == '.' ? path + length + 1 : NULL;
	return length;
}

bool
sched_event_pattern_matches(const char *pattern, const char *name)
{
	const char *retry_pattern = NULL;
	const char *retry_name = NULL;
	bool		retry = false;

	/* NULL means that no part is left */
	while (pattern != NULL || name != NULL)
	{
		const char *next_pattern = NULL;
		const char *next_name = NULL;
		size_t		want = pattern != NULL ? part_length(pattern, &next_pattern) : 0;
		size_t		have = name != NULL ? part_length(name, &next_name) : 0;

		if (pattern != NULL && want == 2 && memcmp(pattern, "**", 2) == 0)
		{
			retry = true;
			retry_pattern = next_pattern;
			retry_name = name;
			pattern = next_pattern;
		}
		else if (pattern != NULL && name != NULL &&
				 ((want == 1 && *pattern == '*') ||
				  (want == have && memcmp(pattern, name, want) == 0)))
		{
			pattern = next_pattern;
			name = next_name;
		}
		else if (retry && retry_name != NULL)
		{
			part_length(retry_name, &retry_name);
			pattern = retry_pattern;
			name = retry_name;
		}
		else
			return false;
	}
	return true;
}
