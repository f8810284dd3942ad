/*-------------------------------------------------------------------------
 *
 * http_request.c
 *	  The request that a job's command and parameters stand for.
 *
 * Used twice: by the backend that defines a job or orders a task, to refuse what
 * cannot be sent, and by the HTTP worker, which puts the secrets in and sends
 * it.  Secrets appear as {{secret:NAME}} until then; what may hold one is
 * checked again afterwards, since a secret with a line break would make two
 * headers of one.
 *
 * Pure work on memory: no table, no lock.  Faults of the input are returned,
 * not raised.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/http/http_request.h"
#include "domain/schedule/interval.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/json.h"
#include "utils/numeric.h"

#define DEFAULT_REDIRECTS	10
#define MAX_REDIRECTS		50
#define MAX_HEADERS			100
#define MAX_TIMEOUT_MS		(INT64CONST(86400) * 1000)
#define MASK				"***"

#define HINT_PARAMETERS \
	"Such as {\"method\": \"POST\", \"headers\": {\"Accept\": \"application/json\"}, \"body\": {\"day\": 1}, \"timeout\": 30, \"expect_status\": \"2xx\"}."

static bool problem_at(SchedHttpProblem *problem, const char *hint,
					   const char *format,...) pg_attribute_printf(3, 4);

/* Note what is wrong in the parameters; false, for the caller to return. */
static bool
problem_at(SchedHttpProblem *problem, const char *hint, const char *format,...)
{
	char	   *text = palloc(512);
	va_list		args;

	va_start(args, format);
	vsnprintf(text, 512, format, args);
	va_end(args);
	/* cut where a character ends */
	text[		pg_mbcliplen(text, strlen(text), 500)] = '\0';

	problem->field = "parameters";
	problem->detail = text;

	problem->hint = hint == NULL ? HINT_PARAMETERS : hint;
	return false;
}

static bool
problem_command(SchedHttpProblem *problem, const char *fault)
{
	char	   *detail = pstrdup(fault);

	detail[0] = pg_toupper((unsigned char) detail[0]);
	problem->field = "command";
	problem->detail = psprintf("%s.", detail);
	problem->hint = "Give a URL, such as https://example.com/hook; credentials belong into a header, as a secret.";
	return false;
}

/* ---------- the values of JSON ---------- */

static JsonbValue *
get(Jsonb *parameters, const char *key)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&parameters->root, key,
													 strlen(key), NULL);

	return value == NULL || value->type == jbvNull ? NULL : value;
}

static char *
string_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static char *
number_of(const JsonbValue *value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(value->val.numeric)));
}

static char *
json_of(JsonbValue *value)
{
	Jsonb	   *json = JsonbValueToJsonb(value);

	return JsonbToCString(NULL, &json->root, VARSIZE(json));
}

/* {"secret": "NAME"}: the name, else NULL. */
static char *
secret_of(const JsonbValue *value)
{
	JsonbValue *name;

	if (value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data) ||
		JsonContainerSize(value->val.binary.data) != 1)
		return NULL;
	name = getKeyJsonValueFromContainer(value->val.binary.data, "secret", 6,
										NULL);
	if (name == NULL || name->type != jbvString ||
		!sched_secret_name_is_valid(name->val.string.val,
									name->val.string.len))
		return NULL;
	return string_of(name);
}

static bool
holds_secret(const char *text)
{
	Size		length;
	const char *name;
	Size		name_length;

	return sched_secret_find(text, &length, &name, &name_length) != NULL;
}

/* ---------- the parts ---------- */

static bool
parse_method(Jsonb *parameters, SchedHttpSpec *spec, SchedHttpProblem *problem)
{
	static const char hint[] = "Give GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.";
	JsonbValue *value = get(parameters, "method");

	if (value == NULL)
	{
		spec->method = spec->body == NULL ? "GET" : "POST";
		return true;
	}
	if (value->type != jbvString)
		return problem_at(problem, hint, "$.method is not a string.");
	spec->method = asc_toupper(value->val.string.val, value->val.string.len);
	if (!sched_http_method_is_valid(spec->method))
		return problem_at(problem, hint, "$.method is \"%s\".", spec->method);
	if (strcmp(spec->method, "HEAD") == 0 && spec->body != NULL)
		return problem_at(problem, "Leave the body out, or choose another method.",
						  "$.body: a HEAD request has none.");
	return true;
}

