/*-------------------------------------------------------------------------
 *
 * test_json_schema.c
 *	  JSON values against JSON Schemas: what suits, what does not, and where.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <regex.h>

#include "domain/json_format.h"
#include "domain/json_schema.h"
#include "unit.h"

/* ---------- a reader of JSON, for texts that are sound ---------- */

static const char *at;

static void
skip_blanks(void)
{
	while (*at == ' ' || *at == '\n' || *at == '\t')
		at++;
}

static SchedJson
read_string(void)
{
	SchedJson	value = {SCHED_JSON_STRING};
	char	   *text = palloc(strlen(at) + 1);
	int			n = 0;

	for (at++; *at != '"'; at++)
	{
		if (*at == '\\')
			at++;
		text[		n++] = *at;
	}
	at++;
	text[		n] = '\0';
	value.text = text;

	value.length = n;
	return value;
}

static SchedJson
read_value(void)
{
	SchedJson	value = {SCHED_JSON_NULL};
	char		closing;
	int			capacity = 0;
	size_t		length;

	skip_blanks();
	if (*at == '"')
		return read_string();
	if (*at != '{' && *at != '[')
	{
		length = strcspn(at, ",]} \n");
		value.kind = *at == 't' || *at == 'f' ? SCHED_JSON_BOOLEAN :
			*at == 'n' ? SCHED_JSON_NULL : SCHED_JSON_NUMBER;
		value.boolean = *at == 't';
		if (value.kind == SCHED_JSON_NUMBER)
		{
			char	   *text = palloc(length + 1);

			memcpy(text, at, length);
			text[		length] = '\0';
			value.text = text;

			value.length = (int) length;
		}
		at += length;
		return value;
	}
	value.kind = *at == '{' ? SCHED_JSON_OBJECT : SCHED_JSON_ARRAY;
	closing = *at == '{' ? '}' : ']';
	at++;
	for (skip_blanks(); *at != closing; skip_blanks())
	{
		if (*at == ',')
			at++;
		skip_blanks();
		if (value.count == capacity)
		{
			SchedJson  *items = palloc((capacity * 2 + 8) * sizeof(SchedJson));
			SchedJson  *keys = palloc((capacity * 2 + 8) * sizeof(SchedJson));

			if (capacity > 0)
			{
				memcpy(items, value.items, capacity * sizeof(SchedJson));
				memcpy(keys, value.keys, capacity * sizeof(SchedJson));
			}
			value.items = items;
			value.keys = keys;
			capacity = capacity * 2 + 8;
		}
		if (value.kind == SCHED_JSON_OBJECT)
		{
			value.keys[value.count] = read_string();
			skip_blanks();
			at++;				/* the colon */
		}
		value.items[value.count++] = read_value();
	}
	at++;
	if (value.kind == SCHED_JSON_ARRAY)
		value.keys = NULL;
	return value;
}

static SchedJson
json(const char *text)
{
	at = text;

	return read_value();
}

/* ---------- what the server would provide ---------- */

static int
length_of(const char *text, int bytes)
{
	int			count = 0;

	for (int i = 0; i < bytes; i++)
		count += ((unsigned char) text[i] & 0xC0) !=0x80;
	return count;
}

