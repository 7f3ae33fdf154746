/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as people type it, and what is written from the tables. */
#include "base/opt.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strv.h"
#include "unit.h"

struct opts {
	bool interactive, tty, rm;
	char *name, *pull, *net;
	char **env;
	int count;
	struct opt_u64 shares, memory;
	struct opt_i64 swap;
	uint32_t mode;
};

static int parse_mode(void *field, const char *value, struct err *err)
{
	if (str_parse_mode(value, field) < 0)
		return err_fail(err, ERR_INVALID, "expected an octal mode");
	return 0;
}

static const char *const nets[] = { "none", "host", NULL };
static const struct opt table[] = {
	{ "interactive", 'i', OPT_FLAG, OPT_FIELD(struct opts, interactive), .help = "Keep stdin" },
	{ "tty", 't', OPT_FLAG, OPT_FIELD(struct opts, tty), .help = "Make a terminal" },
	{ "rm", 0, OPT_FLAG, OPT_FIELD(struct opts, rm), .help = "Remove it's *all* [now]" },
	{ "name", 0, OPT_STR, OPT_FIELD(struct opts, name), "NAME", "Name it" },
	{ "env", 'e', OPT_STRV, OPT_FIELD(struct opts, env), "NAME=VALUE", "Set a variable" },
	{ "count", 'n', OPT_INT, OPT_FIELD(struct opts, count), .help = "How many" },
	{ "shares", 0, OPT_U64, OPT_FIELD(struct opts, shares), .help = "CPU shares" },
	{ "memory", 'm', OPT_BYTES, OPT_FIELD(struct opts, memory), .help = "Memory limit" },
	{ "swap", 0, OPT_I64, OPT_FIELD(struct opts, swap), .help = "Swap limit" },
	{ "mode", 0, OPT_FN, OPT_FIELD(struct opts, mode), .help = "Mode", .parse = parse_mode },
	{ "network", 0, OPT_STR, OPT_FIELD(struct opts, net), .help = "Network", .choices = nets },
	{ "pull", 0, OPT_STR, OPT_FIELD(struct opts, pull), .help = "Pull first",
	  .flags = OPT_OPTIONAL_ARG },
	{ "proxy", 0, OPT_STR, OPT_FIELD(struct opts, net), .choices = nets,
	  .flags = OPT_OPTIONAL_ARG | OPT_HIDDEN },
	{ "secret", 0, OPT_FLAG, OPT_FIELD(struct opts, rm), .help = "x", .flags = OPT_HIDDEN },
	OPT_REFUSE("sign", "it has no hands"),
};

#define ARGS(...) ((char **)(const char *[]){ "prog", __VA_ARGS__, NULL })

static char **parse(struct opts *o, unsigned int flags, char **argv)
{
	struct err err = ERR_INIT;
	char **args = NULL;

	memset(o, 0, sizeof(*o));
	assert_ok(opt_parse(table, ARRAY_SIZE(table), o, argv, flags, &args, &err));
	return args;
}

static void done(struct opts *o)
{
	opt_free(table, ARRAY_SIZE(table), o);
}

static void refuses(char **argv, const char *message)
{
	struct opts o = { 0 };
	struct err err = ERR_INIT;
	char **args = NULL;

	assert_true(opt_parse(table, ARRAY_SIZE(table), &o, argv, 0, &args, &err) < 0);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, ERR_USAGE);
	done(&o);
}

static void test_long(void **state)
{
	struct opts o;
	char **args = parse(&o, 0,
			    ARGS("--name", "-x", "--env=A=1", "--env", "B=2", "arg", "--rm",
				 "--tty=false", "--swap", "-1", "--shares=7", "--pull", "more"));

	assert_string_equal(o.name, "-x");
	assert_string_equal(o.env[0], "A=1");
	assert_string_equal(o.env[1], "B=2");
	assert_true(o.rm && !o.tty);
	assert_true(o.swap.set && o.swap.value == -1);
	assert_true(o.shares.set && o.shares.value == 7 && !o.memory.set);
	assert_string_equal(o.pull, "");
	assert_int_equal(strv_len(args), 2);
	assert_string_equal(args[0], "arg");
	assert_string_equal(args[1], "more");
	done(&o);
}

