/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/update.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/select.h"
#include "engine/service_update.h"
#include "runtime/health.h"

struct update_cli_options {
	struct select_options select;
	struct update_options update;
	struct service_update service;
	bool quiet;
	char *kernel_memory;
};

#define VALUE(option, k, member, word, text, ...)                                                  \
	{                                                                                          \
		.name = (option), .kind = (k),                                                     \
		OPT_FIELD(struct update_cli_options, update.member), .arg = (word),                \
		.help = (text), ##__VA_ARGS__                                                      \
	}

#define HEALTH(option, k, member, word, text, ...)                                                 \
	VALUE(option, k, run.health_##member, word, text, ##__VA_ARGS__)

#define SERVICE(option, k, member, word, text, ...)                                                \
	{                                                                                          \
		.name = (option), .kind = (k),                                                     \
		OPT_FIELD(struct update_cli_options, service.member), .arg = (word),               \
		.help = (text), ##__VA_ARGS__                                                      \
	}

static const struct opt opts[] = {
	VALUE("blkio-weight", OPT_U64, blkio_weight, "N", "share of block I/O, from 10 to 1000"),
	VALUE("blkio-weight-device", OPT_STRV, run.blkio_weight_device, "DEVICE:N",
	      "the same for a block device; 0: as for the others"),
	VALUE("cpu-period", OPT_U64, cpu_period, "USEC", "length of a period of the CPU quota"),
	VALUE("cpu-quota", OPT_I64, cpu_quota, "USEC", "CPU time in a period; -1: no limit"),
	VALUE("cpu-rt-period", OPT_U64, cpu_rt_period, "USEC",
	      "length of a period of the realtime limit"),
	VALUE("cpu-rt-runtime", OPT_I64, cpu_rt_runtime, "USEC", "realtime CPU time in a period"),
	VALUE("cpu-shares", OPT_U64, cpu_shares, "N", "share of the CPU when it is contended",
	      .short_name = 'c'),
	VALUE("cpus", OPT_STR, cpus, "N", "number of CPUs, as 1.5"),
	VALUE("cpuset-cpus", OPT_STR, cpuset_cpus, "LIST", "CPUs to run on, as 0-2,5"),
	VALUE("cpuset-mems", OPT_STR, cpuset_mems, "LIST", "memory nodes to use"),
	VALUE("device-add", OPT_STRV, device_add, "HOST[:CONTAINER][:rwm]",
	      "give a device of the host"),
	VALUE("device-read-bps", OPT_STRV, run.device_read_bps, "DEVICE:SIZE",
	      "bytes a second that are read from a block device; 0: no limit"),
	VALUE("device-read-iops", OPT_STRV, run.device_read_iops, "DEVICE:N",
	      "reads a second from a block device; 0: no limit"),
	VALUE("device-rm", OPT_STRV, device_rm, "PATH",
	      "take away the device that has this path in the container"),
	VALUE("device-write-bps", OPT_STRV, run.device_write_bps, "DEVICE:SIZE",
	      "bytes a second that are written to a block device; 0: no limit"),
	VALUE("device-write-iops", OPT_STRV, run.device_write_iops, "DEVICE:N",
	      "writes a second to a block device; 0: no limit"),
	VALUE("egress", OPT_STRV, egress, "deny|allow PEER[:PORTS]...",
	      "the same for those of --egress"),
	VALUE("env", OPT_STRV, env, "NAME[=VALUE]",
	      "set a variable for commands to come: of exec, and of the next start",
	      .short_name = 'e'),
	SERVICE("force", OPT_FLAG, force, NULL,
		"of a service: replace replicas that have the image already, too"),
	HEALTH(
	    "health-cmd", OPT_STR, cmd, "COMMAND",
	    "command that tells by its exit status 0 that the container is well; none: no check"),
	HEALTH("health-file", OPT_STR, file, "PATH[:MAX-AGE]",
	       "well while this file is there, and written no longer ago"),
	HEALTH("health-http", OPT_STR, http, "URL",
	       "well while this answers with a status from 200 to 399"),
	HEALTH("health-interval", OPT_STR, interval, "TIME",
	       "between two probes; disable: only by healthcheck run"),
	HEALTH("health-on-failure", OPT_STR, on_failure, "ACTION",
	       "what is done when it has become unhealthy", .choices = health_action_names),
	HEALTH("health-retries", OPT_I64, retries, "N", "failures in a row that make it unhealthy"),
	HEALTH("health-start-interval", OPT_STR, start_interval, "TIME",
	       "between two probes in the start period"),
	HEALTH("health-start-period", OPT_STR, start_period, "TIME",
	       "in which failures do not count yet"),
	HEALTH("health-startup-cmd", OPT_STR, startup_cmd, "COMMAND",
	       "probe of the start: until it has passed, the other one is not made"),
	HEALTH("health-startup-interval", OPT_STR, startup_interval, "TIME",
	       "between two probes of the start"),
	HEALTH("health-startup-retries", OPT_I64, startup_retries, "N",
	       "failures in a row after which the container is restarted"),
	HEALTH("health-startup-success", OPT_I64, startup_success, "N",
	       "successes in a row that end the start"),
	HEALTH("health-startup-timeout", OPT_STR, startup_timeout, "TIME",
	       "that a probe of the start may take"),
	HEALTH("health-tcp", OPT_STR, tcp, "[ADDRESS:]PORT",
	       "well while this port accepts connections"),
	HEALTH("health-timeout", OPT_STR, timeout, "TIME", "that a probe may take"),
	SERVICE("image", OPT_STR, image, "IMAGE",
		"of a service: replace its replicas, one after the other, by containers of this "
		"image"),
	{ .name = "kernel-memory",
	  .kind = OPT_STR,
	  OPT_FIELD(struct update_cli_options, kernel_memory),
	  .arg = "SIZE",
	  .help = "ignored: newer kernels have no such limit",
	  .flags = OPT_HIDDEN },
	SELECT_LATEST(struct update_cli_options),
	VALUE("memory", OPT_BYTES, memory, "SIZE", "memory limit, as 512m or 2g",
	      .short_name = 'm'),
	VALUE("memory-reservation", OPT_BYTES, memory_reservation, "SIZE",
	      "memory that is left when memory is short"),
	VALUE("memory-swap", OPT_STR, memory_swap, "SIZE",
	      "limit of memory and swap together; -1: no limit of swap"),
	VALUE("memory-swappiness", OPT_U64, memory_swappiness, "N",
	      "how readily memory is swapped out, from 0 to 100; cgroup v1 only"),
	VALUE("mount-add", OPT_STRV, mount_add, "SPEC",
	      "mount: as --mount or -v of run, a directory or file of the host, or a tmpfs"),
	VALUE("mount-rm", OPT_STRV, mount_rm, "TARGET",
	      "take away what is mounted there, whether run has mounted it or --mount-add"),
	{ .name = "no-healthcheck",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct update_cli_options, update.run.no_healthcheck),
	  .help = "make no more probes" },
	VALUE("pids-limit", OPT_I64, pids_limit, "N",
	      "number of processes and threads; -1: no limit"),
	VALUE("firewall", OPT_STRV, firewall, "in|out PROTOCOL [PORTS] [from|to PEER]",
	      "rules in the place of all of --firewall, as of run; none: no rule; goes with "
	      "--egress alone"),
	VALUE("publish-add", OPT_STRV, publish_add, "[[ADDRESS:][HOSTPORT]:]PORT[/PROTOCOL]",
	      "publish a port, as -p of run; goes with --publish-rm alone"),
	VALUE("publish-rm", OPT_STRV, publish_rm, "[[ADDRESS:][HOSTPORT]:]PORT[/PROTOCOL]",
	      "publish no longer what was said so, or that port of the container"),
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct update_cli_options, quiet),
	  .help = "of --image: show nothing of a pull" },
	VALUE("restart", OPT_STR, restart, "POLICY",
	      "start it again when it has ended: no, on-failure[:TIMES], always, unless-stopped"),
	VALUE("ulimit", OPT_STRV, run.ulimit, "TYPE=SOFT[:HARD]",
	      "what each process may use, also those that run; as nofile=1024:2048"),
	VALUE("unsetenv", OPT_STRV, unsetenv, "NAME", "take a variable away, as --env sets one"),
	SERVICE("update-delay", OPT_STR, delay, "TIME",
		"between the replicas that are replaced: 0s"),
	SERVICE("update-failure-action", OPT_STR, failure_action, "ACTION",
		"when a new replica does not work: pause (the default), continue with the others, "
		"or rollback",
		.choices = service_failure_actions),
	SERVICE("update-monitor", OPT_STR, monitor, "TIME",
		"that a new replica has to work before the next one's turn comes: 5s"),
	SERVICE("update-order", OPT_STR, order, "ORDER",
		"whether the old one is stopped before the new one is made: stop-first (the "
		"default) or start-first",
		.choices = service_orders),
	SERVICE("update-parallelism", OPT_U64, parallelism, "N",
		"replicas that are replaced at a time: 1; 0: all"),
	OPT_REFUSE("update-max-failure-ratio", "the first replica that fails counts"),
	OPT_REFUSE("rollback", "use --image with the image that there was before"),
	OPT_REFUSE("health-log-destination", "five answers of 4096 bytes are kept, as docker does"),
	OPT_REFUSE("health-max-log-count", "five answers of 4096 bytes are kept, as docker does"),
	OPT_REFUSE("health-max-log-size", "five answers of 4096 bytes are kept, as docker does"),
};

