/*-------------------------------------------------------------------------
 *
 * graph_functions.c
 *	  SQL functions over the graph of jobs and the graphs of runs.
 *
 * Private functions: their callers have checked rights.  They read the tables
 * as of now rather than as of the caller's snapshot, since what they are asked is
 * whether something may be done.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/graph.h"
#include "application/rights.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

PG_FUNCTION_INFO_V1(sched_dependency_path);

/* A job that was reached, and from where. */
typedef struct Reached
{
	int64		job_id;			/* hash key */
	int64		from;			/* 0: the start */
} Reached;

static Datum
path_to(HTAB *reached, int64 job_id)
{
	List	   *path = NIL;
	ListCell   *cell;
	Datum	   *elements;
	int			n = 0;

	while (job_id != 0)
	{
		Reached    *entry = hash_search(reached, &job_id, HASH_FIND, NULL);

		path = lcons(entry, path);
		job_id = entry->from;
	}
	elements = palloc(list_length(path) * sizeof(Datum));
	foreach(cell, path)
		elements[n++] = Int64GetDatum(((Reached *) lfirst(cell))->job_id);
	return PointerGetDatum(construct_array(elements, n, INT8OID, 8,
										   FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/*
 * The way from a job over those that depend on it to another, by breadth.
 * A new job has none that depend on it, so that building a large graph costs nothing.
 */
Datum
sched_dependency_path(PG_FUNCTION_ARGS)
{
	int64		start = PG_GETARG_INT64(0);
	int64		target = PG_GETARG_INT64(1);
	HASHCTL		control = {0};
	HTAB	   *reached;
	Reached    *entry;
	List	   *level;
	bool		found;

	sched_require_owner("_dependency_path");
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(Reached);
	control.hcxt = CurrentMemoryContext;
	reached = hash_create("sched reached jobs", 64, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	entry = hash_search(reached, &start, HASH_ENTER, &found);
	entry->from = 0;
	level = list_make1(entry);
	while (level != NIL)
	{
		List	   *next = NIL;
		ListCell   *cell;

		foreach(cell, level)
		{
			int64		job_id = ((Reached *) lfirst(cell))->job_id;
			int			count;
			SchedEdge  *edges = sched_store_edges_on(job_id, &count);

			for (int i = 0; i < count; i++)
			{
				if (edges[i].removed || edges[i].type == SCHED_EDGE_MUTEX)
					continue;
				entry = hash_search(reached, &edges[i].job_id, HASH_ENTER,
									&found);
				if (found)
					continue;
				entry->from = job_id;
				if (entry->job_id == target)
					PG_RETURN_DATUM(path_to(reached, target));
				next = lappend(next, entry);
			}
			CHECK_FOR_INTERRUPTS();
		}
		list_free(level);
		level = next;
	}
	PG_RETURN_NULL();
}