static void test_short(void **state)
{
	struct opts o;

	parse(&o, 0, ARGS("-it", "-eA=1", "-e", "B=2", "-e=C", "-m512m", "-n", "-3"));
	assert_true(o.interactive && o.tty);
	assert_int_equal(strv_len(o.env), 3);
	assert_string_equal(o.env[0], "A=1");
	assert_string_equal(o.env[2], "C");
	assert_true(o.memory.value == UINT64_C(512) << 20);
	assert_int_equal(o.count, -3);
	done(&o);
	parse(&o, 0, ARGS("-tin5", "-i=false"));
	assert_true(o.tty && !o.interactive);
	assert_int_equal(o.count, 5);
	done(&o);
}

/* With a value or without: what is said is why. */
static void test_refused(void **state)
{
	char **const lines[] = { ARGS("--sign"), ARGS("--sign=me", "--tty"), ARGS("--sign", "me") };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct opts o = { 0 };
		struct err err = ERR_INIT;
		char **args = NULL;

		assert_true(opt_parse(table, ARRAY_SIZE(table), &o, lines[i], 0, &args, &err) < 0);
		assert_string_equal(err.msg, "--sign is not supported: it has no hands");
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
		done(&o);
	}
}

static void test_last_wins(void **state)
{
	struct opts o;

	parse(&o, 0, ARGS("--name=a", "--name=b", "--mode", "0755", "--network", "host"));
	assert_string_equal(o.name, "b");
	assert_int_equal(o.mode, 0755);
	assert_string_equal(o.net, "host");
	done(&o);
	parse(&o, 0, ARGS("--network", "host", "--proxy"));
	assert_string_equal(o.net, "none");
	done(&o);
}

static void test_stop(void **state)
{
	struct opts o;
	char **args = parse(&o, CMD_STOP_AT_ARG, ARGS("-i", "image", "sh", "-t", "--", "--rm"));

	assert_true(o.interactive && !o.tty && !o.rm);
	assert_int_equal(strv_len(args), 5);
	assert_string_equal(args[2], "-t");
	assert_string_equal(args[3], "--");
	done(&o);
	args = parse(&o, 0, ARGS("a", "-t", "--", "-i", "-", "--"));
	assert_true(o.tty && !o.interactive);
	assert_int_equal(strv_len(args), 4);
	assert_string_equal(args[1], "-i");
	assert_string_equal(args[3], "--");
	done(&o);
	args = parse(&o, 0, ARGS("-"));
	assert_string_equal(args[0], "-");
	done(&o);
}

static void test_wrong(void **state)
{
	refuses(ARGS("--foo"), "unknown flag: --foo");
	refuses(ARGS("--foo=1"), "unknown flag: --foo");
	refuses(ARGS("--nam=x"), "unknown flag: --nam");
	refuses(ARGS("-ix"), "unknown shorthand flag: 'x' in -ix");
	refuses(ARGS("--name"), "flag needs an argument: --name");
	refuses(ARGS("-e"), "flag needs an argument: -e");
	refuses(ARGS("--rm=maybe"),
		"invalid argument \"maybe\" for \"--rm\" flag: expected true or false");
	refuses(
	    ARGS("-m", "12q"),
	    "invalid argument \"12q\" for \"--memory\" flag: expected a size such as 512m or 1.5g");
	refuses(ARGS("-n", "010"),
		"invalid argument \"010\" for \"--count\" flag: expected an integer");
	refuses(ARGS("-n", "3000000000"),
		"invalid argument \"3000000000\" for \"--count\" flag: number out of range");
	refuses(ARGS("--shares", "-1"),
		"invalid argument \"-1\" for \"--shares\" flag: expected an "
		"integer that is not negative");
	refuses(ARGS("--network", "lo\n"),
		"invalid argument \"lo\\n\" for \"--network\" flag: expected one of none, host");
	refuses(ARGS("--proxy="),
		"invalid argument \"\" for \"--proxy\" flag: expected one of none, host");
	refuses(ARGS("--mode", "9"),
		"invalid argument \"9\" for \"--mode\" flag: expected an octal mode");
}

