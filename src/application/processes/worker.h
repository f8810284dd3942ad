/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The background workers that run SQL tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_WORKER_H
#define SCHED_WORKER_H

/* Entry point; the argument is the worker's slot. */
extern PGDLLEXPORT void sched_worker_main(Datum slot);

#endif							/* SCHED_WORKER_H */