static bool
add_header(SchedHttpSpec *spec, char *name, char *value, const char *path,
		   SchedHttpProblem *problem)
{
	const char *fault = sched_http_header_name_fault(name);
	SchedHttpHeader *header;

	if (fault == NULL)
		fault = sched_http_value_fault(value);
	if (fault != NULL)
		return problem_at(problem, "A header is a name and a text in one line, such as {\"Accept\": \"application/json\"}.",
						  "%s.\"%s\": %s.", path, name, fault);
	for (int i = 0; i < spec->header_count; i++)
		if (pg_strcasecmp(spec->headers[i].name, name) == 0)
			return problem_at(problem, "Give each header once.",
							  "%s.\"%s\": the header is there already.", path, name);
	if (spec->header_count >= MAX_HEADERS)
		return problem_at(problem, "Give fewer headers.",
						  "%s has more than %d headers.", path, MAX_HEADERS);
	if (pg_strcasecmp(name, "idempotency-key") == 0)
		spec->has_key = true;
	if (spec->headers == NULL)
		spec->headers = palloc((MAX_HEADERS + 1) * sizeof(SchedHttpHeader));
	header = &spec->headers[spec->header_count++];
	header->name = name;
	header->value = value;
	header->secret = holds_secret(value);
	return true;
}

/* The object of headers, or of those that come from secrets. */
static bool
parse_headers(Jsonb *parameters, const char *key, bool secrets,
			  SchedHttpSpec *spec, SchedHttpProblem *problem)
{
	JsonbValue *object = get(parameters, key);
	char	   *path = psprintf("$.%s", key);
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	if (object == NULL)
		return true;
	if (object->type != jbvBinary ||
		!JsonContainerIsObject(object->val.binary.data))
		return problem_at(problem, secrets ?
						  "Such as {\"Authorization\": \"name of a secret\"}." :
						  "Such as {\"Accept\": \"application/json\", \"Authorization\": {\"secret\": \"NAME\"}}.",
						  "%s is not an object.", path);
	it = JsonbIteratorInit(object->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		char	   *text = NULL;
		char	   *secret;

		if (token == WJB_KEY)
			name = string_of(&value);
		if (token != WJB_VALUE)
			continue;
		if (value.type == jbvString)
			text = string_of(&value);

		else if (value.type == jbvNumeric && !secrets)
			text = number_of(&value);

		else if (value.type == jbvBool && !secrets)
			text = value.val.boolean ? "true" : "false";

		else if (value.type == jbvNull)
			continue;
		if (secrets && text !=NULL)
		{
			if (!sched_secret_name_is_valid(text, strlen(text)))
				return problem_at(problem, "Letters, digits, _, . and -, up to 63.",
								  "%s.\"%s\" is not the name of a secret.", path, name);
			text = psprintf("{{secret:%s}}", text);
		}
		else if ((secret = secret_of(&value)) != NULL)
			text = psprintf("{{secret:%s}}", secret);

		if (text == NULL)
			return problem_at(problem, "Give a string, a number, or {\"secret\": \"NAME\"}.",
							  "%s.\"%s\" is not a string.", path, name);
		if (!add_header(spec, name, text, path, problem))
			return false;
	}
	return true;
}

/*
 * {"secret": "NAME"} anywhere in the body becomes a string.  In the text that
 * the server makes of jsonb this sequence cannot be part of a string, where a
 * quote has a backslash.
 */
static char *
strings_for_secrets(char *json)
{
	static const char opening[] = "{\"secret\": \"";
	StringInfoData out;
	char	   *at;

	if (strstr(json, opening) == NULL)
		return json;
	initStringInfo(&out);
	while ((at = strstr(json, opening)) != NULL)
	{
		char	   *name = at + sizeof(opening) - 1;
		char	   *end = strchr(name, '"');

		if (end != NULL && end[1] == '}' &&
			sched_secret_name_is_valid(name, end - name))
		{
			appendBinaryStringInfo(&out, json, at - json);
			appendStringInfo(&out, "\"{{secret:%.*s}}\"", (int) (end - name),
							 name);
			json = end + 2;
		}
		else
		{
			appendBinaryStringInfo(&out, json, name - json);
			json = name;
		}
	}
	appendStringInfoString(&out, json);
	return out.data;
}

