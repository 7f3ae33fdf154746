/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines. */
#include "base/template_internal.h"

#include "base/str.h"

static int eval_operand(struct texec *x, const struct tnode *n, const struct tval *dot,
			struct tval *ret);

int teval_enter(struct texec *x, const struct tnode *n)
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

void teval_push(struct texec *x, const char *name, struct tval value)
{
	if (x->n_vars == x->cap_vars) {
		x->cap_vars = x->cap_vars ? 2 * x->cap_vars : 16;
		x->vars = xrealloc(x->vars, x->cap_vars * sizeof(*x->vars));
	}
	x->vars[x->n_vars++] = (struct tvar){ name, value };
}

struct tvar *teval_var(struct texec *x, const char *name)
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
	const struct tvar *var = teval_var(x, n->names[0]);

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
	int r = teval_enter(x, n);

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
		return teval_pipeline(x, n, dot, ret);
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
			teval_push(x, pipe->decl[i], value);
			continue;
		}
		var = teval_var(x, pipe->decl[i]);
		if (!var)
			return texec_fail(x, "undefined variable: %s", pipe->decl[i]);
		var->value = value;
	}
	return 0;
}

int teval_commands(struct texec *x, const struct tnode *pipe, const struct tval *dot,
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

int teval_pipeline(struct texec *x, const struct tnode *pipe, const struct tval *dot,
		   struct tval *ret)
{
	int r = teval_commands(x, pipe, dot, ret);

	return r < 0 ? r : set_vars(x, pipe, *ret);
}
