/*-------------------------------------------------------------------------
 *
 * fuzz_http.c
 *	  Anything at all as a URL, a header, a status, a list of hosts, a secret.
 *
 * Besides not crashing: what is taken for a URL or a value has no control
 * character; an empty list of hosts allows what is public and nothing else; a
 * name that may not be reached is allowed no address.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/egress.h"
#include "domain/http.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool condition)
{
	if (!condition)
		abort();
}

static bool
has_control(const char *text)
{
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f)
			return true;
	return false;
}

static void
check_addresses(const SchedEgress *egress, const SchedEgress *nothing,
				const char *host, const uint8_t *data, size_t size)
{
	SchedAddress address = {0};
	SchedAddress normal;
	bool		allowed;

	address.v6 = size > 4 && (data[0] & 1);
	memcpy(address.bytes, data, Min(size, address.v6 ? 16 : 4));
	normal = address;
	sched_address_normalize(&normal);
	check(sched_address_kind(&address) == sched_address_kind(&normal));
	check(sched_egress_allows(nothing, host, 80, &address) ==
		  (sched_address_kind(&address) == SCHED_ADDRESS_PUBLIC));
	allowed = sched_egress_allows(egress, host, 80, &address);
	check(allowed == sched_egress_allows(egress, host, 80, &normal));
	if (allowed)
		check(sched_egress_may_reach_host(egress, host, 80));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);
	SchedError	err;
	SchedEgress *egress;
	SchedEgress *nothing = sched_egress_parse("", &err);
	SchedStatusSet set = {{0}};
	const char *at;
	const char *name;
	Size		length;
	Size		name_length;

	memcpy(text, data, size);
	text[		size] = '\0';

	if (sched_http_url_fault(text) == NULL)
		check(!has_control(text) && strchr(text, ' ') == NULL &&
			  pg_strncasecmp(text, "http", 4) == 0);
	if (sched_http_value_fault(text) == NULL)
		check(!has_control(text));
	if (sched_http_header_name_fault(text) == NULL)
		check(text[0] != '\0' && strpbrk(text, " :\r\n") == NULL);
	if (sched_status_set_add(&set, text))
		check(strlen(text) == 3 || strlen(text) == 7);
	at = text;

	while ((at = sched_secret_find(at, &length, &name, &name_length)) != NULL)
	{
		check(sched_secret_name_is_valid(name, name_length));
		check(length == name_length + 11);
		at += length;
	}

	egress = sched_egress_parse(text, &err);
	if (egress == NULL)
		check(err.detail[0] != '\0');
	else
	{
		check_addresses(egress, nothing, "example.com", data, size);
		check_addresses(egress, nothing, text, data, size);
		pfree(egress);
	}
	pfree(nothing);
	free(text);
	return 0;
}
