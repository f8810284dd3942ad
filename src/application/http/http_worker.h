/*-------------------------------------------------------------------------
 *
 * http_worker.h
 *	  The process of a database that does HTTP.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HTTP_WORKER_H
#define SCHED_HTTP_WORKER_H

extern PGDLLEXPORT void sched_http_worker_main(Datum slot);

#endif							/* SCHED_HTTP_WORKER_H */
