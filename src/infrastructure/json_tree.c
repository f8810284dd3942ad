/*-------------------------------------------------------------------------
 *
 * json_tree.c
 *	  jsonb as the tree that the domain layer works on.
 *
 * Size and depth are looked at before anything is built of them.  Regular
 * expressions are PostgreSQL's advanced ones under the collation "C", so that
 * a pattern means the same in every database; they are compiled once per
 * process and pattern, by the server's own cache.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "infrastructure/json_tree.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

static void convert_container(JsonbContainer *container, int depth,
							  SchedJson *out, bool *too_deep);

/* ---------- the tree ---------- */

static void
set_text(SchedJson *out, SchedJsonKind kind, const char *text, int length)
{
	char	   *copy = palloc(length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	out->kind = kind;
	out->text = copy;
	out->length = length;
}

static void
convert_value(const JsonbValue *value, int depth, SchedJson *out,
			  bool *too_deep)
{
	char	   *text;

	MemSet(out, 0, sizeof(SchedJson));
	switch (value->type)
	{
		case jbvNull:
			out->kind = SCHED_JSON_NULL;
			break;
		case jbvBool:
			out->kind = SCHED_JSON_BOOLEAN;
			out->boolean = value->val.boolean;
			break;
		case jbvNumeric:
			text = DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));

			out->kind = SCHED_JSON_NUMBER;
			out->text = text;

			out->length = strlen(text);
			break;
		case jbvString:
			set_text(out, SCHED_JSON_STRING, value->val.string.val,
					 value->val.string.len);
			break;
		case jbvBinary:
			convert_container(value->val.binary.data, depth + 1, out, too_deep);
			break;
		default:
			elog(ERROR, "unexpected kind of jsonb value: %d", (int) value->type);
	}
}

static void
convert_container(JsonbContainer *container, int depth, SchedJson *out,
				  bool *too_deep)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	int			n = 0;

	MemSet(out, 0, sizeof(SchedJson));
	if (depth > SCHED_JSON_MAX_DEPTH)
	{
		*too_deep = true;
		return;
	}
	check_stack_depth();
	if (JsonContainerIsScalar(container))
	{
		(void) JsonbExtractScalar(container, &value);
		convert_value(&value, depth, out, too_deep);
		return;
	}
	out->kind = JsonContainerIsObject(container) ? SCHED_JSON_OBJECT :
		SCHED_JSON_ARRAY;
	out->count = JsonContainerSize(container);
	out->items = palloc(Max(out->count, 1) * sizeof(SchedJson));
	if (out->kind == SCHED_JSON_OBJECT)
		out->keys = palloc(Max(out->count, 1) * sizeof(SchedJson));

	iterator = JsonbIteratorInit(container);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE &&
		   !*too_deep)
	{
		if (token == WJB_KEY)
			convert_value(&value, depth, &out->keys[n], too_deep);
		else if (token == WJB_VALUE || token == WJB_ELEM)
			convert_value(&value, depth, &out->items[n++], too_deep);
	}
}

SchedJson  *
sched_json_tree(const Jsonb *jsonb, const char **reason)
{
	SchedJson  *tree;
	bool		too_deep = false;

	*reason = NULL;
	if (VARSIZE(jsonb) > SCHED_JSON_MAX_BYTES)
	{
		*reason = "is larger than 1 MB";
		return NULL;
	}
	tree = palloc(sizeof(SchedJson));
	convert_container(unconstify(JsonbContainer *, &jsonb->root), 1, tree,
					  &too_deep);
	if (too_deep)
	{
		*reason = "is nested more than 100 levels deep";
		return NULL;
	}
	return tree;
}

/* ---------- what the check needs of the server ---------- */

static int
text_length(const char *text, int bytes)
{
	return pg_mbstrlen_with_len(text, bytes);
}

static bool
matches(const SchedJson *pattern, const SchedJson *text, bool *sound)
{
	*sound = true;
	if (text == NULL)
	{
		regex_t		regex;
		pg_wchar   *wide = palloc((pattern->length + 1) * sizeof(pg_wchar));
		int			length = pg_mb2wchar_with_len(pattern->text, wide,
												  pattern->length);

		*sound = pg_regcomp(&regex, wide, length, REG_ADVANCED,
							C_COLLATION_OID) == 0;
		if (*sound)
			pg_regfree(&regex);
		pfree(wide);
		return false;
	}
	return RE_compile_and_execute(cstring_to_text_with_len(pattern->text,
														   pattern->length),
								  unconstify(char *, text->text),
								  text->length, REG_ADVANCED,
								  C_COLLATION_OID, 0, NULL);
}

const SchedSchemaHost sched_schema_host = {text_length, matches};
