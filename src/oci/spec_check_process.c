/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of config.json's "process" (runtime-spec config.md, Process). */
#include <inttypes.h>

#include "oci/spec_internal.h"

#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

static const char *const rlimit_types[] = {
	"RLIMIT_AS",
	"RLIMIT_CORE",
	"RLIMIT_CPU",
	"RLIMIT_DATA",
	"RLIMIT_FSIZE",
	"RLIMIT_LOCKS",
	"RLIMIT_MEMLOCK",
	"RLIMIT_MSGQUEUE",
	"RLIMIT_NICE",
	"RLIMIT_NOFILE",
	"RLIMIT_NPROC",
	"RLIMIT_RSS",
	"RLIMIT_RTPRIO",
	"RLIMIT_RTTIME",
	"RLIMIT_SIGPENDING",
	"RLIMIT_STACK",
	NULL,
};

int spec_check_rlimit(const void *object, struct err *err)
{
	const struct spec_rlimit *rl = object;
	int r;

	r = spec_check_word(err, "type", rl->type, rlimit_types);
	if (r < 0)
		return r;
	if (rl->soft > rl->hard)
		return json_fail(err, "soft", "expected at most hard (%" PRIu64 "), got %" PRIu64,
				 rl->hard, rl->soft);
	return 0;
}

static bool cap_name_valid(const char *name)
{
	if (strncmp(name, "CAP_", 4) != 0 || !name[4])
		return false;
	return strspn(name + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(name + 4);
}

/* Names that this kernel does not know are the runtime's to warn about. */
int spec_check_caps(const void *object, struct err *err)
{
	const struct spec_caps *caps = object;
	const struct {
		const char *name;
		char **list;
	} sets[] = {
		{ "bounding", caps->bounding },       { "effective", caps->effective },
		{ "inheritable", caps->inheritable }, { "permitted", caps->permitted },
		{ "ambient", caps->ambient },
	};
	char member[64];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(sets); i++)
		for (j = 0; sets[i].list && sets[i].list[j]; j++) {
			if (cap_name_valid(sets[i].list[j]))
				continue;
			snprintf(member, sizeof(member), "%s[%zu]", sets[i].name, j);
			return spec_fail_value(err, member, sets[i].list[j],
					       "a capability like CAP_CHOWN");
		}
	return 0;
}

int spec_check_user(const void *object, struct err *err)
{
	const struct spec_user *user = object;
	char member[64];
	size_t i;
	int r;

	r = spec_check_id(err, "uid", user->uid);
	if (r < 0)
		return r;
	r = spec_check_id(err, "gid", user->gid);
	if (r < 0)
		return r;
	if (user->umask.set && user->umask.value > 07777)
		return json_fail(err, "umask", "expected at most 4095 (octal 7777), got %u",
				 user->umask.value);
	if (user->additional_gids.n > GROUPS_MAX)
		return json_fail(err, "additionalGids", "expected at most %d groups, got %zu",
				 GROUPS_MAX, user->additional_gids.n);
	for (i = 0; i < user->additional_gids.n; i++) {
		if (user->additional_gids.items[i] != UINT32_MAX)
			continue;
		snprintf(member, sizeof(member), "additionalGids[%zu]", i);
		return spec_check_id(err, member, user->additional_gids.items[i]);
	}
	return 0;
}

/* struct winsize has 16 bits for each. */
int spec_check_box(const void *object, struct err *err)
{
	const struct spec_box *box = object;
	int r;

	r = spec_check_range(err, "height", box->height, 0, UINT16_MAX);
	if (r < 0)
		return r;
	return spec_check_range(err, "width", box->width, 0, UINT16_MAX);
}

static const char *const scheduler_policies[] = {
	"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR",       "SCHED_BATCH",
	"SCHED_ISO",   "SCHED_IDLE", "SCHED_DEADLINE", NULL,
};

static const char *const scheduler_flags[] = {
	"SCHED_FLAG_RESET_ON_FORK",  "SCHED_FLAG_RECLAIM",
	"SCHED_FLAG_DL_OVERRUN",     "SCHED_FLAG_KEEP_POLICY",
	"SCHED_FLAG_KEEP_PARAMS",    "SCHED_FLAG_UTIL_CLAMP_MIN",
	"SCHED_FLAG_UTIL_CLAMP_MAX", NULL,
};

