/*-------------------------------------------------------------------------
 *
 * module.c
 *	  What happens when the library is loaded.
 *
 * Everything that has to be there from the server's start on (settings, shared
 * memory, hooks, the launcher) is set up by the postmaster.  A library that is
 * loaded later only has functions: those that compute schedules work, those that
 * need shared memory say what is missing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/processes/launcher.h"
#include "fmgr.h"
#include "infrastructure/memory/counters.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/server_log.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/shmem.h"
#include "interface/database_hooks.h"
#include "miscadmin.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;

	sched_settings_define();
	sched_shmem_install_hooks();
	sched_pending_install();
	sched_counters_install();
	sched_server_log_install();

	/* pg_upgrade wants a server where nothing goes on */
	if (IsBinaryUpgrade)
		return;
	sched_launcher_register();
	sched_database_hooks_install();
}
