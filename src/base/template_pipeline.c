/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between delimiters: declarations, commands, operands. */
#include "base/template_parse.h"

#include <stdarg.h>

#include "base/str.h"

void tparse_fail(struct tparser *ps, size_t at, const char *fmt, ...)
{
	char *message = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&message, fmt, ap);
	va_end(ap);
	if (!ps->failed)
		template_fail_at(ps->t->text, at, ps->err, "%s", r < 0 ? "error" : message);
	ps->failed = true;
	free(message);
}

struct tnode *tparse_node(struct tparser *ps, enum tnode_kind kind, size_t at)
{
	struct tnode *n = tarena_alloc(&ps->t->arena, sizeof(*n));

	n->kind = kind;
	n->at = (uint32_t)at;
	return n;
}

static void add_arg(struct tnode *parent, struct tnode *arg)
{
	struct tnode **end = &parent->args;

	while (*end)
		end = &(*end)->next;
	*end = arg;
	parent->n_args++;
}

static void next(struct tparser *ps)
{
	if (ps->failed)
		return;
	ps->tok = template_lex(&ps->l);
	if (ps->tok.kind == TT_ERROR)
		ps->failed = true;
}

void tparse_skip_space(struct tparser *ps)
{
	while (!ps->failed && ps->tok.kind == TT_SPACE)
		next(ps);
}

void tparse_next(struct tparser *ps)
{
	next(ps);
	tparse_skip_space(ps);
}

bool tparse_is_word(const struct ttoken *tok, const char *word)
{
	return tok->kind == TT_WORD && tok->len == strlen(word) &&
	       strncmp(tok->s, word, tok->len) == 0;
}

void tparse_unexpected(struct tparser *ps, const char *where)
{
	tparse_fail(ps, ps->tok.at, "unexpected \"%.*s\" in %s",
		    (int)(ps->tok.len ? ps->tok.len : 1),
		    ps->tok.kind == TT_FIELD ? ps->tok.s - 1 : ps->tok.s, where);
}

static char *copy(struct tparser *ps, const struct ttoken *tok)
{
	return tarena_copy(&ps->t->arena, tok->s, tok->len);
}

static bool is_declared(const struct tparser *ps, const char *name)
{
	for (uint32_t i = 0; i < ps->n_vars; i++)
		if (str_eq(ps->vars[i], name))
			return true;
	return false;
}

static void declare(struct tparser *ps, const char *name)
{
	if (ps->n_vars == TPARSE_VARS_MAX)
		tparse_fail(ps, ps->tok.at, "more than %d variables", TPARSE_VARS_MAX);
	else
		ps->vars[ps->n_vars++] = name;
}

/* Adds the fields that follow at once: ".A.B". */
static void parse_fields(struct tparser *ps, struct tnode *n)
{
	struct tlexer mark = ps->l;
	uint32_t had = n->n_names, count = had;
	const char **names;

	for (struct ttoken tok = ps->tok; tok.kind == TT_FIELD; count++)
		tok = template_lex(&ps->l);
	ps->l = mark;
	if (count == had)
		return;
	names = tarena_alloc(&ps->t->arena, count * sizeof(*names));
	for (uint32_t i = 0; i < had; i++)
		names[i] = n->names[i];
	while (ps->tok.kind == TT_FIELD && had < count) {
		names[had++] = copy(ps, &ps->tok);
		next(ps);
	}
	n->names = names;
	n->n_names = count;
}

static struct tnode *parse_function(struct tparser *ps)
{
	struct tnode *n = tparse_node(ps, TN_FUNC, ps->tok.at);
	const char *name = copy(ps, &ps->tok), *near;

