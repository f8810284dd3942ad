/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  Who may do what with whose jobs.
 *
 * A job is its owner's, and of every role that has the owner's privileges.
 * Beyond that the roles of sched.create_roles() reach over all jobs; they are
 * looked up by name and may be missing.  All of it comes from the caches of
 * pg_authid and pg_auth_members, so that views can ask for each row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/rights.h"
#include "infrastructure/tables/store.h"
#include "miscadmin.h"
#include "utils/acl.h"

bool
sched_verb_from_name(const char *name, SchedVerb *verb)
{
	if (strcmp(name, "see") == 0)
		*verb = SCHED_MAY_SEE;
	else if (strcmp(name, "operate") == 0)
		*verb = SCHED_MAY_OPERATE;
	else if (strcmp(name, "change") == 0)
		*verb = SCHED_MAY_CHANGE;
	else
		return false;
	return true;
}

bool
sched_has_role(Oid caller, const char *name)
{
	Oid			role = get_role_oid(name, true);

	return OidIsValid(role) && has_privs_of_role(caller, role);
}

bool
sched_may(Oid caller, Oid owner, SchedVerb verb)
{
	if (superuser_arg(caller))
		return true;
	if (OidIsValid(owner) && has_privs_of_role(caller, owner))
		return true;
	if (sched_has_role(caller, "sched_admin"))
		return true;
	if (verb <= SCHED_MAY_OPERATE && sched_has_role(caller, "sched_operator"))
		return true;
	return verb == SCHED_MAY_SEE &&
		(sched_has_role(caller, "sched_viewer") || caller == sched_store_owner());
}

void
sched_require_right(Oid owner, SchedVerb verb, const char *object)
{
	Oid			caller = GetUserId();
	const char *owner_name;

	if (sched_may(caller, owner, verb))
		return;
	owner_name = OidIsValid(owner) ? GetUserNameFromId(owner, true) : NULL;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for %s", object),
			 owner_name == NULL ? 0 :
			 errdetail("Role \"%s\" is not a member of its owner \"%s\".",
					   GetUserNameFromId(caller, false), owner_name)));
}

void
sched_require_owner(const char *function)
{
	Oid			caller = GetUserId();

	if (!superuser_arg(caller) && caller != sched_store_owner())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for function sched.%s", function),
				 errdetail("Only the owner of extension \"sched\" may call it.")));
}
