/*-------------------------------------------------------------------------
 *
 * egress.c
 *	  Which hosts and addresses HTTP requests may go to.
 *
 * What is judged is the address that a socket is about to be connected to,
 * together with the name that it was resolved from, so that a name whose
 * address changes between a check and the connection gains nothing.
 *
 * Without rules, every public address may be reached and nothing else.  With
 * rules, only what they list:
 *
 *	10.1.0.0/16, ::1, 10.0.0.5:8080		addresses, of whatever kind
 *	billing.internal, localhost:8080	a name, wherever it leads in the public,
 *										private or loopback range
 *	*.example.com						names below one, at public addresses
 *	*									every public address
 *
 * A name never leads to a link-local or other special address: those belong
 * to the machine or the cloud that it lives in, not to the name's owner.
 * Addresses of IPv6 that carry an IPv4 address through a translator are not
 * public, whatever they carry.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include <arpa/inet.h>

#include "domain/egress.h"

#define MAX_HOST	255

typedef enum RuleKind
{
	RULE_ANY,
	RULE_NETWORK,
	RULE_NAME,
	RULE_SUBDOMAINS
} RuleKind;

typedef struct Rule
{
	RuleKind	kind;
	int			port;			/* 0: any */
	int			bits;			/* of the network */
	SchedAddress address;
	char		name[MAX_HOST + 1]; /* lower case, no dot at either end */
} Rule;

struct SchedEgress
{
	int			count;
	Rule		rules[FLEXIBLE_ARRAY_MEMBER];
};

typedef struct Range
{
	uint8		bytes[4];
	int			bits;
	SchedAddressKind kind;
} Range;

/* IPv4 that is not public: IANA's registry of special-purpose addresses. */
static const Range special_v4[] = {
	{{0, 0, 0, 0}, 8, SCHED_ADDRESS_RESERVED},
	{{10, 0, 0, 0}, 8, SCHED_ADDRESS_PRIVATE},
	{{100, 64, 0, 0}, 10, SCHED_ADDRESS_SHARED},
	{{127, 0, 0, 0}, 8, SCHED_ADDRESS_LOOPBACK},
	{{169, 254, 0, 0}, 16, SCHED_ADDRESS_LINK_LOCAL},
	{{172, 16, 0, 0}, 12, SCHED_ADDRESS_PRIVATE},
	{{192, 0, 0, 0}, 24, SCHED_ADDRESS_RESERVED},
	{{192, 0, 2, 0}, 24, SCHED_ADDRESS_RESERVED},
	{{192, 88, 99, 0}, 24, SCHED_ADDRESS_RESERVED},
	{{192, 168, 0, 0}, 16, SCHED_ADDRESS_PRIVATE},
	{{198, 18, 0, 0}, 15, SCHED_ADDRESS_RESERVED},
	{{198, 51, 100, 0}, 24, SCHED_ADDRESS_RESERVED},
	{{203, 0, 113, 0}, 24, SCHED_ADDRESS_RESERVED},
	{{224, 0, 0, 0}, 4, SCHED_ADDRESS_MULTICAST},
	{{240, 0, 0, 0}, 4, SCHED_ADDRESS_RESERVED},
};

/* IPv6, by its first four bytes; the first that matches decides. */
static const Range special_v6[] = {
	{{0x00, 0x64, 0xff, 0x9b}, 32, SCHED_ADDRESS_TRANSITION},	/* NAT64 */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, SCHED_ADDRESS_RESERVED}, /* documentation */
	{{0x20, 0x01, 0x00, 0x00}, 32, SCHED_ADDRESS_TRANSITION},	/* Teredo */
	{{0x20, 0x01, 0x00, 0x00}, 23, SCHED_ADDRESS_RESERVED},
	{{0x20, 0x02, 0x00, 0x00}, 16, SCHED_ADDRESS_TRANSITION},	/* 6to4 */
	{{0x3f, 0xff, 0x00, 0x00}, 20, SCHED_ADDRESS_RESERVED},
	{{0x20, 0x00, 0x00, 0x00}, 3, SCHED_ADDRESS_PUBLIC},
	{{0xfc, 0x00, 0x00, 0x00}, 7, SCHED_ADDRESS_PRIVATE},
	{{0xfe, 0x80, 0x00, 0x00}, 10, SCHED_ADDRESS_LINK_LOCAL},
	{{0xfe, 0xc0, 0x00, 0x00}, 10, SCHED_ADDRESS_PRIVATE},
	{{0xff, 0x00, 0x00, 0x00}, 8, SCHED_ADDRESS_MULTICAST},
	{{0x00, 0x00, 0x00, 0x00}, 0, SCHED_ADDRESS_RESERVED},
};

/* ---------- addresses ---------- */

