/*-------------------------------------------------------------------------
 *
 * rights.h
 *	  Who may do what with whose jobs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_RIGHTS_H
#define SCHED_RIGHTS_H

typedef enum SchedVerb
{
	SCHED_MAY_SEE,				/* look at the job and its tasks */
	SCHED_MAY_OPERATE,			/* pause, run, cancel */
	SCHED_MAY_CHANGE			/* change or delete the definition */
} SchedVerb;

extern bool sched_verb_from_name(const char *name, SchedVerb *verb);

/* An owner of InvalidOid stands for what belongs to nobody. */
extern bool sched_may(Oid caller, Oid owner, SchedVerb verb);

/* Has the caller one of the roles of sched.create_roles()? */
extern bool sched_has_role(Oid caller, const char *name);

/* Raise 42501 unless the current user may; object as in 'job "nightly"'. */
extern void sched_require_right(Oid owner, SchedVerb verb,
								const char *object);

/* Raise 42501 unless the extension's owner or a superuser acts. */
extern void sched_require_owner(const char *function);

#endif							/* SCHED_RIGHTS_H */
