/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/visit.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/live_internal.h"
#include "runtime/prepare.h"
#include "runtime/sync.h"
#include "sys/clone.h"
#include "sys/mount.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/uapi.h"

#define PROC_FDS "/proc/self/fd"
#define ABORT_MS 2000

struct answer {
	int r;
	struct err err;
};

struct visitor {
	const struct visit_args *args;
	int (*enter)(struct visitor *v, struct err *err); /* an fd of the root */
	struct live live;                                 /* of one that runs */
	struct init in;                                   /* of one that does not */
	int answer;                                       /* pipe */
	pid_t parent;
};

/* ---- in the process ---- */

static const struct live_verb visiting = { "entering", NULL, false };

static int enter_running(struct visitor *v, struct err *err)
{
	int root, r = live_join(&v->live, err);

	if (r < 0)
		return r;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? err_errno(err, errno, "opening the container's root") : root;
}

static const struct init_step build[] = {
	{ "entering the user namespace", init_enter_userns },
	{ NULL, init_make_namespaces },
	{ "isolating the mount namespace", rootfs_isolate },
	{ "mounting the root filesystem", rootfs_mount },
	{ NULL, mounts_make },
};

static int enter_stopped(struct visitor *v, struct err *err)
{
	struct init *in = &v->in;
	int r;

	in->sync_parent = fd_close(in->sync_parent);
	r = init_run_steps(in, build, ARRAY_SIZE(build), err);
	if (r >= 0 && in->spec->root && in->spec->root->readonly)
		r = mount_set(in->root, "", false, MOUNT_ATTR_RDONLY, 0, 0, -EBADF, err);
	return r < 0 ? r : in->root;
}

/* New credentials end both. Of a process that can't be looked at nobody may write the mappings:
 * where nobody else is, that may come later. */
static int stay_private(const struct visitor *v, bool hidden)
{
	if (hidden)
		prctl_dumpable(false);
	return v->args->tidies ? 0 : prctl_parent_death_signal(SIGKILL, v->parent);
}

static void block_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int close_others(const struct visitor *v, int root, int fds_dir)
{
	int keep[VISIT_KEEP_MAX + 4] = { v->answer, root, fds_dir, v->live.pidfd };

	memcpy(keep + 4, v->args->keep, sizeof(v->args->keep));
	return fd_close_from(3, keep, ARRAY_SIZE(keep));
}

static int child_run(struct visitor *v, struct err *err)
{
	bool runs = v->enter == enter_running;
	int r = stay_private(v, runs), root, fds_dir;

	if (v->args->tidies)
		block_signals();
	signal(SIGPIPE, SIG_IGN);
	/* What is written to must be told by its error, not by a signal. */
	signal(SIGXFSZ, SIG_IGN);
	fds_dir = open(PROC_FDS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds_dir < 0)
		return err_errno(err, errno, "opening " PROC_FDS);
	/* Nothing of the host's is open where somebody is. */
	if (r >= 0 && runs)
		r = close_others(v, -EBADF, fds_dir);
	if (r < 0)
		return err_errno(err, -r, "preparing to enter the container");
	log_setup("inro", STDERR_FILENO, LOG_PLAIN, LOG_WARN);
	root = v->enter(v, err);
	if (root < 0)
		return root;
	r = stay_private(v, true);
	if (r >= 0)
		r = close_others(v, root, fds_dir);
	if (r < 0)
		return err_errno(err, -r, "entering the container");
	umask(0);
	return v->args->fn(root, fds_dir, v->args->data, err);
}

static _Noreturn void child_main(struct visitor *v)
{
	struct answer a = { .err = ERR_INIT };

	a.r = child_run(v, &a.err);
	io_write(v->answer, &a, sizeof(a));
	_exit(0);
}

/* ---- out here ---- */

static pid_t make(struct visitor *v, uint64_t flags, struct visit *ret, struct err *err)
{
	const struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND | flags,
					 .cgroup_fd = -EBADF };
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	v->answer = pair[1];
	v->parent = getpid();
	pid = clone_process(&spec, &ret->pidfd);
	if (pid == 0)
		child_main(v);
	fd_close(pair[1]);
	if (pid < 0) {
		fd_close(pair[0]);
		return err_errno(err, -(int)pid, "making a process");
	}
	ret->answer = pair[0];
	return pid;
}

int visit_begin(const struct runtime *rt, const struct visit_args *args, struct visit *ret,
		struct err *err)
{
	struct create_args create = { .id = args->id, .spec = args->spec };
	struct visitor v = {
		.args = args,
		.enter = enter_running,
		.live = { .verb = &visiting,
			  .spec = args->spec,
			  .im = { .fd = -EBADF, .late_fd = -EBADF },
			  .pidfd = -EBADF,
			  .out_fd = -EBADF,
			  .fds_dir = -EBADF },
	};
	int r;

	*ret = (struct visit)VISIT_INIT;
	init_blank(&v.live.in, rt, &create);
	r = live_open(&v.live, args->id, err);
	if (r >= 0)
		r = (int)make(&v, 0, ret, err);
	live_done(&v.live);
	return r < 0 ? r : 0;
}

