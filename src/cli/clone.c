/* SPDX-License-Identifier: Apache-2.0 */
/* container clone: another container of the same options. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/clone.h"
#include "cli/run_options.h"
#include "engine/life.h"
#include "engine/pod_options.h"
#include "engine/remove.h"
#include "engine/run.h"
#include "engine/start.h"

struct clone_options {
	char *name, *pod;
	bool destroy, force, run;
	/* of run, in its place */
	struct opt_u64 blkio_weight, cpu_period, cpu_rt_period, cpu_shares, memory,
	    memory_reservation;
	struct opt_i64 cpu_quota, cpu_rt_runtime, memory_swappiness;
	char *cpus, *cpuset_cpus, *cpuset_mems, *memory_swap;
	char **blkio_weight_device, **device_read_bps, **device_write_bps;
};

#define LIMIT(option, k, member, word, text)                                                       \
	{                                                                                          \
		.name = (option), .kind = (k), OPT_FIELD(struct clone_options, member),            \
		.arg = (word), .help = (text)                                                      \
	}

/* Those from LIMITS on are options of run. */
#define LIMITS 5
static const struct opt opts[] = {
	{ .name = "destroy",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct clone_options, destroy),
	  .help = "remove the original" },
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct clone_options, force),
	  .help = "with --destroy, also when it runs" },
	{ .name = "name",
	  .kind = OPT_STR,
	  OPT_FIELD(struct clone_options, name),
	  .arg = "NAME",
	  .help = "name of the clone (default: that of the original with -clone behind)" },
	{ .name = "pod",
	  .kind = OPT_STR,
	  OPT_FIELD(struct clone_options, pod),
	  .arg = "POD",
	  .help =
	      "make the clone in this pod: what members of a pod have from it, it has from there" },
	{ .name = "run",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct clone_options, run),
	  .help = "start it" },
	LIMIT("blkio-weight", OPT_U64, blkio_weight, "N", "share of block I/O, from 10 to 1000"),
	LIMIT("blkio-weight-device", OPT_STRV, blkio_weight_device, "DEVICE:N",
	      "the same on one device"),
	LIMIT("cpu-period", OPT_U64, cpu_period, "USEC", "length of a period of the CPU quota"),
	LIMIT("cpu-quota", OPT_I64, cpu_quota, "USEC", "CPU time in a period"),
	LIMIT("cpu-rt-period", OPT_U64, cpu_rt_period, "USEC",
	      "length of a period of the realtime limit"),
	LIMIT("cpu-rt-runtime", OPT_I64, cpu_rt_runtime, "USEC", "realtime CPU time in a period"),
	LIMIT("cpu-shares", OPT_U64, cpu_shares, "N", "share of the CPU when it is contended"),
	LIMIT("cpus", OPT_STR, cpus, "N", "number of CPUs, as 1.5"),
	LIMIT("cpuset-cpus", OPT_STR, cpuset_cpus, "LIST", "CPUs to run on, as 0-2,5"),
	LIMIT("cpuset-mems", OPT_STR, cpuset_mems, "LIST", "memory nodes to use"),
	LIMIT("device-read-bps", OPT_STRV, device_read_bps, "DEVICE:RATE",
	      "limit bytes read from a device per second"),
	LIMIT("device-write-bps", OPT_STRV, device_write_bps, "DEVICE:RATE",
	      "limit bytes written to a device per second"),
	LIMIT("memory", OPT_BYTES, memory, "SIZE", "memory limit, as 512m or 2g"),
	LIMIT("memory-reservation", OPT_BYTES, memory_reservation, "SIZE",
	      "memory that is left when memory is short"),
	LIMIT("memory-swap", OPT_STR, memory_swap, "SIZE",
	      "limit of memory and swap together, -1: none"),
	LIMIT("memory-swappiness", OPT_I64, memory_swappiness, "N",
	      "how soon memory is swapped out, 0 to 100"),
};

static void drop(char **field)
{
	free(*field);
	*field = NULL;
}

int clone_name_is_free(struct engine *eng, const char *name, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	struct err own = ERR_INIT;
	int r = record_find(eng, name, &rec, &own);

	if (r < 0 && own.kind == ERR_NOT_FOUND)
		return 1;
	if (r < 0)
		*err = own;
	return r;
}

int clone_name(struct engine *eng, const char *from,
	       int (*is_free)(struct engine *eng, const char *name, struct err *err), char **ret,
	       struct err *err)
{
	const char *tail = strstr(from, "-clone");
	bool is_clone = tail && !tail[6 + strspn(tail + 6, "0123456789")];
	int len = (int)(is_clone ? (size_t)(tail - from) : strlen(from));