static int update_one(struct engine *eng, const char *word, const void *data, struct err *err)
{
	return engine_update(eng, word, data, err);
}

/* ---- services ---- */

static bool rolls(const struct service_update *how)
{
	return how->image || how->force || how->order || how->failure_action || how->delay ||
	       how->monitor || how->parallelism.set;
}

static void say_done(const char *replica)
{
	printf("%s\n", replica);
	fflush(stdout);
}

static int check_roll(const struct update_cli_options *o, char *const *args, struct err *err)
{
	if (!o->service.image && !o->service.force)
		return err_fail(err, ERR_USAGE, "--update-* say how --image does it, or --force");
	if (!engine_update_asks_nothing(&o->update))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --image and --force go with no others but "
				"--update-*: update twice");
	if (o->select.latest || !args[0])
		return err_fail(err, ERR_USAGE, "--image and --force need a service's name");
	return 0;
}

static int roll(const void *globals, struct update_cli_options *o, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	struct progress *progress =
	    progress_new(o->quiet ? PROGRESS_QUIET : PROGRESS_AUTO, STDERR_FILENO);
	int status = 0, r = check_roll(o, args, err);

	o->service.pull_events = o->quiet ? NULL : progress_events(progress);
	o->service.on_missing = o->quiet ? NULL : progress_missing;
	o->service.done = say_done;
	o->service.failed = cli_report;
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = engine_dirs(&eng, err);
	for (; r == 0 && *args; args++) {
		struct err one = ERR_INIT;

		if (engine_service_update(&eng, *args, &o->service, &one) >= 0)
			continue;
		cli_report(&one);
		status = 1;
	}
	progress_free(progress);
	return r < 0 ? r : status;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	struct update_cli_options *o = options;
	const struct cli_verb verb = {
		.which = SELECT_ANY,
		.fn = update_one,
		.data = &o->update,
	};

	if (o->kernel_memory)
		log_warn("--kernel-memory is ignored: newer kernels have no such limit");
	if (rolls(&o->service))
		return roll(globals, o, args, err);
	return cli_verb(globals, &o->select, &verb, args, err);
}

const struct cmd cmd_update = {
	.name = "update",
	.args = "[OPTIONS] CONTAINER|SERVICE [CONTAINER|SERVICE...]",
	.summary = "Change containers that exist, also while they run",
	.details = "What no option names stays as it is. Limits hold at once in a container that "
		   "runs, and all is kept for its next start. What can't be done leaves the "
		   "container as it was. A service stands for all its replicas; its image is "
		   "changed by a rolling update.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct update_cli_options),
	.max_args = -1,
	.run = run,
};
