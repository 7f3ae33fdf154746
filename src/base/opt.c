/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"

#include "base/json.h"
#include "base/opt_internal.h"
#include "base/str.h"
#include "base/strv.h"

struct parse {
	const struct opt *opts;
	size_t n;
	void *dst;
	char **argv; /* of the argument being looked at */
	struct err *err;
	int asked;
	unsigned int flags;
};

const char *opt_value_name(const struct opt *o)
{
	static const char *const names[] = {
		[OPT_STR] = "string", [OPT_STRV] = "list",   [OPT_INT] = "int", [OPT_U64] = "uint",
		[OPT_I64] = "int",    [OPT_BYTES] = "bytes", [OPT_FN] = "value"
	};

	if (!opt_has_value(o))
		return NULL;
	return o->arg ? o->arg : names[o->kind];
}

const struct opt *opt_find(const struct opt *opts, size_t n, const char *name, size_t len)
{
	const struct opt *found = NULL;

	for (size_t i = 0; !found && i < n; i++) {
		if (opts[i].kind == OPT_TABLE)
			found = opt_find(opts[i].table->rows, opts[i].table->n, name, len);
		else if (opts[i].name && strncmp(opts[i].name, name, len) == 0 &&
			 !opts[i].name[len])
			found = &opts[i];
	}
	return found;
}

const struct opt *opt_find_short(const struct opt *opts, size_t n, char c)
{
	const struct opt *found = NULL;

	for (size_t i = 0; c && !found && i < n; i++) {
		if (opts[i].kind == OPT_TABLE)
			found = opt_find_short(opts[i].table->rows, opts[i].table->n, c);
		else if (opts[i].short_name == c)
			found = &opts[i];
	}
	return found;
}

static int check_choice(const struct opt *o, const char *value, struct err *err)
{
	cleanup_buf struct buf words = BUF_INIT;

	for (size_t i = 0; o->choices && o->choices[i]; i++) {
		if (str_eq(o->choices[i], value))
			return 0;
		buf_addf(&words, "%s%s", i ? ", " : "", o->choices[i]);
	}
	if (!o->choices)
		return 0;
	return err_fail(err, ERR_USAGE, "expected one of %s", buf_str(&words));
}

/* Numbers: the parsers of base/str.h, and what each of them wants. */
static int set_number(const struct opt *o, void *field, const char *value, struct err *err)
{
	struct opt_u64 *u64 = field;
	struct opt_i64 *i64 = field;
	const char *expected = NULL;
	int r = 0;

	switch (o->kind) {
	case OPT_INT:
		r = str_parse_int(value, field);
		expected = "an integer";
		break;
	case OPT_U64:
		r = str_parse_u64(value, &u64->value);
		expected = "an integer that is not negative";
		break;
	case OPT_I64:
		r = str_parse_i64(value, &i64->value);
		expected = "an integer";
		break;
	default:
		r = str_parse_bytes(value, &u64->value);
		expected = "a size such as 512m or 1.5g";
	}
	if (r == -ERANGE)
		return err_fail(err, ERR_USAGE, "number out of range");
	if (r < 0)
		return err_fail(err, ERR_USAGE, "expected %s", expected);
	if (o->kind == OPT_I64)
		i64->set = true;
	else if (o->kind != OPT_INT)
		u64->set = true;
	return 0;
}

static int set_field(const struct opt *o, void *field, const char *value, struct err *err)
{
	int r = check_choice(o, value, err);

	if (r < 0)
		return r;
	switch (o->kind) {
	case OPT_FLAG:
		if (str_parse_bool(value, field) < 0)
			return err_fail(err, ERR_USAGE, "expected true or false");
		return 0;
	case OPT_STR:
		free(*(char **)field);
		*(char **)field = xstrdup(value);
		return 0;
	case OPT_STRV:
		strv_add(field, value);
		return 0;
	case OPT_FN:
		return o->parse(field, value, err);
	default:
		return set_number(o, field, value, err);
	}
}

static int set(struct parse *p, const struct opt *o, const char *value)
{
	cleanup_free char *shown = NULL;
	int r = set_field(o, (char *)p->dst + o->offset, value, p->err);

	if (r >= 0)
		return 0;
	shown = str_escape(value);
	err_wrap(p->err, r, "invalid argument \"%.200s\" for \"--%s\" flag", shown, o->name);
	return err_set_kind(p->err, r, ERR_USAGE);
}

static int set_alone(struct parse *p, const struct opt *o)
{
	return set(p, o, o->choices ? o->choices[0] : "");
}

static int refuse(struct parse *p, const struct opt *o)
{
	return err_fail(p->err, ERR_UNSUPPORTED, "--%s is not supported: %s", o->name, o->help);
}