	for (unsigned int i = 0; i < 1000; i++) {
		cleanup_free char *name = i ? xasprintf("%.*s-clone%u", len, from, i)
					    : xasprintf("%.*s-clone", len, from);
		int r = is_free(eng, name, err);

		if (r > 0)
			*ret = take_ptr(name);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return err_fail(err, ERR_EXISTS, "all names like %s-clone are in use", from);
}

int clone_read(struct engine *eng, const struct record *rec, struct asked *ret, struct err *err)
{
	struct run_options *o = &ret->options;
	int r;

	if (rec->options.infra)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "container %s is the infra container of a pod", rec->name),
				"`inro pod clone %.12s` makes another pod", rec->pod);
	r = asked_read(eng, rec->id, ret, err);
	if (r > 0)
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "container %s was made by an older inro, which did not keep its options",
		    rec->name);
	if (r < 0)
		return r;
	drop(&o->cidfile);
	drop(&o->pidfile);
	drop(&o->conmon_pidfile);
	o->replace = false;
	drop(&o->name);
	return 0;
}

/* Rates of devices are lists: one given here is instead of all. */
static void drop_list(char ***field, char *const *given)
{
	if (!given)
		return;
	strv_free(*field);
	*field = NULL;
}

/* What goes where something is given in its place. */
static void drop_limits(const struct clone_options *o, struct run_options *to)
{
	/* Two words for the same thing, which don't go together. */
	if (o->cpus) {
		to->cpu_period = (struct opt_u64){ 0 };
		to->cpu_quota = (struct opt_i64){ 0 };
	} else if (o->cpu_period.set || o->cpu_quota.set) {
		drop(&to->cpus);
	}
	drop_list(&to->blkio_weight_device, o->blkio_weight_device);
	drop_list(&to->device_read_bps, o->device_read_bps);
	drop_list(&to->device_write_bps, o->device_write_bps);
}

/* The original's options with what was asked for in their place. */
static int set_options(struct engine *eng, const struct clone_options *o, const struct record *rec,
		       const char *name, struct run_options *to, struct err *err)
{
	cleanup_strv char **words = NULL;
	cleanup_free char **argv = NULL;
	char **args;
	int r = 0;

	if (name || o->name)
		to->name = xstrdup(name ? name : o->name);
	else
		r = clone_name(eng, rec->name, clone_name_is_free, &to->name, err);
	drop_limits(o, to);
	strv_add(&words, "clone");
	opt_words(opts + LIMITS, ARRAY_SIZE(opts) - LIMITS, o, &words);
	argv = xcalloc(strv_len(words) + 1, sizeof(*argv));
	memcpy(argv, words, strv_len(words) * sizeof(*argv));
	return r < 0 ? r : opt_parse(run_opts.rows, run_opts.n, to, argv, 0, &args, err);
}

static int move_to_pod(struct engine *eng, const char *word, struct run_options *to,
		       struct err *err)
{
	cleanup_pod struct pod pod = { 0 };
	int r = pod_find(eng, word, &pod, err);

	if (r < 0)
		return r;
	free(to->pod);
	to->pod = xstrdup(pod.id);
	if (pod_member_yield(&pod, to))
		log_warn("the clone has from pod %s what the original has of its own", pod.name);
	return 0;
}

static int finish(struct engine *eng, const struct clone_options *o, const struct record *rec,
		  const char *id, struct err *err)
{
	const struct start_options how = { 0 };
	int r = 0;

	if (o->destroy)
		r = engine_remove(eng, rec->id, o->force, false, err);
	if (r == 0 && o->run)
		r = engine_start(eng, id, &how, err);
	if (r == 0)
		printf("%s\n", id);
	return r;
}

static int clone_container(struct engine *eng, const struct clone_options *o, char **args,
			   struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_asked struct asked made = { 0 };
	cleanup_strv char **words = NULL;
	cleanup_free char *id = NULL;
	int r = life_find(eng, args[0], &rec, err);

	if (r == 0 && o->destroy && rec.running && !o->force)
		r = err_fail(err, ERR_CONFLICT,
			     "cannot remove container \"%s\": container is running: stop it first, "
			     "or give --force",
			     rec.name);
	if (r == 0)
		r = clone_read(eng, &rec, &made, err);
	if (r == 0 && o->pod)
		r = move_to_pod(eng, o->pod, &made.options, err);
	if (r == 0)
		r = set_options(eng, o, &rec, args[1], &made.options, err);
	if (r < 0)
		return r;
	strv_add(&words, args[1] && args[2] ? args[2] : rec.image_name);
	strv_extend(&words, made.args);
	r = engine_create(eng, &made.options, words, &id, err);
	return r < 0 ? r : finish(eng, o, &rec, id, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct clone_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r;

	if (o->force && !o->destroy)
		return err_fail(err, ERR_USAGE, "cannot set --force without --destroy");
	if (args[1] && o->name)
		return err_fail(err, ERR_USAGE, "a name is given twice");
	r = cli_engine(globals, &eng, err);
	return r < 0 ? r : clone_container(&eng, o, args, err);
}

const struct cmd cmd_container_clone = {
	.name = "clone",
	.args = "[OPTIONS] CONTAINER [NAME [IMAGE]]",
	.summary = "Make another container like one that is there",
	.details =
	    "The clone is made with the options of the original, and the limits given here in "
	    "place of its own. What the original has written stays with it. Prints the "
	    "clone's id.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct clone_options),
	.min_args = 1,
	.max_args = 3,
	.run = run,
};
