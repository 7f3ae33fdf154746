/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup.h"
#include "runtime/state.h"

#define LOG_FILE "dump.log"

/* A dump under way. */
struct dump {
	const struct criu_args *args;
	struct state st;
	struct spec spec;
	struct json_map mounts;
	struct criu_dirs dirs;
	struct criu_page_server page_server;
	struct criu_opts opts;
	struct criu criu;
	char *freezer;
	int status_fd;
};

static int check_status(const struct state *st, struct err *err)
{
	if (st->pub.status == CONTAINER_RUNNING || st->pub.status == CONTAINER_PAUSED)
		return 0;
	return err_fail(err, ERR_CONFLICT, "container cannot be checkpointed in %s state",
			container_status_names[st->pub.status]);
}

/* criu stops the container's processes by its freezer rather than one by one. */
static int find_freezer(struct dump *d, struct err *err)
{
	CLEANUP(cgroup_system_done) struct cgroup_system sys = { 0 };
	int r = cgroup_system_read(&sys, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sys.n; i++) {
		const struct cgroup_hierarchy *h = &sys.h[i];

		if (h->v2 ? sys.layout != CGROUP_V2 : !strv_has(h->controllers, "freezer"))
			continue;
		for (char **p = d->st.pub.cgroup_paths; p && *p && !d->freezer; p++) {
			const char *rest = str_after(*p, h->mount_point);

			if (rest && *rest == '/')
				d->freezer = xstrdup(*p);
		}
	}
	return 0;
}

/* Network and pid namespaces that the container was put into by path belong to others. */
static int add_external(struct dump *d, enum spec_ns ns, const char *word, const char *key,
			struct err *err)
{
	const struct spec_namespace *n = spec_namespace_find(&d->spec, ns);
	struct stat st;

	if (!n || !n->path || !n->path[0])
		return 0;
	if (stat(n->path, &st) < 0)
		return err_errno(err, errno, "reading namespace %s", n->path);
	strv_addf(&d->opts.external, "%s[%ju]:%s", word, (uintmax_t)st.st_ino, key);
	return 0;
}

