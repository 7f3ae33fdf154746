/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/init.h"
#include "sys/cap.h"
#include "sys/prctl.h"
#include "sys/procfs.h"
#include "sys/rlimit.h"
#include "sys/tty.h"

/* Only what is the container's alone changes hands: its terminal and anonymous pipes and sockets.
 * Never a device or file of the host, /dev/null before all. */
static void give_to_user(const struct init *in, int fd)
{
	uid_t uid = in->spec->process->user.uid;
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_uid == uid)
		return;
	if (in->console >= 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
		/* Without it the program can't open /dev/stdout again; not worth a failure. */
		if (fchown(fd, uid, (gid_t)-1) < 0)
			return;
	}
}

static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* The host's /dev/null becomes the container's, as with runc: an open file on a mount that the
 * container does not have can't be checkpointed. Where it has none it keeps what it was given. */
static void take_own_null(const struct init *in, int fd)
{
	cleanup_fd int own = -EBADF;
	int mode;

	if (!is_null(fd) || (mode = fcntl(fd, F_GETFL)) < 0)
		return;
	own = path_open_in(in->root, "/dev/null", (mode & O_ACCMODE) | O_NOCTTY | O_NONBLOCK, 0,
			   NULL);
	if (own >= 0 && is_null(own) && fcntl(own, F_SETFL, mode) == 0)
		dup2(own, fd);
}

int process_stdio(struct init *in, struct err *err)
{
	const struct container_stdio *io = &in->args->stdio;
	int fds[3] = { io->in, io->out, io->err };

	if (in->console >= 0)
		fds[0] = fds[1] = fds[2] = in->console;
	/* Out of the way of the numbers that are about to be replaced. */
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0 && fds[i] < 3 && fds[i] != i)
			fds[i] = fd_dup(fds[i], 3);
	}
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0 && fds[i] != i && dup2(fds[i], i) < 0)
			return err_errno(err, errno, "setting up standard streams");
		if (fds[i] == i)
			fd_set_cloexec(i, false);
		take_own_null(in, i);
		give_to_user(in, i);
	}
	return 0;
}

int process_ctty(struct init *in, struct err *err)
{
	return in->spec->process->terminal ? tty_make_controlling(0, err) : 0;
}

static int set_oom_score(struct init *in, int value, struct err *err)
{
	int r;

	if (in->procfs < 0)
		in->procfs = procfs_open(0, err);
	if (in->procfs < 0)
		return in->procfs;
	r = procfs_write_oom_score_adj(in->procfs, value, err);
	if (r == -EACCES && in->rt->rootless && (in->joined_ns & (CLONE_NEWPID | CLONE_NEWUSER))) {
		/* The file is root's while this process shows itself to nobody. */
		prctl_dumpable(true);
		r = procfs_write_oom_score_adj(in->procfs, value, err);
		prctl_dumpable(false);
	}
	if (r == -EACCES || r == -EPERM)
		err_hint(err, r,
			 "lowering it needs CAP_SYS_RESOURCE, which this machine does not "
			 "give to the runtime");
	return r;
}

static int set_rlimit(const struct spec_rlimit *l, struct err *err)
{
	int resource = rlimit_from_name(l->type);
	int r;

	if (resource < 0)
		return err_fail(err, ERR_INVALID, "process.rlimits: unknown type %s", l->type);
	r = rlimit_set(0, resource, l->soft, l->hard, err);
	if (r < 0) {
		err_wrap(err, r, "setting %s", l->type);
		return err_hint(err, r, "raising a hard limit needs CAP_SYS_RESOURCE");
	}
	return 0;
}

static int set_oom_score_adj(struct init *in, struct err *err)
{
	const struct opt_i32 *score = &in->spec->process->oom_score_adj;
	int r = score->set ? set_oom_score(in, score->value, err) : 0;

	return r < 0 ? err_wrap(err, r, "setting process.oomScoreAdj") : 0;
}

static bool limits_processes(const struct spec_rlimit *l)
{
	return str_eq(l->type, "RLIMIT_NPROC");
}

int process_limits_early(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;
	struct rlimit now;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *l = &p->rlimits.items[i];
		int r;

		if (limits_processes(l) && getrlimit(RLIMIT_NPROC, &now) == 0 &&
		    l->hard <= now.rlim_max)
			continue;
		r = set_rlimit(l, err);
		if (r < 0)
			return r;
	}
	return set_oom_score_adj(in, err);
}