/* sched_setattr(2): which policy takes which numbers. */
static int check_scheduler_numbers(const struct spec_scheduler *s, struct err *err)
{
	static const char *const realtime[] = { "SCHED_FIFO", "SCHED_RR", NULL };
	static const char *const nice[] = { "SCHED_OTHER", "SCHED_BATCH", NULL };
	bool deadline = strcmp(s->policy, "SCHED_DEADLINE") == 0;

	if (spec_word_in(s->policy, realtime))
		return spec_check_range(err, "priority", s->priority, 1, 99);
	if (s->priority != 0)
		return json_fail(err, "priority", "expected 0 for %s, got %d", s->policy,
				 s->priority);
	if (s->nice != 0 && !spec_word_in(s->policy, nice))
		return json_fail(err, "nice", "expected 0 for %s, got %d", s->policy, s->nice);
	if (!deadline && (s->runtime || s->deadline || s->period))
		return json_fail(err,
				 s->runtime    ? "runtime"
				 : s->deadline ? "deadline"
					       : "period",
				 "expected none for %s", s->policy);
	if (deadline && s->runtime > s->deadline)
		return json_fail(err, "runtime",
				 "expected at most deadline (%" PRIu64 "), got %" PRIu64,
				 s->deadline, s->runtime);
	if (deadline && s->period && s->deadline > s->period)
		return json_fail(err, "deadline",
				 "expected at most period (%" PRIu64 "), got %" PRIu64, s->period,
				 s->deadline);
	return 0;
}

int spec_check_scheduler(const void *object, struct err *err)
{
	const struct spec_scheduler *s = object;
	int r;

	r = spec_check_word(err, "policy", s->policy, scheduler_policies);
	if (r < 0)
		return r;
	r = spec_check_words(err, "flags", s->flags, scheduler_flags);
	if (r < 0)
		return r;
	r = spec_check_range(err, "nice", s->nice, -20, 19);
	if (r < 0)
		return r;
	return check_scheduler_numbers(s, err);
}

int spec_check_io_priority(const void *object, struct err *err)
{
	static const char *const classes[] = { "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
					       "IOPRIO_CLASS_IDLE", NULL };
	const struct spec_io_priority *p = object;
	int r;

	r = spec_check_word(err, "class", p->io_class, classes);
	if (r < 0)
		return r;
	return spec_check_range(err, "priority", p->priority, 0, 7);
}

int spec_check_cpu_affinity(const void *object, struct err *err)
{
	const struct spec_exec_cpu_affinity *a = object;
	int r;

	r = a->initial ? spec_check_cpu_list(err, "initial", a->initial) : 0;
	if (r < 0)
		return r;
	return a->final ? spec_check_cpu_list(err, "final", a->final) : 0;
}

static int check_rlimits_unique(const struct spec_process *p, struct err *err)
{
	char member[64];
	size_t i, j;

	for (i = 1; i < p->rlimits.n; i++)
		for (j = 0; j < i; j++) {
			if (strcmp(p->rlimits.items[i].type, p->rlimits.items[j].type) != 0)
				continue;
			snprintf(member, sizeof(member), "rlimits[%zu].type", i);
			return json_fail(err, member, "expected each limit once, got %s again",
					 p->rlimits.items[i].type);
		}
	return 0;
}

int spec_check_process(const void *object, struct err *err)
{
	const struct spec_process *p = object;
	int r;

	if (!p->args || !p->args[0])
		return json_fail(err, "args", "expected at least one argument");
	if (!p->args[0][0])
		return json_fail(err, "args[0]", "expected a command, got an empty string");
	r = spec_check_absolute(err, "cwd", p->cwd);
	if (r < 0)
		return r;
	r = spec_check_env(err, "env", p->env);
	if (r < 0)
		return r;
	r = p->oom_score_adj.set
		? spec_check_range(err, "oomScoreAdj", p->oom_score_adj.value, -1000, 1000)
		: 0;
	if (r < 0)
		return r;
	return check_rlimits_unique(p, err);
}
