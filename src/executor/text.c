/*-------------------------------------------------------------------------
 *
 * text.c
 *	  Growing strings, and messages for people.
 *
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "executor/text.h"

bool		say_more = false;

void *
must_allocate(void *pointer, size_t size)
{
	void	   *result = realloc(pointer, size);

	if (result == NULL)
	{
		fprintf(stderr, "sched-executor: out of memory\n");
		exit(1);
	}
	return result;
}

char *
text_copy_n(const char *string, size_t length)
{
	char	   *copy = must_allocate(NULL, length + 1);

	memcpy(copy, string, length);
	copy[length] = '\0';
	return copy;
}

char *
text_copy(const char *string)
{
	return text_copy_n(string, strlen(string));
}

void
text_init(Text *text)
{
	text->capacity = 64;
	text->data = must_allocate(NULL, text->capacity);
	text_clear(text);
}

void
text_free(Text *text)
{
	free(text->data);
	text->data = NULL;
	text->length = text->capacity = 0;
}

void
text_clear(Text *text)
{
	text->length = 0;
	text->data[0] = '\0';
}

void
text_append_bytes(Text *text, const char *bytes, size_t length)
{
	if (text->length + length + 1 > text->capacity)
	{
		while (text->length + length + 1 > text->capacity)
			text->capacity *= 2;
		text->data = must_allocate(text->data, text->capacity);
	}
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void
text_append(Text *text, const char *string)
{
	text_append_bytes(text, string, strlen(string));
}

void
text_append_array_element(Text *text, const char *string)
{
	text_append(text, "\"");
	for (const char *p = string; *p != '\0'; p++)
	{
		if (*p == '"' || *p == '\\')
			text_append(text, "\\");
		text_append_bytes(text, p, 1);
	}
	text_append(text, "\"");
}

void
text_append_json(Text *text, const char *string)
{
	text_append(text, "\"");
	for (const unsigned char *p = (const unsigned char *) string; *p != '\0';
		 p++)
	{
		char		escape[8];

		if (*p == '"' || *p == '\\')
			snprintf(escape, sizeof(escape), "\\%c", *p);
		else if (*p < 0x20)
			snprintf(escape, sizeof(escape), "\\u%04x", *p);
		else
			snprintf(escape, sizeof(escape), "%c", *p);
		text_append(text, escape);
	}
	text_append(text, "\"");
}

/* Length of the valid character at p, 0 when there is none. */
static size_t
utf8_length(const unsigned char *p, const unsigned char *end)
{
	uint32_t	code;
	size_t		length;

	if (p[0] < 0x80)
		return p[0] == 0 ? 0 : 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		length = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		length = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if ((size_t) (end - p) < length)
		return 0;
	code = p[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++)
	{
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if ((length == 3 && code < 0x800) || (length == 4 && code < 0x10000) ||
		code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

void
text_make_valid(Text *text)
{
	unsigned char *p = (unsigned char *) text->data;
	unsigned char *end = p + text->length;

	while (p < end)
	{
		size_t		length = utf8_length(p, end);

		if (length == 0)
			*p = '?';
		p += length == 0 ? 1 : length;
	}
}

void
say(const char *format,...)
{
	va_list		args;
	char		at[32];
	time_t		now = time(NULL);
	struct tm	broken;

	gmtime_r(&now, &broken);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &broken);
	fprintf(stderr, "%s sched-executor: ", at);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(stderr);
}