struct globals {
	char *root;
	bool debug;
};

/* What the last run saw; the program's only output channel in these tests. */
static struct {
	int runs, setups, kind;
	char msg[200], hint[300], args[100];
} seen;

static int run_run(const void *globals, void *opts, char **args, struct err *err)
{
	const struct opts *o = opts;
	char *joined = strv_join(args, " ");

	seen.runs++;
	snprintf(seen.args, sizeof(seen.args), "%s", joined);
	free(joined);
	if (o->count == 9)
		return err_fail(err, ERR_CMD_NOT_FOUND, "nine");
	return o->count;
}

static int setup(void *globals, struct err *err)
{
	seen.setups++;
	return 0;
}

static int report(const void *globals, const struct err *err)
{
	snprintf(seen.msg, sizeof(seen.msg), "%.190s", err->msg);
	snprintf(seen.hint, sizeof(seen.hint), "%s", err->hint);
	seen.kind = err->kind;
	return err_exit_status(err);
}

static const struct cmd cmd_run = { .name = "run",
				    .args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
				    .summary = "Run a container",
				    .details = "It is *run*.\n\n- once",
				    .opts = table,
				    .n_opts = ARRAY_SIZE(table),
				    .opts_size = sizeof(struct opts),
				    .min_args = 1,
				    .max_args = -1,
				    .run = run_run,
				    .flags = CMD_STOP_AT_ARG };
static const struct cmd cmd_ps = { .name = "ps",
				   .args = "[OPTIONS]",
				   .summary = "List containers",
				   .run = run_run,
				   .opts = table,
				   .n_opts = 1,
				   .opts_size = sizeof(struct opts) };
static const struct cmd cmd_hidden = { .name = "hidden",
				       .args = "",
				       .summary = "No",
				       .run = run_run,
				       .flags = CMD_HIDDEN,
				       .opts_size = sizeof(struct opts) };
static const struct cmd *const cmds[] = { &cmd_run, &cmd_ps, &cmd_hidden, NULL };

/* The same commands in groups, one inside the other, and one that is nowhere else. */
static const struct cmd cmd_prune = { .name = "prune",
				      .args = "",
				      .summary = "Tidy up",
				      .run = run_run,
				      .opts_size = sizeof(struct opts) };
static const struct cmd_sub inner_subs[] = { { "prune", &cmd_prune, false }, { 0 } };
static const struct cmd cmd_inner = { .name = "in", .summary = "Inside", .subs = inner_subs };
static const struct cmd_sub group_subs[] = { { "ls", &cmd_ps, false },
					     { "list", &cmd_ps, true },
					     { "run", &cmd_run, false },
					     { "in", &cmd_inner, false },
					     { 0 } };
static const struct cmd cmd_group = { .name = "box", .summary = "Boxes", .subs = group_subs };
static const struct cmd *const grouped_cmds[] = { &cmd_run, &cmd_ps, &cmd_group, NULL };
static const struct opt global_table[] = {
	{ "root", 0, OPT_STR, OPT_FIELD(struct globals, root), "DIR", "Where state lies" },
	{ "debug", 'D', OPT_FLAG, OPT_FIELD(struct globals, debug), .help = "Say more" },
};
static const struct cmd_refused refused[] = {
	{ "box mend|build", "there are no tools", "`prog run`" },
	{ "run", "never said: there is one", NULL },
	{ 0 },
};
static const struct program prog = { .name = "prog",
				     .summary = "Test things",
				     .opts = global_table,
				     .n_opts = ARRAY_SIZE(global_table),
				     .opts_size = sizeof(struct globals),
				     .cmds = cmds,
				     .setup = setup,
				     .usage_status = 125,
				     .version = "prog 1.0",
				     .report = report };

static const struct program grouped = { .name = "prog",
					.summary = "Test things",
					.opts = global_table,
					.n_opts = ARRAY_SIZE(global_table),
					.opts_size = sizeof(struct globals),
					.cmds = grouped_cmds,
					.refused = refused,
					.usage_status = 125,
					.version = "prog 1.0",
					.report = report };

