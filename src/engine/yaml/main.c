/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inro-yaml: one YAML document from stdin as JSON to stdout, for what inro itself reads as JSON
 * only (specifications of devices). By itself so that inro does not load libyaml. What plain words
 * mean is as YAML 1.2 has it, but for numbers like 0644, which are octal as in YAML 1.1. Aliases
 * are refused: they make much of little.
 */
#include <stdio.h>
#include <unistd.h>
#include <yaml.h>

#include "base/io.h"
#include "base/json.h"
#include "base/str.h"

#define BYTES_MAX (4u << 20)
#define DEPTH_MAX 32

struct level {
	bool map, value; /* value: the next is one, not a key */
	size_t n;
};
struct writer {
	struct buf out;
	struct level levels[DEPTH_MAX];
	size_t depth;
	size_t documents;
};

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return str_eq(word, a) || str_eq(word, b) || str_eq(word, c);
}

static bool is_octal(const char *digits)
{
	return digits[0] == '0' && digits[1] && strspn(digits, "01234567") == strlen(digits);
}

/* A whole number as JSON; false: it is none. */
static bool put_number(struct buf *out, const char *word)
{
	const char *digits = word + (word[0] == '-' || word[0] == '+');
	int base = is_octal(digits) ? 8 : 10;
	char *end;
	long long value;

	if (str_starts(digits, "0x") || str_starts(digits, "0o")) {
		base = digits[1] == 'x' ? 16 : 8;
		digits += 2;
	}
	if (!*digits || strlen(digits) > 18 || strchr("+- ", *digits))
		return false;
	value = strtoll(digits, &end, base);
	if (*end)
		return false;
	buf_addf(out, "%s%lld", word[0] == '-' ? "-" : "", value);
	return true;
}

static void put_scalar(struct writer *w, const yaml_event_t *e, bool key)
{
	const char *word = (const char *)e->data.scalar.value;
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !e->data.scalar.tag;

	if (!plain || key) {
		json_write_string(&w->out, word);
		return;
	}
	if (!*word || str_eq(word, "~") || is_one_of(word, "null", "Null", "NULL"))
		buf_adds(&w->out, "null");
	else if (is_one_of(word, "true", "True", "TRUE"))
		buf_adds(&w->out, "true");
	else if (is_one_of(word, "false", "False", "FALSE"))
		buf_adds(&w->out, "false");
	else if (!put_number(&w->out, word))
		json_write_string(&w->out, word);
}

/* What stands between this and the last one. Returns whether it is a key. */
static bool put_separator(struct writer *w)
{
	struct level *l = w->depth ? &w->levels[w->depth - 1] : NULL;
	bool key = l && l->map && !l->value;

	if (!l)
		return false;
	if (l->map && l->value)
		buf_addc(&w->out, ':');
	else if (l->n++)
		buf_addc(&w->out, ',');
	l->value = key;
	return key;
}

static const char *open_level(struct writer *w, bool map)
{
	if (put_separator(w))
		return "a key is no word";
	if (w->depth == DEPTH_MAX)
		return "it is nested too deeply";
	buf_addc(&w->out, map ? '{' : '[');
	w->levels[w->depth++] = (struct level){ .map = map };
	return NULL;
}

static void close_level(struct writer *w)
{
	buf_addc(&w->out, w->levels[--w->depth].map ? '}' : ']');
}

/* NULL, or what is wrong with it. */
static const char *put(struct writer *w, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return w->documents++ ? "there are several documents" : NULL;
	case YAML_ALIAS_EVENT:
		return "it has an alias";
	case YAML_MAPPING_START_EVENT:
		return open_level(w, true);
	case YAML_SEQUENCE_START_EVENT:
		return open_level(w, false);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		close_level(w);
		return NULL;
	case YAML_SCALAR_EVENT:
		if (memchr(e->data.scalar.value, '\0', e->data.scalar.length))
			return "a word has a NUL in it";
		put_scalar(w, e, put_separator(w));
		return NULL;
	default:
		return NULL;
	}
}

static const char *convert(yaml_parser_t *parser, struct writer *w)
{
	const char *wrong = NULL;
	bool end = false;

	while (!end && !wrong) {
		yaml_event_t e;

		if (!yaml_parser_parse(parser, &e))
			return parser->problem ? parser->problem : "it can't be parsed";
		end = e.type == YAML_STREAM_END_EVENT;
		wrong = put(w, &e);
		if (!wrong && w->out.len > BYTES_MAX)
			wrong = "it is too large";
		yaml_event_delete(&e);
	}
	return wrong ? wrong : w->documents ? NULL : "there is nothing in it";
}

int main(void)
{
	cleanup_buf struct buf in = BUF_INIT;
	static struct writer w = { .out = BUF_INIT };
	yaml_parser_t parser;
	const char *wrong;

	if (io_read_all(STDIN_FILENO, &in, BYTES_MAX) < 0 || !yaml_parser_initialize(&parser)) {
		fprintf(stderr, "inro-yaml: reading stdin failed\n");
		return 1;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)buf_str(&in), in.len);
	wrong = convert(&parser, &w);
	if (wrong)
		fprintf(stderr, "inro-yaml: line %zu: %s\n", parser.mark.line + 1, wrong);
	yaml_parser_delete(&parser);
	if (!wrong && io_write(STDOUT_FILENO, buf_str(&w.out), w.out.len) < 0)
		wrong = "";
	buf_done(&w.out);
	return wrong != NULL;
}
