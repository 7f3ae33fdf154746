/* SPDX-License-Identifier: Apache-2.0 */
/* pod clone: another pod of the same options, with containers like those of the first. */
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/clone.h"
#include "cli/pod_create.h"
#include "engine/pod_join.h"
#include "engine/pod_options.h"
#include "engine/pod_verbs.h"
#include "engine/run.h"

static int pod_name_is_free(struct engine *eng, const char *name, struct err *err)
{
	cleanup_pod struct pod pod = { 0 };
	struct err own = ERR_INIT;
	int r = pod_find(eng, name, &pod, &own);

	if (r < 0 && own.kind == ERR_NOT_FOUND)
		return 1;
	if (r < 0)
		*err = own;
	return r;
}

/* One that is given here is instead of all. */
static void drop_lists(const struct run_options *given, struct run_options *o)
{
	const struct {
		char **given, ***own;
	} lists[] = {
		{ given->blkio_weight_device, &o->blkio_weight_device },
		{ given->device_read_bps, &o->device_read_bps },
		{ given->device_write_bps, &o->device_write_bps },
		{ given->publish, &o->publish }, /* else both could not run at a time */
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i].given)
			strv_free(take_ptr(*lists[i].own));
}

/* Two ways to say the same, which don't go together. */
static void drop_ids(const struct run_options *given, struct run_options *o)
{
	if (!given->userns && !given->uidmap && !given->gidmap && !given->subuidname &&
	    !given->subgidname)
		return;
	free(take_ptr(o->userns));
	strv_free(take_ptr(o->uidmap));
	strv_free(take_ptr(o->gidmap));
	free(take_ptr(o->subuidname));
	free(take_ptr(o->subgidname));
}

/* What the original was made with, and what is given here behind it, so that it counts. */
static int take_over(const struct pod *from, const struct pod_create_options *given,
		     struct pod_create_options *ret, struct err *err)
{
	cleanup_strv char **words = NULL;
	cleanup_free char **argv = NULL;
	char **args;
	int r = pod_create_from(from, ret, err);

	if (r < 0)
		return r;
	drop_ids(&given->member, &ret->member);
	free(take_ptr(ret->infra_name)); /* the original's own */
	if (str_eq(given->infra, "false"))
		free(take_ptr(ret->share));
	drop_lists(&given->member, &ret->member);
	strv_add(&words, "clone");
	opt_words(pod_create_opts, POD_CLONE_OPTIONS, given, &words);
	argv = xcalloc(strv_len(words) + 1, sizeof(*argv));
	memcpy(argv, words, strv_len(words) * sizeof(*argv));
	return opt_parse(pod_create_opts, POD_CLONE_OPTIONS, ret, argv, 0, &args, err);
}

static int make_pod(struct engine *eng, const struct pod *from,
		    const struct pod_create_options *given, const char *name, struct pod *pod,
		    int *ret_lock, struct err *err)
{
	struct pod_create_options o = { 0 };
	int r = take_over(from, given, &o, err);

	if (r == 0 && name) {
		free(o.name);
		o.name = xstrdup(name);
	}
	if (r == 0 && !o.name)
		r = clone_name(eng, from->name, pod_name_is_free, &o.name, err);
	if (r == 0 && o.replace && str_eq(o.name, from->name))
		r = err_fail(err, ERR_USAGE,
			     "--replace: pod %s can't be removed before it is cloned; --destroy "
			     "removes it afterwards",
			     from->name);
	if (r == 0)
		r = pod_create_fill(eng, &o, pod, err);
	if (r == 0)
		r = *ret_lock = pod_lock(eng, pod->id, err);
	pod->options.unfinished = true;
	if (r >= 0)
		r = pod_create_insert(eng, &o, pod, err);
	opt_free(pod_create_opts, POD_CLONE_OPTIONS, &o);
	return r;
}

static int make_member(struct engine *eng, const struct record *from, const struct pod *pod,
		       struct err *err)
{
	cleanup_asked struct asked made = { 0 };
	cleanup_strv char **words = NULL;
	cleanup_free char *id = NULL;
	int r = clone_read(eng, from, &made, err);

	if (r == 0)
		r = clone_name(eng, from->name, clone_name_is_free, &made.options.name, err);
	if (r < 0)
		return r;
	free(made.options.pod);
	made.options.pod = xstrdup(pod->id);
	strv_add(&words, from->image_name);
	strv_extend(&words, made.args);
	return engine_create(eng, &made.options, words, &id, err);
}

static int make_members(struct engine *eng, const struct pod_view *from, const struct pod *pod,
			struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++) {
		if (from->members[i]->options.infra)
			continue;
		r = make_member(eng, from->members[i], pod, err);
		if (r < 0)
			err_wrap(err, r, "cloning container %s", from->members[i]->name);
	}
	return r;
}

/* Half of a pod is none. */
static void unmake(struct engine *eng, const struct pod *pod, int lock)
{
	cleanup_pod_views struct pod_views views = { 0 };

	if (pod_view_as_is(eng, pod->id, &views, NULL) < 0)
		pod_clear(eng, pod->id, lock, NULL); /* its name is taken, say */
	fd_close(lock);
	if (views.n)
		pod_discard(eng, pod->id);
}

static int finish(struct engine *eng, const struct pod_create_options *o,
		  const struct pod_view *from, const struct pod *pod, struct err *err)
{
	const struct pod_end_how how = { .kind = POD_END_REMOVE, .force = true };
	cleanup_pod_views struct pod_views views = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	int r = o->destroy ? pod_end(eng, from, &how, err) : 0;

	if (r == 0 && o->start)
		r = pod_view(eng, pod->id, &views, err);
	if (r == 0 && o->start)
		r = pod_start(eng, views.items, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", pod->id);
	return cli_print(&out, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct pod_create_options *o = options;
	cleanup_pod_views struct pod_views views = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_pod struct pod pod = { 0 };
	cleanup_fd int lock = -EBADF; /* nobody takes it for left by somebody who was killed */
	int r;

	if (args[1] && o->name)
		return err_fail(err, ERR_USAGE,
				"the name of a pod is given by --name or as an argument, not both");
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = pod_view(&eng, args[0], &views, err);
	if (r == 0)
		r = make_pod(&eng, &views.items[0].pod, o, args[1], &pod, &lock, err);
	if (r == 0)
		r = make_members(&eng, views.items, &pod, err);
	if (r == 0)
		r = pod_set_finished(&eng, pod.id, err);
	if (r < 0) {
		if (lock >= 0)
			unmake(&eng, &pod, take_fd(lock));
		return r;
	}
	lock = fd_close(lock);
	return finish(&eng, o, views.items, &pod, err);
}

const struct cmd cmd_pod_clone = {
	.name = "clone",
	.args = "[OPTIONS] POD [NAME]",
	.summary = "Make another pod like one that is there, with containers like its own",
	.details = "Options given here take the place of the original's, or, where there can be "
		   "several, are added to them. Containers are cloned as by `inro container "
		   "clone`, under their names with -clone behind; what they have written stays "
		   "with the originals, and what refers to other containers by name goes on to "
		   "mean the same ones. Prints the new pod's id.",
	.opts = pod_create_opts,
	.n_opts = POD_CLONE_OPTIONS,
	.opts_size = sizeof(struct pod_create_options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
