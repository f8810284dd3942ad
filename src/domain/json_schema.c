/*-------------------------------------------------------------------------
 *
 * json_schema.c
 *	  Checking a JSON value against a JSON Schema.
 *
 * A subset of JSON Schema (draft 2020-12) without references: type, enum,
 * const, the bounds of numbers, strings, arrays and objects, pattern, format,
 * properties, required, additionalProperties, propertyNames, items, contains,
 * allOf, anyOf, oneOf, not; true and false as schemas.  What a schema may say
 * besides are annotations.  A keyword that is not understood is refused when
 * the schema is registered, since one that is skipped silently is a check that
 * somebody believes in and nobody does.
 *
 * The schema is walked as it stands, there is no compiled form.  Nothing is
 * allocated: where the walk is lies in frames on the stack and becomes a path
 * only for a fault.  Depth and the number of steps are bounded, so that neither a
 * deep value nor a combination of schemas can take the server's time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/json_format.h"
#include "domain/json_schema.h"

#define MAX_DEPTH	100
#define MAX_STEPS	2000000

/* Where the walk is; the innermost step first. */
typedef struct Frame
{
	const struct Frame *outer;
	const SchedJson *key;		/* of a member, NULL: an element */
	int			index;
	int			depth;
} Frame;

typedef struct Walk
{
	const SchedSchemaHost *host;
	SchedSchemaFault *fault;	/* NULL: nobody wants to know */
	int			steps;
} Walk;

static bool check(Walk *walk, const SchedJson *schema, const SchedJson *value,
				  const Frame *at);
static bool is_sound(Walk *walk, const SchedJson *schema, const Frame *at);

static const char *const kind_names[] = {
	"null", "boolean", "number", "string", "array", "object"
};

/* ---------- faults ---------- */