static int second_run(const struct visit_args *args, int root, int proc, struct err *err)
{
	/* Its own: what is in the other one's means the other one's files. */
	cleanup_fd int own = openat(proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

	block_signals();
	if (own < 0)
		return err_errno(err, errno, "opening " PROC_FDS);
	return args->fn(root, own, args->data, err);
}

int visit_second(const struct visit_args *args, int root, int proc, int not_fd, struct visit *ret,
		 struct err *err)
{
	const struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = -EBADF };
	struct answer a = { .err = ERR_INIT };
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	pid = clone_process(&spec, &ret->pidfd);
	if (pid == 0) {
		fd_close(pair[0]);
		fd_close(not_fd);
		a.r = second_run(args, root, proc, &a.err);
		io_write(pair[1], &a, sizeof(a));
		_exit(0);
	}
	fd_close(pair[1]);
	if (pid < 0) {
		fd_close(pair[0]);
		return err_errno(err, -(int)pid, "making a process");
	}
	ret->answer = pair[0];
	return 0;
}

/* ---- of a container that does not run ---- */

/* What a start would mount of the host's; no more is done by it than that. */
struct reduced {
	struct spec spec;
	struct spec_process process;
	struct spec_linux linux_;
	struct spec_namespace namespaces[2];
	struct spec_mount *mounts; /* borrow all */
};

static bool is_bind(const struct spec_mount *m)
{
	bool bind = str_eq(m->type, "bind") || str_eq(m->type, "overlay");

	for (char **o = m->options; o && *o; o++) {
		if (str_eq(*o, "remount"))
			return false;
		bind = bind || str_eq(*o, "bind") || str_eq(*o, "rbind");
	}
	return bind;
}

static int reduce(const struct spec *spec, struct reduced *ret, struct err *err)
{
	const struct spec_linux *l = spec->linux_;
	size_t n = 0;

	ret->namespaces[n++] = (struct spec_namespace){ .type = NS_MOUNT };
	for (size_t i = 0; n < ARRAY_SIZE(ret->namespaces) && i < l->namespaces.n; i++) {
		if (l->namespaces.items[i].type != NS_USER)
			continue;
		if (l->namespaces.items[i].path && l->namespaces.items[i].path[0])
			return err_fail(err, ERR_UNSUPPORTED,
					"it joins the user namespace of another container, and "
					"does not run");
		ret->namespaces[n++] = (struct spec_namespace){ .type = NS_USER };
	}
	ret->linux_ = (struct spec_linux){
		.uid_mappings = l->uid_mappings,
		.gid_mappings = l->gid_mappings,
		.mount_label = l->mount_label,
	};
	ret->linux_.namespaces.items = ret->namespaces;
	ret->linux_.namespaces.n = n;
	ret->process = (struct spec_process){ .args = spec->process->args };
	ret->spec =
	    (struct spec){ .process = &ret->process, .root = spec->root, .linux_ = &ret->linux_ };
	ret->mounts = xcalloc(spec->mounts.n + 1, sizeof(*ret->mounts));
	ret->spec.mounts.items = ret->mounts;
	for (size_t i = 0; i < spec->mounts.n; i++)
		if (is_bind(&spec->mounts.items[i]))
			ret->mounts[ret->spec.mounts.n++] = spec->mounts.items[i];
	return 0;
}

static int write_maps(struct visitor *v, pid_t pid, int sock, struct err *err)
{
	int r = prepare_write_maps(&v->in, pid, err);

	if (r >= 0)
		r = sync_send(sock, SYNC_MAPS_DONE, 0, NULL, 0);
	/* It has told why it ended. */
	return r == -EPIPE ? 0 : r;
}

static int make_stopped(struct visitor *v, struct visit *ret, struct err *err)
{
	uint64_t userns = v->in.new_ns & CLONE_NEWUSER;
	int pair[2], r = sync_pair(pair, err);
	pid_t pid;

	if (r < 0)
		return r;
	v->in.sync = pair[1];
	v->in.sync_parent = pair[0];
	pid = make(v, userns, ret, err);
	fd_close(pair[1]);
	r = pid < 0 ? (int)pid : userns ? write_maps(v, pid, pair[0], err) : 0;
	fd_close(pair[0]);
	if (r < 0 && pid > 0)
		visit_end(ret, NULL);
	return r;
}

int visit_begin_stopped(const struct runtime *rt, const struct visit_args *args, const char *bundle,
			const struct mount_layers *overlay, struct visit *ret, struct err *err)
{
	struct reduced less = { 0 };
	const struct create_args create = {
		.id = args->id,
		.bundle = bundle,
		.spec = &less.spec,
		.overlay = overlay,
		.rootfs_idmap = args->rootfs_idmap,
	};
	struct visitor v = { .args = args, .enter = enter_stopped, .live = { .pidfd = -EBADF } };
	struct buf bpf = BUF_INIT;
	int r;

	*ret = (struct visit)VISIT_INIT;
	r = reduce(args->spec, &less, err);
	if (r >= 0) {
		r = prepare_init(rt, &create, &v.in, &bpf, err);
		if (r >= 0)
			r = make_stopped(&v, ret, err);
		prepare_done(&v.in, &bpf);
	}
	free(less.mounts);
	return r < 0 ? r : 0;
}

void visit_abort(struct visit *v)
{
	if (v->pidfd < 0)
		return;
	pidfd_kill(v->pidfd, SIGKILL);
	pidfd_reap(v->pidfd, ABORT_MS);
	v->pidfd = fd_close(v->pidfd);
	v->answer = fd_close(v->answer);
}

int visit_end(struct visit *v, struct err *err)
{
	struct answer a;
	ssize_t n = io_read(v->answer, &a, sizeof(a));

	v->answer = fd_close(v->answer);
	pidfd_wait(v->pidfd, NULL);
	v->pidfd = fd_close(v->pidfd);
	if (n != (ssize_t)sizeof(a))
		return err_fail(err, ERR_SYSTEM,
				"the process that entered the container was killed");
	err_sanitize(&a.err);
	if (a.r < 0 && err)
		*err = a.err;
	return a.r;
}
