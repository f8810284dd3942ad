/*-------------------------------------------------------------------------
 *
 * egress.h
 *	  Which hosts and addresses HTTP requests may go to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_EGRESS_H
#define SCHED_EGRESS_H

#include "domain/domain.h"

/* An address of the internet protocol; IPv4 in the first four bytes. */
typedef struct SchedAddress
{
	bool		v6;
	uint8		bytes[16];
} SchedAddress;

typedef enum SchedAddressKind
{
	SCHED_ADDRESS_PUBLIC,
	SCHED_ADDRESS_PRIVATE,
	SCHED_ADDRESS_LOOPBACK,
	SCHED_ADDRESS_LINK_LOCAL,	/* cloud metadata services among them */
	SCHED_ADDRESS_SHARED,		/* carrier-grade NAT */
	SCHED_ADDRESS_MULTICAST,
	SCHED_ADDRESS_TRANSITION,	/* IPv6 that stands for some IPv4 address */
	SCHED_ADDRESS_RESERVED
} SchedAddressKind;

/* The text of an address, without brackets, port or zone. */
extern bool sched_address_parse(const char *text, SchedAddress *address);

/* IPv4 that is mapped into IPv6 (::ffff:0:0/96) becomes IPv4. */
extern void sched_address_normalize(SchedAddress *address);

extern SchedAddressKind sched_address_kind(const SchedAddress *address);
extern const char *sched_address_kind_name(SchedAddressKind kind);

/*
 * The rules of sched.http_allowed_hosts, parsed.  Allocated with palloc, one
 * piece; read without allocation.
 */
typedef struct SchedEgress SchedEgress;

/* NULL and *err for a list that is not valid; item counts from 1 in *err. */
extern SchedEgress *sched_egress_parse(const char *text, SchedError *err);

/* False when no address at all would do: the name need not be resolved. */
extern bool sched_egress_may_reach_host(const SchedEgress *egress,
										const char *host, int port);

/* May a request for that host be sent to that address? */
extern bool sched_egress_allows(const SchedEgress *egress, const char *host,
								int port, const SchedAddress *address);

#endif							/* SCHED_EGRESS_H */