int process_limits_late(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *l = &p->rlimits.items[i];
		int r = limits_processes(l) ? set_rlimit(l, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int process_limits(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;

	if (in->outside)
		return process_limits_early(in, err);
	for (size_t i = 0; i < p->rlimits.n; i++) {
		int r = set_rlimit(&p->rlimits.items[i], err);

		if (r < 0)
			return r;
	}
	return set_oom_score_adj(in, err);
}

/* Labels for the next exec. The modules' files are missing where they are not in the kernel. */
static int write_label(struct init *in, const char *attr, const char *fallback, const char *value,
		       struct err *err)
{
	struct err first = ERR_INIT;
	int r;

	if (in->procfs < 0)
		in->procfs = procfs_open(0, err);
	if (in->procfs < 0)
		return in->procfs;
	r = procfs_write_attr(in->procfs, attr, value, &first);
	if (r == -ENOENT && fallback)
		r = procfs_write_attr(in->procfs, fallback, value, &first);
	if (r < 0 && err)
		*err = first;
	return r;
}

/* Asked for what the kernel does not have: as runc, an error, but for what changes nothing. */
static int set_apparmor(struct init *in, const char *profile, struct err *err)
{
	cleanup_free char *value = xasprintf("exec %s", profile);
	int r = write_label(in, "apparmor/exec", "exec", value, err);

	if (r >= 0 || (str_eq(profile, "unconfined") && !in->lsm.apparmor))
		return 0;
	if (!in->lsm.apparmor)
		return err_fail(err, ERR_UNSUPPORTED,
				"process.apparmorProfile: AppArmor is not enabled on this machine");
	err_wrap(err, r, "applying AppArmor profile %s", profile);
	return r == -ENOENT ? err_hint(err, r, "the profile has to be loaded: apparmor_parser(8)")
			    : r;
}

static int set_selinux(struct init *in, const char *label, struct err *err)
{
	int r = write_label(in, "exec", NULL, label, err);

	if (r < 0 && !in->lsm.selinux)
		return err_fail(err, ERR_UNSUPPORTED,
				"process.selinuxLabel: SELinux is not enabled on this machine");
	return r < 0 ? err_wrap(err, r, "applying SELinux label %s", label) : 0;
}

bool process_has_label(const struct spec_process *p)
{
	return (p->apparmor_profile && p->apparmor_profile[0]) ||
	       (p->selinux_label && p->selinux_label[0]);
}

void process_read_lsm(struct init *in)
{
	if (!in->lsm.known && process_has_label(in->spec->process))
		in->lsm = lsm_read();
}

int process_labels(struct init *in, struct err *err)
{
	const struct spec_process *p = in->spec->process;
	int r = 0;

	process_read_lsm(in);
	if (p->apparmor_profile && p->apparmor_profile[0])
		r = set_apparmor(in, p->apparmor_profile, err);
	if (r >= 0 && p->selinux_label && p->selinux_label[0])
		r = set_selinux(in, p->selinux_label, err);
	return r;
}

static uint64_t cap_mask(const char *set, char *const *names)
{
	uint64_t mask = 0;

	for (size_t i = 0; names && names[i]; i++) {
		int cap = cap_from_name(names[i]);

		if (cap < 0)
			log_warn("process.capabilities.%s: unknown capability %s is left out", set,
				 names[i]);
		else
			mask |= UINT64_C(1) << cap;
	}
	return mask;
}

/* What this kernel knows and, without a user namespace of its own, what this process has. */
static uint64_t grantable_caps(const struct init *in)
{
	struct cap_sets own;
	int last;

	if (!in->userns && cap_get_three(&own) == 0)
		return own.permitted;
	last = cap_last();
	return last < CAP_COUNT_MAX - 1 ? (UINT64_C(1) << (last + 1)) - 1 : UINT64_MAX;
}

/* runtime-spec config.md, "capabilities": what can't be granted is a warning, not a failure. */
void process_plan_caps(struct init *in)
{
	const struct spec_caps *c = in->spec->process->capabilities;
	struct cap_sets *sets = &in->caps;
	uint64_t can = grantable_caps(in);
	uint64_t refused, usable;

	*sets = (struct cap_sets){ 0 };
	if (!c)
		return;
	sets->bounding = cap_mask("bounding", c->bounding);
	sets->effective = cap_mask("effective", c->effective);
	sets->inheritable = cap_mask("inheritable", c->inheritable);
	sets->permitted = cap_mask("permitted", c->permitted);
	sets->ambient = cap_mask("ambient", c->ambient);

	refused = (sets->effective | sets->inheritable | sets->permitted) & ~can;
	for (int cap = 0; cap < CAP_COUNT_MAX; cap++)
		if (refused & (UINT64_C(1) << cap))
			log_warn("process.capabilities: %s can't be granted: this %s does not have "
				 "it",
				 cap_name(cap), in->userns ? "kernel" : "process");
	sets->effective &= can;
	sets->inheritable &= can;
	sets->permitted &= can;
	/* The kernel makes ambient only what is permitted and inheritable. runc's example asks for
	 * more, and runc and crun let it pass: so it has no effect here either. */
	usable = sets->permitted & sets->inheritable;
	if (sets->ambient & ~usable)
		log_debug("process.capabilities.ambient: what is not inheritable is left out");
	sets->ambient &= usable;
}

static int set_groups(const struct init *in, struct err *err)
{
	const struct json_u32s *more = &in->spec->process->user.additional_gids;
	gid_t groups[1024];

	if (more->n > ARRAY_SIZE(groups))
		return err_fail(err, ERR_LIMIT, "process.user.additionalGids: more than %zu",
				ARRAY_SIZE(groups));
	for (size_t i = 0; i < more->n; i++)
		groups[i] = more->items[i];
	if (setgroups(more->n, groups) == 0)
		return 0;
	/* setgroups is denied in a user namespace with an unprivileged mapping. */
	if (errno == EPERM && in->mapped && more->n == 0)
		return 0;
	if (errno == EINVAL && in->mapped)
		return err_hint(err, err_errno(err, errno, "setting supplementary groups"),
				"one of them is not mapped in the container's user namespace");
	return err_errno(err, errno, "setting supplementary groups");
}

/* Changing from root to another user keeps permitted capabilities, but none is effective: loading
 * the seccomp filter and dropping the rest still need them. */
static int raise_effective(struct err *err)
{
	struct cap_sets own;
	int r = cap_get_three(&own);

	if (r < 0)
		return err_errno(err, -r, "reading own capabilities");
	own.effective = own.permitted;
	own.ambient = 0;
	r = cap_apply(&own, err);
	return r < 0 ? err_wrap(err, r, "keeping capabilities") : 0;
}

/* The user's ids, with the permitted capabilities kept for what comes before exec. */
int process_user(struct init *in, struct err *err)
{
	const struct spec_user *u = &in->spec->process->user;
	int r;

	r = cap_drop_bounding(in->caps.bounding, err);
	if (r < 0)
		return r;
	r = prctl_keep_caps(true);
	if (r < 0)
		return err_errno(err, -r, "keeping capabilities");
	r = set_groups(in, err);
	if (r < 0)
		return r;
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		return err_errno(err, errno, "setting group %u", u->gid);
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		return err_errno(err, errno, "setting user %u", u->uid);
	/* From here on processes of the same user can't look into this one. */
	prctl_dumpable(false);
	return u->uid ? raise_effective(err) : 0;
}

int process_final_caps(struct init *in, struct err *err)
{
	int r = cap_apply(&in->caps, err);

	return r < 0 ? err_wrap(err, r, "setting capabilities") : 0;
}

int process_reduce_caps(struct init *in, uint64_t needed, struct err *err)
{
	struct cap_sets sets = { 0 }, own;
	int r = cap_get_three(&own);

	if (r < 0)
		return err_errno(err, -r, "reading own capabilities");
	sets.permitted = in->caps.permitted | in->caps.inheritable | needed;
	if (in->bpf && !in->spec->process->no_new_privileges)
		sets.permitted |= UINT64_C(1) << CAP_SYS_ADMIN;
	sets.permitted &= own.permitted;
	sets.effective = sets.permitted;
	sets.inheritable = in->caps.inheritable;
	r = cap_apply(&sets, err);
	return r < 0 ? err_wrap(err, r, "reducing capabilities") : 0;
}
