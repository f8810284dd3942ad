/*-------------------------------------------------------------------------
 *
 * text.h
 *	  Growing strings, and messages for people.
 *
 * Whoever runs out of memory here exits with 1: there is nothing better to do,
 * and the server gives the tasks to others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EXECUTOR_TEXT_H
#define EXECUTOR_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Always terminated by a zero byte; data is the owner's to free. */
typedef struct Text
{
	char	   *data;
	size_t		length;
	size_t		capacity;
} Text;

extern void text_init(Text *text);
extern void text_free(Text *text);
extern void text_clear(Text *text);
extern void text_append(Text *text, const char *string);
extern void text_append_bytes(Text *text, const char *bytes, size_t length);

/* As an element of an array literal: quoted where it has to be. */
extern void text_append_array_element(Text *text, const char *string);

/* As a string of JSON, with its quotes. */
extern void text_append_json(Text *text, const char *string);

/*
 * Make the text one that every database takes: no zero bytes, and
 * what is not valid UTF-8 replaced by question marks.
 */
extern void text_make_valid(Text *text);

extern char *text_copy(const char *string);
extern char *text_copy_n(const char *string, size_t length);
extern void *must_allocate(void *pointer, size_t size);

/* One line on stderr, with the time. */
extern void say(const char *format,...)
			__attribute__((format(printf, 1, 2)));
extern bool say_more;
#define say_verbose(...) \
	do { \
		if (say_more) \
			say(__VA_ARGS__); \
	} while (0)

#endif							/* EXECUTOR_TEXT_H */