static bool
same_bits(const uint8 *a, const uint8 *b, int bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	return ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

void
sched_address_normalize(SchedAddress *address)
{
	static const uint8 mapped[12] = {[10] = 0xff,[11] = 0xff};

	if (!address->v6 || memcmp(address->bytes, mapped, 12) != 0)
		return;
	address->v6 = false;
	memmove(address->bytes, address->bytes + 12, 4);
	memset(address->bytes + 4, 0, 12);
}

bool
sched_address_parse(const char *text, SchedAddress *address)
{
	memset(address, 0, sizeof(SchedAddress));
	if (inet_pton(AF_INET, text, address->bytes) == 1)
		return true;
	if (inet_pton(AF_INET6, text, address->bytes) != 1)
		return false;
	address->v6 = true;
	sched_address_normalize(address);
	return true;
}

SchedAddressKind
sched_address_kind(const SchedAddress *given)
{
	SchedAddress address = *given;
	static const uint8 zero[16] = {0};

	sched_address_normalize(&address);
	if (!address.v6)
	{
		for (int i = 0; i < lengthof(special_v4); i++)
			if (same_bits(address.bytes, special_v4[i].bytes,
						  special_v4[i].bits))
				return special_v4[i].kind;
		return SCHED_ADDRESS_PUBLIC;
	}
	if (memcmp(address.bytes, zero, 15) == 0 && address.bytes[15] == 1)
		return SCHED_ADDRESS_LOOPBACK;
	/* ::a.b.c.d, deprecated but understood by some */
	if (memcmp(address.bytes, zero, 12) == 0 &&
		memcmp(address.bytes, zero, 16) != 0)
		return SCHED_ADDRESS_TRANSITION;
	for (int i = 0; i < lengthof(special_v6); i++)
		if (same_bits(address.bytes, special_v6[i].bytes, special_v6[i].bits))
			return special_v6[i].kind;
	return SCHED_ADDRESS_RESERVED;
}

const char *
sched_address_kind_name(SchedAddressKind kind)
{
	switch (kind)
	{
		case SCHED_ADDRESS_PUBLIC:
			return "public";
		case SCHED_ADDRESS_PRIVATE:
			return "private";
		case SCHED_ADDRESS_LOOPBACK:
			return "loopback";
		case SCHED_ADDRESS_LINK_LOCAL:
			return "link-local";
		case SCHED_ADDRESS_SHARED:
			return "shared";
		case SCHED_ADDRESS_MULTICAST:
			return "multicast";
		case SCHED_ADDRESS_TRANSITION:
			return "translated";
		case SCHED_ADDRESS_RESERVED:
			return "reserved";
	}
	return "unknown";
}

/* ---------- parsing the rules ---------- */

static bool
parse_number(const char *text, int max, int *number)
{
	int			n = 0;

	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text !='\0'; text ++)
	{
		if (*text <'0' || *text >'9')
			return false;
		n = n * 10 + (*text -'0');
	}
	*number = n;
	return n <= max;
}

static bool
valid_name(const char *name)
{
	bool		after_dot = true;

	for (; *name != '\0'; name++)
	{
		bool		letter = (*name >= 'a' && *name <= 'z') ||
		(*name >= '0' && *name <= '9') || *name == '-' || *name == '_';

		if (*name == '.' ? after_dot : !letter)
			return false;
		after_dot = *name == '.';
	}
	return !after_dot;
}

/* A network or address; false when the text is none. */
static bool
parse_network(char *text, Rule *rule)
{
	char	   *slash = strchr(text, '/');
	int			max;
	bool		was_mapped;

	if (slash != NULL)
		*slash = '\0';
	was_mapped = strchr(text, ':') != NULL;
	if (!sched_address_parse(text, &rule->address))
	{
		if (slash != NULL)
			*slash = '/';
		return false;
	}
	rule->kind = RULE_NETWORK;
	max = rule->address.v6 ? 128 : 32;
	rule->bits = max;
	if (slash == NULL)
		return true;
	if (was_mapped && !rule->address.v6)
		return parse_number(slash + 1, 128, &rule->bits) && rule->bits >= 96 &&
			(rule->bits -= 96, true);
	return parse_number(slash + 1, max, &rule->bits);
}

