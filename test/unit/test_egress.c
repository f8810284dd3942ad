/*-------------------------------------------------------------------------
 *
 * test_egress.c
 *	  Which addresses are public, and what the rules for hosts allow.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/egress.h"
#include "unit.h"

static const struct
{
	const char *text;
	SchedAddressKind kind;
}			addresses[] =

{
	{"1.1.1.1", SCHED_ADDRESS_PUBLIC},
	{"93.184.216.34", SCHED_ADDRESS_PUBLIC},
	{"9.255.255.255", SCHED_ADDRESS_PUBLIC},
	{"10.0.0.0", SCHED_ADDRESS_PRIVATE},
	{"10.255.255.255", SCHED_ADDRESS_PRIVATE},
	{"11.0.0.0", SCHED_ADDRESS_PUBLIC},
	{"100.63.255.255", SCHED_ADDRESS_PUBLIC},
	{"100.64.0.0", SCHED_ADDRESS_SHARED},
	{"100.127.255.255", SCHED_ADDRESS_SHARED},
	{"100.128.0.0", SCHED_ADDRESS_PUBLIC},
	{"127.0.0.1", SCHED_ADDRESS_LOOPBACK},
	{"127.255.255.255", SCHED_ADDRESS_LOOPBACK},
	{"169.254.169.254", SCHED_ADDRESS_LINK_LOCAL},
	{"172.15.255.255", SCHED_ADDRESS_PUBLIC},
	{"172.16.0.1", SCHED_ADDRESS_PRIVATE},
	{"172.31.255.255", SCHED_ADDRESS_PRIVATE},
	{"172.32.0.0", SCHED_ADDRESS_PUBLIC},
	{"192.168.1.1", SCHED_ADDRESS_PRIVATE},
	{"192.0.2.1", SCHED_ADDRESS_RESERVED},
	{"198.19.255.255", SCHED_ADDRESS_RESERVED},
	{"198.20.0.0", SCHED_ADDRESS_PUBLIC},
	{"0.0.0.0", SCHED_ADDRESS_RESERVED},
	{"224.0.0.1", SCHED_ADDRESS_MULTICAST},
	{"239.255.255.255", SCHED_ADDRESS_MULTICAST},
	{"255.255.255.255", SCHED_ADDRESS_RESERVED},
	{"2606:4700::1111", SCHED_ADDRESS_PUBLIC},
	{"2a00:1450::1", SCHED_ADDRESS_PUBLIC},
	{"::", SCHED_ADDRESS_RESERVED},
	{"::1", SCHED_ADDRESS_LOOPBACK},
	{"::2", SCHED_ADDRESS_TRANSITION},
	{"::ffff:127.0.0.1", SCHED_ADDRESS_LOOPBACK},
	{"::ffff:10.1.2.3", SCHED_ADDRESS_PRIVATE},
	{"::ffff:1.1.1.1", SCHED_ADDRESS_PUBLIC},
	{"64:ff9b::a9fe:a9fe", SCHED_ADDRESS_TRANSITION},
	{"64:ff9b:1::1", SCHED_ADDRESS_TRANSITION},
	{"2001::1", SCHED_ADDRESS_TRANSITION},
	{"2001:20::1", SCHED_ADDRESS_RESERVED},
	{"2001:db8::1", SCHED_ADDRESS_RESERVED},
	{"2001:200::1", SCHED_ADDRESS_PUBLIC},
	{"2002:a9fe:a9fe::1", SCHED_ADDRESS_TRANSITION},
	{"3fff::1", SCHED_ADDRESS_RESERVED},
	{"100::1", SCHED_ADDRESS_RESERVED},
	{"fc00::1", SCHED_ADDRESS_PRIVATE},
	{"fd12:3456::1", SCHED_ADDRESS_PRIVATE},
	{"fe80::1", SCHED_ADDRESS_LINK_LOCAL},
	{"febf::1", SCHED_ADDRESS_LINK_LOCAL},
	{"fec0::1", SCHED_ADDRESS_PRIVATE},
	{"ff02::1", SCHED_ADDRESS_MULTICAST},
	{"4000::1", SCHED_ADDRESS_RESERVED},
};

static const struct
{
	const char *rules;
	const char *host;
	int			port;
	const char *address;
	bool		allowed;
}			requests[] =

{
	{"", "example.com", 443, "93.184.216.34", true},
	{"", "example.com", 443, "10.0.0.1", false},
	{"", "example.com", 80, "169.254.169.254", false},
	{"", "localhost", 80, "127.0.0.1", false},
	{"", "localhost", 80, "::1", false},
	{"*", "example.com", 443, "93.184.216.34", true},
	{"*", "example.com", 443, "10.0.0.1", false},
	{"*, 10.0.0.0/8", "example.com", 443, "10.0.0.1", true},
	{"api.example.com", "api.example.com", 443, "93.184.216.34", true},
	{"api.example.com", "API.Example.COM.", 443, "93.184.216.34", true},
	{"api.example.com", "api.example.com", 443, "10.0.0.1", true},
	{"api.example.com", "api.example.com", 443, "127.0.0.1", true},
	{"api.example.com", "api.example.com", 443, "169.254.169.254", false},
	{"api.example.com", "api.example.com", 443, "64:ff9b::1", false},
	{"api.example.com", "api.example.com", 443, "100.64.0.1", false},
	{"api.example.com", "xapi.example.com", 443, "93.184.216.34", false},
	{"api.example.com", "api.example.com.evil.org", 443, "93.184.216.34", false},
	{"*.example.com", "api.example.com", 443, "93.184.216.34", true},
	{"*.example.com", "a.b.example.com", 443, "93.184.216.34", true},
	{"*.example.com", "example.com", 443, "93.184.216.34", false},
	{"*.example.com", "evilexample.com", 443, "93.184.216.34", false},
	{"*.example.com", "api.example.com", 443, "10.0.0.1", false},
	{"api.example.com:8080", "api.example.com", 8080, "93.184.216.34", true},
	{"api.example.com:8080", "api.example.com", 443, "93.184.216.34", false},
	{"10.1.0.0/16", "whatever", 80, "10.1.255.255", true},
	{"10.1.0.0/16", "whatever", 80, "10.2.0.0", false},
	{"10.1.0.0/16:80", "whatever", 80, "10.1.0.1", true},
	{"127.0.0.1", "127.0.0.1", 80, "127.0.0.1", true},
	{"127.0.0.1", "127.0.0.1", 80, "::ffff:127.0.0.1", true},
	{"127.0.0.1", "127.0.0.2", 80, "127.0.0.2", false},
	{"127.0.0.1:80", "127.0.0.1", 81, "127.0.0.1", false},
	{"::1", "localhost", 80, "::1", true},
	{"[::1]:80", "localhost", 80, "::1", true},
	{"[::1]:80", "localhost", 81, "::1", false},
	{"fd00::/8", "x", 80, "fd99::1", true},
	{"fd00::/8", "x", 80, "fe80::1", false},
	{"0.0.0.0/0", "x", 80, "169.254.169.254", true},
	{"0.0.0.0/0", "x", 80, "2606:4700::1111", false},
	{"::ffff:10.0.0.0/104", "x", 80, "10.1.2.3", true},
};

static const char *const bad_rules[] = {
	"a..b", "exa mple!", "http://example.com", "10.0.0.0/33", "10.0.0.0/x",
	"fd00::/129", "example.com:0", "example.com:65536", "example.com:",
	"[::1", "[::1]x", "[10.0.0.1]:80", "*.", "a*b", "*.*.com", "::ffff:1.2.3.4/95"
};

static bool
allows(const SchedEgress *egress, int i)
{
	SchedAddress address;

	return sched_address_parse(requests[i].address, &address) &&
		sched_egress_may_reach_host(egress, requests[i].host,
									requests[i].port) &&
		sched_egress_allows(egress, requests[i].host, requests[i].port,
							&address);
}

int
main(void)
{
	SchedError	err;
	SchedAddress address;

	for (int i = 0; i < lengthof(addresses); i++)
		unit_ok(sched_address_parse(addresses[i].text, &address) &&
				sched_address_kind(&address) == addresses[i].kind,
				"%s is %s", addresses[i].text,
				sched_address_kind_name(addresses[i].kind));
	unit_ok(!sched_address_parse("1.2.3", &address), "three numbers are no address");
	unit_ok(!sched_address_parse("fe80::1%eth0", &address), "a zone is refused");

	for (int i = 0; i < lengthof(requests); i++)
	{
		SchedEgress *egress = sched_egress_parse(requests[i].rules, &err);

		unit_ok(egress != NULL && allows(egress, i) == requests[i].allowed,
				"\"%s\" %s %s:%d at %s", requests[i].rules,
				requests[i].allowed ? "allows" : "refuses", requests[i].host,
				requests[i].port, requests[i].address);
	}
	for (int i = 0; i < lengthof(bad_rules); i++)
		unit_ok(sched_egress_parse(bad_rules[i], &err) == NULL &&
				strstr(err.detail, "Item 1 is") != NULL,
				"\"%s\" is no rule", bad_rules[i]);
	unit_ok(sched_egress_parse("a.example, , \"B.Example\" ,", &err) != NULL,
			"empty items, spaces and quotes do no harm");
	unit_ok(sched_egress_parse("a.example, b..c", &err) == NULL &&
			err.position == 2, "the item that is wrong is counted");
	unit_ok(!sched_egress_may_reach_host(sched_egress_parse("a.example", &err),
										 "b.example", 80),
			"a name that no rule could allow need not be resolved");
	unit_ok(sched_egress_may_reach_host(sched_egress_parse("a.example, 10.0.0.0/8", &err),
										"b.example", 80),
			"with a network among the rules its address decides");
	return unit_done();
}