static int run_main(char **argv)
{
	memset(&seen, 0, sizeof(seen));
	return program_main(&prog, (int)strv_len(argv), argv);
}

static int run_grouped(char **argv)
{
	memset(&seen, 0, sizeof(seen));
	return program_main(&grouped, (int)strv_len(argv), argv);
}

static void test_program(void **state)
{
	assert_int_equal(run_main(ARGS("-D", "--root", "/x", "run", "-n", "4", "img", "-n5")), 4);
	assert_string_equal(seen.args, "img -n5");
	assert_int_equal(seen.setups, 1);
	assert_int_equal(run_main(ARGS("run", "-n9", "img")), 127);
	assert_string_equal(seen.msg, "nine");
	assert_int_equal(run_main(ARGS("hidden")), 0);
}

static void test_program_usage(void **state)
{
	assert_int_equal(run_main(ARGS("runn")), 125);
	assert_string_equal(seen.msg, "unknown command: runn");
	assert_string_equal(seen.hint, "did you mean \"prog run\"?");
	assert_int_equal(run_main(ARGS("frobnicate")), 125);
	assert_string_equal(seen.hint, "see 'prog --help'");
	assert_int_equal(run_main(ARGS("run", "--bogus")), 125);
	assert_string_equal(seen.msg, "unknown flag: --bogus");
	assert_string_equal(seen.hint, "see 'prog run --help'");
	assert_int_equal(run_main(ARGS("run")), 125);
	assert_string_equal(seen.msg, "\"run\" requires at least 1 argument");
	assert_string_equal(seen.hint, "usage: prog run [OPTIONS] IMAGE [COMMAND] [ARG...]; see "
				       "'prog run --help'");
	assert_int_equal(run_main(ARGS("ps", "x")), 125);
	assert_string_equal(seen.msg, "\"ps\" accepts no arguments");
	assert_int_equal(run_main(ARGS("--root")), 125);
	assert_string_equal(seen.msg, "flag needs an argument: --root");
	assert_int_equal(seen.runs, 0);
}

static void test_refused_command(void **state)
{
	assert_int_equal(run_grouped(ARGS("build", "--any", "thing")), 125);
	assert_string_equal(seen.msg, "build is not supported: there are no tools");
	assert_string_equal(seen.hint, "`prog run`");
	assert_int_equal(seen.kind, ERR_UNSUPPORTED);
	assert_int_equal(run_grouped(ARGS("help", "box", "mend")), 125);
	assert_string_equal(seen.msg, "box mend is not supported: there are no tools");
	/* only as they stand */
	assert_int_equal(run_grouped(ARGS("mend")), 125);
	assert_string_equal(seen.msg, "unknown command: mend");
	assert_int_equal(run_grouped(ARGS("run", "-n", "4", "img")), 4);
}

static void test_groups(void **state)
{
	assert_int_equal(run_grouped(ARGS("-D", "box", "run", "-n", "4", "img", "-n5")), 4);
	assert_string_equal(seen.args, "img -n5");
	assert_int_equal(run_grouped(ARGS("box", "list", "-i")), 0);
	assert_int_equal(run_grouped(ARGS("box", "in", "prune")), 0);
	assert_int_equal(seen.runs, 1);
	assert_int_equal(run_grouped(ARGS("box", "rum")), 125);
	assert_string_equal(seen.msg, "unknown command: box rum");
	assert_string_equal(seen.hint, "did you mean \"prog box run\"?");
	assert_int_equal(run_grouped(ARGS("box", "in", "list")), 125);
	assert_string_equal(seen.msg, "unknown command: box in list");
	assert_string_equal(seen.hint, "see 'prog box in --help'");
	assert_int_equal(run_grouped(ARGS("box", "run")), 125);
	assert_string_equal(seen.msg, "\"box run\" requires at least 1 argument");
	assert_int_equal(run_grouped(ARGS("box", "run", "--bogus")), 125);
	assert_string_equal(seen.hint, "see 'prog box run --help'");
	assert_int_equal(run_grouped(ARGS("box", "--bogus")), 125);
	assert_string_equal(seen.msg, "unknown flag: --bogus");
	assert_int_equal(run_grouped(ARGS("box", "--", "run", "img")), 125);
	assert_int_equal(seen.runs, 0);
}