static void
parse_body(Jsonb *parameters, SchedHttpSpec *spec)
{
	JsonbValue *value = get(parameters, "body");

	if (value == NULL)
		return;
	if (value->type == jbvString)
		spec->body = string_of(value);
	else
	{
		spec->body_is_json = true;
		spec->body = strings_for_secrets(json_of(value));
	}
	spec->body_length = strlen(spec->body);
	spec->body_secret = holds_secret(spec->body);
}

/*
 * A request that would carry a body and has none tells of the event that fired
 * the task.  What is in there comes from whoever emitted it, so nothing in it names
 * a secret.
 */
static void
body_of_event(Jsonb *parameters, SchedHttpSpec *spec)
{
	JsonbValue *value = get(parameters, "event");

	if (value == NULL || spec->body != NULL ||
		(strcmp(spec->method, "POST") != 0 &&
		 strcmp(spec->method, "PUT") != 0 &&
		 strcmp(spec->method, "PATCH") != 0))
		return;
	spec->body_is_json = true;
	spec->body = json_of(value);
	spec->body_length = strlen(spec->body);
}

static bool
parse_timeout(Jsonb *parameters, SchedHttpSpec *spec,
			  SchedHttpProblem *problem)
{
	static const char hint[] = "Give seconds, such as 30, or a text such as \"1m30s\".";
	JsonbValue *value = get(parameters, "timeout");

	if (value == NULL)
		return true;
	if (value->type == jbvNumeric)
	{
		double		seconds = strtod(number_of(value), NULL);

		if (!(seconds > 0 && seconds * 1000 <= MAX_TIMEOUT_MS))
			return problem_at(problem, hint, "$.timeout is %s; allowed is more than 0 and up to a day.",
							  number_of(value));
		spec->timeout_ms = Max((int64) (seconds * 1000), 1);
		return true;
	}
	if (value->type == jbvString)
	{
		char	   *text = string_of(value);
		SchedInterval interval;
		SchedError	err;
		int64		ms;

		if (!sched_interval_parse(text, &interval, &err))
			return problem_at(problem, hint, "$.timeout is \"%s\": %s.", text,
							  err.message);
		ms = sched_interval_usec(&interval) / 1000;
		if (ms <= 0 || ms > MAX_TIMEOUT_MS)
			return problem_at(problem, hint, "$.timeout is \"%s\"; allowed is more than 0 and up to a day.",
							  text);
		spec->timeout_ms = ms;
		return true;
	}
	return problem_at(problem, hint, "$.timeout is not a number.");
}

static bool
add_status(const JsonbValue *value, SchedHttpSpec *spec)
{
	char	   *text;

	if (value->type == jbvString)
		text = string_of(value);

	else if (value->type == jbvNumeric)
		text = number_of(value);

	else
		return false;
	return sched_status_set_add(&spec->expect, text);
}

static bool
parse_expect_status(Jsonb *parameters, SchedHttpSpec *spec,
					SchedHttpProblem *problem)
{
	static const char hint[] = "Give a status such as 200, a class such as \"2xx\", a range such as \"200-299\", or an array of these.";
	JsonbValue *value = get(parameters, "expect_status");
	int			count;

	if (value == NULL)
	{
		(void) sched_status_set_add(&spec->expect, "2xx");
		return true;
	}
	if (value->type != jbvBinary)
	{
		if (!add_status(value, spec))
			return problem_at(problem, hint, "$.expect_status is %s.",
							  json_of(value));
		return true;
	}
	if (!JsonContainerIsArray(value->val.binary.data) ||
		(count = JsonContainerSize(value->val.binary.data)) == 0)
		return problem_at(problem, hint, "$.expect_status is %s.",
						  json_of(value));
	for (int i = 0; i < count; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(value->val.binary.data,
														 i);

		if (!add_status(item, spec))
			return problem_at(problem, hint, "$.expect_status[%d] is %s.", i,
							  json_of(item));
	}
	return true;
}

