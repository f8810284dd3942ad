/*-------------------------------------------------------------------------
 *
 * event_fire.h
 *	  Turning events into tasks of the jobs that listen to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_EVENT_FIRE_H
#define SCHED_EVENT_FIRE_H

#include "application/events/event.h"
#include "infrastructure/memory/listener.h"

/*
 * Fire those of the listeners that are triggers, in the running transaction.
 * The ids of the triggers that made a task go to fired, which has room for
 * all; returns how many.
 */
extern int	sched_event_fire(const SchedEvent *event, int64 event_id,
							 const SchedListener *listeners, int count,
							 int64 *fired, TimestampTz now);

#endif							/* SCHED_EVENT_FIRE_H */
