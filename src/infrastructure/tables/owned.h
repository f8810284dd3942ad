/*-------------------------------------------------------------------------
 *
 * owned.h
 *	  Private SQL functions of the extension, called from C.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_OWNED_H
#define SCHED_OWNED_H

#include "postgres_ext.h"

/*
 * The function sched.name(types) if it belongs to the given owner, else
 * InvalidOid.
 */
extern Oid	sched_owned_function(const char *name, int nargs,
								 const Oid *types, Oid owner);

/*
 * Call the private function as the extension's owner, whoever runs this.  It
 * must pin its search_path.  nulls may be NULL: none of the arguments is.
 * The caller has an active snapshot.
 */
extern Datum sched_owned_call(const char *name, int nargs, const Oid *types,
							  const Datum *args, const bool *nulls,
							  bool *isnull);

#endif							/* SCHED_OWNED_H */
