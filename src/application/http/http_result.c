/*-------------------------------------------------------------------------
 *
 * http_result.c
 *	  What an answer means for the attempt that asked.
 *
 * The answer decides, not the sending: an attempt is completed when a status
 * came back that the job expects.  Otherwise the error says in which phase it
 * ended, with an SQLSTATE of class 08 for what happened to the connection, or with the
 * status of the answer.
 *
 * What comes from outside is made harmless before it is stored: bounded,
 * valid in the encoding of the database, without cookies, and without the
 * values of the secrets that were sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/http/http_result.h"
#include "common/base64.h"
#include "infrastructure/compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#define MAX_STORED_HEADERS	(16 * 1024) /* bytes */
#define MAX_HEADER_VALUE	4096

/* ---------- texts ---------- */

const char *
sched_http_phase_text(SchedHttpPhase phase)
{
	switch (phase)
	{
		case SCHED_HTTP_RESOLVING:
			return "while resolving the name";
		case SCHED_HTTP_CONNECTING:
			return "while connecting";
		case SCHED_HTTP_TLS:
			return "during the TLS handshake";
		case SCHED_HTTP_SENDING:
			return "while sending the request";
		case SCHED_HTTP_WAITING:
			return "while waiting for the headers of the answer";
		case SCHED_HTTP_BODY:
			return "in the body of the answer";
	}
	return "";
}

/* In the encoding of the database, whatever it was. */
static char *
to_server(const char *text, Size length)
{
	char	   *copy = pnstrdup(text, length);

	if (pg_verify_mbstr(PG_UTF8, copy, length, true) &&
		GetDatabaseEncoding() == PG_UTF8)
		return copy;
	for (char *p = copy; *p != '\0'; p++)
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	return copy;
}

static char *
masked(const char *text, const List *secrets)
{
	char	   *copy = to_server(text, strlen(text));
	Size		length = strlen(copy);

	sched_http_mask(copy, &length, secrets, false);
	return copy;
}

/* ---------- the answer as JSON ---------- */

static void
append_string(StringInfo out, const char *text)
{
	escape_json(out, text);
}

static void
append_header(StringInfo out, const char *name, const char *values)
{
	if (out->data[out->len - 1] != '{')
		appendStringInfoString(out, ", ");
	append_string(out, name);
	appendStringInfoString(out, ": ");
	append_string(out, values);
}

typedef struct Header
{
	char	   *name;			/* lower case */
	char	   *value;
	bool		used;
} Header;

/* Lines "name: value\n" to an array. */
static int
split_headers(const SchedHttpAnswer *answer, const List *secrets,
			  Header **headers, bool *cut)
{
	char	   *at = masked(answer->headers == NULL ? "" : answer->headers,
							secrets);
	Size		bytes = 0;
	int			count = 0;
	int			capacity = 32;

	*headers = palloc(capacity * sizeof(Header));
	*cut = false;
	while (*at != '\0')
	{
		char	   *end = strchr(at, '\n');
		char	   *colon;
		char	   *value;

		if (end != NULL)
			*end = '\0';
		colon = strchr(at, ':');
		if (colon != NULL && colon > at)
		{
			*colon = '\0';
			value = colon + 1;
			while (*value == ' ' || *value == '\t')
				value++;
			if (strlen(value) > MAX_HEADER_VALUE)
			{
				value[pg_mbcliplen(value, strlen(value), MAX_HEADER_VALUE)] = '\0';
				*cut = true;
			}
			bytes += strlen(at) + strlen(value);
			if (bytes > MAX_STORED_HEADERS)
			{
				*cut = true;
				break;
			}
			if (count == capacity)
			{
				capacity *= 2;
				*headers = repalloc(*headers, capacity * sizeof(Header));
			}
			for (char *p = at; *p != '\0'; p++)
				*p = pg_ascii_tolower((unsigned char) *p);
			(*headers)[count].name = at;
			(*headers)[count].used = false;
			(*headers)[count++].value = strcmp(at, "set-cookie") == 0 ?
				"***" : value;
		}
		if (end == NULL)
			break;
		at = end + 1;
	}
	return count;
}