static bool
parse_redirects(Jsonb *parameters, SchedHttpSpec *spec,
				SchedHttpProblem *problem)
{
	static const char hint[] = "Give true, false, or how many redirects are followed, up to 50.";
	JsonbValue *value = get(parameters, "follow_redirects");
	double		number;

	spec->max_redirects = DEFAULT_REDIRECTS;
	if (value == NULL)
		return true;
	if (value->type == jbvBool)
	{
		if (!value->val.boolean)
			spec->max_redirects = 0;
		return true;
	}
	if (value->type != jbvNumeric)
		return problem_at(problem, hint, "$.follow_redirects is neither a boolean nor a number.");
	number = strtod(number_of(value), NULL);
	if (number < 0 || number > MAX_REDIRECTS || number != (int) number)
		return problem_at(problem, hint, "$.follow_redirects is %s.",
						  number_of(value));
	spec->max_redirects = (int) number;
	return true;
}

static bool
check_keys(Jsonb *parameters, SchedHttpProblem *problem)
{
	static const char *const known[] = {"method", "headers", "body", "timeout",
		"expect_status", "follow_redirects", "secrets",
		/* what sched itself adds to the parameters of a task */
	"event", "shard_index", "shard_total"};
	JsonbIterator *it = JsonbIteratorInit(&parameters->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		bool		found = false;
		char	   *key;

		if (token != WJB_KEY)
			continue;
		key = string_of(&value);
		for (int i = 0; i < lengthof(known); i++)
			found = found || strcmp(key, known[i]) == 0;
		if (!found)
			return problem_at(problem, "Allowed are: method, headers, body, timeout, expect_status, follow_redirects, secrets.",
							  "$.\"%s\" is not known.", key);
	}
	return true;
}

/* With the places of secrets filled by something harmless. */
static const char *
url_fault(const char *url)
{
	StringInfoData out;
	const char *name;
	Size		name_length;
	Size		length;
	const char *at;

	initStringInfo(&out);
	while ((at = sched_secret_find(url, &length, &name, &name_length)) != NULL)
	{
		appendBinaryStringInfo(&out, url, at - url);
		appendStringInfoChar(&out, '0');
		url = at + length;
	}
	appendStringInfoString(&out, url);
	return sched_http_url_fault(out.data);
}

bool
sched_http_spec_parse(const char *command, Jsonb *parameters,
					  SchedHttpSpec *spec, SchedHttpProblem *problem)
{
	const char *fault;

	MemSet(spec, 0, sizeof(SchedHttpSpec));
	spec->url = pstrdup(command == NULL ? "" : command);
	fault = url_fault(spec->url);
	if (fault != NULL)
		return problem_command(problem, fault);
	if (!JB_ROOT_IS_OBJECT(parameters))
		return problem_at(problem, NULL, "$ is not an object.");
	parse_body(parameters, spec);
	if (!check_keys(parameters, problem) ||
		!parse_method(parameters, spec, problem))
		return false;
	body_of_event(parameters, spec);
	return parse_headers(parameters, "headers", false, spec, problem) &&
		parse_headers(parameters, "secrets", true, spec, problem) &&
		parse_timeout(parameters, spec, problem) &&
		parse_expect_status(parameters, spec, problem) &&
		parse_redirects(parameters, spec, problem);
}

/* ---------- secrets ---------- */

bool
sched_http_spec_overlay(const char *command, Jsonb *parameters, Jsonb *own,
						SchedHttpSpec *spec, SchedHttpProblem *problem)
{
	char	   *text;
	Jsonb	   *rest;

	if (!JB_ROOT_IS_OBJECT(own))
		return problem_at(problem, NULL, "$ is not an object.");
	rest = DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(own),
											  CStringGetTextDatum("event")));
	text = JsonbToCString(NULL, &rest->root, VARSIZE(rest));

	if (holds_secret(text) || get(rest, "secrets") != NULL ||
		holds_secret(strings_for_secrets(text)))
		return problem_at(problem, "Name it in the parameters of the job.",
						  "The parameters of a task cannot name a secret.");
	return sched_http_spec_parse(command,
								 DatumGetJsonbP(DirectFunctionCall2(jsonb_concat,
																	JsonbPGetDatum(parameters),
																	JsonbPGetDatum(own))),
								 spec, problem);
}

