/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Who acts as an executor, and may he.
 *
 * Whoever shows a token is the executor whose token it is, and no other,
 * whatever his role may be: so an executor that uses a role together with
 * others cannot touch what is theirs.  The token is in sched.executor_token of
 * the session, or, for those who come by HTTP, in the header that
 * sched.executor_auth_header names, of the request that PostgREST describes in
 * request.headers.  That anybody can set these is no matter: it is the token
 * that counts.  Without one the role decides: the one that registered
 * the executor, its members, and sched_admin.
 *
 * Only digests are kept; they are compared without regard to where they differ.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "application/executors/identity.h"
#include "application/tasks/rights.h"
#include "commands/dbcommands.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "infrastructure/settings.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#define LOAD_PATIENCE_MS	10000

StaticAssertDecl(SCHED_TOKEN_DIGEST_BYTES == PG_SHA256_DIGEST_LENGTH,
				 "a token's digest is its SHA-256");

/* ---------- may executors take part at all? ---------- */

static bool
is_loaded(void)
{
	int			me;
	bool		loaded;

	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	loaded = me >= 0 && sched_shared->databases[me].loaded &&
		sched_shared->databases[me].executors_loaded;
	sched_unlock();
	return loaded;
}

void
sched_require_cluster(void)
{
	sched_shmem_require();
	if (!sched_cluster_enabled)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("external executors take no part in database \"%s\"",
						get_database_name(MyDatabaseId)),
				 errdetail("sched.cluster_enabled is off: only built-in workers run tasks."),
				 errhint("Set sched.cluster_enabled to on and reload.")));
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("executors take part on the primary server only"),
				 errdetail("This server is a standby."),
				 errhint("Connect with target_session_attrs=read-write.")));
	/* after a start leases are read again; until then nothing can be said */
	for (int waited = 0; !is_loaded(); waited += 10)
	{
		if (waited >= LOAD_PATIENCE_MS)
			ereport(ERROR,
					(errcode(ERRCODE_CANNOT_CONNECT_NOW),
					 errmsg("the scheduler of database \"%s\" is not ready",
							get_database_name(MyDatabaseId)),
					 errdetail("Leases have not been read from the tables yet."),
					 errhint("Try again in a moment; see sched.health().")));
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---------- finding ---------- */

void
sched_identity_copy(const QExecutor *executor, SchedIdentity *identity)
{
	identity->index = sched_executor_index(executor);
	identity->executor_id = executor->spec.executor_id;
	identity->owner = executor->spec.owner;
	identity->status = executor->spec.status;
	identity->active = executor->spec.active;
	memcpy(identity->digest, executor->spec.digest, sizeof(identity->digest));
	strlcpy(identity->name, executor->spec.name, sizeof(identity->name));
}

QExecutor  *
sched_identity_slot(int db, const SchedIdentity *identity)
{
	QExecutor  *executor = sched_executor_at(identity->index);

	if (executor->db != db || executor->gone ||
		executor->spec.executor_id != identity->executor_id ||
		executor->spec.owner != identity->owner ||
		memcmp(executor->spec.digest, identity->digest,
			   sizeof(identity->digest)) != 0)
		return NULL;
	return executor;
}

void
sched_identity_find(const char *name, SchedIdentity *identity)
{
	QExecutor  *executor = NULL;
	int			me;

	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		executor = sched_executor_find(me, name);
	if (executor != NULL)
		sched_identity_copy(executor, identity);
	sched_unlock();
	if (executor == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("executor \"%.*s\" does not exist",
						pg_mbcliplen(name, strlen(name), 200), name),
				 errhint("Register it with sched.register_executor(); see sched.executors for those that are.")));
}

/* ---------- tokens ---------- */

void
sched_token_digest(const char *token, uint8 digest[SCHED_TOKEN_DIGEST_BYTES])
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

	if (pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) token,
							 strlen(token)) < 0 ||
		pg_cryptohash_final(context, digest, SCHED_TOKEN_DIGEST_BYTES) < 0)
	{
		pg_cryptohash_free(context);
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute the digest of a token")));
	}
	pg_cryptohash_free(context);
}

/* The header of an HTTP request that carries a token, or NULL. */
static char *
token_of_request(void)
{
	const char *headers = GetConfigOption("request.headers", true, false);
	char	   *name;
	Jsonb	   *object;
	JsonbValue	key;
	JsonbValue *value;

	if (headers == NULL || headers[0] != '{' ||
		sched_executor_auth_header[0] == '\0')
		return NULL;
	object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
												CStringGetDatum(headers)));
	name = asc_tolower(sched_executor_auth_header,
					   strlen(sched_executor_auth_header));
	key.type = jbvString;
	key.val.string.val = name;
	key.val.string.len = strlen(name);
	value = findJsonbValueFromContainer(&object->root, JB_FOBJECT, &key);
	if (value == NULL || value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* The digest of the token that the session shows; false when it shows none. */
static bool
shown_digest(uint8 digest[SCHED_TOKEN_DIGEST_BYTES])
{
	static char last_token[128];
	static uint8 last_digest[SCHED_TOKEN_DIGEST_BYTES];
	const char *token = sched_executor_token;

	if (token == NULL || token[0] == '\0')
		token = token_of_request();
	if (token == NULL || token[0] == '\0')
		return false;
	if (last_token[0] == '\0' || strcmp(token, last_token) != 0)
	{
		sched_token_digest(token, last_digest);
		strlcpy(last_token, token, sizeof(last_token));
		if (strlen(token) >= sizeof(last_token))
			last_token[0] = '\0';
	}
	memcpy(digest, last_digest, sizeof(last_digest));
	return true;
}

static bool
same_digest(const uint8 *a, const uint8 *b)
{
	uint8		differs = 0;

	for (int i = 0; i < SCHED_TOKEN_DIGEST_BYTES; i++)
		differs |= a[i] ^ b[i];
	return differs == 0;
}

/* ---------- rights ---------- */

bool
sched_identity_may_act(const SchedIdentity *identity)
{
	uint8		digest[SCHED_TOKEN_DIGEST_BYTES];
	Oid			caller = GetUserId();

	if (shown_digest(digest))
		return same_digest(digest, identity->digest);
	if (sched_may(caller, identity->owner, SCHED_MAY_CHANGE))
		return true;
	return !sched_security_enabled && sched_has_role(caller, "sched_executor");
}

bool
sched_identity_is_some(void)
{
	SchedIdentity *all;
	QExecutor  *executor;
	uint32		cursor = 0;
	int			count = 0;
	int			capacity = sched_executors_used() + 64;
	int			me;

	all = palloc_extended(capacity * sizeof(SchedIdentity), MCXT_ALLOC_HUGE);
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	while (me >= 0 && count < capacity &&
		   (executor = sched_executor_next(me, &cursor)) != NULL)
		sched_identity_copy(executor, &all[count++]);
	sched_unlock();
	for (int i = 0; i < count; i++)
		if (sched_identity_may_act(&all[i]))
		{
			pfree(all);
			return true;
		}
	pfree(all);
	return false;
}

void
sched_identity_require(const char *name, SchedIdentity *identity)
{
	sched_identity_find(name, identity);
	if (!sched_identity_may_act(identity))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for executor \"%s\"",
						identity->name),
				 errdetail("The session shows no token of it, and its role is not a member of the role that registered it."),
				 errhint("Set sched.executor_token to the token that sched.register_executor() returned.")));
}
