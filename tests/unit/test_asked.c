/* SPDX-License-Identifier: Apache-2.0 */
/* What of `run`'s options is kept with a container. */
#include "unit.h"

#include "base/opt.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/run_options.h"
#include "engine/asked.h"

/* Those that say nothing about the container. */
static const char *const not_kept[] = {
	"disable-content-trust", "quiet", "replace", "replicas", "sig-proxy", "systemd"
};

static const struct json_field *field_at(size_t offset)
{
	for (size_t i = 0; i < run_options_desc.n_fields; i++)
		if (run_options_desc.fields[i].offset == offset)
			return &run_options_desc.fields[i];
	return NULL;
}

static void test_every_option_is_kept(void **state)
{
	static const enum json_kind kinds[] = {
		[OPT_FLAG] = JSON_BOOL,   [OPT_STR] = JSON_STR,     [OPT_STRV] = JSON_STRV,
		[OPT_U64] = JSON_OPT_U64, [OPT_I64] = JSON_OPT_I64, [OPT_BYTES] = JSON_OPT_U64,
	};

	cleanup_opt_rows struct opt_rows rows;

	opt_rows_init(&rows, run_opts.rows, run_opts.n);
	for (size_t i = 0; i < rows.n; i++) {
		const struct opt *o = &rows.items[i];
		const struct json_field *f = NULL;
		bool kept;

		assert_non_null(o->name);
		kept = o->kind != OPT_REFUSED;
		if (kept)
			f = field_at(o->offset);
		for (size_t k = 0; k < ARRAY_SIZE(not_kept); k++)
			kept = kept && !str_eq(o->name, not_kept[k]);
		if (kept != (f != NULL))
			fail_msg("--%s is %s in run_options_desc", o->name, f ? "" : "not");
		if (f)
			assert_int_equal(f->kind, kinds[o->kind]);
	}
}

/* A command line, the environment and labels that it comes to, and what is kept. */
static void check(const char *line, const char *env, const char *want)
{
	cleanup_strv char **words = strv_split(line, ' ');
	size_t n = strv_len(words) + 1;
	cleanup_free char **argv = xcalloc(n, sizeof(*argv)); /* opt_parse() leaves out options */
	cleanup_strv char **variables = env ? strv_split(env, ' ') : NULL;
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_asked struct asked back = { 0 };
	struct run_options o = { 0 };
	struct err err = ERR_INIT;
	char **args;

	memcpy(argv, words, n * sizeof(*argv));
	assert_int_equal(
	    opt_parse(run_opts.rows, run_opts.n, &o, argv, CMD_STOP_AT_ARG, &args, &err), 0);
	asked_write(&o, variables, NULL, args + 1, "/srv/dir", &text);
	assert_string_equal(buf_str(&text), want);
	assert_int_equal(asked_parse(buf_str(&text), text.len, &back, &err), 0);
	buf_reset(&text);
	asked_write(&back.options, back.options.env, back.options.label, back.args, NULL, &text);
	assert_string_equal(buf_str(&text), want);
	opt_free(run_opts.rows, run_opts.n, &o);
}

static void test_words(void **state)
{
	static const struct {
		const char *line, *env, *want;
	} rows[] = {
		{ "run box", NULL, "{}" },
		{ "run -it --rm --memory 64m --pids-limit=-1 box sh -c x", NULL,
		  "{\"options\":{\"rm\":true,\"interactive\":true,\"tty\":true,"
		  "\"memory\":67108864,\"pids_limit\":-1},\"args\":[\"sh\",\"-c\",\"x\"]}" },
		/* nothing said, and nothing wanted */
		{ "run --entrypoint= --cpus 1.5 box", NULL,
		  "{\"options\":{\"entrypoint\":\"\",\"cpus\":\"1.5\"}}" },
		/* what files and the environment say is said */
		{ "run -e A --env-file e --label-file l box", "A=1 B=2",
		  "{\"options\":{\"env\":[\"A=1\",\"B=2\"]}}" },
		/* from anywhere the same file */
		{ "run -v ./a:/a -v ../b/:/b:ro -v c:/c -v /d:/d -v /e box", NULL,
		  "{\"options\":{\"volume\":[\"/srv/dir/a:/a\",\"/srv/b:/b:ro\",\"c:/c\","
		  "\"/d:/d\",\"/e\"]}}" },
		{ "run --mount type=bind,src=./a,dst=/a --mount "
		  "\"source=./x,y\",target=/y,ro --mount type=tmpfs,dst=/t box",
		  NULL,
		  "{\"options\":{\"mount\":[\"type=bind,src=/srv/dir/a,dst=/a\","
		  "\"\\\"source=/srv/dir/x,y\\\",target=/y,ro\",\"type=tmpfs,dst=/t\"]}}" },
		{ "run --security-opt seccomp:p.json --security-opt seccomp=unconfined "
		  "--pidfile p --hosts-file none --init-path=../i box",
		  NULL,
		  "{\"options\":{\"pidfile\":\"/srv/dir/p\",\"init_path\":\"/srv/i\","
		  "\"security_opt\":[\"seccomp=/srv/dir/p.json\",\"seccomp=unconfined\"],"
		  "\"hosts_file\":\"none\"}}" },
		{ "run --hosts-file=h --quiet --replace --name n --sig-proxy=false box", NULL,
		  "{\"options\":{\"name\":\"n\",\"hosts_file\":\"/srv/dir/h\"}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(rows[i].line, rows[i].env, rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option_is_kept),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
