/* SPDX-License-Identifier: Apache-2.0 */
#include "base/template_internal.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/str.h"

static int walk(struct texec *x, const struct tnode *list, const struct tval *dot);
static int eval_pipeline(struct texec *x, const struct tnode *pipe, const struct tval *dot,
			 struct tval *ret);
static int eval_operand(struct texec *x, const struct tnode *n, const struct tval *dot,
			struct tval *ret);

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

static int enter(struct texec *x, const struct tnode *n)
{
	x->node = n;
	if (++x->steps > TEMPLATE_STEPS_MAX)
		return texec_fail(x, "more than %d steps", TEMPLATE_STEPS_MAX);
	if (x->arena.total > TEMPLATE_MEMORY_MAX)
		return texec_fail(x, "values of more than %d bytes", TEMPLATE_MEMORY_MAX);
	if (x->out->len > TEMPLATE_OUTPUT_MAX)
		return texec_fail(x, "output of more than %d bytes", TEMPLATE_OUTPUT_MAX);
	return 0;
}

static void push_var(struct texec *x, const char *name, struct tval value)
{
	if (x->n_vars == x->cap_vars) {
		x->cap_vars = x->cap_vars ? 2 * x->cap_vars : 16;
		x->vars = xrealloc(x->vars, x->cap_vars * sizeof(*x->vars));
	}
	x->vars[x->n_vars++] = (struct tvar){ name, value };
}

static struct tvar *find_var(struct texec *x, const char *name)
{
	for (size_t i = x->n_vars; i-- > 0;)
		if (str_eq(x->vars[i].name, name))
			return &x->vars[i];
	return NULL;
}

/* What v has, through the fields from names[from] on. */
static int eval_fields(struct texec *x, const struct tnode *n, uint32_t from, struct tval *v)
{
	int r = 0;

	for (uint32_t i = from; r == 0 && i < n->n_names; i++) {
		x->node = n;
		r = tval_field(x, v, n->names[i], v);
	}
	return r;
}

static int eval_variable(struct texec *x, const struct tnode *n, struct tval *ret)
{
	const struct tvar *var = find_var(x, n->names[0]);

	if (!var)
		return texec_fail(x, "undefined variable: %s", n->names[0]);
	*ret = var->value;
	return eval_fields(x, n, 1, ret);
}

static int eval_args(struct texec *x, const struct tnode *cmd, const struct tval *dot,
		     const struct tval *final, struct tval **ret, size_t *ret_n)
{
	struct tval *args = tarena_alloc(&x->arena, (cmd->n_args + 1) * sizeof(*args));
	const struct tnode *arg = cmd->args->next;
	size_t n = 0;
	int r = 0;

	for (; arg && r == 0; arg = arg->next)
		r = eval_operand(x, arg, dot, &args[n++]);
	if (final)
		args[n++] = *final;
	*ret = args;
	*ret_n = n;
	return r;
}

/* and, or: the first argument that decides, those behind it are not looked at. */
static int eval_logic(struct texec *x, const struct tnode *cmd, const struct tval *dot,
		      const struct tval *final, bool until, struct tval *ret)
{
	const struct tnode *arg;
	int r;

	for (arg = cmd->args->next; arg; arg = arg->next) {
		r = eval_operand(x, arg, dot, ret);
		if (r < 0 || tval_truth(ret) == until)
			return r;
	}
	if (final)
		*ret = *final;
	return 0;
}

static int eval_call(struct texec *x, const struct tnode *cmd, const struct tval *dot,
		     const struct tval *final, struct tval *ret)
{
	const struct tfunc *f = cmd->args->func;
	int given = (int)cmd->n_args - 1 + (final != NULL);
	struct tval *args;
	size_t n;
	int r;

	x->node = cmd->args;
	if (given < f->min || (f->max >= 0 && given > f->max))
		return texec_fail(x, "wrong number of args for %s: want %s%d got %d", f->name,
				  f->min == f->max ? "" : "at least ", f->min, given);
	if (f == &tfuncs[TFUNC_AND] || f == &tfuncs[TFUNC_OR])
		return eval_logic(x, cmd, dot, final, f == &tfuncs[TFUNC_OR], ret);
	r = eval_args(x, cmd, dot, final, &args, &n);
	x->node = cmd->args;
	return r < 0 ? r : f->call(x, args, n, ret);
}

/* A map that is a field, with a key as its argument, is docker's {{.Label "name"}}: the value, ""
 * when there is none. Nothing else takes arguments. */
static int eval_keyed(struct texec *x, const struct tnode *cmd, const struct tval *dot,
		      const struct tval *final, struct tval *v)
{
	struct tval *args;
	size_t n;
	int r;

	if (cmd->n_args == 1 && !final)
		return 0;
	r = eval_args(x, cmd, dot, final, &args, &n);
	x->node = cmd->args;
	if (r < 0)
		return r;
	if (v->kind != TV_MAP || dot->kind != TV_STRUCT || cmd->args->kind != TN_FIELD || n != 1 ||
	    args[0].kind != TV_STRING)
		return texec_fail(x, "can't give argument to non-function");
	*v = tval_key(x, v, args[0].s, args[0].len);
	if (v->kind == TV_NONE)
		*v = tval_string("", 0);
	return 0;
}

