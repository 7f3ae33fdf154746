/* SPDX-License-Identifier: Apache-2.0 */
/* Text and actions. */
#include "base/template_parse.h"

#include "base/str.h"

/* How a list of nodes ended. */
enum tend { END_TEXT, END_END, END_ELSE, END_FAILED };

static enum tend parse_list(struct tparser *ps, struct tnode **ret);

/* The right delimiter must be next: back to text. */
static void leave_action(struct tparser *ps)
{
	tparse_skip_space(ps);
	if (ps->failed)
		return;
	if (ps->tok.kind != TT_END) {
		tparse_unexpected(ps, "end of action");
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
	struct tnode *n = tparse_node(ps, kind, at);
	uint32_t vars = ps->n_vars;
	enum tend end;

	if (++ps->depth > TEMPLATE_DEPTH_MAX)
		tparse_fail(ps, at, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
	tparse_next(ps);
	n->pipe = tparse_pipeline(ps, what, TT_END);
	leave_action(ps);
	ps->loops += kind == TN_RANGE;
	end = parse_list(ps, &n->body);
	ps->loops -= kind == TN_RANGE;
	if (end == END_ELSE)
		end = parse_else(ps, n, what);
	if (end == END_ELSE)
		tparse_fail(ps, ps->tok.at, "expected end; found {{else}}");
	if (end == END_TEXT)
		tparse_fail(ps, at, "{{%s}} without {{end}}", what);
	ps->n_vars = vars;
	ps->depth--;
	return n;
}

/* Behind "else": "}}", or "if ...", for which one {{end}} is enough. */
static enum tend parse_else(struct tparser *ps, struct tnode *n, const char *what)
{
	bool is_if = tparse_is_word(&ps->tok, "if") && n->kind == TN_IF;
	bool is_with = tparse_is_word(&ps->tok, "with") && n->kind == TN_WITH;

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

	tparse_next(ps);
	if (ps->failed)
		return NULL;
	if (ps->tok.kind != TT_CONST || ps->tok.value.kind != TV_STRING) {
		tparse_unexpected(ps, what);
		return NULL;
	}
	name = ps->tok.value.s;
	tparse_next(ps);
	return name;
}

/* Up to its {{end}}, with variables of its own. */
static void parse_body(struct tparser *ps, const char *name, const char *what, size_t at)
{
	uint32_t vars = ps->n_vars, loops = ps->loops;
	struct tnode *body = NULL;
	struct tdefine *d;
	const char *outer[TPARSE_VARS_MAX];
	enum tend end;

	if (++ps->depth > TEMPLATE_DEPTH_MAX)
		tparse_fail(ps, at, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
	memcpy(outer, ps->vars, sizeof(outer));
	ps->n_vars = 1; /* "$" */
	ps->loops = 0;
	end = parse_list(ps, &body);
	if (end == END_TEXT || end == END_ELSE)
		tparse_fail(ps, at, "{{%s}} without {{end}}", what);
	memcpy(ps->vars, outer, sizeof(outer));
	ps->n_vars = vars;
	ps->loops = loops;
	ps->depth--;
	if (find_define(ps->t, name))
		tparse_fail(ps, at, "multiple definition of template \"%s\"", name);
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
		tparse_fail(ps, at, "unexpected {{define}}");
	leave_action(ps);
	if (!ps->failed)
		parse_body(ps, name, "define", at);
	return NULL;
}

/* template "name" [pipeline]; block is it with the body at the place. */
static struct tnode *parse_template(struct tparser *ps, size_t at, bool block)
{
	const char *what = block ? "block clause" : "template clause";
	struct tnode *n = tparse_node(ps, TN_TEMPLATE, at);
	const char *name = parse_name(ps, what);

	if (!name)
		return NULL;
	n->names = tarena_alloc(&ps->t->arena, sizeof(*n->names));
	n->names[0] = name;
	n->n_names = 1;
	if (ps->tok.kind != TT_END || block)
		n->pipe = tparse_pipeline(ps, what, TT_END);
	leave_action(ps);
	if (block && !ps->failed)
		parse_body(ps, name, "block", at);
	return n;
}

static struct tnode *parse_jump(struct tparser *ps, enum tnode_kind kind, const char *what)
{
	struct tnode *n = tparse_node(ps, kind, ps->tok.at);

	if (!ps->loops)
		tparse_fail(ps, ps->tok.at, "{{%s}} outside {{range}}", what);
	tparse_next(ps);
	leave_action(ps);
	return n;
}

static struct tnode *parse_simple(struct tparser *ps)
{
	struct tnode *n = tparse_node(ps, TN_ACTION, ps->tok.at);

	n->pipe = tparse_pipeline(ps, "command", TT_END);
	leave_action(ps);
	return n;
}

/* An action of which the first token is in ps->tok. *ret_end: it was "end" or "else". */
static struct tnode *parse_action(struct tparser *ps, enum tend *ret_end)
{
	size_t at = ps->tok.at;

	if (tparse_is_word(&ps->tok, "if"))
		return parse_control(ps, TN_IF, "if", at);
	if (tparse_is_word(&ps->tok, "range"))
		return parse_control(ps, TN_RANGE, "range", at);
	if (tparse_is_word(&ps->tok, "with"))
		return parse_control(ps, TN_WITH, "with", at);
	if (tparse_is_word(&ps->tok, "define"))
		return parse_define(ps, at);
	if (tparse_is_word(&ps->tok, "template"))
		return parse_template(ps, at, false);
	if (tparse_is_word(&ps->tok, "block"))
		return parse_template(ps, at, true);
	if (tparse_is_word(&ps->tok, "break"))
		return parse_jump(ps, TN_BREAK, "break");
	if (tparse_is_word(&ps->tok, "continue"))
		return parse_jump(ps, TN_CONTINUE, "continue");
	if (tparse_is_word(&ps->tok, "end")) {
		*ret_end = END_END;
		tparse_next(ps);
		leave_action(ps);
		return NULL;
	}
	if (tparse_is_word(&ps->tok, "else")) {
		*ret_end = END_ELSE;
		tparse_next(ps);
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
	struct tnode *n = tparse_node(ps, TN_TEXT, (size_t)(start - ps->t->text));
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
		tparse_fail(ps, (size_t)(p - ps->t->text), "unclosed comment");
	else if (!right)
		tparse_fail(ps, (size_t)(end - ps->t->text),
			    "comment ends before closing delimiter");
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
	tparse_next(ps);
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
		tparse_fail(&ps, ps.tok.at, "unexpected {{%s}}", end == END_END ? "end" : "else");
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
