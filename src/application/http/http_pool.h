/*-------------------------------------------------------------------------
 *
 * http_pool.h
 *	  The scheduler's care for the HTTP worker of its database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HTTP_POOL_H
#define SCHED_HTTP_POOL_H

#include "utils/timestamp.h"

/*
 * Settle what a worker that is gone had in hand, and start one if there is work
 * for it.  Returns when to look again, in real time, 0: when woken.
 */
extern TimestampTz sched_http_pool_run(int db);

/* Ask it to go. */
extern void sched_http_pool_dismiss(int db);

#endif							/* SCHED_HTTP_POOL_H */