static void test_help_of_groups(void **state)
{
	struct buf out = BUF_INIT;

	opt_write_help_as(&grouped, &cmd_ps, "box list", &out);
	assert_string_equal(buf_str(&out), "Usage:  prog box list [OPTIONS]\n\nList containers\n\n"
					   "The same as:\n  prog ps, prog box ls\n\n"
					   "Options:\n  -i, --interactive   Keep stdin\n");
	buf_reset(&out);
	opt_write_help(&grouped, &cmd_group, &out);
	assert_string_equal(buf_str(&out),
			    "Usage:  prog box COMMAND [ARG...]\n\nBoxes\n\nCommands:\n"
			    "  ls    List containers\n  run   Run a container\n  in    Inside\n\n"
			    "See 'prog box COMMAND --help' for more about a command.\n");
	buf_reset(&out);
	opt_write_help(&grouped, NULL, &out);
	assert_non_null(strstr(buf_str(&out), "\n\nGroups of commands:\n  box   Boxes\n\n"));
	buf_reset(&out);
	opt_write_man(&grouped, &cmd_prune, &out);
	assert_non_null(strstr(buf_str(&out), "# NAME\n\nprog-box-in-prune - Tidy up\n"));
	buf_reset(&out);
	opt_write_man(&grouped, &cmd_group, &out);
	assert_non_null(strstr(buf_str(&out), "*ls*\n\tList containers: *prog-ps*(1).\n"));
	buf_done(&out);
}

static void test_completion_of_groups(void **state)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(opt_write_completion(&grouped, "bash", &out, &err));
	assert_non_null(strstr(buf_str(&out), "'box') words='ls run in --help' ;;"));
	assert_non_null(strstr(buf_str(&out), "\t'ps'|'box ls'|'box list')\n"));
	buf_reset(&out);
	assert_ok(opt_write_completion(&grouped, "zsh", &out, &err));
	assert_non_null(strstr(buf_str(&out), "_prog_commands_box_in() {"));
	buf_reset(&out);
	assert_ok(opt_write_completion(&grouped, "fish", &out, &err));
	assert_non_null(strstr(buf_str(&out), "-n '__prog_is box in' -a prune -d 'Tidy up'"));
	buf_done(&out);
}

static void test_help(void **state)
{
	struct buf out = BUF_INIT;

	opt_write_help(&prog, &cmd_ps, &out);
	assert_string_equal(buf_str(&out), "Usage:  prog ps [OPTIONS]\n\nList containers\n\n"
					   "Options:\n  -i, --interactive   Keep stdin\n");
	buf_reset(&out);
	opt_write_help(&prog, NULL, &out);
	assert_string_equal(buf_str(&out),
			    "Usage:  prog [OPTIONS] COMMAND [ARG...]\n\nTest things\n\nCommands:\n"
			    "  run   Run a container\n  ps    List containers\n\nOptions:\n"
			    "      --root DIR   Where state lies\n  -D, --debug      Say more\n"
			    "  -h, --help       Show help\n  -v, --version    Show the version\n\n"
			    "See 'prog COMMAND --help' for more about a command.\n");
	buf_reset(&out);
	opt_write_help(&prog, &cmd_run, &out);
	assert_non_null(strstr(buf_str(&out), "  -e, --env NAME=VALUE   Set a variable\n"));
	assert_non_null(strstr(buf_str(&out), "      --network string   Network (none, host)\n"));
	assert_non_null(strstr(buf_str(&out), "      --pull[=string]    Pull first\n"));
	assert_null(strstr(buf_str(&out), "secret"));
	buf_done(&out);
}