static bool
matches(const SchedJson *pattern, const SchedJson *text, bool *sound)
{
	regex_t		regex;
	bool		found = false;

	*sound = regcomp(&regex, pattern->text, REG_EXTENDED | REG_NOSUB) == 0;
	if (!*sound)
		return false;
	if (text !=NULL)
		found = regexec(&regex, text->text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

static const SchedSchemaHost host = {length_of, matches};

/* ---------- tests ---------- */

/* fault: NULL when the value suits, else path and message with a blank between */
static void
check_value(const char *schema_text, const char *value_text, const char *fault)
{
	SchedJson	schema = json(schema_text);
	SchedJson	value = json(value_text);
	SchedSchemaFault got;
	bool		suits;

	unit_ok(sched_schema_is_sound(&schema, &host, &got), "%s is a schema",
			schema_text);
	suits = sched_schema_accepts(&schema, &value, &host, &got);
	if (fault == NULL || suits)
		unit_ok(suits == (fault == NULL), "%s against %s", value_text,
				schema_text);
	else
		unit_is_str(psprintf("%s %s", got.path, got.message), fault,
					psprintf("%s against %s", value_text, schema_text));
}

static void
check_schema(const char *schema_text, const char *fault)
{
	SchedJson	schema = json(schema_text);
	SchedSchemaFault got;
	bool		sound = sched_schema_is_sound(&schema, &host, &got);

	if (fault == NULL || sound)
		unit_ok(sound == (fault == NULL), "schema %s", schema_text);
	else
		unit_is_str(psprintf("%s %s", got.path, got.message), fault,
					psprintf("schema %s", schema_text));
}

static void
test_types(void)
{
	check_value("{\"type\": \"string\"}", "\"a\"", NULL);
	check_value("{\"type\": \"string\"}", "1",
				"$ must be of type string, but is of type number");
	check_value("{\"type\": \"integer\"}", "1", NULL);
	check_value("{\"type\": \"integer\"}", "1.0", NULL);
	check_value("{\"type\": \"integer\"}", "-12e2", NULL);
	check_value("{\"type\": \"integer\"}", "120e-1", NULL);
	check_value("{\"type\": \"integer\"}", "1.5",
				"$ must be of type integer, but is of type number");
	check_value("{\"type\": \"integer\"}", "12e-2",
				"$ must be of type integer, but is of type number");
	check_value("{\"type\": \"number\"}", "1.5", NULL);
	check_value("{\"type\": \"boolean\"}", "false", NULL);
	check_value("{\"type\": \"null\"}", "null", NULL);
	check_value("{\"type\": [\"null\", \"integer\"]}", "null", NULL);
	check_value("{\"type\": [\"null\", \"integer\"]}", "\"x\"",
				"$ must be of type null or integer, but is of type string");
	check_value("{\"type\": \"array\"}", "[]", NULL);
	check_value("{\"type\": \"object\"}", "[]",
				"$ must be of type object, but is of type array");
	check_value("true", "5", NULL);
	check_value("false", "5", "$ is not allowed");
	check_value("{}", "{\"anything\": [1, {}]}", NULL);
}

static void
test_objects(void)
{
	static const char person[] =
	"{\"type\": \"object\", \"required\": [\"name\"], \"additionalProperties\": false,"
	" \"properties\": {\"name\": {\"type\": \"string\", \"minLength\": 1},"
	" \"tags\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}},"
	" \"address\": {\"properties\": {\"postal code\": {\"type\": \"integer\"}}}}}";

	check_value(person, "{\"name\": \"a\"}", NULL);
	check_value(person, "{}", "$.name is missing");
	check_value(person, "{\"name\": \"\"}",
				"$.name must have at least 1 characters");
	check_value(person, "{\"name\": \"a\", \"age\": 3}",
				"$.age is not a parameter that the schema knows");
	check_value(person, "{\"name\": \"a\", \"tags\": [\"x\", \"y\", 3]}",
				"$.tags[2] must be of type string, but is of type number");
	check_value(person, "{\"name\": \"a\", \"address\": {\"postal code\": \"x\"}}",
				"$.address.\"postal code\" must be of type integer, but is of type string");
	check_value("{\"additionalProperties\": {\"type\": \"number\"}}",
				"{\"a\": 1, \"b\": true}",
				"$.b must be of type number, but is of type boolean");
	check_value("{\"minProperties\": 1}", "{}", "$ must have at least 1 members");
	check_value("{\"maxProperties\": 1}", "{\"a\": 1, \"b\": 2}",
				"$ must have at most 1 members");
	check_value("{\"propertyNames\": {\"pattern\": \"^[a-z]+$\"}}",
				"{\"a\": 1, \"B\": 2}", "$.B must match the pattern ^[a-z]+$");
	/* only objects have properties */
	check_value("{\"required\": [\"a\"], \"minProperties\": 9}", "17", NULL);
}

static void
test_values(void)
{
	check_value("{\"enum\": [\"a\", 1, null]}", "null", NULL);
	check_value("{\"enum\": [\"a\", 1, null]}", "1.00", NULL);
	check_value("{\"enum\": [\"a\", 1, null, [2]]}", "\"b\"",
				"$ must be one of \"a\", 1, null, an array");
	check_value("{\"const\": {\"a\": 1, \"b\": [true]}}",
				"{\"b\": [true], \"a\": 1.0}", NULL);
	check_value("{\"const\": 5}", "6", "$ must be 5");
	check_value("{\"minimum\": 1}", "1", NULL);
	check_value("{\"minimum\": 1}", "0.999999999999999999999", "$ must be at least 1");
	check_value("{\"maximum\": 9007199254740992}", "9007199254740993",
				"$ must be at most 9007199254740992");
	check_value("{\"exclusiveMinimum\": -1}", "-1", "$ must be more than -1");
	check_value("{\"exclusiveMaximum\": 10}", "1e1", "$ must be less than 10");
	check_value("{\"minimum\": 5}", "\"no number\"", NULL);
	check_value("{\"maxLength\": 3}", "\"äöü\"", NULL);
	check_value("{\"maxLength\": 2}", "\"äöü\"", "$ must have at most 2 characters");
	check_value("{\"pattern\": \"^a+$\"}", "\"aaa\"", NULL);
	check_value("{\"pattern\": \"^a+$\"}", "\"ab\"", "$ must match the pattern ^a+$");
	check_value("{\"minItems\": 2}", "[1]", "$ must have at least 2 elements");
	check_value("{\"maxItems\": 0}", "[1]", "$ must have at most 0 elements");
	check_value("{\"uniqueItems\": true}", "[1, 2, \"1\"]", NULL);
	check_value("{\"uniqueItems\": true}", "[1, {\"a\": 2}, {\"a\": 2.0}]",
				"$ must not have the same element twice (1 and 2)");
	check_value("{\"uniqueItems\": false}", "[1, 1]", NULL);
	check_value("{\"contains\": {\"const\": 3}}", "[1, 3]", NULL);
	check_value("{\"contains\": {\"const\": 3}}", "[1]",
				"$ must have an element of the kind that \"contains\" asks for");
}

static void
test_combinations(void)
{
	static const char one_of[] =
	"{\"oneOf\": [{\"type\": \"integer\"}, {\"minimum\": 10}]}";

	check_value(one_of, "5", NULL);
	check_value(one_of, "10.5", NULL);
	check_value(one_of, "11",
				"$ must suit exactly one of the 2 schemas of \"oneOf\", but suits 2");
	check_value(one_of, "1.5",
				"$ must suit exactly one of the 2 schemas of \"oneOf\", but suits 0");
	check_value("{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"null\"}]}", "1",
				"$ must suit one of the 2 schemas of \"anyOf\"");
	check_value("{\"allOf\": [{\"required\": [\"a\"]}, {\"required\": [\"b\"]}]}",
				"{\"a\": 1}", "$.b is missing");
	check_value("{\"not\": {\"type\": \"string\"}}", "1", NULL);
	check_value("{\"not\": {\"type\": \"string\"}}", "\"x\"",
				"$ must not be what \"not\" excludes");
	check_value("{\"not\": {\"not\": {\"const\": 1}}}", "1", NULL);
}

static void
test_soundness(void)
{
	check_schema("{\"title\": \"t\", \"default\": [1], \"$comment\": \"c\"}", NULL);
	check_schema("{\"properties\": {\"type\": {\"type\": \"string\"}}}", NULL);
	check_schema("5", "$ must be a schema, which is an object or true or false");
	check_schema("{\"properties\": {\"a\": {\"items\": 3}}}",
				 "$.properties.a.items must be a schema, which is an object or true or false");
	check_schema("{\"requierd\": [\"a\"]}",
				 "$.requierd is not a keyword that is supported");
	check_schema("{\"$ref\": \"#\"}", "$.\"$ref\" is not a keyword that is supported");
	check_schema("{\"type\": \"text\"}",
				 "$.type must be null, boolean, integer, number, string, array, object, or a list of some of them");
	check_schema("{\"type\": []}",
				 "$.type must be null, boolean, integer, number, string, array, object, or a list of some of them");
	check_schema("{\"anyOf\": []}", "$.anyOf must be an array of schemas that is not empty");
	check_schema("{\"anyOf\": [true, {\"minLength\": -1}]}",
				 "$.anyOf[1].minLength must be a whole number that is not negative");
	check_schema("{\"pattern\": \"(\"}", "$.pattern must be a regular expression");
	check_schema("{\"format\": \"zip\"}",
				 "$.format must be one of date, time, date-time, uuid, email, uri");
	check_schema("{\"required\": [1]}", "$.required must be an array of strings");
	check_schema("{\"enum\": []}", "$.enum must be an array that is not empty");
	check_schema("{\"uniqueItems\": 1}", "$.uniqueItems must be true or false");
	check_schema("{\"minimum\": \"1\"}", "$.minimum must be a number");
}

static void
test_formats(void)
{
	static const struct
	{
		const char *format;
		const char *text;
		bool		suits;
	}			cases[] =
	{
		{"date", "2024-02-29", true},
		{"date", "2023-02-29", false},
		{"date", "1900-02-29", false},
		{"date", "2000-02-29", true},
		{"date", "2024-13-01", false},
		{"date", "2024-00-01", false},
		{"date", "2024-1-1", false},
		{"date", "2024-01-01x", false},
		{"date", "", false},
		{"date-time", "2024-02-29T12:30:00Z", true},
		{"date-time", "2024-02-29t12:30:00.123+05:30", true},
		{"date-time", "2024-02-29T12:30:00", false},
		{"date-time", "2024-02-29T24:00:00Z", false},
		{"date-time", "2024-02-29T12:30:00.Z", false},
		{"date-time", "2016-12-31T23:59:60Z", true},
		{"time", "12:30:00-01:00", true},
		{"time", "12:30", false},
		{"uuid", "123e4567-e89b-12d3-A456-426614174000", true},
		{"uuid", "123e4567e89b-12d3-A456-4266141740000", false},
		{"uuid", "123e4567-e89b-12d3-A456-42661417400g", false},
		{"email", "a@b.example", true},
		{"email", "a b@c", false},
		{"email", "@b", false},
		{"email", "a@b@c", false},
		{"uri", "https://a.example/b?c=d", true},
		{"uri", "mailto:a@b", true},
		{"uri", "/a/b", false},
		{"uri", "http://a b", false},
		{"uri", "http:", false},
	};

	for (int i = 0; i < lengthof(cases); i++)
		unit_ok(sched_json_format_suits(cases[i].format, cases[i].text,
										(int) strlen(cases[i].text)) == cases[i].suits,
				"\"%s\" is %sa %s", cases[i].text,
				cases[i].suits ? "" : "not ", cases[i].format);
	check_value("{\"format\": \"uuid\"}", "\"x\"", "$ must have the format uuid");
	check_value("{\"format\": \"uuid\"}", "12", NULL);
}

static void
test_numbers(void)
{
	static const struct
	{
		const char *a;
		const char *b;
		int			order;
	}			cases[] =
	{
		{"1", "1.000", 0}, {"0", "-0.0", 0}, {"1e2", "100", 0},
		{"0.00123", "1.23e-3", 0}, {"1e400", "1e399", 1},
		{"-2", "1", -1}, {"-2", "-3", 1}, {"99", "100", -1},
		{"0.5", "0.45", 1}, {"123456789012345678901", "123456789012345678902", -1},
		{"0", "0.001", -1}, {"0", "-5", 1}, {"10.01", "10.1", -1},
		{"1.0e3", "0.1E4", 0}
	};

	for (int i = 0; i < lengthof(cases); i++)
	{
		unit_is_int(sched_json_compare_numbers(cases[i].a, cases[i].b),
					cases[i].order,
					psprintf("%s against %s", cases[i].a, cases[i].b));
		unit_is_int(sched_json_compare_numbers(cases[i].b, cases[i].a),
					-cases[i].order,
					psprintf("%s against %s", cases[i].b, cases[i].a));
	}
}

/* Neither depth nor a product of schemas and values takes much. */
static void
test_bounds(void)
{
	char	   *deep = palloc(200000);
	char	   *wide = palloc(200000);
	char	   *nested = palloc(200000);
	SchedSchemaFault fault;
	SchedJson	schema;
	SchedJson	value;

	deep[0] = nested[0] = '\0';
	for (int i = 0; i < 200; i++)
	{
		strcat(deep, "[");
		strcat(nested, "{\"items\": ");
	}
	strcat(deep, "1");
	strcat(nested, "true");
	for (int i = 0; i < 200; i++)
	{
		strcat(deep, "]");
		strcat(nested, "}");
	}
	schema = json(nested);
	unit_ok(!sched_schema_is_sound(&schema, &host, &fault),
			"a schema that is too deep is refused");
	unit_ok(strlen(fault.path) < sizeof(fault.path), "its path is cut off");

	strcpy(wide, "[0");
	for (int i = 1; i < 10000; i++)
		sprintf(wide + strlen(wide), ",%d", i);
	strcat(wide, "]");
	schema = json("{\"uniqueItems\": true}");
	value = json(wide);
	unit_ok(!sched_schema_accepts(&schema, &value, &host, &fault),
			"50 million comparisons are not made");
	unit_is_str(fault.message, "takes too long to check", "and it says so");
	schema = json("{\"not\": {\"uniqueItems\": true}}");
	unit_ok(!sched_schema_accepts(&schema, &value, &host, &fault),
			"not made is not the same as not suiting");
}

int
main(void)
{
	test_types();
	test_objects();
	test_values();
	test_combinations();
	test_soundness();
	test_formats();
	test_numbers();
	test_bounds();
	return unit_done();
}
