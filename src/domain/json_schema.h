/*-------------------------------------------------------------------------
 *
 * json_schema.h
 *	  Checking a JSON value against a JSON Schema.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_JSON_SCHEMA_H
#define SCHED_JSON_SCHEMA_H

#include "domain/domain.h"

typedef enum SchedJsonKind
{
	SCHED_JSON_NULL,
	SCHED_JSON_BOOLEAN,
	SCHED_JSON_NUMBER,
	SCHED_JSON_STRING,
	SCHED_JSON_ARRAY,
	SCHED_JSON_OBJECT
} SchedJsonKind;

/*
 * A JSON value.  Whoever makes one owns the memory; text is terminated by a
 * zero byte that its length does not count.
 */
typedef struct SchedJson
{
	SchedJsonKind kind;
	bool		boolean;
	const char *text;			/* of a string, or a number as decimal text */
	int			length;			/* of text, in bytes */
	int			count;			/* elements or members */
	struct SchedJson *items;	/* elements, or the values of the members */
	struct SchedJson *keys;		/* of the members: strings */
} SchedJson;

/* What depends on where the check runs: encodings and regular expressions. */
typedef struct SchedSchemaHost
{
	/* characters of a text */
	int			(*length) (const char *text, int bytes);

	/* does it match?  NULL as text: only see whether the pattern is sound */
	bool		(*matches) (const SchedJson *pattern, const SchedJson *text,
							bool *sound);
} SchedSchemaHost;

/* Where the fault lies, as a JSON path from "$", and what it is. */
typedef struct SchedSchemaFault
{
	char		path[400];
	char		message[400];	/* what the value does wrong, a phrase */
} SchedSchemaFault;

/* Is it a schema that the function below understands in full? */
extern bool sched_schema_is_sound(const SchedJson *schema,
								  const SchedSchemaHost *host,
								  SchedSchemaFault *fault);

/* Does the value suit a schema that is sound? */
extern bool sched_schema_accepts(const SchedJson *schema,
								 const SchedJson *value,
								 const SchedSchemaHost *host,
								 SchedSchemaFault *fault);

/* Two values are equal as JSON: 1 and 1.0 are, the order of members is nothing. */
extern bool sched_json_equal(const SchedJson *a, const SchedJson *b);

/* Numbers as decimal text; -1, 0 or 1. */
extern int	sched_json_compare_numbers(const char *a, const char *b);

/* The member of an object, or NULL. */
extern const SchedJson *sched_json_member(const SchedJson *object,
										  const char *key);

#endif							/* SCHED_JSON_SCHEMA_H */