/* Tables that others include, which include others. */
static const struct opt inner_rows[] = {
	{ "user", 'u', OPT_STR, OPT_FIELD(struct opts, name), "NAME", "Who" },
	{ "env", 'e', OPT_STRV, OPT_FIELD(struct opts, env), "NAME=VALUE", "Set a variable" },
	OPT_REFUSE("sign", "it has no hands"),
};
static const struct opt_table inner_table = { inner_rows, ARRAY_SIZE(inner_rows) };
static const struct opt outer_rows[] = {
	OPT_INCLUDE(inner_table),
	{ "memory", 'm', OPT_BYTES, OPT_FIELD(struct opts, memory), .help = "Memory limit" },
	{ "a-user", 0, OPT_STR, OPT_FIELD(struct opts, name), "NAME", "x", .flags = OPT_HIDDEN },
};
static const struct opt_table outer_table = { outer_rows, ARRAY_SIZE(outer_rows) };
static const struct opt including[] = {
	OPT_INCLUDE(outer_table),
	{ "tty", 't', OPT_FLAG, OPT_FIELD(struct opts, tty), .help = "Make a terminal" },
};

static void test_included(void **state)
{
	char **argv = ARGS("-tumax", "-e", "A", "--env=B", "--memory", "1k", "img");
	static const struct cmd cmd = { .name = "run",
					.args = "",
					.summary = "Run",
					.opts = including,
					.n_opts = ARRAY_SIZE(including) };
	cleanup_strv char **words = NULL;
	cleanup_free char *joined = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	struct opts o = { 0 };
	struct err err = ERR_INIT;
	char **args;

	assert_ok(opt_parse(including, ARRAY_SIZE(including), &o, argv, 0, &args, &err));
	assert_true(o.tty && o.memory.set && o.memory.value == 1024 && strv_len(o.env) == 2);
	opt_words(including, ARRAY_SIZE(including), &o, &words);
	joined = strv_join(words, " ");
	assert_string_equal(joined, "--tty --env=A --env=B --memory=1024 --user=max");
	opt_free(including, ARRAY_SIZE(including), &o);
	assert_true(!o.name && !o.env);
	argv = ARGS("--sign");
	assert_true(opt_parse(including, ARRAY_SIZE(including), &o, argv, 0, &args, &err) < 0);
	assert_string_equal(err.msg, "--sign is not supported: it has no hands");
	opt_write_help(&prog, &cmd, &out);
	assert_non_null(strstr(buf_str(&out), "  -t, --tty              Make a terminal\n"
					      "  -e, --env NAME=VALUE   Set a variable\n"
					      "  -m, --memory bytes     Memory limit\n"
					      "  -u, --user NAME        Who\n"));
	assert_null(strstr(buf_str(&out), "a-user"));
}

static void test_man(void **state)
{
	struct buf out = BUF_INIT;

	opt_write_man(&prog, &cmd_run, &out);
	assert_non_null(strstr(buf_str(&out), "# NAME\n\nprog-run - Run a container\n"));
	assert_non_null(strstr(buf_str(&out), "It is \\*run\\*.\n\n\\- once\n"));
	assert_non_null(strstr(buf_str(&out), "*-e*, *--env* _NAME=VALUE_\n\tSet a variable.\n"));
	assert_non_null(strstr(buf_str(&out), "\tRemove it's \\*all\\* \\[now\\].\n"));
	buf_done(&out);
}

static void test_completion(void **state)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(opt_write_completion(&prog, "bash", &out, &err));
	assert_non_null(strstr(buf_str(&out), "--network) words='none host' ;;"));
	buf_reset(&out);
	assert_ok(opt_write_completion(&prog, "zsh", &out, &err));
	assert_non_null(strstr(buf_str(&out), "[Remove it'\\''s *all* \\[now\\]]"));
	buf_reset(&out);
	assert_ok(opt_write_completion(&prog, "fish", &out, &err));
	assert_non_null(strstr(buf_str(&out), "-l rm -d 'Remove it\\'s *all* [now]'"));
	buf_reset(&out);
	assert_true(opt_write_completion(&prog, "csh", &out, &err) < 0);
	buf_done(&out);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_last_wins),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_program_usage),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_man),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_refused_command),
		cmocka_unit_test(test_help_of_groups),
		cmocka_unit_test(test_completion_of_groups),
		cmocka_unit_test(test_included),
	};

	/* the example program itself, to look at its pages */
	if (argc > 1)
		return program_main(&prog, argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
