/*-------------------------------------------------------------------------
 *
 * secret_box.h
 *	  Secrets as they lie in a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SECRET_BOX_H
#define SCHED_SECRET_BOX_H

/*
 * Seal a value so that it opens under that name only.  *encrypted is false
 * when no key file is set: then the bytes hold it in clear.  Raises an error
 * when there is a key file that cannot be used.
 */
extern bytea * sched_secret_seal(const char *name, const char *value,
								 bool *encrypted);

/* The value, palloc'd; or NULL with *why set to what is the matter. */
extern char *sched_secret_open(const char *name, const bytea * sealed,
							   const char **why);

extern bool sched_secret_is_encrypted(const bytea * sealed);

#endif							/* SCHED_SECRET_BOX_H */
