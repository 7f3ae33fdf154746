/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pod.h"

#include <stdio.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "engine/pod_options.h"

#define STATUS_FAILED   125 /* podman's */
#define STOPPED_AT_ONCE 512 /* each is watched by an fd, of 1024 that a process has */

static int find_all(struct engine *eng, bool latest, char ***ret, struct err *err)
{
	cleanup_pod_list struct pod_list list = { 0 };
	int r = pods_list(eng, &list, err);

	for (size_t i = 0; i < list.n && (!latest || !i); i++)
		strv_add(ret, list.items[i].id);
	if (r == 0 && latest && !list.n)
		return err_fail(err, ERR_NOT_FOUND, "there are no pods: no such pod");
	return r;
}

int cli_pods(struct engine *eng, const struct pod_select *o, char *const *args, char ***ret,
	     struct err *err)
{
	cleanup_strv char **words = strv_copy(args);
	int r = 0;

	for (size_t i = 0; r == 0 && o->id_files && o->id_files[i]; i++) {
		cleanup_free char *id = NULL;

		r = pod_read_id_file(o->id_files[i], &id, err);
		if (r == 0)
			strv_add(&words, id);
	}
	if (r < 0)
		return r;
	if ((o->all || o->latest) && strv_len(words))
		return err_fail(err, ERR_USAGE,
				"--all and --latest cannot be used together with names");
	if (o->all && o->latest)
		return err_fail(err, ERR_USAGE, "--all and --latest cannot be used together");
	if (!o->all && !o->latest && !strv_len(words))
		return err_fail(err, ERR_USAGE, "at least one pod must be named");
	if (o->all || o->latest)
		r = find_all(eng, o->latest, &words, err);
	if (r < 0)
		return r;
	*ret = take_ptr(words);
	return 0;
}

struct item {
	struct pod_views views;
	struct pod_end *end;
	struct err err;
	int r;
	bool later; /* a word before it means the same pod: its turn comes behind that one's */
};

static void begin(struct engine *eng, const char *word, const struct pod_verb *verb,
		  struct item *item)
{
	item->r = pod_view(eng, word, &item->views, &item->err);
	if (item->r == 0 && verb->end)
		item->end = pod_end_begin(eng, item->views.items, verb->end);
}

/* The same, while the others have begun and are not done. */
static void begin_beside(struct engine *eng, const char *word, const struct pod_verb *verb,
			 const struct item *others, size_t n, struct item *item)
{
	cleanup_pod struct pod pod = { 0 };

	if (n)
		item->r = pod_find(eng, word, &pod, &item->err);
	for (size_t i = 0; i < n && item->r == 0; i++)
		item->later |= others[i].views.n && str_eq(others[i].views.items[0].pod.id, pod.id);
	if (item->r == 0 && !item->later)
		begin(eng, word, verb, item);
}

static int finish(struct engine *eng, const char *word, const struct pod_verb *verb,
		  struct item *item)
{
	const struct pod_view *v;

	if (item->later)
		begin(eng, word, verb, item);
	v = item->views.items;
	if (item->r == 0)
		item->r = item->end ? pod_end_finish(eng, item->end, &item->err)
				    : verb->fn(eng, v, verb->data, &item->err);
	if (item->r < 0)
		return item->r;
	printf("%s\n", v->pod.id);
	fflush(stdout);
	return 0;
}

static void done(struct item *item)
{
	pod_end_free(item->end);
	pod_views_done(&item->views);
	*item = (struct item){ 0 };
}

/* What is to end is asked for that with others, until CLI_AT_ONCE containers are. Those that are
 * stopped have their time at once, as many as there may be open files. */
static bool is_ahead(const struct pod_verb *verb, const struct item *items, size_t i, size_t begun)
{
	size_t containers = 0, most = CLI_AT_ONCE;

	if (begun == i)
		return false;
	if (verb->end && verb->end->kind == POD_END_STOP)
		most = STOPPED_AT_ONCE;
	for (size_t k = i; k < begun; k++)
		containers += items[k].views.n ? items[k].views.items[0].n : 0;
	return !verb->end || containers >= most;
}

int cli_pod_verb(const void *globals, const struct pod_select *o, const struct pod_verb *verb,
		 char *const *args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	cleanup_free struct item *items = NULL;
	int status = 0, r = cli_engine(globals, &eng, err);
	size_t n, begun = 0;

	if (r == 0)
		r = cli_pods(&eng, o, args, &words, err);
	if (r < 0)
		return r;
	n = strv_len(words);
	items = xcalloc(n + 1, sizeof(*items));
	/* A signal is for all of them. */
	for (size_t i = 0; i < n && r != -ECANCELED; i++) {
		for (; begun < n && !is_ahead(verb, items, i, begun); begun++)
			begin_beside(&eng, words[begun], verb, items + i, begun - i, &items[begun]);
		r = finish(&eng, words[i], verb, &items[i]);
		if (r < 0 && !(verb->ignore && items[i].err.kind == ERR_NOT_FOUND)) {
			int code = verb->status ? verb->status(&items[i].err) : STATUS_FAILED;

			cli_report(&items[i].err);
			status = code > status ? code : status;
		}
		done(&items[i]);
	}
	while (begun-- > 0)
		done(&items[begun]);
	return status;
}
