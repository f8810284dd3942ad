/*-------------------------------------------------------------------------
 *
 * custom_trigger.h
 *	  Triggers whose fire times a user's function tells.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CUSTOM_TRIGGER_H
#define SCHED_CUSTOM_TRIGGER_H

#include "application/processes/chore.h"
#include "datatype/timestamp.h"

extern const SchedChoreHandler sched_custom_trigger_chore;

/*
 * In the scheduler: remember a custom trigger whose next fire has to be found
 * out; make chores of those remembered (what finds no room is kept for the next
 * call); forget them all.
 */
extern void sched_custom_ask_for(int64 trigger_id, Oid owner);
extern void sched_custom_ask(int db);
extern void sched_custom_forget_asked(void);

/*
 * Call the function as the current user, under the active snapshot: its next fire
 * after an instant; false when there is none.
 */
extern bool sched_custom_call(Oid function, Datum config, Datum timezone,
							  TimestampTz after, TimestampTz *fire);

#endif							/* SCHED_CUSTOM_TRIGGER_H */
