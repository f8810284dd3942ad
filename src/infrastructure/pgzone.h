/*-------------------------------------------------------------------------
 *
 * pgzone.h
 *	  Time zones of the server's library, as the domain sees them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_PGZONE_H
#define SCHED_PGZONE_H

#include "domain/schedule/zone.h"
#include "storage/spin.h"

/* The server's TimeZone, as one process tells it to the others. */
typedef struct SchedZoneShare
{
	slock_t		mutex;
	char		name[64];		/* empty: not told yet */
} SchedZoneShare;

/*
 * The zone of that name in any case, NULL when there is none.  Lives as long as
 * the process; asking twice gives the same pointer.
 */
extern const SchedZone *sched_pgzone_get(const char *name);

/* sched.timezone, else the server's TimeZone; never NULL. */
extern const SchedZone *sched_pgzone_default(void);

/* What to say about a name that is not known, palloc'd. */
extern char *sched_pgzone_hint(const char *name);

/*
 * Where the server's TimeZone is told.  Every process attaches to the place in
 * shared memory; who makes it, the postmaster, tells at once.  One process
 * without a client tells again after each reload.
 */
extern void sched_pgzone_share_attach(SchedZoneShare *share, bool found);
extern void sched_pgzone_publish(void);

#endif							/* SCHED_PGZONE_H */