static bool
is_plain_key(const SchedJson *key)
{
	if (key->length == 0 || (key->text[0] >= '0' && key->text[0] <= '9'))
		return false;
	for (int i = 0; i < key->length; i++)
	{
		char		c = key->text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return true;
}

/* Append as much as there is room for; cut between characters of UTF-8. */
static void
append(char *buffer, size_t size, const char *text, int length)
{
	size_t		used = strlen(buffer);

	if (used + length + 1 > size)
	{
		length = (int) (size - used - 1);
		while (length > 0 && ((unsigned char) text[length] & 0xC0) == 0x80)
			length--;
	}
	memcpy(buffer + used, text, length);
	buffer[used + length] = '\0';
}

static void
append_frame(char *path, size_t size, const Frame *frame)
{
	char		number[32];

	if (frame == NULL || frame->outer == NULL)
	{
		append(path, size, "$", 1);
		return;
	}
	append_frame(path, size, frame->outer);
	if (frame->key == NULL)
	{
		snprintf(number, sizeof(number), "[%d]", frame->index);
		append(path, size, number, (int) strlen(number));
	}
	else if (is_plain_key(frame->key))
	{
		append(path, size, ".", 1);
		append(path, size, frame->key->text, frame->key->length);
	}
	else
	{
		append(path, size, ".\"", 2);
		append(path, size, frame->key->text, frame->key->length);
		append(path, size, "\"", 1);
	}
}

static bool fail(Walk *walk, const Frame *at, const char *format,...)
			pg_attribute_printf(3, 4);

static bool
fail(Walk *walk, const Frame *at, const char *format,...)
{
	va_list		args;

	if (walk->fault == NULL)
		return false;
	walk->fault->path[0] = '\0';
	append_frame(walk->fault->path, sizeof(walk->fault->path), at);
	va_start(args, format);
	vsnprintf(walk->fault->message, sizeof(walk->fault->message), format, args);
	va_end(args);
	return false;
}

/* The start of a text, as it may stand in a message. */
static const char *
excerpt(const SchedJson *text, char *buffer, size_t size)
{
	buffer[0] = '\0';
	append(buffer, size - 4, text->text, text->length);
	if ((int) strlen(buffer) < text->length)
		strcat(buffer, "...");
	return buffer;
}

static Frame
inner(const Frame *at, const SchedJson *key, int index)
{
	Frame		frame;

	frame.outer = at;
	frame.key = key;
	frame.index = index;
	frame.depth = at->depth + 1;
	return frame;
}

/* ---------- values ---------- */

static bool
is_text(const SchedJson *value, const char *text)
{
	return value->length == (int) strlen(text) &&
		memcmp(value->text, text, value->length) == 0;
}

static bool
same_text(const SchedJson *a, const SchedJson *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

const SchedJson *
sched_json_member(const SchedJson *object, const char *key)
{
	if (object->kind == SCHED_JSON_OBJECT)
		for (int i = 0; i < object->count; i++)
			if (is_text(&object->keys[i], key))
				return &object->items[i];
	return NULL;
}

static const SchedJson *
member_of(const SchedJson *object, const SchedJson *key)
{
	for (int i = 0; i < object->count; i++)
		if (same_text(&object->keys[i], key))
			return &object->items[i];
	return NULL;
}

/*
 * A number as sign, significant digits and the power of ten of the first: 0.0150
 * is digits 15, exponent -2.
 */
typedef struct Decimal
{
	bool		negative;
	const char *digits;			/* a point may lie between them */
	const char *end;
	int64		exponent;
} Decimal;

static Decimal
parse_decimal(const char *text)
{
	Decimal		d = {0};
	const char *at = text;
	const char *point = NULL;
	const char *mantissa_end;

	d.negative = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	mantissa_end = at + strspn(at, "0123456789.");
	for (const char *p = at; p < mantissa_end; p++)
	{
		if (*p == '.')
			point = p;
		else if (*p != '0' && d.digits == NULL)
			d.digits = p;
	}
	if (point == NULL)
		point = mantissa_end;
	if (d.digits == NULL)
	{
		/* zero has no sign and no size */
		d.negative = false;
		d.digits = d.end = at;
		return d;
	}
	d.end = mantissa_end;
	while (d.end[-1] == '0' || d.end[-1] == '.')
		d.end--;
	d.exponent = d.digits < point ? point - d.digits - 1 : point - d.digits;
	if (*mantissa_end == 'e' || *mantissa_end == 'E')
	{
		long		power = strtol(mantissa_end + 1, NULL, 10);

		d.exponent += power;
	}
	return d;
}

static int
compare_magnitudes(const Decimal *a, const Decimal *b)
{
	const char *p = a->digits;
	const char *q = b->digits;

	if (p == a->end || q == b->end)
		return (p != a->end) - (q != b->end);
	if (a->exponent != b->exponent)
		return a->exponent < b->exponent ? -1 : 1;
	for (;;)
	{
		if (p < a->end && *p == '.')
			p++;
		if (q < b->end && *q == '.')
			q++;
		if (p == a->end || q == b->end)
			return (p != a->end) - (q != b->end);
		if (*p != *q)
			return *p < *q ? -1 : 1;
		p++;
		q++;
	}
}

int
sched_json_compare_numbers(const char *a, const char *b)
{
	Decimal		x = parse_decimal(a);
	Decimal		y = parse_decimal(b);
	int			order;

	if (x.negative != y.negative)
		return x.negative ? -1 : 1;
	order = compare_magnitudes(&x, &y);
	return x.negative ? -order : order;
}

/* Is there nothing behind the point? */
static bool
is_integer(const char *text)
{
	Decimal		d = parse_decimal(text);
	int64		digits = 0;

	for (const char *p = d.digits; p < d.end; p++)
		digits += *p != '.';
	return digits == 0 || digits <= d.exponent + 1;
}

static bool
equal(Walk *walk, const SchedJson *a, const SchedJson *b)
{
	if (a->kind != b->kind || (walk != NULL && ++walk->steps > MAX_STEPS))
		return false;
	switch (a->kind)
	{
		case SCHED_JSON_NULL:
			return true;
		case SCHED_JSON_BOOLEAN:
			return a->boolean == b->boolean;
		case SCHED_JSON_NUMBER:
			return sched_json_compare_numbers(a->text, b->text) == 0;
		case SCHED_JSON_STRING:
			return same_text(a, b);
		case SCHED_JSON_ARRAY:
			if (a->count != b->count)
				return false;
			for (int i = 0; i < a->count; i++)
				if (!equal(walk, &a->items[i], &b->items[i]))
					return false;
			return true;
		case SCHED_JSON_OBJECT:
			if (a->count != b->count)
				return false;
			for (int i = 0; i < a->count; i++)
			{
				const SchedJson *other = member_of(b, &a->keys[i]);

				if (other == NULL || !equal(walk, &a->items[i], other))
					return false;
			}
			return true;
	}
	return false;
}

bool
sched_json_equal(const SchedJson *a, const SchedJson *b)
{
	return equal(NULL, a, b);
}

/* A size in a schema; those that no value can have all count as the same. */
static int
size_of(const SchedJson *number)
{
	return sched_json_compare_numbers(number->text, "1000000000") > 0 ?
		1000000000 : (int) strtod(number->text, NULL);
}

/* ---------- the keywords ---------- */

typedef enum Keyword
{
	ANNOTATION, TYPE, ENUM, CONST,
	MINIMUM, MAXIMUM, EXCLUSIVE_MINIMUM, EXCLUSIVE_MAXIMUM,
	MIN_LENGTH, MAX_LENGTH, PATTERN, FORMAT,
	MIN_ITEMS, MAX_ITEMS, UNIQUE_ITEMS, ITEMS, CONTAINS,
	MIN_PROPERTIES, MAX_PROPERTIES, PROPERTIES, REQUIRED,
	ADDITIONAL_PROPERTIES, PROPERTY_NAMES,
	ALL_OF, ANY_OF, ONE_OF, NOT, UNKNOWN
} Keyword;

/* What the value of a keyword has to be. */
typedef enum Shape
{
	ANYTHING, NUMBER, SIZE, FLAG, TEXT, SCHEMA, SCHEMAS, SCHEMA_MAP, NAMES,
	SOME_VALUES, KINDS, REGEX, KNOWN_FORMAT
} Shape;

static const struct
{
	const char *name;
	Keyword		keyword;
	Shape		shape;
}			keywords[] =

{
	{"type", TYPE, KINDS},
	{"enum", ENUM, SOME_VALUES},
	{"const", CONST, ANYTHING},
	{"minimum", MINIMUM, NUMBER},
	{"maximum", MAXIMUM, NUMBER},
	{"exclusiveMinimum", EXCLUSIVE_MINIMUM, NUMBER},
	{"exclusiveMaximum", EXCLUSIVE_MAXIMUM, NUMBER},
	{"minLength", MIN_LENGTH, SIZE},
	{"maxLength", MAX_LENGTH, SIZE},
	{"pattern", PATTERN, REGEX},
	{"format", FORMAT, KNOWN_FORMAT},
	{"minItems", MIN_ITEMS, SIZE},
	{"maxItems", MAX_ITEMS, SIZE},
	{"uniqueItems", UNIQUE_ITEMS, FLAG},
	{"items", ITEMS, SCHEMA},
	{"contains", CONTAINS, SCHEMA},
	{"minProperties", MIN_PROPERTIES, SIZE},
	{"maxProperties", MAX_PROPERTIES, SIZE},
	{"properties", PROPERTIES, SCHEMA_MAP},
	{"required", REQUIRED, NAMES},
	{"additionalProperties", ADDITIONAL_PROPERTIES, SCHEMA},
	{"propertyNames", PROPERTY_NAMES, SCHEMA},
	{"allOf", ALL_OF, SCHEMAS},
	{"anyOf", ANY_OF, SCHEMAS},
	{"oneOf", ONE_OF, SCHEMAS},
	{"not", NOT, SCHEMA},
	{"title", ANNOTATION, TEXT},
	{"description", ANNOTATION, TEXT},
	{"default", ANNOTATION, ANYTHING},
	{"examples", ANNOTATION, ANYTHING},
	{"deprecated", ANNOTATION, FLAG},
	{"readOnly", ANNOTATION, FLAG},
	{"writeOnly", ANNOTATION, FLAG},
	{"$schema", ANNOTATION, TEXT},
	{"$id", ANNOTATION, TEXT},
	{"$comment", ANNOTATION, TEXT},
};

static Keyword
find_keyword(const SchedJson *key, Shape *shape)
{
	for (int i = 0; i < (int) lengthof(keywords); i++)
		if (is_text(key, keywords[i].name))
		{
			*shape = keywords[i].shape;
			return keywords[i].keyword;
		}
	return UNKNOWN;
}

/* Is the value of the kind that a schema names? "integer" is one too. */
static bool
is_kind(const SchedJson *value, const SchedJson *name)
{
	if (is_text(name, "integer"))
		return value->kind == SCHED_JSON_NUMBER && is_integer(value->text);
	return is_text(name, kind_names[value->kind]);
}

/* ---------- is the schema sound? ---------- */

static bool
names_a_kind(const SchedJson *name)
{
	if (name->kind != SCHED_JSON_STRING)
		return false;
	if (is_text(name, "integer"))
		return true;
	for (int i = 0; i < (int) lengthof(kind_names); i++)
		if (is_text(name, kind_names[i]))
			return true;
	return false;
}

static bool
each_is_kind(const SchedJson *array, SchedJsonKind kind)
{
	for (int i = 0; i < array->count; i++)
		if (array->items[i].kind != kind)
			return false;
	return true;
}

static bool
is_sound_list(Walk *walk, const SchedJson *schemas, const Frame *at)
{
	for (int i = 0; i < schemas->count; i++)
	{
		Frame		frame = inner(at, schemas->keys == NULL ? NULL :
								  &schemas->keys[i], i);

		if (!is_sound(walk, &schemas->items[i], &frame))
			return false;
	}
	return true;
}

static bool
is_sound_type(Walk *walk, const SchedJson *value, const Frame *at)
{
	bool		sound = value->kind == SCHED_JSON_ARRAY ? value->count > 0 :
	names_a_kind(value);

	for (int i = 0; sound && value->kind == SCHED_JSON_ARRAY && i < value->count; i++)
		sound = names_a_kind(&value->items[i]);
	return sound ||
		fail(walk, at, "must be null, boolean, integer, number, string, array, object, or a list of some of them");
}

static bool
is_sound_keyword(Walk *walk, Shape shape, const SchedJson *value,
				 const Frame *at)
{
	bool		sound = false;

	switch (shape)
	{
		case ANYTHING:
			return true;
		case NUMBER:
			return value->kind == SCHED_JSON_NUMBER ||
				fail(walk, at, "must be a number");
		case SIZE:
			return (value->kind == SCHED_JSON_NUMBER &&
					is_integer(value->text) &&
					sched_json_compare_numbers(value->text, "0") >= 0) ||
				fail(walk, at, "must be a whole number that is not negative");
		case FLAG:
			return value->kind == SCHED_JSON_BOOLEAN ||
				fail(walk, at, "must be true or false");
		case TEXT:
			return value->kind == SCHED_JSON_STRING ||
				fail(walk, at, "must be a string");
		case SCHEMA:
			return is_sound(walk, value, at);
		case SCHEMAS:
			if (value->kind != SCHED_JSON_ARRAY || value->count == 0)
				return fail(walk, at, "must be an array of schemas that is not empty");
			return is_sound_list(walk, value, at);
		case SCHEMA_MAP:
			if (value->kind != SCHED_JSON_OBJECT)
				return fail(walk, at, "must be an object of schemas");
			return is_sound_list(walk, value, at);
		case NAMES:
			return (value->kind == SCHED_JSON_ARRAY &&
					each_is_kind(value, SCHED_JSON_STRING)) ||
				fail(walk, at, "must be an array of strings");
		case SOME_VALUES:
			return (value->kind == SCHED_JSON_ARRAY && value->count > 0) ||
				fail(walk, at, "must be an array that is not empty");
		case KINDS:
			return is_sound_type(walk, value, at);
		case REGEX:
			if (value->kind == SCHED_JSON_STRING)
				(void) walk->host->matches(value, NULL, &sound);
			return sound || fail(walk, at, "must be a regular expression");
		case KNOWN_FORMAT:
			return (value->kind == SCHED_JSON_STRING &&
					sched_json_format_is_known(value->text)) ||
				fail(walk, at, "must be one of %s", sched_json_format_names());
	}
	return false;
}

static bool
is_sound(Walk *walk, const SchedJson *schema, const Frame *at)
{
	if (schema->kind == SCHED_JSON_BOOLEAN)
		return true;
	if (schema->kind != SCHED_JSON_OBJECT)
		return fail(walk, at, "must be a schema, which is an object or true or false");
	if (at->depth > MAX_DEPTH / 2)
		return fail(walk, at, "is nested more than %d levels deep", MAX_DEPTH / 2);
	for (int i = 0; i < schema->count; i++)
	{
		const SchedJson *key = &schema->keys[i];
		Frame		frame = inner(at, key, i);
		Shape		shape;

		if (find_keyword(key, &shape) == UNKNOWN)
			return fail(walk, &frame, "is not a keyword that is supported");
		if (!is_sound_keyword(walk, shape, &schema->items[i], &frame))
			return false;
	}
	return true;
}

bool
sched_schema_is_sound(const SchedJson *schema, const SchedSchemaHost *host,
					  SchedSchemaFault *fault)
{
	Walk		walk = {host, fault, 0};
	Frame		root = {0};

	return is_sound(&walk, schema, &root);
}

/* ---------- does the value suit it? ---------- */

static bool
check_type(Walk *walk, const SchedJson *rule, const SchedJson *value,
		   const Frame *at)
{
	char		wanted[160] = "";

	if (rule->kind == SCHED_JSON_STRING)
		return is_kind(value, rule) ||
			fail(walk, at, "must be of type %s, but is of type %s", rule->text,
				 kind_names[value->kind]);
	for (int i = 0; i < rule->count; i++)
	{
		if (is_kind(value, &rule->items[i]))
			return true;
		append(wanted, sizeof(wanted), i > 0 ? " or " : "", i > 0 ? 4 : 0);
		append(wanted, sizeof(wanted), rule->items[i].text,
			   rule->items[i].length);
	}
	return fail(walk, at, "must be of type %s, but is of type %s", wanted,
				kind_names[value->kind]);
}

/* A scalar as JSON, for messages. */
static void
append_value(char *buffer, size_t size, const SchedJson *value)
{
	char text[	64];

	switch (value->kind)
	{
		case SCHED_JSON_STRING:
			append(buffer, size, "\"", 1);
			excerpt(value, text, sizeof(text));
			append(buffer, size, text, (int) strlen(text));
			append(buffer, size, "\"", 1);
			break;
		case SCHED_JSON_NUMBER:
			excerpt(value, text, sizeof(text));
			append(buffer, size, text, (int) strlen(text));
			break;
		case SCHED_JSON_BOOLEAN:
			append(buffer, size, value->boolean ? "true" : "false",
				   value->boolean ? 4 : 5);
			break;
		case SCHED_JSON_NULL:
			append(buffer, size, "null", 4);
			break;
		case SCHED_JSON_ARRAY:
		case SCHED_JSON_OBJECT:
			snprintf(text, sizeof(text), "an %s", kind_names[value->kind]);
			append(buffer, size, text, (int) strlen(text));
			break;
	}
}

static bool
check_enum(Walk *walk, const SchedJson *rule, const SchedJson *value,
		   const Frame *at)
{
	char		allowed[300] = "";

	for (int i = 0; i < rule->count; i++)
		if (equal(walk, &rule->items[i], value))
			return true;
	for (int i = 0; i < rule->count && strlen(allowed) < 200; i++)
	{
		append(allowed, sizeof(allowed), ", ", i > 0 ? 2 : 0);
		append_value(allowed, sizeof(allowed), &rule->items[i]);
	}
	return fail(walk, at, "must be one of %s", allowed);
}

static bool
check_const(Walk *walk, const SchedJson *rule, const SchedJson *value,
			const Frame *at)
{
	char		allowed[100] = "";

	if (equal(walk, rule, value))
		return true;
	append_value(allowed, sizeof(allowed), rule);
	return fail(walk, at, "must be %s", allowed);
}

static bool
check_number(Walk *walk, Keyword keyword, const SchedJson *rule,
			 const SchedJson *value, const Frame *at)
{
	int			order = sched_json_compare_numbers(value->text, rule->text);
	char		bound[64];

	excerpt(rule, bound, sizeof(bound));
	switch (keyword)
	{
		case MINIMUM:
			return order >= 0 || fail(walk, at, "must be at least %s", bound);
		case MAXIMUM:
			return order <= 0 || fail(walk, at, "must be at most %s", bound);
		case EXCLUSIVE_MINIMUM:
			return order > 0 || fail(walk, at, "must be more than %s", bound);
		default:
			return order < 0 || fail(walk, at, "must be less than %s", bound);
	}
}

static bool
check_string(Walk *walk, Keyword keyword, const SchedJson *rule,
			 const SchedJson *value, const Frame *at)
{
	char text[	100];
	bool		sound;

	/* a long text against a pattern is work too */
	walk->steps += value->length / 8;
	switch (keyword)
	{
		case MIN_LENGTH:
			return walk->host->length(value->text, value->length) >= size_of(rule) ||
				fail(walk, at, "must have at least %d characters", size_of(rule));
		case MAX_LENGTH:
			return walk->host->length(value->text, value->length) <= size_of(rule) ||
				fail(walk, at, "must have at most %d characters", size_of(rule));
		case PATTERN:
			return walk->host->matches(rule, value, &sound) ||
				fail(walk, at, "must match the pattern %s",
					 excerpt(rule, text, sizeof(text)));
		default:
			return sched_json_format_suits(rule->text, value->text, value->length) ||
				fail(walk, at, "must have the format %s", rule->text);
	}
}

static bool
check_unique(Walk *walk, const SchedJson *rule, const SchedJson *value,
			 const Frame *at)
{
	if (!rule->boolean)
		return true;
	for (int i = 1; i < value->count; i++)
		for (int j = 0; j < i && walk->steps <= MAX_STEPS; j++)
			if (equal(walk, &value->items[i], &value->items[j]))
				return fail(walk, at, "must not have the same element twice (%d and %d)",
							j, i);
	return true;
}

/* How many elements suit the schema, up to a limit; silently. */
static int
count_suiting(Walk *walk, const SchedJson *rule, const SchedJson *value,
			  const Frame *at, int limit)
{
	SchedSchemaFault *fault = walk->fault;
	int			count = 0;

	walk->fault = NULL;
	for (int i = 0; i < value->count && count < limit; i++)
	{
		Frame		frame = inner(at, NULL, i);

		count += check(walk, rule, &value->items[i], &frame);
	}
	walk->fault = fault;
	return count;
}

static bool
check_array(Walk *walk, Keyword keyword, const SchedJson *rule,
			const SchedJson *value, const Frame *at)
{
	switch (keyword)
	{
		case MIN_ITEMS:
			return value->count >= size_of(rule) ||
				fail(walk, at, "must have at least %d elements", size_of(rule));
		case MAX_ITEMS:
			return value->count <= size_of(rule) ||
				fail(walk, at, "must have at most %d elements", size_of(rule));
		case UNIQUE_ITEMS:
			return check_unique(walk, rule, value, at);
		case CONTAINS:
			return count_suiting(walk, rule, value, at, 1) > 0 ||
				fail(walk, at, "must have an element of the kind that \"contains\" asks for");
		default:
			for (int i = 0; i < value->count; i++)
			{
				Frame		frame = inner(at, NULL, i);

				if (!check(walk, rule, &value->items[i], &frame))
					return false;
			}
			return true;
	}
}

static bool
check_properties(Walk *walk, const SchedJson *rule, const SchedJson *value,
				 const Frame *at)
{
	for (int i = 0; i < rule->count; i++)
	{
		const SchedJson *member = member_of(value, &rule->keys[i]);
		Frame		frame = inner(at, &rule->keys[i], i);

		walk->steps += value->count / 8;
		if (member != NULL && !check(walk, &rule->items[i], member, &frame))
			return false;
	}
	return true;
}

static bool
check_required(Walk *walk, const SchedJson *rule, const SchedJson *value,
			   const Frame *at)
{
	for (int i = 0; i < rule->count; i++)
		if (member_of(value, &rule->items[i]) == NULL)
		{
			Frame		frame = inner(at, &rule->items[i], i);

			return fail(walk, &frame, "is missing");
		}
	return true;
}

/* Members that "properties" does not name. */
static bool
check_additional(Walk *walk, const SchedJson *schema, const SchedJson *rule,
				 const SchedJson *value, const Frame *at)
{
	const SchedJson *named = sched_json_member(schema, "properties");

	for (int i = 0; i < value->count; i++)
	{
		Frame		frame = inner(at, &value->keys[i], i);

		if (named != NULL && member_of(named, &value->keys[i]) != NULL)
			continue;
		if (rule->kind == SCHED_JSON_BOOLEAN && !rule->boolean)
			return fail(walk, &frame, "is not a parameter that the schema knows");
		if (!check(walk, rule, &value->items[i], &frame))
			return false;
	}
	return true;
}

static bool
check_object(Walk *walk, Keyword keyword, const SchedJson *schema,
			 const SchedJson *rule, const SchedJson *value, const Frame *at)
{
	switch (keyword)
	{
		case MIN_PROPERTIES:
			return value->count >= size_of(rule) ||
				fail(walk, at, "must have at least %d members", size_of(rule));
		case MAX_PROPERTIES:
			return value->count <= size_of(rule) ||
				fail(walk, at, "must have at most %d members", size_of(rule));
		case PROPERTIES:
			return check_properties(walk, rule, value, at);
		case REQUIRED:
			return check_required(walk, rule, value, at);
		case ADDITIONAL_PROPERTIES:
			return check_additional(walk, schema, rule, value, at);
		default:
			for (int i = 0; i < value->count; i++)
			{
				Frame		frame = inner(at, &value->keys[i], i);

				if (!check(walk, rule, &value->keys[i], &frame))
					return false;
			}
			return true;
	}
}

static bool
check_combination(Walk *walk, Keyword keyword, const SchedJson *rule,
				  const SchedJson *value, const Frame *at)
{
	SchedSchemaFault *fault = walk->fault;
	int			suiting = 0;

	if (keyword == ALL_OF)
	{
		for (int i = 0; i < rule->count; i++)
			if (!check(walk, &rule->items[i], value, at))
				return false;
		return true;
	}
	walk->fault = NULL;
	if (keyword == NOT)
		suiting = check(walk, rule, value, at);
	else
		for (int i = 0; i < rule->count; i++)
			suiting += check(walk, &rule->items[i], value, at);
	walk->fault = fault;
	switch (keyword)
	{
		case NOT:
			return suiting == 0 ||
				fail(walk, at, "must not be what \"not\" excludes");
		case ANY_OF:
			return suiting > 0 ||
				fail(walk, at, "must suit one of the %d schemas of \"anyOf\"",
					 rule->count);
		default:
			return suiting == 1 ||
				fail(walk, at, "must suit exactly one of the %d schemas of \"oneOf\", but suits %d",
					 rule->count, suiting);
	}
}

static bool
check_keyword(Walk *walk, Keyword keyword, const SchedJson *schema,
			  const SchedJson *rule, const SchedJson *value, const Frame *at)
{
	switch (keyword)
	{
		case ANNOTATION:
		case UNKNOWN:
			return true;
		case TYPE:
			return check_type(walk, rule, value, at);
		case ENUM:
			return check_enum(walk, rule, value, at);
		case CONST:
			return check_const(walk, rule, value, at);
		case MINIMUM:
		case MAXIMUM:
		case EXCLUSIVE_MINIMUM:
		case EXCLUSIVE_MAXIMUM:
			return value->kind != SCHED_JSON_NUMBER ||
				check_number(walk, keyword, rule, value, at);
		case MIN_LENGTH:
		case MAX_LENGTH:
		case PATTERN:
		case FORMAT:
			return value->kind != SCHED_JSON_STRING ||
				check_string(walk, keyword, rule, value, at);
		case MIN_ITEMS:
		case MAX_ITEMS:
		case UNIQUE_ITEMS:
		case ITEMS:
		case CONTAINS:
			return value->kind != SCHED_JSON_ARRAY ||
				check_array(walk, keyword, rule, value, at);
		case MIN_PROPERTIES:
		case MAX_PROPERTIES:
		case PROPERTIES:
		case REQUIRED:
		case ADDITIONAL_PROPERTIES:
		case PROPERTY_NAMES:
			return value->kind != SCHED_JSON_OBJECT ||
				check_object(walk, keyword, schema, rule, value, at);
		case ALL_OF:
		case ANY_OF:
		case ONE_OF:
		case NOT:
			return check_combination(walk, keyword, rule, value, at);
	}
	return true;
}

static bool
check(Walk *walk, const SchedJson *schema, const SchedJson *value,
	  const Frame *at)
{
	if (schema->kind == SCHED_JSON_BOOLEAN)
		return schema->boolean || fail(walk, at, "is not allowed");
	if (at->depth > MAX_DEPTH)
		return fail(walk, at, "is nested more than %d levels deep", MAX_DEPTH);
	for (int i = 0; i < schema->count; i++)
	{
		Shape		shape;

		if (++walk->steps > MAX_STEPS)
			return fail(walk, at, "takes too long to check");
		if (!check_keyword(walk, find_keyword(&schema->keys[i], &shape),
						   schema, &schema->items[i], value, at))
			return false;
	}
	return true;
}

bool
sched_schema_accepts(const SchedJson *schema, const SchedJson *value,
					 const SchedSchemaHost *host, SchedSchemaFault *fault)
{
	Walk		walk = {host, fault, 0};
	Frame		root = {0};

	if (!check(&walk, schema, value, &root))
		return false;
	/* ran out of steps where nobody wanted to hear of it: no verdict */
	return walk.steps <= MAX_STEPS ||
		fail(&walk, &root, "takes too long to check");
}
