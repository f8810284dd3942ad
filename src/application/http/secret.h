/*-------------------------------------------------------------------------
 *
 * secret.h
 *	  Which secret a job may use.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SECRET_H
#define SCHED_SECRET_H

/*
 * The value of a secret for what belongs to owner and was defined by definer,
 * palloc'd; or NULL with *why set to a phrase that follows the secret's name.
 * Needs a transaction.
 */
extern char *sched_secret_value(const char *name, Oid owner, Oid definer,
								const char **why);

#endif							/* SCHED_SECRET_H */
