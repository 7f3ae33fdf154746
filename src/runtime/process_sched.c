/* SPDX-License-Identifier: Apache-2.0 */
/* process.scheduler, process.ioPriority, linux.personality,
 * linux.memoryPolicy. */
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/personality.h>
#include <sys/syscall.h>

#include "base/str.h"
#include "runtime/init.h"
#include "runtime/mempolicy.h"

struct word {
	const char *name;
	uint32_t value;
};

static const struct word policies[] = {
	{ "SCHED_OTHER", SCHED_NORMAL },
	{ "SCHED_FIFO", SCHED_FIFO },
	{ "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },
	{ "SCHED_ISO", 4 },
	{ "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE },
};
static const struct word flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
};
static const struct word io_classes[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
	{ "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
};

static int find(const struct word *words, size_t n, const char *name, const char *where,
		uint32_t *ret, struct err *err)
{
	for (size_t i = 0; name && i < n; i++) {
		if (str_eq(words[i].name, name)) {
			*ret = words[i].value;
			return 0;
		}
	}
	return err_fail(err, ERR_INVALID, "%s: unknown word \"%s\"", where, name ? name : "");
}

static int set_scheduler(const struct spec_scheduler *s, struct err *err)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_nice = s->nice,
		.sched_priority = (uint32_t)s->priority,
		.sched_runtime = s->runtime,
		.sched_deadline = s->deadline,
		.sched_period = s->period,
	};
	int r;

	r = find(policies, ARRAY_SIZE(policies), s->policy, "process.scheduler.policy",
		 &attr.sched_policy, err);
	if (r < 0)
		return r;
	for (size_t i = 0; s->flags && s->flags[i]; i++) {
		uint32_t flag = 0;

		r = find(flags, ARRAY_SIZE(flags), s->flags[i], "process.scheduler.flags", &flag,
			 err);
		if (r < 0)
			return r;
		attr.sched_flags |= flag;
	}
	if (syscall(SYS_sched_setattr, 0, &attr, 0) == 0)
		return 0;
	r = err_errno(err, errno, "setting process.scheduler");
	if (r == -EPERM)
		err_hint(err, r,
			 "it takes CAP_SYS_NICE; realtime policies on cgroup v1 also "
			 "linux.resources.cpu.realtimeRuntime");
	return r;
}

static int set_io_priority(const struct spec_io_priority *p, struct err *err)
{
	uint32_t class = 0;
	int r;

	r = find(io_classes, ARRAY_SIZE(io_classes), p->io_class, "process.ioPriority.class",
		 &class, err);
	if (r < 0)
		return r;
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		    IOPRIO_PRIO_VALUE((int)class, p->priority)) < 0)
		return err_errno(err, errno, "setting process.ioPriority");
	return 0;
}

static int set_personality(const struct spec_personality *p, struct err *err)
{
	unsigned long domain;

	if (str_eq(p->domain, "LINUX32"))
		domain = PER_LINUX32;
	else if (str_eq(p->domain, "LINUX"))
		domain = PER_LINUX;
	else
		return err_fail(err, ERR_INVALID,
				"linux.personality.domain: expected LINUX or LINUX32, got \"%s\"",
				p->domain ? p->domain : "");
	if (p->flags && p->flags[0])
		return err_fail(err, ERR_UNSUPPORTED, "linux.personality.flags are not supported");
	if (personality(domain) < 0)
		return err_errno(err, errno, "setting linux.personality");
	return 0;
}

int process_memory_policy(struct init *in, struct err *err)
{
	const struct spec_memory_policy *p = in->spec->linux_->memory_policy;

	return p ? memory_policy_set(p, err) : 0;
}

int process_sched(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;
	int r = 0;

	if (p->scheduler)
		r = set_scheduler(p->scheduler, err);
	if (r >= 0 && p->io_priority)
		r = set_io_priority(p->io_priority, err);
	if (r >= 0 && in->spec->linux_->personality)
		r = set_personality(in->spec->linux_->personality, err);
	return r;
}
