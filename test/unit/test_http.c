/*-------------------------------------------------------------------------
 *
 * test_http.c
 *	  Valid requests, statuses, and the names of secrets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/http.h"
#include "unit.h"

static const char *const good_urls[] = {
	"http://example.com", "https://example.com/", "HTTPS://example.com/a?b=c#d",
	"http://127.0.0.1:8080/x", "http://[::1]:80/", "http://[::1]",
	"http://example.com?x", "http://example.com:65535/%20", "http://bücher.example/"
};

static const char *const bad_urls[] = {
	"", "example.com", "ftp://example.com/", "file:///etc/passwd",
	"gopher://example.com/", "http://", "http:///path", "http://:80/",
	"http://example.com:/", "http://example.com:0/", "http://example.com:65536/",
	"http://example.com:99999999999999/", "http://example.com:8a/",
	"http://user@example.com/", "http://user:pass@example.com/",
	"http://a/ b", "http://a/\r\nX: y", "http://a/\tb", "http://a/\x7f",
	"http://a\\b/", "http://[::1/", "http://[]/", "http://[::1]x/",
	"http://a/<b>", "http://a/\"b"
};

static const char *const bad_names[] = {
	"", "A B", "A:", "A\r", "A\n", "Ä", "A(B)", "Host", "content-length",
	"Transfer-Encoding", "CONNECTION", "X-Sched-Task-Id", "x-sched-anything",
	"Proxy-Authorization", "Expect"
};

static const char *const bad_values[] = {
	"a\r\nEvil: 1", "a\nb", "a\rb", "\x01", "\x7f", "a\x1b[0m"
};

static void
test_statuses(void)
{
	SchedStatusSet set = {{0}};

	unit_ok(sched_status_set_add(&set, "2xx") &&
			sched_status_set_add(&set, "404") &&
			sched_status_set_add(&set, "500-502"), "three ways to say a status");
	unit_ok(sched_status_set_has(&set, 200) && sched_status_set_has(&set, 299),
			"a class has its first and its last");
	unit_ok(!sched_status_set_has(&set, 199) && !sched_status_set_has(&set, 300),
			"and nothing besides");
	unit_ok(sched_status_set_has(&set, 404) && !sched_status_set_has(&set, 405),
			"a status is itself only");
	unit_ok(sched_status_set_has(&set, 500) && sched_status_set_has(&set, 502) &&
			!sched_status_set_has(&set, 503), "a range has both ends");
	unit_ok(!sched_status_set_has(&set, 0) && !sched_status_set_has(&set, 99) &&
			!sched_status_set_has(&set, 600), "what is no status is in no set");
	unit_ok(!sched_status_set_add(&set, "6xx") && !sched_status_set_add(&set, "0xx") &&
			!sched_status_set_add(&set, "20") && !sched_status_set_add(&set, "2000") &&
			!sched_status_set_add(&set, "600") && !sched_status_set_add(&set, "300-200") &&
			!sched_status_set_add(&set, "") && !sched_status_set_add(&set, "2x0"),
			"what is no status is refused");
	for (int status = 100; status < 600; status++)
		if (sched_http_status_is_retryable(status) !=
			(status == 408 || status == 425 || status == 429 || status >= 500))
			unit_ok(false, "status %d", status);
	unit_ok(true, "408, 425, 429 and 5xx are worth another try, nothing else is");
	unit_is_str(sched_http_status_text(404), "Not Found", "404 has a text");
	unit_is_str(sched_http_status_text(299), "", "299 has none");
}

static void
test_secrets(void)
{
	const char *name;
	Size		name_length;
	Size		length;
	const char *text = "a {{secret:}} {{secret:b c}} {{secret:tok.en-1_X}} z";
	const char *at = sched_secret_find(text, &length, &name, &name_length);

	unit_ok(at != NULL && strncmp(at, "{{secret:tok.en-1_X}}", length) == 0 &&
			length == 21 && name_length == 10 &&
			strncmp(name, "tok.en-1_X", 10) == 0,
			"the first valid name is found, with its braces");
	unit_ok(sched_secret_find(at + length, &length, &name, &name_length) == NULL,
			"and no other");
	unit_ok(sched_secret_find("{{secret:never closed", &length, &name,
							  &name_length) == NULL, "braces that are not closed are text");
	unit_ok(!sched_secret_name_is_valid("", 0) &&
			!sched_secret_name_is_valid("a b", 3) &&
			!sched_secret_name_is_valid("a}", 2), "names are plain words");
	unit_ok(sched_secret_name_is_valid("0123456789012345678901234567890123456789012345678901234567890123", 63) &&
			!sched_secret_name_is_valid("0123456789012345678901234567890123456789012345678901234567890123", 64),
			"of up to 63 bytes");
}

int
main(void)
{
	for (int i = 0; i < lengthof(good_urls); i++)
		unit_ok(sched_http_url_fault(good_urls[i]) == NULL, "good URL %s",
				good_urls[i]);
	for (int i = 0; i < lengthof(bad_urls); i++)
		unit_ok(sched_http_url_fault(bad_urls[i]) != NULL, "bad URL %d", i);
	for (int i = 0; i < lengthof(bad_names); i++)
		unit_ok(sched_http_header_name_fault(bad_names[i]) != NULL,
				"bad name of a header %d", i);
	for (int i = 0; i < lengthof(bad_values); i++)
		unit_ok(sched_http_value_fault(bad_values[i]) != NULL,
				"bad value of a header %d", i);
	unit_ok(sched_http_header_name_fault("X-Team") == NULL &&
			sched_http_header_name_fault("Authorization") == NULL,
			"good names of headers");
	unit_ok(sched_http_value_fault("") == NULL &&
			sched_http_value_fault("a\tb ü") == NULL, "good values of headers");
	unit_ok(sched_http_header_is_credential("AUTHORIZATION") &&
			sched_http_header_is_credential("cookie") &&
			!sched_http_header_is_credential("accept"),
			"credentials are known by the name of their header");
	unit_ok(sched_http_method_is_valid("PATCH") &&
			!sched_http_method_is_valid("patch") &&
			!sched_http_method_is_valid("CONNECT") &&
			!sched_http_method_is_valid("TRACE"),
			"only methods that carry a request and an answer");
	test_statuses();
	test_secrets();
	return unit_done();
}