static int eval_command(struct texec *x, const struct tnode *cmd, const struct tval *dot,
			const struct tval *final, struct tval *ret)
{
	const struct tnode *first = cmd->args;
	int r;

	if (first->kind == TN_FUNC)
		return eval_call(x, cmd, dot, final, ret);
	x->node = first;
	if (first->kind == TN_NIL)
		return texec_fail(x, "nil is not a command");
	r = eval_operand(x, first, dot, ret);
	return r < 0 ? r : eval_keyed(x, cmd, dot, final, ret);
}

/* An operand alone, a function without arguments. */
static int eval_operand(struct texec *x, const struct tnode *n, const struct tval *dot,
			struct tval *ret)
{
	struct tnode func = *n, alone = { .kind = TN_COMMAND, .args = &func, .n_args = 1 };
	int r = enter(x, n);

	if (r < 0)
		return r;
	switch (n->kind) {
	case TN_DOT:
		*ret = *dot;
		return 0;
	case TN_NIL:
		*ret = (struct tval){ .kind = TV_NULL };
		return 0;
	case TN_CONST:
		*ret = n->value;
		return 0;
	case TN_FIELD:
		*ret = *dot;
		return eval_fields(x, n, 0, ret);
	case TN_VARIABLE:
		return eval_variable(x, n, ret);
	case TN_PIPE:
		return eval_pipeline(x, n, dot, ret);
	case TN_CHAIN:
		if (n->args->kind == TN_NIL)
			return texec_fail(x, "indirection through explicit nil");
		r = eval_operand(x, n->args, dot, ret);
		return r < 0 ? r : eval_fields(x, n, 0, ret);
	default:
		/* behind it in the list are its neighbours, not its arguments */
		func.next = NULL;
		return eval_call(x, &alone, dot, NULL, ret);
	}
}

static int set_vars(struct texec *x, const struct tnode *pipe, struct tval value)
{
	for (uint32_t i = 0; i < pipe->n_decl; i++) {
		struct tvar *var;

		if (!pipe->assign) {
			push_var(x, pipe->decl[i], value);
			continue;
		}
		var = find_var(x, pipe->decl[i]);
		if (!var)
			return texec_fail(x, "undefined variable: %s", pipe->decl[i]);
		var->value = value;
	}
	return 0;
}

static int eval_commands(struct texec *x, const struct tnode *pipe, const struct tval *dot,
			 struct tval *ret)
{
	struct tval value = { .kind = TV_NONE }, final;
	const struct tval *given = NULL;
	int r;

	if (++x->depth > 8 * TEMPLATE_DEPTH_MAX)
		return texec_fail(x, "nested too deep");
	for (const struct tnode *cmd = pipe->args; cmd; cmd = cmd->next) {
		r = eval_command(x, cmd, dot, given, &value);
		if (r < 0)
			return r;
		if (value.kind == TV_NULL)
			value.kind = TV_NONE;
		value.constant = false;
		final = value;
		given = &final;
	}
	x->depth--;
	*ret = value;
	return 0;
}

static int eval_pipeline(struct texec *x, const struct tnode *pipe, const struct tval *dot,
			 struct tval *ret)
{
	int r = eval_commands(x, pipe, dot, ret);

	return r < 0 ? r : set_vars(x, pipe, *ret);
}

/* The body once: index and element are in the variables, if there are any. */
static int walk_once(struct texec *x, const struct tnode *n, size_t base, const struct tval *index,
		     const struct tval *element)
{
	const struct tnode *pipe = n->pipe;
	const struct tval *values[2] = { pipe->n_decl == 2 ? index : element, element };
	int r = enter(x, n);

	for (uint32_t i = 0; r == 0 && i < pipe->n_decl; i++) {
		struct tvar *var = pipe->assign ? find_var(x, pipe->decl[i]) : &x->vars[base + i];

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
	int r = eval_commands(x, n->pipe, dot, &v);

	if (r < 0)
		return r;
	for (uint32_t i = 0; !n->pipe->assign && i < n->pipe->n_decl; i++)
		push_var(x, n->pipe->decl[i], v);
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
	int r = eval_pipeline(x, n->pipe, dot, &v);

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
		r = eval_pipeline(x, n->pipe, dot, &v);
	if (r < 0)
		return r;
	/* it sees none of the caller's variables */
	outer = x->vars;
	n_outer = x->n_vars;
	cap_outer = x->cap_vars;
	x->vars = NULL;
	x->n_vars = x->cap_vars = 0;
	push_var(x, "$", v);
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
	int r = eval_pipeline(x, n->pipe, dot, &v);

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
		r = enter(x, n);
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
	push_var(&x, "$", top);
	r = walk(&x, t->body, &top);
	if (r == 0 && out->len > TEMPLATE_OUTPUT_MAX)
		r = texec_fail(&x, "output of more than %d bytes", TEMPLATE_OUTPUT_MAX);
	free(x.vars);
	tarena_done(&x.arena);
	json_tree_done(&tree);
	return r;
}
