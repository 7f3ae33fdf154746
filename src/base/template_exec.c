/* SPDX-License-Identifier: Apache-2.0 */
#include "base/template_internal.h"

#include <stdarg.h>

#include "base/str.h"

static int walk(struct texec *x, const struct tnode *list, const struct tval *dot);

int texec_fail(struct texec *x, const char *fmt, ...)
{
	char *message = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&message, fmt, ap);
	va_end(ap);
	r = template_fail_at(x->t->text, x->node ? x->node->at : 0, x->err, "%s",
			     r < 0 ? "error" : message);
	free(message);
	return r;
}

/* The body once: index and element are in the variables, if there are any. */
static int walk_once(struct texec *x, const struct tnode *n, size_t base, const struct tval *index,
		     const struct tval *element)
{
	const struct tnode *pipe = n->pipe;
	const struct tval *values[2] = { pipe->n_decl == 2 ? index : element, element };
	int r = teval_enter(x, n);

	for (uint32_t i = 0; r == 0 && i < pipe->n_decl; i++) {
		struct tvar *var = pipe->assign ? teval_var(x, pipe->decl[i]) : &x->vars[base + i];

		if (!var)
			return texec_fail(x, "undefined variable: %s", pipe->decl[i]);
		var->value = *values[i];
	}
	if (r == 0)
		r = walk(x, n->body, element);
	x->n_vars = base + (pipe->assign ? 0 : pipe->n_decl);
	return r;
}

/* true: the loop has ended. */
static bool range_ends(struct texec *x, int r)
{
	bool stop = r < 0 || x->jump == TX_BREAK;

	x->jump = TX_GO_ON;
	return stop;
}

static int range_list(struct texec *x, const struct tnode *n, size_t base, const struct tval *list)
{
	const struct json_value *json = list->json;
	struct tval one = *list;
	int r = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		const struct tval index = tval_int(i);
		struct tval element;

		if (!json) {
			element = list->items[i];
		} else {
			/* one after the other: tval_element() counts from the start */
			one.json = i == 0 ? json : one.json + (one.json + 1)->size;
			element = tval_element(x, &one, 0);
		}
		r = walk_once(x, n, base, &index, &element);
		if (range_ends(x, r))
			break;
	}
	return r;
}

static int range_map(struct texec *x, const struct tnode *n, size_t base, const struct tval *map)
{
	uint32_t count;
	const struct tmember *members = tval_members(x, map, &count);
	int r = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct tval key = tval_string(members[i].key, strlen(members[i].key));

		r = walk_once(x, n, base, &key, &members[i].value);
		if (range_ends(x, r))
			break;
	}
	return r;
}

static int range_int(struct texec *x, const struct tnode *n, size_t base, int64_t end)
{
	int r = 0;

	for (int64_t i = 0; i < end; i++) {
		const struct tval index = tval_int(i);

		r = walk_once(x, n, base, &index, &index);
		if (range_ends(x, r))
			break;
	}
	return r;
}

static int walk_range(struct texec *x, const struct tnode *n, const struct tval *dot)
{
	size_t mark = x->n_vars;
	struct tval v;
	int r = teval_commands(x, n->pipe, dot, &v);

	if (r < 0)
		return r;
	for (uint32_t i = 0; !n->pipe->assign && i < n->pipe->n_decl; i++)
		teval_push(x, n->pipe->decl[i], v);
	x->node = n;
	if (v.kind == TV_LIST && v.n)
		r = range_list(x, n, mark, &v);
	else if (v.kind == TV_MAP && v.n)
		r = range_map(x, n, mark, &v);
	else if (v.kind == TV_INT && v.i > 0)
		r = range_int(x, n, mark, v.i);
	else if (v.kind == TV_NONE || v.kind == TV_LIST || v.kind == TV_MAP || v.kind == TV_INT)
		r = walk(x, n->alt, dot);
	else
		r = texec_fail(x, "range can't iterate over a %s", tval_kind_names[v.kind]);
	x->n_vars = mark;
	return r;
}