	n->func = tfunc_find(ps->tok.s, ps->tok.len);
	if (!n->func) {
		near = tfunc_near(name);
		tparse_fail(ps, ps->tok.at, "function \"%s\" not defined%s%s%s", name,
			    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	return n;
}

static struct tnode *parse_variable(struct tparser *ps)
{
	struct tnode *n = tparse_node(ps, TN_VARIABLE, ps->tok.at);
	const char *name = copy(ps, &ps->tok);

	if (!is_declared(ps, name))
		tparse_fail(ps, ps->tok.at, "undefined variable \"%s\"", name);
	n->names = tarena_alloc(&ps->t->arena, sizeof(*n->names));
	n->names[0] = name;
	n->n_names = 1;
	return n;
}

/* A term, NULL when there is none here. ps->tok is behind it then. */
static struct tnode *parse_term(struct tparser *ps)
{
	struct tnode *n = NULL;

	switch (ps->tok.kind) {
	case TT_WORD:
		n = tparse_is_word(&ps->tok, "nil") ? tparse_node(ps, TN_NIL, ps->tok.at)
						    : parse_function(ps);
		break;
	case TT_DOT:
		n = tparse_node(ps, TN_DOT, ps->tok.at);
		break;
	case TT_VARIABLE:
		n = parse_variable(ps);
		break;
	case TT_FIELD:
		n = tparse_node(ps, TN_FIELD, ps->tok.at - 1); /* the dot */
		parse_fields(ps, n);
		return n;
	case TT_CONST:
		n = tparse_node(ps, TN_CONST, ps->tok.at);
		n->value = ps->tok.value;
		break;
	case TT_OPEN:
		tparse_next(ps);
		n = tparse_pipeline(ps, "parenthesized pipeline", TT_CLOSE);
		break;
	default:
		return NULL;
	}
	next(ps);
	return n;
}

static struct tnode *parse_operand(struct tparser *ps)
{
	struct tnode *term = parse_term(ps), *chain;

	if (!term || ps->tok.kind != TT_FIELD || ps->failed)
		return term;
	if (term->kind == TN_CONST || term->kind == TN_NIL || term->kind == TN_DOT) {
		tparse_unexpected(ps, "operand");
		return term;
	}
	if (term->kind == TN_FIELD || term->kind == TN_VARIABLE) {
		parse_fields(ps, term);
		return term;
	}
	chain = tparse_node(ps, TN_CHAIN, term->at);
	add_arg(chain, term);
	parse_fields(ps, chain);
	return chain;
}

static struct tnode *parse_command(struct tparser *ps)
{
	struct tnode *cmd = tparse_node(ps, TN_COMMAND, ps->tok.at);

	for (;;) {
		struct tnode *operand;

		tparse_skip_space(ps);
		operand = parse_operand(ps);
		if (ps->failed)
			return cmd;
		if (operand)
			add_arg(cmd, operand);
		if (ps->tok.kind == TT_SPACE && operand)
			continue;
		if (ps->tok.kind == TT_PIPE || ps->tok.kind == TT_END || ps->tok.kind == TT_CLOSE)
			break;
		tparse_unexpected(ps, "operand");
		return cmd;
	}
	if (!cmd->n_args)
		tparse_fail(ps, cmd->at, "empty command");
	return cmd;
}

/* "$x :=", "$i, $x :=" or "$x =" in front of a pipeline. */
static void parse_declaration(struct tparser *ps, struct tnode *pipe, bool range)
{
	struct tlexer mark = ps->l;
	struct ttoken first = ps->tok;
	const char *names[2];
	uint32_t n = 0;

	while (ps->tok.kind == TT_VARIABLE && n < 2) {
		names[n++] = copy(ps, &ps->tok);
		tparse_next(ps);
		if (ps->failed)
			return;
		if (ps->tok.kind != TT_COMMA || !range || n == 2)
			break;
		tparse_next(ps);
	}
	if (n == 0 || (ps->tok.kind != TT_DECLARE && ps->tok.kind != TT_ASSIGN)) {
		if (ps->tok.kind == TT_COMMA)
			tparse_fail(ps, ps->tok.at, "too many declarations");
		ps->l = mark;
		ps->tok = first;
		return;
	}
	pipe->assign = ps->tok.kind == TT_ASSIGN;
	for (uint32_t i = 0; i < n; i++) {
		pipe->decl[pipe->n_decl++] = names[i];
		if (!pipe->assign)
			declare(ps, names[i]);
		else if (!is_declared(ps, names[i]))
			tparse_fail(ps, first.at, "undefined variable \"%s\"", names[i]);
	}
	tparse_next(ps);
}

/* What a value is piped into must be able to take it. */
static void check_stages(struct tparser *ps, const struct tnode *pipe)
{
	uint32_t stage = 1;

	for (const struct tnode *cmd = pipe->args; cmd; cmd = cmd->next, stage++) {
		enum tnode_kind kind = cmd->args->kind;

		if (stage > 1 && (kind == TN_CONST || kind == TN_DOT || kind == TN_NIL))
			tparse_fail(ps, cmd->at, "non executable command in pipeline stage %u",
				    stage);
	}
}

/* Up to the token end, which stays in ps->tok. */
struct tnode *tparse_pipeline(struct tparser *ps, const char *what, enum ttoken_kind end)
{
	struct tnode *pipe = tparse_node(ps, TN_PIPE, ps->tok.at);

	if (++ps->depth > TEMPLATE_DEPTH_MAX)
		tparse_fail(ps, ps->tok.at, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
	tparse_skip_space(ps);
	if (!ps->failed)
		parse_declaration(ps, pipe, str_eq(what, "range"));
	while (!ps->failed) {
		if (ps->tok.kind == end && !pipe->n_args) {
			tparse_fail(ps, ps->tok.at, "missing value for %s", what);
			break;
		}
		add_arg(pipe, parse_command(ps));
		if (ps->failed || ps->tok.kind == end)
			break;
		if (ps->tok.kind != TT_PIPE)
			tparse_unexpected(ps, what);
		tparse_next(ps);
	}
	if (!ps->failed)
		check_stages(ps, pipe);
	ps->depth--;
	return pipe;
}
