/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pod.h"

#include <stdio.h>

#include "base/strv.h"
#include "cli/cli.h"
#include "engine/pod_options.h"

#define STATUS_FAILED 125 /* podman's */

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

static int one_pod(struct engine *eng, const char *word, const struct pod_verb *verb,
		   struct err *err)
{
	cleanup_pod_views struct pod_views views = { 0 };
	int r = pod_view(eng, word, &views, err);

	if (r == 0)
		r = verb->fn(eng, views.items, verb->data, err);
	if (r < 0)
		return r;
	printf("%s\n", views.items[0].pod.id);
	fflush(stdout);
	return 0;
}

int cli_pod_verb(const void *globals, const struct pod_select *o, const struct pod_verb *verb,
		 char *const *args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int status = 0, r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = cli_pods(&eng, o, args, &words, err);
	if (r < 0)
		return r;
	/* A signal is for all of them. */
	for (size_t i = 0; words && words[i] && r != -ECANCELED; i++) {
		struct err one = ERR_INIT;
		int code;

		r = one_pod(&eng, words[i], verb, &one);
		if (r >= 0 || (verb->ignore && one.kind == ERR_NOT_FOUND))
			continue;
		cli_report(&one);
		code = verb->status ? verb->status(&one) : STATUS_FAILED;
		status = code > status ? code : status;
	}
	return status;
}
