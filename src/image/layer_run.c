/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/program.h"
#include "sys/idmap.h"
#include "sys/pidfd.h"

#define PROGRAM     "inro-layer"
#define DOC_MAX     (64u << 20)
#define SUBID_MAX   (1u << 20) /* bytes of /etc/subuid */
#define ENTRIES_MAX "4000000"
/* gzip reaches 1030; more than that over all of a big layer is a bomb. */
#define RATIO_MAX "1200"

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

static int maps_write(pid_t pid, struct err *err)
{
	struct idmap uids = { 0 }, gids = { 0 };
	char space[4096];
	struct passwd pw, *found = NULL;

	getpwuid_r(getuid(), &pw, space, sizeof(space), &found);
	const char *user = found ? found->pw_name : NULL;
	int r = map_fill("/etc/subuid", user, getuid(), &uids, err);
	if (r == 0)
		r = map_fill("/etc/subgid", user, getgid(), &gids, err);
	if (r == 0)
		r = idmap_write(pid, &uids, &gids, err);
	idmap_done(&uids);
	idmap_done(&gids);
	return r;
}

/* The child says when it is in its namespace and goes on when it is mapped. */
static int userns_setup(struct layer_job *job, int sync_fd, struct err *err)
{
	char byte;

	/* When it could not make one, its own error is in the result. */
	if (io_read(sync_fd, &byte, 1) != 1)
		return 0;
	int r = maps_write(job->proc.pid, err);
	if (r == 0)
		r = io_write(sync_fd, &byte, 1);
	return r;
}

/* ---- jobs ---- */

void layer_abort(struct layer_job *job)
{
	if (job->proc.pid > 0) {
		int status;
		if (job->proc.pidfd >= 0)
			pidfd_kill(job->proc.pidfd, SIGKILL);
		else
			kill(job->proc.pid, SIGKILL);
		proc_wait(&job->proc, -1, &status);
	}
	job->result_fd = fd_close(job->result_fd);
}

int layer_start(struct image_store *store, const char *const *args, int in_fd, int dir_fd,
		bool userns, struct layer_job *ret, struct err *err)
{
	static char path_env[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const envp[] = { path_env, NULL };
	cleanup_free char *path = program_find(PROGRAM);
	cleanup_strv char **argv = NULL;
	struct layer_job job = LAYER_JOB_INIT;
	int pair[2] = { -EBADF, -EBADF }, ends[2] = { -EBADF, -EBADF };

	strv_add(&argv, PROGRAM);
	for (size_t i = 0; args[i]; i++)
		strv_add(&argv, args[i]);
	userns = userns && store->rootless;
	if (userns)
		strv_add(&argv, "--userns");
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "starting " PROGRAM);
	cleanup_fd int result_write = pair[1];
	job.result_fd = pair[0];
	if (userns && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		fd_close(job.result_fd);
		return err_errno(err, errno, "starting " PROGRAM);
	}
	cleanup_fd int ours = ends[0];
	cleanup_fd int theirs = ends[1];
	const struct proc_fd fds[] = {
		{ in_fd >= 0 ? in_fd : null, 0 },
		{ result_write, LAYER_FD_RESULT },
		{ dir_fd, LAYER_FD_DIR },
		{ theirs, LAYER_FD_SYNC },
	};
	struct proc_spawn spec = PROC_SPAWN_INIT;
	spec.path = path;
	spec.argv = argv;
	spec.envp = envp;
	spec.fds = fds;
	spec.n_fds = userns ? 4 : 3;
	spec.pdeath_signal = SIGKILL;
	int r = proc_spawn(&spec, &job.proc, err);
	theirs = fd_close(theirs);
	if (r == 0 && userns)
		r = userns_setup(&job, ours, err);
	if (r < 0) {
		layer_abort(&job);
		return err_wrap(err, r, "starting %s", path);
	}
	*ret = job;
	return 0;
}

static int result_error(const struct buf *doc, int status, struct err *err)
{
	struct err theirs;

	if (status == 0)
		return 0;
	if (proc_exit_code(status) != 1 || doc->len != sizeof(theirs))
		return err_fail(err, ERR_CORRUPT, PROGRAM " ended with status %d",
				proc_exit_code(status));
	memcpy(&theirs, doc->data, sizeof(theirs));
	err_sanitize(&theirs);
	/* It names members of the archive, whose names may hold anything. */
	cleanup_free char *shown = str_escape(theirs.msg);
	snprintf(theirs.msg, sizeof(theirs.msg), "%s", shown);
	if (err)
		*err = theirs;
	return theirs.errnum > 0 ? -theirs.errnum : -EINVAL;
}

int layer_finish(struct layer_job *job, struct buf *ret_doc, struct err *err)
{
	int status = 0;

	int r = io_read_all(job->result_fd, ret_doc, DOC_MAX);
	if (r < 0) {
		layer_abort(job);
		return err_errno(err, -r, "reading the answer of " PROGRAM);
	}
	job->result_fd = fd_close(job->result_fd);
	r = proc_wait(&job->proc, -1, &status);
	if (r < 0)
		return err_errno(err, -r, "waiting for " PROGRAM);
	return result_error(ret_doc, status, err);
}

/* ---- modes ---- */

/* What fits on the disk, less a little for all others. */
static char *max_bytes_arg(const struct image_store *store)
{
	struct statvfs st;

	if (fstatvfs(store->fd, &st) < 0)
		return xstrdup("--max-bytes=1000000000000");
	uint64_t room = (uint64_t)st.f_bavail * st.f_frsize;
	return xasprintf("--max-bytes=%" PRIu64, room - room / 20 + 1);
}

int layer_split(struct image_store *store, int in_fd, int dir_fd, struct split_result *ret,
		struct err *err)
{
	cleanup_free char *max_bytes = max_bytes_arg(store);
	const char *args[] = { "split", max_bytes, "--max-ratio=" RATIO_MAX, NULL };
	struct layer_job job;
	cleanup_buf struct buf doc = BUF_INIT;

	int r = layer_start(store, args, in_fd, dir_fd, false, &job, err);
	if (r == 0)
		r = layer_finish(&job, &doc, err);
	if (r < 0)
		return r;
	return json_parse(&split_result_desc, ret, buf_str(&doc), doc.len, "answer of " PROGRAM,
			  err);
}

int layer_apply_start(struct image_store *store, int in_fd, int dir_fd, bool hash_input,
		      struct layer_job *ret, struct err *err)
{
	cleanup_free char *max_bytes = max_bytes_arg(store);
	const char *args[] = { "apply",
			       max_bytes,
			       "--max-ratio=" RATIO_MAX,
			       "--max-entries=" ENTRIES_MAX,
			       hash_input ? "--digest" : NULL,
			       NULL };

	return layer_start(store, args, in_fd, dir_fd, true, ret, err);
}

int layer_apply_finish(struct layer_job *job, struct apply_result *ret, struct err *err)
{
	cleanup_buf struct buf doc = BUF_INIT;

	int r = layer_finish(job, &doc, err);
	if (r < 0)
		return r;
	return json_parse(&apply_result_desc, ret, buf_str(&doc), doc.len, "answer of " PROGRAM,
			  err);
}

int layer_own(struct image_store *store, int like_fd, int dir_fd, const char *path, struct err *err)
{
	cleanup_free char *relative = xasprintf("./%s", path);
	const char *args[] = { "own", relative, NULL };
	struct layer_job job;
	cleanup_buf struct buf doc = BUF_INIT;

	int r = layer_start(store, args, like_fd, dir_fd, true, &job, err);
	return r < 0 ? r : layer_finish(&job, &doc, err);
}