static int parse_long(struct parse *p, const char *name)
{
	const char *eq = strchrnul(name, '=');
	const struct opt *o = opt_find(p->opts, p->n, name, (size_t)(eq - name));

	if (!o && str_eq(name, "help"))
		return p->asked = OPT_ASKED_HELP;
	if (!o && (p->flags & OPT_PARSE_VERSION) && str_eq(name, "version"))
		return p->asked = OPT_ASKED_VERSION;
	if (!o)
		return err_fail(p->err, ERR_USAGE, "unknown flag: --%.*s", (int)(eq - name), name);
	if (o->kind == OPT_REFUSED)
		return refuse(p, o);
	if (*eq)
		return set(p, o, eq + 1);
	if (!opt_has_value(o))
		return set(p, o, "true");
	if (o->flags & OPT_OPTIONAL_ARG)
		return set_alone(p, o);
	if (!p->argv[1])
		return err_fail(p->err, ERR_USAGE, "flag needs an argument: --%s", o->name);
	return set(p, o, *++p->argv);
}

/* The option with a value that ends a bundle: "-eVALUE", "-e=VALUE", "-e VALUE". */
static int parse_short_value(struct parse *p, const struct opt *o, const char *rest)
{
	if (*rest)
		return set(p, o, *rest == '=' ? rest + 1 : rest);
	if (o->flags & OPT_OPTIONAL_ARG)
		return set_alone(p, o);
	if (!p->argv[1])
		return err_fail(p->err, ERR_USAGE, "flag needs an argument: -%c", o->short_name);
	return set(p, o, *++p->argv);
}

static int parse_bundle(struct parse *p)
{
	const char *bundle = *p->argv;
	int r;

	for (const char *c = bundle + 1; *c; c++) {
		const struct opt *o = opt_find_short(p->opts, p->n, *c);

		if (!o && *c == 'h')
			return p->asked = OPT_ASKED_HELP;
		if (!o && (p->flags & OPT_PARSE_VERSION) && *c == 'v')
			return p->asked = OPT_ASKED_VERSION;
		if (!o)
			return err_fail(p->err, ERR_USAGE, "unknown shorthand flag: '%.*s' in %s",
					(int)(str_utf8_len(c) ? str_utf8_len(c) : 1), c, bundle);
		if (o->kind == OPT_REFUSED)
			return refuse(p, o);
		if (opt_has_value(o))
			return parse_short_value(p, o, c + 1);
		if (c[1] == '=')
			return set(p, o, c + 2);
		r = set(p, o, "true");
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_long_by_one_dash(const struct parse *p)
{
	const char *name = *p->argv + 1;

	return (p->flags & CMD_ONE_DASH) && name[1] &&
	       opt_find(p->opts, p->n, name, strcspn(name, "="));
}

int opt_parse(const struct opt *opts, size_t n, void *dst, char **argv, unsigned int cmd_flags,
	      char ***ret_args, struct err *err)
{
	struct parse p = {
		.opts = opts, .n = n, .dst = dst, .argv = argv, .err = err, .flags = cmd_flags
	};
	char **args = argv; /* arguments are gathered at the front, behind argv[0] */
	int r;

	if (!*argv) {
		*ret_args = argv;
		return 0;
	}
	while (*++p.argv) {
		char *arg = *p.argv;

		if (str_eq(arg, "--")) {
			p.argv++;
			break;
		}
		if (arg[0] != '-' || !arg[1]) {
			if (cmd_flags & CMD_STOP_AT_ARG)
				break;
			*++args = arg;
			continue;
		}
		if (arg[1] == '-')
			r = parse_long(&p, arg + 2);
		else
			r = is_long_by_one_dash(&p) ? parse_long(&p, arg + 1) : parse_bundle(&p);
		if (r < 0 || p.asked)
			return r < 0 ? r : p.asked;
	}
	while (*p.argv)
		*++args = *p.argv++;
	*++args = NULL;
	*ret_args = argv + 1;
	return 0;
}

void opt_free(const struct opt *opts, size_t n, void *dst)
{
	for (size_t i = 0; i < n; i++) {
		void *field = (char *)dst + opts[i].offset;

		if (opts[i].kind == OPT_STR) {
			free(*(char **)field);
			*(char **)field = NULL;
		} else if (opts[i].kind == OPT_STRV) {
			strv_free(*(char ***)field);
			*(char ***)field = NULL;
		} else if (opts[i].kind == OPT_TABLE) {
			opt_free(opts[i].table->rows, opts[i].table->n, dst);
		}
	}
}
