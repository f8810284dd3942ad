/*-------------------------------------------------------------------------
 *
 * http.c
 *	  What is a valid request, and what an answer's status means.
 *
 * Checked where a job is defined, so that its author learns of it, and again
 * where the request is made, when secrets have been put in.  Nothing with a
 * control character gets into a header or a URL: with a line break one request
 * could be made into two.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/http.h"

static const char *const methods[] = {
	"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"
};

/* Headers that the transport sets, or that could redirect the request. */
static const char *const reserved_headers[] = {
	"host", "content-length", "transfer-encoding", "connection", "keep-alive",
	"upgrade", "te", "trailer", "expect", "proxy-authorization",
	"proxy-connection", "http2-settings"
};

static const char *const credential_headers[] = {
	"authorization", "cookie", "x-api-key", "x-auth-token", "api-key",
	"apikey"
};

static const struct
{
	int			status;
	const char *text;
}			status_texts[] =

{
	{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"},
	{206, "Partial Content"}, {300, "Multiple Choices"},
	{301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"},
	{304, "Not Modified"}, {307, "Temporary Redirect"},
	{308, "Permanent Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"},
	{402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"},
	{405, "Method Not Allowed"}, {406, "Not Acceptable"},
	{407, "Proxy Authentication Required"}, {408, "Request Timeout"},
	{409, "Conflict"}, {410, "Gone"}, {411, "Length Required"},
	{412, "Precondition Failed"}, {413, "Content Too Large"},
	{414, "URI Too Long"}, {415, "Unsupported Media Type"},
	{418, "I'm a teapot"}, {421, "Misdirected Request"},
	{422, "Unprocessable Content"}, {423, "Locked"}, {425, "Too Early"},
	{426, "Upgrade Required"}, {428, "Precondition Required"},
	{429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
	{451, "Unavailable For Legal Reasons"}, {500, "Internal Server Error"},
	{501, "Not Implemented"}, {502, "Bad Gateway"},
	{503, "Service Unavailable"}, {504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"}, {507, "Insufficient Storage"},
	{508, "Loop Detected"}, {511, "Network Authentication Required"}
};

bool
sched_http_method_is_valid(const char *method)
{
	for (int i = 0; i < lengthof(methods); i++)
		if (strcmp(method, methods[i]) == 0)
			return true;
	return false;
}

/* ---------- headers ---------- */

static bool
is_listed(const char *name, const char *const *list, int count)
{
	for (int i = 0; i < count; i++)
		if (pg_strcasecmp(name, list[i]) == 0)
			return true;
	return false;
}

static bool
is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9');
}

const char *
sched_http_header_name_fault(const char *name)
{
	if (*name == '\0')
		return "a header's name is empty";
	if (strlen(name) > 128)
		return "a header's name is longer than 128 bytes";
	for (const char *p = name; *p != '\0'; p++)
		if (!is_alphanumeric(*p) && strchr("!#$%&'*+-.^_`|~", *p) == NULL)
			return "a header's name holds a character that is not allowed in it";
	if (is_listed(name, reserved_headers, lengthof(reserved_headers)))
		return "this header is set by the worker";
	if (pg_strncasecmp(name, "x-sched-", 8) == 0)
		return "headers that begin with X-Sched- are set by the worker";
	return NULL;
}

const char *
sched_http_value_fault(const char *value)
{
	if (strlen(value) > SCHED_HTTP_MAX_URL)
		return "the value is longer than 8000 bytes";
	for (const unsigned char *p = (const unsigned char *) value; *p != '\0'; p++)
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f)
			return "the value holds a control character";
	return NULL;
}

bool
sched_http_header_is_credential(const char *name)
{
	return is_listed(name, credential_headers, lengthof(credential_headers));
}

/* ---------- the URL ---------- */

/* What is between scheme and path. */
static const char *
authority_fault(const char *authority, Size length)
{
	const char *end = authority + length;
	const char *port = NULL;
	const char *p = authority;

	if (memchr(authority, '@', length) != NULL)
		return "the URL holds a user name or password";
	if (length > 0 && *p == '[')
	{
		while (p < end && *p != ']')
			p++;
		if (p == end || p == authority + 1)
			return "the URL has no valid host";
		p++;
	}
	else
		while (p < end && *p != ':')
			p++;
	if (p == authority)
		return "the URL has no host";
	if (p < end)
	{
		int			number = 0;

		if (*p != ':')
			return "the URL has no valid host";
		port = p + 1;
		for (p = port; p < end; p++)
		{
			if (*p < '0' || *p > '9' || number > 65535)
				return "the URL has no valid port";
			number = number * 10 + (*p - '0');
		}
		if (port == end || number == 0 || number > 65535)
			return "the URL has no valid port";
	}
	return NULL;
}

const char *
sched_http_url_fault(const char *url)
{
	const char *authority;

	if (strlen(url) > SCHED_HTTP_MAX_URL)
		return "the URL is longer than 8000 bytes";
	for (const unsigned char *p = (const unsigned char *) url; *p != '\0'; p++)
	{
		if (*p <= 0x20 || *p == 0x7f)
			return "the URL holds a space or control character";
		if (*p == '\\' || *p == '<' || *p == '>' || *p == '"')
			return "the URL holds a character that has to be percent-encoded";
	}
	if (pg_strncasecmp(url, "https://", 8) == 0)
		authority = url + 8;
	else if (pg_strncasecmp(url, "http://", 7) == 0)
		authority = url + 7;
	else
		return "the URL begins with neither http:// nor https://";
	return authority_fault(authority, strcspn(authority, "/?#"));
}

/* ---------- statuses ---------- */

static void
add_range(SchedStatusSet *set, int from, int to)
{
	for (int i = from - 100; i <= to - 100; i++)
		set->bits[i / 64] |= UINT64CONST(1) << (i % 64);
}

/* Three digits from 100 to 599, or -1. */
static int
status_number(const char *text)
{
	int			n = 0;

	for (int i = 0; i < 3; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n >= 100 && n <= 599 ? n : -1;
}

bool
sched_status_set_add(SchedStatusSet *set, const char *text)
{
	Size		length = strlen(text);
	int			from;
	int			to;

	if (length == 3 && (text[1] == 'x' || text[1] == 'X') &&
		(text[2] == 'x' || text[2] == 'X') &&text[0] >= '1' && text[0] <= '5')
	{
		from = (text[0] - '0') *100;
		to = from + 99;
	}
	else if (length == 3)
		from = to = status_number(text);
	else if (length == 7 && text[3] == '-')
	{
		from = status_number(text);
		to = status_number(text +4);
	}
	else
		return false;
	if (from < 0 || to < from)
		return false;
	add_range(set, from, to);
	return true;
}

bool
sched_status_set_has(const SchedStatusSet *set, int status)
{
	if (status < 100 || status > 599)
		return false;
	return (set->bits[(status - 100) / 64] >> ((status - 100) % 64)) & 1;
}

bool
sched_http_status_is_retryable(int status)
{
	return status == 408 || status == 425 || status == 429 ||
		(status >= 500 && status <= 599);
}

const char *
sched_http_status_text(int status)
{
	for (int i = 0; i < lengthof(status_texts); i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	return "";
}

/* ---------- secrets by name ---------- */

bool
sched_secret_name_is_valid(const char *name, Size length)
{
	if (length == 0 || length > SCHED_SECRET_MAX_NAME)
		return false;
	for (Size i = 0; i < length; i++)
		if (!is_alphanumeric(name[i]) && name[i] != '_' && name[i] != '.' &&
			name[i] != '-')
			return false;
	return true;
}

const char *
sched_secret_find(const char *text, Size *length, const char **name,
				  Size *name_length)
{
	static const char opening[] = "{{secret:";
	const char *at = text;

	while ((at = strstr(at, opening)) != NULL)
	{
		const char *begin = at + sizeof(opening) - 1;
		const char *end = strstr(begin, "}}");

		if (end == NULL)
			return NULL;
		if (sched_secret_name_is_valid(begin, end - begin))
		{
			*name = begin;
			*name_length = end - begin;
			*length = end + 2 - at;
			return at;
		}
		at = begin;
	}
	return NULL;
}
