/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup.h"
#include "runtime/child_end.h"
#include "runtime/hooks.h"
#include "runtime/notify.h"
#include "runtime/prepare.h"
#include "runtime/restore.h"
#include "runtime/sync.h"
#include "sys/clone.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/uapi.h"

#define LOG_FILE         "restore.log"
#define ROOT_DIR         "criu-root"
#define CGROUP_BYTES_MAX 65536

/* --- before anything is made --- */

static int check(struct restoration *r, struct err *err)
{
	int e = criu_check_rights(r->rt, "restoring", err);

	if (e < 0)
		return e;
	if (!r->spec->linux_ || !r->spec->process || !r->spec->root || !r->spec->root->path)
		return err_fail(err, ERR_INVALID,
				"config.json: process, root.path and linux are "
				"needed");
	return r->spec->process->terminal ? console_prepare(&r->console, err) : 0;
}

/* That criu is there and answers, before there is anything to undo. */
static int check_criu(struct restoration *r, struct err *err)
{
	struct criu probe = CRIU_INIT;
	probe.cancel_fd = r->create->cancel_fd;
	int e = criu_find(&r->program, err);

	if (e >= 0)
		e = criu_start(r->program, false, &probe, err);
	return e < 0 ? e : criu_end(&probe, false, err);
}

static int open_paths(struct restoration *r, struct err *err)
{
	int e = prepare_directory(NULL, r->create->bundle, &r->bundle, err);

	if (e < 0)
		return err_wrap(err, e, "bundle");
	e = prepare_directory(r->bundle, r->spec->root->path, &r->rootfs, err);
	if (e < 0)
		return err_wrap(err, e, "root.path");
	return criu_dirs_open(r->args, false, &r->dirs, err);
}

/* --- namespaces that are joined --- */

static int pass_namespace(struct restoration *r, const struct spec_namespace *ns, const char *key,
			  struct err *err)
{
	struct restore_child *c = &r->child;
	int fd = ns_open(ns->path, ns_by_name(spec_ns_names[ns->type])->flag, err);

	if (fd < 0)
		return err_wrap(err, fd, "linux.namespaces: %s", spec_ns_names[ns->type]);
	c->ns_fds[c->n_ns++] = fd;
	criu_opts_add_fd(&r->opts, key, RESTORE_NS_FD + (int)c->n_ns - 1);
	return 0;
}

static int add_namespaces(struct restoration *r, struct err *err)
{
	const struct spec_linux *l = r->spec->linux_;
	int e = 0;

	for (size_t i = 0; i < l->namespaces.n && e >= 0; i++) {
		const struct spec_namespace *ns = &l->namespaces.items[i];
		const char *file = ns_by_name(spec_ns_names[ns->type])->file;

		if (!ns->path || !ns->path[0])
			continue;
		if (ns->type == NS_NETWORK)
			e = pass_namespace(r, ns, "extRootNetNS", err);
		else if (ns->type == NS_PID)
			e = pass_namespace(r, ns, "extRootPidNS", err);
		else if (ns->type == NS_CGROUP)
			e = err_fail(err, ERR_UNSUPPORTED,
				     "linux.namespaces: criu can't restore into a cgroup namespace "
				     "that is there already");
		else
			json_map_set(&r->opts.join_ns, file, ns->path);
	}
	return e;
}

/* --- state and cgroup --- */

static int make_state(struct restoration *r, struct err *err)
{
	char link[FD_PATH_MAX], path[PATH_MAX];
	ssize_t n;
	int e;

	r->dir = state_dir_create(r->rt, r->create->id, err);
	if (r->dir < 0)
		return r->dir;
	r->dir_made = true;
	state_fill(&r->st, r->create->id, r->spec, r->bundle, r->rootfs);
	/* criu puts these where the pipes of those that were saved were. */
	state_fill_streams(&r->st, r->create);
	e = state_config_write(r->dir, r->create, err);
	if (e < 0)
		return e;
	n = readlink(fd_proc_path(r->dir, link), path, sizeof(path) - 1);
	if (n < 0 || mkdirat(r->dir, ROOT_DIR, 0700) < 0)
		return err_errno(err, errno, "making the directory for the root filesystem");
	path[n] = '\0';
	r->root = path_join(path, ROOT_DIR);
	r->notify = path_join(path, STATE_NOTIFY);
	/* Whether the images have a mount of it is known to criu only. */
	return notify_make_dir(r->dir, r->spec->linux_->mount_label, err);
}

/* --- criu --- */

/* The container's cgroups, where criu is now, take the place of those that were dumped. */
static int add_cgroup_roots(struct restoration *r, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **lines = NULL;
	char path[64];
	int e;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", r->criu.pid);
	e = io_read_file(AT_FDCWD, path, &text, CGROUP_BYTES_MAX, err);
	if (e < 0)
		return e;
	lines = strv_split(buf_str(&text), '\n');
	for (char **line = lines; *line; line++) {
		char *names = strchr(*line, ':');
		char *place = names ? strchr(names + 1, ':') : NULL;
		cleanup_strv char **controllers = NULL;

		/* a v1 hierarchy without controllers is one that is being unmounted */
		if (!place || (place == names + 1 && !str_after(*line, "0:")))
			continue;
		*place = '\0';
		controllers = strv_split(names + 1, ',');
		for (char **c = controllers; *c; c++)
			json_map_set(&r->opts.cg_root, *c, place + 1);
	}
	return 0;
}

