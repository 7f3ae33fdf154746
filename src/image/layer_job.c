/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_job.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/own_name.h"
#include "image/program.h"
#include "sys/idmap.h"
#include "sys/pidfd.h"

#define DOC_MAX   (16u << 20) /* of 100000 members of an image archive */
#define SUBID_MAX (1u << 20)  /* bytes of /etc/subuid */

/* ---- mappings ---- */

static int map_fill(const char *file, const char *user, uint32_t own_id, struct idmap *ret,
		    struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct subid_range ranges[SUBID_RANGES_MAX];

	/* Without the file the user has no subordinate ids; the one own id still maps. */
	int r = io_read_file(AT_FDCWD, file, &text, SUBID_MAX, err);
	if (r < 0 && r != -ENOENT)
		return r;
	size_t n =
	    subid_parse(buf_str(&text), text.len, user, getuid(), ranges, ARRAY_SIZE(ranges));
	r = idmap_rootless(own_id, ranges, n, ret);
	return r < 0 ? err_errno(err, -r, "reading %s", file) : 0;
}

static int maps_find(struct idmap *uids, struct idmap *gids, struct err *err)
{
	cleanup_free char *user = NULL;

	/* Below `inro unshare` the mapping is made already. */
	if (geteuid() == 0)
		return idmap_own(uids, gids, err);
	user = own_name(getuid());
	int r = map_fill("/etc/subuid", user, getuid(), uids, err);
	return r < 0 ? r : map_fill("/etc/subgid", user, getgid(), gids, err);
}

static int maps_write(pid_t pid, const struct image_ids *ids, struct err *err)
{
	struct idmap uids = { 0 }, gids = { 0 };

	if (ids)
		return idmap_write(pid, &ids->uids, &ids->gids, err);
	int r = maps_find(&uids, &gids, err);
	if (r == 0)
		r = idmap_write(pid, &uids, &gids, err);
	idmap_done(&uids);
	idmap_done(&gids);
	return r;
}

/* The child says when it is in its namespace and goes on when it is mapped. */
static int userns_setup(struct layer_job *job, int sync_fd, const struct image_ids *ids,
			struct err *err)
{
	char byte;

	/* When it could not make one, its own error is in the result. */
	if (io_read(sync_fd, &byte, 1) != 1)
		return 0;
	int r = maps_write(job->proc.pid, ids, err);
	if (r == 0)
		r = io_write(sync_fd, &byte, 1);
	return r;
}

/* ---- jobs ---- */

void layer_job_kill(const struct layer_job *job)
{
	if (job->proc.pidfd >= 0)
		pidfd_kill(job->proc.pidfd, SIGKILL);
	else
		kill(job->proc.pid, SIGKILL);
}

void layer_abort(struct layer_job *job)
{
	int status;

	if (job->proc.pid > 0) {
		layer_job_kill(job);
		proc_wait(&job->proc, -1, &status);
	}
	job->result_fd = fd_close(job->result_fd);
}

static int program_spawn(const struct layer_start *start, int result_write, int sync_fd,
			 struct proc *ret, const char *path, struct err *err)
{
	static char path_env[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const envp[] = { path_env, NULL };
	cleanup_strv char **argv = NULL;
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cleanup_free struct proc_fd *fds = xcalloc(4 + start->n_more, sizeof(*fds));
	size_t n = 0;

	if (null < 0)
		return err_errno(err, errno, "opening /dev/null");
	fds[n++] = (struct proc_fd){ start->in_fd >= 0 ? start->in_fd : null, 0 };
	fds[n++] = (struct proc_fd){ result_write, LAYER_FD_RESULT };
	fds[n++] = (struct proc_fd){ start->dir_fd, LAYER_FD_DIR };
	strv_add(&argv, LAYER_PROGRAM);
	for (size_t i = 0; start->args[i]; i++)
		strv_add(&argv, start->args[i]);
	if (start->userns) {
		strv_add(&argv, "--userns");
		fds[n++] = (struct proc_fd){ sync_fd, LAYER_FD_SYNC };
	}
	for (size_t i = 0; i < start->n_more; i++)
		fds[n++] = start->more[i];
	struct proc_spawn spec = PROC_SPAWN_INIT;
	spec.path = path;
	spec.argv = argv;
	spec.envp = envp;
	spec.fds = fds;
	spec.n_fds = n;
	spec.pdeath_signal = SIGKILL;
	return proc_spawn(&spec, ret, err);
}

int layer_job_start(const struct layer_start *start, struct layer_job *ret, struct err *err)
{
	cleanup_free char *path = program_find(LAYER_PROGRAM);
	struct layer_job job = LAYER_JOB_INIT;
	int pair[2] = { -EBADF, -EBADF }, ends[2] = { -EBADF, -EBADF };

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "starting " LAYER_PROGRAM);
	cleanup_fd int result_write = pair[1];
	job.result_fd = pair[0];
	if (start->userns && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		fd_close(job.result_fd);
		return err_errno(err, errno, "starting " LAYER_PROGRAM);
	}
	cleanup_fd int ours = ends[0];
	cleanup_fd int theirs = ends[1];
	int r = program_spawn(start, result_write, theirs, &job.proc, path, err);
	theirs = fd_close(theirs);
	if (r == 0 && start->userns)
		r = userns_setup(&job, ours, start->ids, err);
	if (r < 0) {
		layer_abort(&job);
		return err_wrap(err, r, "starting %s", path);
	}
	*ret = job;
	return 0;
}

