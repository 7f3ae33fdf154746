/* SPDX-License-Identifier: Apache-2.0 */
#include "base/template_internal.h"

#include <stdarg.h>

#include "base/str.h"

#define VARS_MAX 256

struct tparser {
	struct template *t;
	struct tlexer l;
	struct ttoken tok; /* the one being looked at */
	struct err *err;
	const char *p; /* outside of actions: the text that is next */
	bool trim_next, escapes;
	uint32_t depth, loops;
	const char *vars[VARS_MAX]; /* that are declared here */
	uint32_t n_vars;
	bool failed;
};

/* How a list of nodes ended. */
enum tend { END_TEXT, END_END, END_ELSE, END_FAILED };

static enum tend parse_list(struct tparser *ps, struct tnode **ret);
static struct tnode *parse_pipeline(struct tparser *ps, const char *what, enum ttoken_kind end);

static void fail(struct tparser *ps, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void fail(struct tparser *ps, size_t at, const char *fmt, ...)
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

static struct tnode *node(struct tparser *ps, enum tnode_kind kind, size_t at)
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

static void skip_space(struct tparser *ps)
{
	while (!ps->failed && ps->tok.kind == TT_SPACE)
		next(ps);
}

static void next_word(struct tparser *ps)
{
	next(ps);
	skip_space(ps);
}

static bool is_word(const struct ttoken *tok, const char *word)
{
	return tok->kind == TT_WORD && tok->len == strlen(word) &&
	       strncmp(tok->s, word, tok->len) == 0;
}

static void unexpected(struct tparser *ps, const char *where)
{
	fail(ps, ps->tok.at, "unexpected \"%.*s\" in %s", (int)(ps->tok.len ? ps->tok.len : 1),
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
	if (ps->n_vars == VARS_MAX)
		fail(ps, ps->tok.at, "more than %d variables", VARS_MAX);
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
	struct tnode *n = node(ps, TN_FUNC, ps->tok.at);
	const char *name = copy(ps, &ps->tok), *near;

	n->func = tfunc_find(ps->tok.s, ps->tok.len);
	if (!n->func) {
		near = tfunc_near(name);
		fail(ps, ps->tok.at, "function \"%s\" not defined%s%s%s", name,
		     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	return n;
}

static struct tnode *parse_variable(struct tparser *ps)
{
	struct tnode *n = node(ps, TN_VARIABLE, ps->tok.at);
	const char *name = copy(ps, &ps->tok);

	if (!is_declared(ps, name))
		fail(ps, ps->tok.at, "undefined variable \"%s\"", name);
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
		n = is_word(&ps->tok, "nil") ? node(ps, TN_NIL, ps->tok.at) : parse_function(ps);
		break;
	case TT_DOT:
		n = node(ps, TN_DOT, ps->tok.at);
		break;
	case TT_VARIABLE:
		n = parse_variable(ps);
		break;
	case TT_FIELD:
		n = node(ps, TN_FIELD, ps->tok.at - 1); /* the dot */
		parse_fields(ps, n);
		return n;
	case TT_CONST:
		n = node(ps, TN_CONST, ps->tok.at);
		n->value = ps->tok.value;
		break;
	case TT_OPEN:
		next_word(ps);
		n = parse_pipeline(ps, "parenthesized pipeline", TT_CLOSE);
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
		unexpected(ps, "operand");
		return term;
	}
	if (term->kind == TN_FIELD || term->kind == TN_VARIABLE) {
		parse_fields(ps, term);
		return term;
	}
	chain = node(ps, TN_CHAIN, term->at);
	add_arg(chain, term);
	parse_fields(ps, chain);
	return chain;
}

static struct tnode *parse_command(struct tparser *ps)
{
	struct tnode *cmd = node(ps, TN_COMMAND, ps->tok.at);

	for (;;) {
		struct tnode *operand;

		skip_space(ps);
		operand = parse_operand(ps);
		if (ps->failed)
			return cmd;
		if (operand)
			add_arg(cmd, operand);
		if (ps->tok.kind == TT_SPACE && operand)
			continue;
		if (ps->tok.kind == TT_PIPE || ps->tok.kind == TT_END || ps->tok.kind == TT_CLOSE)
			break;
		unexpected(ps, "operand");
		return cmd;
	}
	if (!cmd->n_args)
		fail(ps, cmd->at, "empty command");
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
		next_word(ps);
		if (ps->failed)
			return;
		if (ps->tok.kind != TT_COMMA || !range || n == 2)
			break;
		next_word(ps);
	}
	if (n == 0 || (ps->tok.kind != TT_DECLARE && ps->tok.kind != TT_ASSIGN)) {
		if (ps->tok.kind == TT_COMMA)
			fail(ps, ps->tok.at, "too many declarations");
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
			fail(ps, first.at, "undefined variable \"%s\"", names[i]);
	}
	next_word(ps);
}

/* What a value is piped into must be able to take it. */
static void check_stages(struct tparser *ps, const struct tnode *pipe)
{
	uint32_t stage = 1;

	for (const struct tnode *cmd = pipe->args; cmd; cmd = cmd->next, stage++) {
		enum tnode_kind kind = cmd->args->kind;

		if (stage > 1 && (kind == TN_CONST || kind == TN_DOT || kind == TN_NIL))
			fail(ps, cmd->at, "non executable command in pipeline stage %u", stage);
	}
}

/* Up to the token end, which stays in ps->tok. */
static struct tnode *parse_pipeline(struct tparser *ps, const char *what, enum ttoken_kind end)
{
	struct tnode *pipe = node(ps, TN_PIPE, ps->tok.at);

	if (++ps->depth > TEMPLATE_DEPTH_MAX)
		fail(ps, ps->tok.at, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
	skip_space(ps);
	if (!ps->failed)
		parse_declaration(ps, pipe, str_eq(what, "range"));
	while (!ps->failed) {
		if (ps->tok.kind == end && !pipe->n_args) {
			fail(ps, ps->tok.at, "missing value for %s", what);
			break;
		}
		add_arg(pipe, parse_command(ps));
		if (ps->failed || ps->tok.kind == end)
			break;
		if (ps->tok.kind != TT_PIPE)
			unexpected(ps, what);
		next_word(ps);
	}
	if (!ps->failed)
		check_stages(ps, pipe);
	ps->depth--;
	return pipe;
}

/* The right delimiter must be next: back to text. */
static void leave_action(struct tparser *ps)
{
	skip_space(ps);
	if (ps->failed)
		return;
	if (ps->tok.kind != TT_END) {
		unexpected(ps, "end of action");
		return;
	}
	ps->trim_next = ps->l.trim;
	ps->p = ps->l.p;
}

static enum tend parse_else(struct tparser *ps, struct tnode *n, const char *what);

/* if, with, range, behind the word. */
static struct tnode *parse_control(struct tparser *ps, enum tnode_kind kind, const char *what,
				   size_t at)
{
	struct tnode *n = node(ps, kind, at);
	uint32_t vars = ps->n_vars;
	enum tend end;

	if (++ps->depth > TEMPLATE_DEPTH_MAX)
		fail(ps, at, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
	next_word(ps);
	n->pipe = parse_pipeline(ps, what, TT_END);
	leave_action(ps);
	ps->loops += kind == TN_RANGE;
	end = parse_list(ps, &n->body);
	ps->loops -= kind == TN_RANGE;
	if (end == END_ELSE)
		end = parse_else(ps, n, what);
	if (end == END_ELSE)
		fail(ps, ps->tok.at, "expected end; found {{else}}");
	if (end == END_TEXT)
		fail(ps, at, "{{%s}} without {{end}}", what);
	ps->n_vars = vars;
	ps->depth--;
	return n;
}

/* Behind "else": "}}", or "if ...", for which one {{end}} is enough. */
static enum tend parse_else(struct tparser *ps, struct tnode *n, const char *what)
{
	bool is_if = is_word(&ps->tok, "if") && n->kind == TN_IF;
	bool is_with = is_word(&ps->tok, "with") && n->kind == TN_WITH;

	if (is_if || is_with) {
		n->alt = parse_control(ps, n->kind, what, ps->tok.at);
		return ps->failed ? END_FAILED : END_END;
	}
	leave_action(ps);
	return ps->failed ? END_FAILED : parse_list(ps, &n->alt);
}

static struct tdefine *find_define(const struct template *t, const char *name)
{
	struct tdefine *d = t->defines;

	while (d && !str_eq(d->name, name))
		d = d->next;
	return d;
}

static const char *parse_name(struct tparser *ps, const char *what)
{
	const char *name;

	next_word(ps);
	if (ps->failed)
		return NULL;
	if (ps->tok.kind != TT_CONST || ps->tok.value.kind != TV_STRING) {
		unexpected(ps, what);
		return NULL;
	}
	name = ps->tok.value.s;
	next_word(ps);
	return name;
}

/* Up to its {{end}}, with variables of its own. */
static void parse_body(struct tparser *ps, const char *name, const char *what, size_t at)
{
	uint32_t vars = ps->n_vars, loops = ps->loops;
	struct tnode *body = NULL;
	struct tdefine *d;
	const char *outer[VARS_MAX];
	enum tend end;

	if (++ps->depth > TEMPLATE_DEPTH_MAX)
		fail(ps, at, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
	memcpy(outer, ps->vars, sizeof(outer));
	ps->n_vars = 1; /* "$" */
	ps->loops = 0;
	end = parse_list(ps, &body);
	if (end == END_TEXT || end == END_ELSE)
		fail(ps, at, "{{%s}} without {{end}}", what);
	memcpy(ps->vars, outer, sizeof(outer));
	ps->n_vars = vars;
	ps->loops = loops;
	ps->depth--;
	if (find_define(ps->t, name))
		fail(ps, at, "multiple definition of template \"%s\"", name);
	d = tarena_alloc(&ps->t->arena, sizeof(*d));
	*d = (struct tdefine){ .name = name, .body = body, .next = ps->t->defines };
	ps->t->defines = d;
}

static struct tnode *parse_define(struct tparser *ps, size_t at)
{
	const char *name = parse_name(ps, "define clause");

	if (!name)
		return NULL;
	if (ps->depth)
		fail(ps, at, "unexpected {{define}}");
	leave_action(ps);
	if (!ps->failed)
		parse_body(ps, name, "define", at);
	return NULL;
}

/* template "name" [pipeline]; block is it with the body at the place. */
static struct tnode *parse_template(struct tparser *ps, size_t at, bool block)
{
	const char *what = block ? "block clause" : "template clause";
	struct tnode *n = node(ps, TN_TEMPLATE, at);
	const char *name = parse_name(ps, what);

	if (!name)
		return NULL;
	n->names = tarena_alloc(&ps->t->arena, sizeof(*n->names));
	n->names[0] = name;
	n->n_names = 1;
	if (ps->tok.kind != TT_END || block)
		n->pipe = parse_pipeline(ps, what, TT_END);
	leave_action(ps);
	if (block && !ps->failed)
		parse_body(ps, name, "block", at);
	return n;
}

static struct tnode *parse_jump(struct tparser *ps, enum tnode_kind kind, const char *what)
{
	struct tnode *n = node(ps, kind, ps->tok.at);

	if (!ps->loops)
		fail(ps, ps->tok.at, "{{%s}} outside {{range}}", what);
	next_word(ps);
	leave_action(ps);
	return n;
}

static struct tnode *parse_simple(struct tparser *ps)
{
	struct tnode *n = node(ps, TN_ACTION, ps->tok.at);

	n->pipe = parse_pipeline(ps, "command", TT_END);
	leave_action(ps);
	return n;
}

/* An action of which the first token is in ps->tok. *ret_end: it was "end" or "else". */
static struct tnode *parse_action(struct tparser *ps, enum tend *ret_end)
{
	size_t at = ps->tok.at;

	if (is_word(&ps->tok, "if"))
		return parse_control(ps, TN_IF, "if", at);
	if (is_word(&ps->tok, "range"))
		return parse_control(ps, TN_RANGE, "range", at);
	if (is_word(&ps->tok, "with"))
		return parse_control(ps, TN_WITH, "with", at);
	if (is_word(&ps->tok, "define"))
		return parse_define(ps, at);
	if (is_word(&ps->tok, "template"))
		return parse_template(ps, at, false);
	if (is_word(&ps->tok, "block"))
		return parse_template(ps, at, true);
	if (is_word(&ps->tok, "break"))
		return parse_jump(ps, TN_BREAK, "break");
	if (is_word(&ps->tok, "continue"))
		return parse_jump(ps, TN_CONTINUE, "continue");
	if (is_word(&ps->tok, "end")) {
		*ret_end = END_END;
		next_word(ps);
		leave_action(ps);
		return NULL;
	}
	if (is_word(&ps->tok, "else")) {
		*ret_end = END_ELSE;
		next_word(ps);
		return NULL;
	}
	return parse_simple(ps);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The text up to the next action; trim: one that eats the space before it. */
static struct tnode *parse_text(struct tparser *ps, const char *end, bool trim)
{
	const char *start = ps->p;
	struct tnode *n = node(ps, TN_TEXT, (size_t)(start - ps->t->text));
	cleanup_buf struct buf text = BUF_INIT;

	while (ps->trim_next && start < end && is_space(*start))
		start++;
	while (trim && end > start && is_space(end[-1]))
		end--;
	for (; start < end; start++) {
		char c = *start;

		if (ps->escapes && c == '\\' && start + 1 < end &&
		    (start[1] == 't' || start[1] == 'n'))
			c = *++start == 't' ? '\t' : '\n';
		buf_addc(&text, c);
	}
	n->value = tval_string(tarena_copy(&ps->t->arena, text.data, text.len), text.len);
	return n;
}

/* Behind the left delimiter: true when it was a comment. */
static bool parse_comment(struct tparser *ps, const char *p)
{
	const char *end = strstr(p + 2, "*/");
	size_t right = end ? template_right(end + 2, &ps->trim_next) : 0;

	if (!end)
		fail(ps, (size_t)(p - ps->t->text), "unclosed comment");
	else if (!right)
		fail(ps, (size_t)(end - ps->t->text), "comment ends before closing delimiter");
	else
		ps->p = end + 2 + right;
	return !ps->failed;
}

/* The next text and what begins behind it: false at the end of all. With a comment there is no
 * token: TT_SPACE. */
static bool parse_up_to_action(struct tparser *ps, struct tnode **ret_text)
{
	const char *left = strstr(ps->p, "{{"), *p;
	bool trim;

	*ret_text = NULL;
	if (!left) {
		left = ps->p + strlen(ps->p);
		if (*ps->p)
			*ret_text = parse_text(ps, left, false);
		ps->p = left;
		return false;
	}
	p = left + 2;
	trim = p[0] == '-' && is_space(p[1]);
	*ret_text = parse_text(ps, left, trim);
	p += trim ? 2 : 0;
	ps->tok = (struct ttoken){ .kind = TT_SPACE };
	if (p[0] == '/' && p[1] == '*')
		return parse_comment(ps, p);
	ps->l =
	    (struct tlexer){ .text = ps->t->text, .p = p, .arena = &ps->t->arena, .err = ps->err };
	next_word(ps);
	return !ps->failed;
}

static enum tend parse_list(struct tparser *ps, struct tnode **ret)
{
	enum tend end = END_TEXT;
	struct tnode *text, *n;

	while (!ps->failed) {
		bool more = parse_up_to_action(ps, &text);

		if (text && text->value.len) {
			*ret = text;
			ret = &text->next;
		}
		if (!more || ps->failed)
			break;
		if (ps->tok.kind == TT_SPACE)
			continue; /* a comment */
		n = parse_action(ps, &end);
		if (n) {
			*ret = n;
			ret = &n->next;
		}
		if (end != END_TEXT)
			break;
	}
	return ps->failed ? END_FAILED : end;
}

int template_parse(const char *text, unsigned int flags, struct template **ret, struct err *err)
{
	cleanup_template struct template *t = xcalloc(1, sizeof(*t));
	struct tparser ps = { .t = t, .err = err, .escapes = flags & TEMPLATE_ESCAPES };
	enum tend end;

	if (strlen(text) > TEMPLATE_BYTES_MAX)
		return err_fail(err, ERR_USAGE, "template: longer than %d bytes",
				TEMPLATE_BYTES_MAX);
	t->text = xstrdup(text);
	ps.p = t->text;
	ps.vars[ps.n_vars++] = "$";
	end = parse_list(&ps, &t->body);
	if (end == END_END || end == END_ELSE)
		fail(&ps, ps.tok.at, "unexpected {{%s}}", end == END_END ? "end" : "else");
	if (ps.failed)
		return -EINVAL;
	*ret = take_ptr(t);
	return 0;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	tarena_done(&t->arena);
	free(t->text);
	free(t);
}