static int add_mounts(struct restoration *r, struct err *err)
{
	const struct criu_container c = {
		.spec = r->spec, .bundle = r->bundle, .notify = r->notify, .cgroup = r->cg.rel_path
	};

	return criu_mounts_restore(&r->opts, &c, err);
}

static int run_criu(struct restoration *r, struct err *err)
{
	const struct criu_req req = { .type = { true, CRIU_RESTORE }, .opts = &r->opts };
	struct criu_resp resp;
	int e;

	unlinkat(r->dirs.work, LOG_FILE, 0);
	r->criu.cancel_fd = r->create->cancel_fd;
	e = criu_request(&r->criu, &req, restore_notify, r, &resp, err);
	if (e < 0) {
		criu_end(&r->criu, false, NULL);
		return criu_quote_log(r->dirs.work, LOG_FILE, e, err);
	}
	if (r->init.pidfd < 0)
		return err_fail(err, ERR_CORRUPT, "criu names no restored process");
	return criu_end(&r->criu, true, err);
}

/* --- the whole --- */

static int restore(struct restoration *r, struct err *err)
{
	int e = check(r, err);

	if (e >= 0)
		e = check_criu(r, err);
	if (e >= 0)
		e = open_paths(r, err);
	if (e < 0)
		return e;
	criu_opts_init(&r->opts, r->args, &r->dirs, r->spec, LOG_FILE);
	r->opts.rst_sibling = r->opts.evasive_devices = true;
	r->opts.images_dir_fd.value = RESTORE_IMAGES_FD;
	r->opts.work_dir_fd.value = RESTORE_WORK_FD;
	e = criu_descriptors_load(r->dirs.images, &r->opts, err);
	if (e >= 0)
		e = add_namespaces(r, err);
	if (e >= 0)
		e = rdt_plan(r->spec->linux_->intel_rdt, r->create->id, NULL, &r->st.rdt, err);
	if (e >= 0)
		e = make_state(r, err);
	if (e >= 0)
		e = restore_start(r, err);
	if (e < 0)
		return e;
	r->opts.root = r->root;
	e = add_mounts(r, err);
	if (e >= 0)
		e = add_cgroup_roots(r, err);
	if (e >= 0)
		e = run_criu(r, err);
	unlinkat(r->dir, ROOT_DIR, AT_REMOVEDIR);
	return e;
}

static void undo(struct restoration *r)
{
	struct err err = ERR_INIT;

	if (r->init.pidfd >= 0)
		pidfd_kill(r->init.pidfd, SIGKILL);
	criu_end(&r->criu, false, NULL);
	if (r->pid_file_made)
		unlink(r->create->pid_file);
	if (!child_end(&r->init, &r->cg, true)) {
		log_warn("container %s stays: delete it with delete --force when its process ends",
			 r->create->id);
		return;
	}
	if (r->cgroup_made && cgroup_delete(&r->cg, &err) < 0)
		log_warn("%s", err.msg);
	if (rdt_undo(&r->st.rdt, &err) < 0)
		log_warn("%s", err.msg);
	if (r->dir_made && state_dir_remove(r->rt, r->create->id, &err) < 0)
		log_warn("%s", err.msg);
	if (r->hooks_ran)
		hooks_run_all("poststop", &r->spec->hooks->poststop, &r->st.pub, CONTAINER_STOPPED,
			      r->create->cancel_fd);
}

static void done(struct restoration *r)
{
	for (size_t i = 0; i < r->child.n_ns; i++)
		fd_close(r->child.ns_fds[i]);
	fd_close(r->init.pidfd);
	fd_close(r->console.sock);
	fd_close(r->dir);
	criu_dirs_done(&r->dirs);
	criu_opts_done(&r->opts);
	cgroup_done(&r->cg);
	state_done(&r->st);
	free(r->program);
	free(r->bundle);
	free(r->rootfs);
	free(r->root);
	free(r->notify);
}

int container_restore(const struct runtime *rt, const struct create_args *create,
		      const struct criu_args *args, struct container *ret, struct err *err)
{
	struct restoration r = {
		.rt = rt,
		.create = create,
		.args = args,
		.spec = create->spec,
		.dirs = CRIU_DIRS_INIT,
		.criu = CRIU_INIT,
		.dir = -EBADF,
		.console = { .fd_out = create->console_fd_out,
			     .socket_path = create->console_socket,
			     .sock = -EBADF,
			     .cancel_fd = create->cancel_fd },
		.init = { .pidfd = -EBADF },
	};
	int e = restore(&r, err);

	if (e < 0) {
		undo(&r);
		err_wrap(err, e, "restoring container %s", create->id);
	} else {
		*ret = (struct container){ .pid = r.init.pid, .pidfd = take_fd(r.init.pidfd) };
	}
	done(&r);
	return e;
}