/* Headers of one name are one member, joined by commas. */
static void
append_headers(StringInfo out, const SchedHttpAnswer *answer,
			   const List *secrets)
{
	Header	   *headers;
	bool		cut;
	int			count = split_headers(answer, secrets, &headers, &cut);

	appendStringInfoString(out, ", \"headers\": {");
	for (int i = 0; i < count; i++)
	{
		char	   *value = headers[i].value;

		if (headers[i].used)
			continue;
		for (int j = i + 1; j < count; j++)
			if (strcmp(headers[i].name, headers[j].name) == 0)
			{
				value = psprintf("%s, %s", value, headers[j].value);
				headers[j].used = true;
			}
		append_header(out, headers[i].name, value);
	}
	appendStringInfoChar(out, '}');
	if (cut)
		appendStringInfoString(out, ", \"headers_truncated\": true");
}

static bool
claims_json(const SchedHttpAnswer *answer)
{
	const char *at = answer->headers;

	while (at != NULL && *at != '\0')
	{
		if (pg_strncasecmp(at, "content-type:", 13) == 0)
		{
			Size		length = strcspn(at, ";\n");

			for (Size i = 13; i + 4 <= length; i++)
				if (pg_strncasecmp(at + i, "json", 4) == 0)
					return true;
			return false;
		}
		at = strchr(at, '\n');
		if (at != NULL)
			at++;
	}
	return false;
}

/* Text that the server can store; else base64. */
static void
append_body(StringInfo out, const SchedHttpAnswer *answer,
			const List *secrets, bool as_json)
{
	Size		length = answer->body_length;
	Size		valid;
	char	   *body;

	if (length == 0)
	{
		appendStringInfoString(out, ", \"body\": \"\"");
		return;
	}
	body = palloc(length + 1);
	memcpy(body, answer->body, length);
	body[length] = '\0';
	sched_http_mask(body, &length, secrets, answer->truncated);

	valid = memchr(body, '\0', length) != NULL ? 0 :
		pg_encoding_verifymbstr(PG_UTF8, body, length);
	/* cut in the middle of a character */
	if (answer->truncated && valid > 0 && length - valid < MAX_MULTIBYTE_CHAR_LEN)
		body[length = valid] = '\0';
	if (valid == length && GetDatabaseEncoding() != PG_UTF8)
	{
		/* others only where nothing has to be converted */
		for (Size i = 0; i < length; i++)
			if (IS_HIGHBIT_SET(body[i]))
				valid = 0;
	}
	if (valid != length)
	{
		int			size = pg_b64_enc_len(length);
		char	   *encoded = palloc(size + 1);
		int			used;

		used = compat_b64_encode(body, length, encoded, size);
		encoded[Max(used, 0)] = '\0';
		appendStringInfo(out, ", \"body_base64\": \"%s\"", encoded);
		return;
	}
	appendStringInfoString(out, ", \"body\": ");
	if (as_json)
		appendBinaryStringInfo(out, body, length);
	else
		append_string(out, body);
}

static void
append_ms(StringInfo out, const char *name, int64 from, int64 to)
{
	if (to > 0 && to >= from)
		appendStringInfo(out, "\"%s\": %.3f, ", name, (to - from) / 1000.0);
}

static void
append_timings(StringInfo out, const SchedHttpAnswer *answer)
{
	int64		ready = Max(answer->connected_at, answer->secured_at);

	appendStringInfoString(out, ", \"timings\": {");
	append_ms(out, "dns", 0, answer->resolved_at);
	append_ms(out, "connect", answer->resolved_at, answer->connected_at);
	append_ms(out, "tls", answer->connected_at, answer->secured_at);
	append_ms(out, "wait", ready, answer->first_byte_at);
	appendStringInfo(out, "\"total\": %.3f}", answer->total / 1000.0);
}

Jsonb	   *
sched_http_answer_json(const SchedHttpAnswer *answer, const List *secrets,
					   bool plain)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"status\": %d", answer->status);
	if (answer->http_version > 0)
		appendStringInfo(&out, ", \"http_version\": \"%d.%d\"",
						 answer->http_version / 10, answer->http_version % 10);
	if (answer->redirects > 0)
		appendStringInfo(&out, ", \"redirects\": %d", answer->redirects);
	append_headers(&out, answer, secrets);
	append_body(&out, answer, secrets,
				!plain && !answer->truncated && claims_json(answer));
	appendStringInfo(&out, ", \"truncated\": %s",
					 answer->truncated ? "true" : "false");
	append_timings(&out, answer);
	appendStringInfoChar(&out, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum(out.data)));
}

