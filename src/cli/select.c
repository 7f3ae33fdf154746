/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/select.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "engine/containers_query.h"
#include "engine/services.h"
#include "runtime/cancel.h"

#define CIDFILE_MAX 4096

static int read_cidfile(const char *path, bool ignore, char ***words, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(AT_FDCWD, path, &text, CIDFILE_MAX, err);

	if (r == -ENOENT && ignore)
		return 0;
	if (r < 0)
		return err_wrap(err, r, "--cidfile");
	strv_take(words, xstrndup(buf_str(&text), strcspn(buf_str(&text), " \t\r\n")));
	return 0;
}

static bool is_meant(enum select_which which, const struct record *rec)
{
	switch (which) {
	case SELECT_STOPPED:
		return !rec->running;
	case SELECT_RUNNING:
		return rec->running;
	case SELECT_UNPAUSED:
		return rec->running && !rec->paused;
	case SELECT_PAUSED:
		return rec->paused;
	default:
		return true;
	}
}

static int find(struct engine *eng, const struct select_options *o, enum select_which which,
		char ***ret, struct err *err)
{
	const struct containers_query query = {
		.filters = o->filters,
		.all = true,
		.last = o->latest ? 1 : 0,
	};
	cleanup_record_list struct record_list records = { 0 };
	int r = containers_query(eng, &query, &records, err);

	/* Infra containers of pods come last: what runs there ends with them. */
	for (int infra = 0; infra < (o->no_infra && !o->latest ? 1 : 2); infra++)
		for (size_t i = 0; i < records.n; i++)
			if (records.items[i].options.infra == (infra == 1) &&
			    (o->latest || is_meant(which, &records.items[i])))
				strv_add(ret, records.items[i].id);
	if (r == 0 && o->latest && !records.n)
		return err_fail(err, ERR_NOT_FOUND, "there are no containers");
	return r;
}

int cli_select(struct engine *eng, const struct select_options *o, enum select_which which,
	       char *const *args, char ***ret, struct err *err)
{
	cleanup_strv char **words = strv_copy(args);
	bool found = o->all || o->latest || strv_len(o->filters);
	int r = 0;

	for (size_t i = 0; r == 0 && o->cidfiles && o->cidfiles[i]; i++)
		r = read_cidfile(o->cidfiles[i], o->ignore, &words, err);
	if (r < 0)
		return r;
	if (found && strv_len(words))
		return err_fail(err, ERR_USAGE,
				"--all, --latest and --filter cannot be used together with names");
	if (o->all && o->latest)
		return err_fail(err, ERR_USAGE, "--all and --latest cannot be used together");
	if (!found && !strv_len(words) && !(o->ignore && o->cidfiles))
		return err_fail(err, ERR_USAGE, "at least one container must be named");
	if (found)
		r = find(eng, o, which, &words, err);
	else
		r = services_expand(eng, &words, err);
	if (r < 0)
		return r;
	*ret = take_ptr(words);
	return 0;
}

int cli_latest(struct engine *eng, char **ret, struct err *err)
{
	const struct select_options o = { .latest = true };
	cleanup_strv char **words = NULL;
	int r = find(eng, &o, SELECT_ANY, &words, err);

	if (r == 0)
		*ret = xstrdup(words[0]);
	return r;
}

static void cli_done(const char *word)
{
	printf("%s\n", word);
	fflush(stdout);
}

static bool cli_failed(const struct cli_verb *verb, const struct err *one)
{
	bool missing = verb->missing_ok && one->kind == ERR_NOT_FOUND;

	if (!missing || !verb->missing_silent)
		cli_report(one);
	return !missing;
}

/* Has one of these come? */
static bool is_ended(const sigset_t *enders)
{
	sigset_t waiting, both;

	sigpending(&waiting);
	sigandset(&both, &waiting, enders);
	return !sigisemptyset(&both);
}

static int do_all(struct engine *eng, const struct cli_verb *verb, char *const *words)
{
	size_t n = strv_len(words), begun = 0;
	cleanup_free void **items = xcalloc(n + 1, sizeof(*items));
	int status = 0, r = 0;
	sigset_t enders, before;

	cancel_signals(&enders);
	sigprocmask(SIG_BLOCK, verb->whole ? &enders : NULL, &before);

	/* A signal is for all of them. */
	for (size_t i = 0; i < n && r != -ECANCELED; i++) {
		struct err one = ERR_INIT;

		if (verb->whole && is_ended(&enders))
			n = begun;
		if (i == n)
			break;
		for (; verb->begin && begun < n && begun < i + CLI_AT_ONCE; begun++)
			items[begun] = verb->begin(eng, words[begun], verb->data);
		r = verb->begin ? verb->finish(eng, words[i], items[i], &one)
				: verb->fn(eng, words[i], verb->data, &one);
		if (r >= 0)
			cli_done(words[i]);
		else if (cli_failed(verb, &one))
			status = 1;
		if (items[i])
			verb->done(take_ptr(items[i]));
	}
	while (begun-- > 0)
		if (items[begun])
			verb->done(items[begun]);
	/* Which takes effect here. */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

int cli_verb(const void *globals, const struct select_options *o, const struct cli_verb *verb,
	     char *const *args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int r;

	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_select(&eng, o, verb->which, args, &words, err);
	return r < 0 ? r : do_all(&eng, verb, words);
}
