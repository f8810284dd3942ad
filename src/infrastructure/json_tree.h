/*-------------------------------------------------------------------------
 *
 * json_tree.h
 *	  jsonb as the tree that the domain layer works on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_JSON_TREE_H
#define SCHED_JSON_TREE_H

#include "domain/json_schema.h"
#include "utils/jsonb.h"

/* What is checked against a schema, or is one, may be as large and as deep. */
#define SCHED_JSON_MAX_BYTES	(1024 * 1024)
#define SCHED_JSON_MAX_DEPTH	100

/* Lengths and regular expressions as the server knows them. */
extern const SchedSchemaHost sched_schema_host;

/*
 * The tree, in the current memory context; NULL when it is too large or too
 * deep, with the reason as a phrase.
 */
extern SchedJson *sched_json_tree(const Jsonb *jsonb, const char **reason);

#endif							/* SCHED_JSON_TREE_H */
