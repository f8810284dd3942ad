/*-------------------------------------------------------------------------
 *
 * as_owner.h
 *	  Calling a private function as the extension's owner.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_AS_OWNER_H
#define SCHED_AS_OWNER_H

#include "fmgr.h"

/* Also for a public function in C that has nothing to add. */
extern PGDLLEXPORT Datum sched_as_owner(PG_FUNCTION_ARGS);

#endif							/* SCHED_AS_OWNER_H */