int layer_start(struct image_store *store, const char *const *args, int in_fd, int dir_fd,
		bool userns, struct layer_job *ret, struct err *err)
{
	const struct layer_start start = {
		.args = args,
		.in_fd = in_fd,
		.dir_fd = dir_fd,
		.userns = userns && store->rootless,
	};

	return layer_job_start(&start, ret, err);
}

int layer_start_tree(struct image_store *store, const char *const *args,
		     const struct layer_tree *tree, struct layer_job *ret, struct err *err)
{
	cleanup_free struct proc_fd *more = xcalloc(tree->n_layers + 1, sizeof(*more));
	cleanup_strv char **words = strv_copy((char *const *)args);
	struct layer_start start = {
		.in_fd = tree->out_fd,
		.dir_fd = tree->dir_fd,
		.userns = store->rootless,
		.ids = tree->ids,
		.more = more,
		.n_more = tree->n_layers,
	};

	if (tree->n_layers > LAYER_LOWER_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d layers", LAYER_LOWER_MAX);
	for (size_t i = 0; i < tree->n_layers; i++)
		more[i] = (struct proc_fd){ tree->layers[i], LAYER_FD_LOWER + (int)i };
	if (tree->idmap_fd >= 0) {
		more[start.n_more++] = (struct proc_fd){ tree->idmap_fd, LAYER_FD_IDMAP };
		strv_add(&words, "--idmap");
	}
	start.args = (const char *const *)words;
	return layer_job_start(&start, ret, err);
}

int layer_record_error(const struct buf *doc, struct err *err)
{
	struct err theirs;

	memcpy(&theirs, doc->data, sizeof(theirs));
	err_sanitize(&theirs);
	/* It names members of the archive, whose names may hold anything. */
	cleanup_free char *shown = str_escape(theirs.msg);
	snprintf(theirs.msg, sizeof(theirs.msg), "%s", shown);
	if (err)
		*err = theirs;
	return theirs.errnum > 0 ? -theirs.errnum : -EINVAL;
}

static int result_error(const struct buf *doc, int status, struct err *err)
{
	if (status == 0)
		return 0;
	if (proc_exit_code(status) == 1 && doc->len == sizeof(struct err))
		return layer_record_error(doc, err);
	return err_fail(err, ERR_CORRUPT, LAYER_PROGRAM " ended with status %d",
			proc_exit_code(status));
}

int layer_doc_read(struct layer_job *job, struct buf *ret_doc, struct err *err)
{
	int r = io_read_all(job->result_fd, ret_doc, DOC_MAX);

	if (r < 0) {
		layer_abort(job);
		return err_errno(err, -r, "reading the answer of " LAYER_PROGRAM);
	}
	job->result_fd = fd_close(job->result_fd);
	return 0;
}

int layer_job_wait(struct layer_job *job, const struct buf *doc, struct err *err)
{
	int status = 0;
	int r = proc_wait(&job->proc, -1, &status);

	if (r < 0)
		return err_errno(err, -r, "waiting for " LAYER_PROGRAM);
	return result_error(doc, status, err);
}

int layer_job_poll(const struct layer_job *job, int cancel_fd, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = job->result_fd, .events = POLLIN },
		{ .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN },
	};

	if (NO_EINTR(poll(p, ARRAY_SIZE(p), -1)) < 0)
		return err_errno(err, errno, "waiting for " LAYER_PROGRAM);
	if (!p[1].revents)
		return 0;
	err_fail(err, ERR_SYSTEM, "interrupted");
	return -ECANCELED;
}

int layer_finish(struct layer_job *job, struct buf *ret_doc, struct err *err)
{
	int r = layer_doc_read(job, ret_doc, err);

	return r < 0 ? r : layer_job_wait(job, ret_doc, err);
}

int layer_finish_writer(struct layer_job *job, int read, struct err *err)
{
	cleanup_buf struct buf none = BUF_INIT;
	struct err own = ERR_INIT;
	int r = layer_finish(job, &none, &own);

	/* When both fail, the writer knows why: a cut archive is what the reader saw. */
	if (r >= 0 || read == -ECANCELED || (read < 0 && r == -EPIPE))
		return read;
	if (err)
		*err = own;
	return r;
}