static int check_parent(const struct dump *d, struct err *err)
{
	const char *path = d->args->parent_path;
	struct stat st;

	if (!path)
		return 0;
	if (path[0] == '/')
		return err_fail(err, ERR_USAGE, "--parent-path must be relative to --image-path");
	if (fstatat(d->dirs.images, path, &st, 0) < 0)
		return err_errno(err, errno, "--parent-path: opening %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_errno(err, ENOTDIR, "--parent-path: %s", path);
	return 0;
}

static int find_mounts(struct dump *d, int dir, struct err *err)
{
	bool notify = faccessat(dir, STATE_NOTIFY, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	const struct criu_container c = { .spec = &d->spec,
					  .bundle = d->st.pub.bundle,
					  .notify = notify ? STATE_NOTIFY : NULL,
					  .pid = d->st.pub.pid };

	if (d->args->pre_dump)
		return 0;
	return criu_mounts_dump(&c, d->args->cancel_fd, &d->mounts, err);
}

static int fill_opts(struct dump *d, struct err *err)
{
	const struct criu_args *a = d->args;
	struct criu_opts *o = &d->opts;
	int r;

	criu_opts_init(o, a, &d->dirs, &d->spec, LOG_FILE);
	o->pid = (struct opt_i32){ true, d->st.pub.pid };
	o->root = d->st.pub.rootfs;
	o->parent_img = a->parent_path;
	o->track_mem = a->parent_path || a->pre_dump;
	if (a->page_server_address) {
		d->page_server.address = a->page_server_address;
		d->page_server.port = (struct opt_i32){ true, a->page_server_port };
		o->page_server = &d->page_server;
	}
	r = find_freezer(d, err);
	o->freeze_cgroup = d->freezer;
	if (r >= 0)
		r = add_external(d, NS_NETWORK, "net", "extRootNetNS", err);
	if (r >= 0)
		r = add_external(d, NS_PID, "pid", "extRootPidNS", err);
	if (r < 0 || a->pre_dump)
		return r;
	o->ext_mnt = d->mounts;
	d->mounts = (struct json_map){ 0 };
	return criu_descriptors_save(d->dirs.images, d->st.streams, err);
}

static int on_notify(void *data, const struct criu_resp *resp, const int *fds, size_t n_fds,
		     struct err *err)
{
	struct dump *d = data;

	(void)fds;
	(void)n_fds;
	(void)err;
	if (str_eq(resp->notify.script, "status-ready") && d->status_fd >= 0) {
		if (io_write(d->status_fd, "", 1) < 0)
			log_warn("--status-fd: writing to file descriptor %d failed", d->status_fd);
		d->status_fd = fd_close(d->status_fd);
	}
	return 0;
}

static int run(struct dump *d, struct err *err)
{
	const struct criu_features features = {
		.mem_track = d->opts.track_mem,
		.lazy_pages = d->args->lazy_pages,
	};
	const struct criu_req req = {
		.type = { true, d->args->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP },
		.opts = &d->opts,
	};
	struct criu_resp resp;
	int r = 0;

	if (features.mem_track || features.lazy_pages)
		r = criu_require(&d->criu, &features, err);
	if (r < 0)
		return r;
	unlinkat(d->dirs.work, LOG_FILE, 0);
	r = criu_request(&d->criu, &req, on_notify, d, &resp, err);
	if (r < 0) {
		criu_end(&d->criu, false, NULL);
		return criu_quote_log(d->dirs.work, LOG_FILE, r, err);
	}
	/* After a pre-dump criu waits for the next request, and ends when none comes. */
	return criu_end(&d->criu, !d->args->pre_dump, err);
}

/* A criu that was killed leaves the container as frozen as it needed it. */
static void thaw(const struct dump *d)
{
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };

	if (d->st.pub.status == CONTAINER_RUNNING && d->freezer &&
	    cgroup_open(d->st.pub.cgroup_paths, &cg, NULL) >= 0)
		cgroup_freeze(&cg, false, NULL);
}

/* The container is the same one then, and its first process, but may have ended or be paused. */
static int lock(struct dump *d, int dir, const char *id, struct err *err)
{
	int r = state_lock_cancel(dir, id, d->args->cancel_fd, err);

	if (r < 0)
		return r;
	state_done(&d->st);
	r = state_read(dir, id, &d->st, err);
	return r < 0 ? r : check_status(&d->st, err);
}

static int checkpoint(const struct runtime *rt, const char *id, struct dump *d, struct err *err)
{
	cleanup_free char *program = NULL;
	cleanup_fd int dir = -EBADF;
	int r;

	r = criu_check_rights(rt, "checkpointing", err);
	if (r < 0)
		return r;
	dir = state_open(rt, id, 0, &d->st, err);
	if (dir < 0)
		return dir;
	r = check_status(&d->st, err);
	if (r >= 0)
		r = state_config_read(dir, &d->st, &d->spec, err);
	if (r >= 0)
		r = criu_find(&program, err);
	if (r >= 0)
		r = find_mounts(d, dir, err);
	if (r >= 0)
		r = lock(d, dir, id, err);
	if (r >= 0)
		r = criu_start(program, true, &d->criu, err);
	if (r >= 0)
		r = criu_dirs_open(d->args, true, &d->dirs, err);
	if (r >= 0)
		r = check_parent(d, err);
	if (r >= 0)
		r = fill_opts(d, err);
	if (r < 0)
		return r;
	r = run(d, err);
	if (r < 0)
		thaw(d);
	return r;
}

int container_checkpoint(const struct runtime *rt, const char *id, const struct criu_args *args,
			 struct err *err)
{
	struct dump d = {
		.args = args,
		.dirs = CRIU_DIRS_INIT,
		.criu = { .sock = -EBADF,
			  .pid = -1,
			  .pidfd = -EBADF,
			  .cancel_fd = args->cancel_fd },
		.status_fd = args->status_fd,
	};
	int r = checkpoint(rt, id, &d, err);

	criu_end(&d.criu, false, NULL);
	criu_dirs_done(&d.dirs);
	criu_opts_done(&d.opts);
	json_map_done(&d.mounts);
	state_done(&d.st);
	spec_free(&d.spec);
	free(d.freezer);
	if (r < 0)
		return err_wrap(err, r, "checkpointing container %s", id);
	if (args->leave_running || args->pre_dump)
		return 0;
	return container_delete(rt, id, true, err);
}