/* One item, in lower case and trimmed; changed on the way. */
static const char *
parse_item(char *item, Rule *rule)
{
	char	   *port = NULL;
	int			length;

	memset(rule, 0, sizeof(Rule));
	if (item[0] == '[')
	{
		char	   *end = strchr(item, ']');

		if (end == NULL)
			return "a bracket is not closed";
		*end = '\0';
		if (end[1] == ':')
			port = end + 2;
		else if (end[1] != '\0')
			return "after a closing bracket only a port may follow";
		item++;
		if (strchr(item, ':') == NULL)
			return "brackets are for IPv6 addresses";
	}
	else
	{
		char	   *colon = strchr(item, ':');

		/* more than one colon: IPv6 without a port */
		if (colon != NULL && strchr(colon + 1, ':') == NULL)
		{
			*colon = '\0';
			port = colon + 1;
		}
	}
	if (port != NULL &&
		(!parse_number(port, 65535, &rule->port) || rule->port == 0))
		return "the port is not a number from 1 to 65535";

	if (strcmp(item, "*") == 0)
	{
		rule->kind = RULE_ANY;
		return NULL;
	}
	if (parse_network(item, rule))
		return NULL;
	if (rule->kind == RULE_NETWORK)
		return "the length of the network prefix is out of range";
	if (strchr(item, '/') != NULL || strchr(item, ':') != NULL)
		return "it is neither an address nor a network";
	rule->kind = RULE_NAME;
	if (strncmp(item, "*.", 2) == 0)
	{
		rule->kind = RULE_SUBDOMAINS;
		item += 2;
	}
	length = strlen(item);
	if (length > 1 && item[length - 1] == '.')
		item[--length] = '\0';
	if (length > MAX_HOST || !valid_name(item))
		return "it is not a host name";
	memcpy(rule->name, item, length + 1);
	return NULL;
}

SchedEgress *
sched_egress_parse(const char *text, SchedError *err)
{
	int			items = 1;
	SchedEgress *egress;
	const char *at = text;

	for (const char *p = text; *p != '\0'; p++)
		items += *p == ',';
	egress = palloc(offsetof(SchedEgress, rules) + items * sizeof(Rule));
	egress->count = 0;

	for (int number = 1; *at != '\0'; number++)
	{
		const char *end = strchr(at, ',');
		const char *next = end == NULL ? at + strlen(at) : end + 1;
		char		item[MAX_HOST + 64];
		const char *fault = NULL;
		Size		length = 0;

		if (end == NULL)
			end = next;
		for (; at < end; at++)
		{
			char		c = *at;

			if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"')
				continue;
			if (length == sizeof(item) - 1)
			{
				fault = "it is too long";
				break;
			}
			item[length++] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
		}
		item[length] = '\0';
		at = next;
		if (length == 0)
			continue;
		if (fault == NULL)
		{
			char		copy[sizeof(item)];

			strcpy(copy, item);
			fault = parse_item(copy, &egress->rules[egress->count]);
		}
		if (fault != NULL)
		{
			sched_error_set(err, number, "invalid host \"%s\"", NULL,
							"Give host names, *.names, addresses or networks, each with or without :port, separated by commas.",
							item);
			snprintf(err->detail, sizeof(err->detail), "Item %d is \"%s\": %s.",
					 number, item, fault);
			pfree(egress);
			return NULL;
		}
		egress->count++;
	}
	return egress;
}

/* ---------- judging ---------- */

static bool
same_name(const char *host, Size length, const char *name)
{
	return length == strlen(name) && pg_strncasecmp(host, name, length) == 0;
}

static bool
name_matches(const Rule *rule, const char *host)
{
	Size		length = strlen(host);
	Size		suffix = strlen(rule->name);

	if (length > 1 && host[length - 1] == '.')
		length--;
	if (rule->kind == RULE_NAME)
		return same_name(host, length, rule->name);
	return length > suffix + 1 && host[length - suffix - 1] == '.' &&
		same_name(host + length - suffix, suffix, rule->name);
}

static bool
rule_allows(const Rule *rule, const char *host, int port,
			const SchedAddress *address, SchedAddressKind kind)
{
	if (rule->port != 0 && rule->port != port)
		return false;
	switch (rule->kind)
	{
		case RULE_ANY:
			return kind == SCHED_ADDRESS_PUBLIC;
		case RULE_NETWORK:
			return rule->address.v6 == address->v6 &&
				same_bits(rule->address.bytes, address->bytes, rule->bits);
		case RULE_NAME:
			return name_matches(rule, host) &&
				(kind == SCHED_ADDRESS_PUBLIC ||
				 kind == SCHED_ADDRESS_PRIVATE ||
				 kind == SCHED_ADDRESS_LOOPBACK);
		case RULE_SUBDOMAINS:
			return kind == SCHED_ADDRESS_PUBLIC && name_matches(rule, host);
	}
	return false;
}

bool
sched_egress_may_reach_host(const SchedEgress *egress, const char *host,
							int port)
{
	if (egress->count == 0)
		return true;
	for (int i = 0; i < egress->count; i++)
	{
		const Rule *rule = &egress->rules[i];

		if (rule->port != 0 && rule->port != port)
			continue;
		if (rule->kind == RULE_ANY || rule->kind == RULE_NETWORK ||
			name_matches(rule, host))
			return true;
	}
	return false;
}

bool
sched_egress_allows(const SchedEgress *egress, const char *host, int port,
					const SchedAddress *given)
{
	SchedAddress address = *given;
	SchedAddressKind kind = sched_address_kind(given);

	if (egress->count == 0)
		return kind == SCHED_ADDRESS_PUBLIC;
	sched_address_normalize(&address);
	for (int i = 0; i < egress->count; i++)
		if (rule_allows(&egress->rules[i], host, port, &address, kind))
			return true;
	return false;
}