/* ---------- the end of the attempt ---------- */

static void
failed(SchedEnd * end, const char *sqlstate, bool retryable)
{
	end->status = SCHED_OUTCOME_FAILED;
	end->sqlstate = sqlstate;
	end->retryable = retryable;
}

static char *
fault_text(const SchedHttpAnswer *answer, const SchedHttpSpec *spec,
		   SchedEnd * end)
{
	const char *host = answer->host;
	const char *message = answer->message;

	switch (answer->fault)
	{
		case SCHED_HTTP_OK:
			break;
		case SCHED_HTTP_BAD_URL:
			failed(end, "22023", false);
			return psprintf("%s", message);
		case SCHED_HTTP_REFUSED:
			failed(end, "42501", false);
			return psprintf("request to %s refused: %s, see sched.http_allowed_hosts",
							host, message);
		case SCHED_HTTP_RESOLVE:
			failed(end, "08001", true);
			return psprintf("could not resolve the name of %s: %s", host,
							message);
		case SCHED_HTTP_CONNECT:
			failed(end, "08001", true);
			return psprintf("could not connect to %s: %s", host, message);
		case SCHED_HTTP_HANDSHAKE:
			failed(end, "08001", true);
			return psprintf("TLS handshake with %s failed: %s", host, message);
		case SCHED_HTTP_CERTIFICATE:
			failed(end, "08001", false);
			return psprintf("certificate of %s was not accepted: %s", host,
							message);
		case SCHED_HTTP_BROKEN:
			failed(end, "08006", true);
			return psprintf("connection to %s broke %s: %s", host,
							sched_http_phase_text(answer->phase), message);
		case SCHED_HTTP_TIMEOUT:
			failed(end, "08006", true);
			end->status = SCHED_OUTCOME_TIMEOUT;
			return psprintf("request to %s timed out %s", host,
							sched_http_phase_text(answer->phase));
		case SCHED_HTTP_TOO_LARGE:
			failed(end, "08P01", false);
			return psprintf("headers of the answer of %s are larger than %d kB",
							host, SCHED_HTTP_MAX_HEADER_BYTES / 1024);
		case SCHED_HTTP_MALFORMED:
			failed(end, "08P01", false);
			return psprintf("answer of %s is not HTTP: %s", host, message);
		case SCHED_HTTP_REDIRECTS:
			failed(end, "08P01", false);
			return psprintf("%s redirects further than %d times", host,
							spec->max_redirects);
		case SCHED_HTTP_REDIRECT:
			failed(end, "42501", false);
			return psprintf("redirect not followed: %s", message);
		case SCHED_HTTP_INTERNAL:
			failed(end, "53000", true);
			return psprintf("request to %s could not be made: %s", host,
							message);
	}
	return NULL;
}

void
sched_http_result(const SchedHttpAnswer *answer, const SchedHttpSpec *spec,
				  SchedEnd * end)
{
	char	   *error = fault_text(answer, spec, end);

	end->row_count = SCHED_UNSET;
	end->executor_id = SCHED_EXECUTOR_HTTP;
	if (answer->fault == SCHED_HTTP_OK)
	{
		if (sched_status_set_has(&spec->expect, answer->status))
			end->status = SCHED_OUTCOME_COMPLETED;
		else
		{
			const char *text = sched_http_status_text(answer->status);

			failed(end, NULL, sched_http_status_is_retryable(answer->status));
			error = psprintf("HTTP %d%s%s from %s", answer->status,
							 text[0] == '\0' ? "" : " ", text, answer->host);
		}
		end->retry_after = answer->retry_after <= 0 ? 0 :
			Min(answer->retry_after, INT64CONST(366) * 86400) * USECS_PER_SEC;
	}
	if (error != NULL)
		end->error = masked(error, spec->secrets);
}