/* A copy of the text with its secrets, NULL when one is not to be had. */
static char *
fill_in(SchedHttpSpec *spec, const char *text, bool in_json,
		SchedSecretSource source, void *arg, SchedHttpProblem *problem)
{
	StringInfoData out;
	const char *name;
	Size		name_length;
	Size		length;
	const char *at;

	initStringInfo(&out);
	while ((at = sched_secret_find(text, &length, &name, &name_length)) != NULL)
	{
		char	   *secret = pnstrdup(name, name_length);
		const char *why = NULL;
		const char *value = source(arg, secret, &why);
		StringInfoData quoted;

		if (value == NULL)
		{
			problem->field = "parameters";
			problem->detail = psprintf("Secret \"%s\" %s.", secret, why);
			problem->hint = "Set it with sched.set_secret(), or let its owner share it with sched.grant_secret().";
			return NULL;
		}
		appendBinaryStringInfo(&out, text, at - text);
		initStringInfo(&quoted);
		escape_json(&quoted, value);
		quoted.data[--quoted.len] = '\0';
		appendStringInfoString(&out, in_json ? quoted.data + 1 : value);
		if (value[0] != '\0')
		{
			/* whoever answers may repeat it in either form; the longer first */
			if (strcmp(quoted.data + 1, value) != 0)
				spec->secrets = lappend(spec->secrets, quoted.data + 1);
			spec->secrets = lappend(spec->secrets, pstrdup(value));
		}
		text = at + length;
	}
	appendStringInfoString(&out, text);
	return out.data;
}

/* The wire speaks UTF-8. */
static char *
to_wire(char *text, Size *length)
{
	char	   *converted = pg_server_to_any(text, strlen(text), PG_UTF8);

	*length = strlen(converted);
	return converted;
}

bool
sched_http_spec_fill_in(SchedHttpSpec *spec, SchedSecretSource source,
						void *arg, SchedHttpProblem *problem)
{
	Size		length;
	bool		has_type = false;

	if (holds_secret(spec->url))
	{
		spec->url = fill_in(spec, spec->url, false, source, arg, problem);
		if (spec->url == NULL)
			return false;
		if (sched_http_url_fault(spec->url) != NULL)
			return problem_command(problem, sched_http_url_fault(spec->url));
	}
	spec->url = to_wire(spec->url, &length);
	for (int i = 0; i < spec->header_count; i++)
	{
		SchedHttpHeader *header = &spec->headers[i];

		if (pg_strcasecmp(header->name, "content-type") == 0)
			has_type = true;
		if (header->secret)
		{
			header->value = fill_in(spec, header->value, false, source, arg,
									problem);
			if (header->value == NULL)
				return false;
			if (sched_http_value_fault(header->value) != NULL)
				return problem_at(problem, "A secret in a header is one line of text.",
								  "$.headers.\"%s\": %s.", header->name,
								  sched_http_value_fault(header->value));
		}
		header->value = to_wire((char *) header->value, &length);
	}
	if (spec->body == NULL)
		return true;
	if (spec->body_secret)
	{
		spec->body = fill_in(spec, spec->body, spec->body_is_json, source, arg,
							 problem);
		if (spec->body == NULL)
			return false;
	}
	spec->body = to_wire(spec->body, &spec->body_length);
	if (!has_type)
	{
		if (spec->headers == NULL)
			spec->headers = palloc((MAX_HEADERS + 1) * sizeof(SchedHttpHeader));
		spec->headers[spec->header_count].name = "Content-Type";
		spec->headers[spec->header_count].value = spec->body_is_json ?
			"application/json" : "text/plain; charset=utf-8";
		spec->headers[spec->header_count++].secret = false;
	}
	return true;
}

void
sched_http_mask(char *text, Size *length, const List *secrets, bool cut)
{
	ListCell   *cell;

	foreach(cell, secrets)
	{
		const char *secret = lfirst(cell);
		Size		size = strlen(secret);
		Size		from = 0;
		Size		to = 0;

		for (Size part = Min(size - 1, *length); cut && part > 0; part--)
			if (memcmp(text +*length - part, secret, part) == 0)
			{
				*length -= part;
				break;
			}

		while (from < *length)
		{
			if (*length - from >= size && memcmp(text +from, secret, size) == 0)
			{
				/* never longer than what it stands for */
				Size		mask = Min(size, sizeof(MASK) - 1);

				memcpy(text +to, MASK, mask);
				to += mask;
				from += size;
			}
			else
				text[		to++] = text[from++];
		}
		*length = to;
		text[		to] = '\0';
	}
}