static int walk_if(struct texec *x, const struct tnode *n, const struct tval *dot)
{
	size_t mark = x->n_vars;
	struct tval v;
	int r = teval_pipeline(x, n->pipe, dot, &v);

	if (r == 0 && tval_truth(&v))
		r = walk(x, n->body, n->kind == TN_WITH ? &v : dot);
	else if (r == 0)
		r = walk(x, n->alt, dot);
	x->n_vars = mark;
	return r;
}

static int walk_template(struct texec *x, const struct tnode *n, const struct tval *dot)
{
	const struct tdefine *d = x->t->defines;
	struct tval v = { .kind = TV_NONE };
	struct tvar *outer;
	size_t n_outer, cap_outer;
	int r = 0;

	while (d && !str_eq(d->name, n->names[0]))
		d = d->next;
	if (!d)
		return texec_fail(x, "template \"%s\" not defined", n->names[0]);
	if (n->pipe)
		r = teval_pipeline(x, n->pipe, dot, &v);
	if (r < 0)
		return r;
	/* it sees none of the caller's variables */
	outer = x->vars;
	n_outer = x->n_vars;
	cap_outer = x->cap_vars;
	x->vars = NULL;
	x->n_vars = x->cap_vars = 0;
	teval_push(x, "$", v);
	r = walk(x, d->body, &v);
	free(x->vars);
	x->vars = outer;
	x->n_vars = n_outer;
	x->cap_vars = cap_outer;
	return r;
}

static int walk_action(struct texec *x, const struct tnode *n, const struct tval *dot)
{
	struct tval v;
	int r = teval_pipeline(x, n->pipe, dot, &v);

	if (r < 0 || n->pipe->n_decl)
		return r;
	tprint_value(x, &v, x->out);
	return 0;
}

static int walk_node(struct texec *x, const struct tnode *n, const struct tval *dot)
{
	switch (n->kind) {
	case TN_TEXT:
		buf_add(x->out, n->value.s, n->value.len);
		return 0;
	case TN_IF:
	case TN_WITH:
		return walk_if(x, n, dot);
	case TN_RANGE:
		return walk_range(x, n, dot);
	case TN_TEMPLATE:
		return walk_template(x, n, dot);
	case TN_BREAK:
	case TN_CONTINUE:
		x->jump = n->kind == TN_BREAK ? TX_BREAK : TX_CONTINUE;
		return 0;
	default:
		return walk_action(x, n, dot);
	}
}

static int walk(struct texec *x, const struct tnode *list, const struct tval *dot)
{
	int r = 0;

	if (++x->depth > 8 * TEMPLATE_DEPTH_MAX)
		return texec_fail(x, "exceeded maximum template depth");
	for (const struct tnode *n = list; n && r == 0 && x->jump == TX_GO_ON; n = n->next) {
		r = teval_enter(x, n);
		if (r == 0)
			r = walk_node(x, n, dot);
	}
	x->depth--;
	return r;
}

int template_execute(const struct template *t, const struct template_data *data, struct buf *out,
		     struct err *err)
{
	struct texec x = { .t = t, .out = out, .err = err, .mask = data->mask };
	struct json_fault fault = { .at = 0 };
	struct json_tree tree;
	struct tval top;
	int r;

	if (!json_tree_parse(&tree, data->json, data->len, &fault)) {
		json_tree_done(&tree);
		return err_fail(err, ERR_INVALID, "template: the data is no JSON: %s at byte %zu",
				fault.why ? fault.why : "limit", fault.at);
	}
	top = tval_of_json(&x, tree.values, data->desc,
			   tree.values[0].type == JSON_TYPE_ARRAY ? JSON_ARRAY : JSON_OBJ);
	if (data->fields && !data->desc && (top.kind == TV_MAP || top.kind == TV_LIST)) {
		top.fields = top.kind == TV_LIST;
		top.kind = top.kind == TV_MAP ? TV_STRUCT : TV_LIST;
	}
	teval_push(&x, "$", top);
	r = walk(&x, t->body, &top);
	if (r == 0 && out->len > TEMPLATE_OUTPUT_MAX)
		r = texec_fail(&x, "output of more than %d bytes", TEMPLATE_OUTPUT_MAX);
	free(x.vars);
	tarena_done(&x.arena);
	json_tree_done(&tree);
	return r;
}
