/*-------------------------------------------------------------------------
 *
 * tzfile.h
 *	  Time zones from the system's TZif files, for tests without a server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_TZFILE_H
#define SCHED_TZFILE_H

#include "domain/schedule/zone.h"

/* Where the files are: $TZDIR, else /usr/share/zoneinfo. */
extern const char *tzfile_directory(void);

/*
 * The zone of that name, kept for the life of the process, or NULL when there
 * is no such file or it is not a TZif file of version 2 or later.
 */
extern const SchedZone *tzfile_zone(const char *name);

/* Every name in the directory's tzdata.zi or tzdb list; NULL ends the array. */
extern char **tzfile_names(void);

/* An instant from "2026-03-08T02:30:00Z" or "...-05:00"; false when it is not one. */
extern bool tzfile_parse_time(const char *text, size_t length, SchedTime *result);

/* "2026-03-08T07:30:00Z", in one of a few static buffers. */
extern const char *tzfile_format_time(SchedTime t);

#endif							/* SCHED_TZFILE_H */
