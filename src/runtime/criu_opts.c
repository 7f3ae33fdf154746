/* SPDX-License-Identifier: Apache-2.0 */
/* What checkpoint and restore tell criu in the same way. */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/checkpoint.h"

#define DESCRIPTORS_BYTES_MAX 65536
#define LOG_LEVEL             4

int criu_check_rights(const struct runtime *rt, const char *what, struct err *err)
{
	int r;

	if (geteuid() == 0 && !rt->rootless)
		return 0;
	r = err_fail(err, ERR_UNSUPPORTED,
		     "%s containers needs root with all its rights: criu can't do it for an "
		     "unprivileged user",
		     what);
	return r;
}

static int open_dir(const char *path, bool make, const char *what, struct err *err)
{
	cleanup_fd int made = make ? path_mkdirs(path, 0700, err) : -EBADF;
	int fd;

	if (make && made < 0)
		return err_wrap(err, made, "%s", what);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "%s: opening %s", what, path) : fd;
}

/* criu follows links in it when it writes, and what it reads there runs as root. As with runc that
 * is the caller's choice. */
static void check_owner(int dir, const char *path)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return;
	if (st.st_uid != geteuid() || (st.st_mode & S_IWOTH) || (st.st_mode & S_IWGRP && st.st_gid))
		log_warn("--image-path: other users may write in %s: they can have files of the "
			 "host overwritten, and anything restored",
			 path);
}

int criu_dirs_open(const struct criu_args *args, bool make, struct criu_dirs *ret, struct err *err)
{
	ret->images = open_dir(args->image_path, make, "--image-path", err);
	if (ret->images < 0)
		return ret->images;
	check_owner(ret->images, args->image_path);
	if (args->work_path)
		ret->work = open_dir(args->work_path, true, "--work-path", err);
	else
		ret->work = fd_dup(ret->images, 3);
	if (ret->work < 0)
		criu_dirs_done(ret);
	return ret->work < 0 ? -EINVAL : 0;
}

void criu_dirs_done(struct criu_dirs *dirs)
{
	dirs->images = fd_close(dirs->images);
	dirs->work = fd_close(dirs->work);
}

/* A file of criu's options, which criu reads over those that it is told. The annotation names one,
 * or, empty, none. */
static const char *config_file(const struct spec *spec)
{
	static const char *const files[] = { "/etc/criu/inro.conf", "/etc/criu/runc.conf" };
	const char *named = json_map_get(&spec->annotations, "org.criu.config");

	if (named)
		return *named ? named : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (access(files[i], F_OK) == 0)
			return files[i];
	return NULL;
}

#define I32(v)                                                                                     \
	(struct opt_i32)                                                                           \
	{                                                                                          \
		true, (int32_t)(v)                                                                 \
	}

void criu_opts_init(struct criu_opts *o, const struct criu_args *args, const struct criu_dirs *dirs,
		    const struct spec *spec, const char *log_file)
{
	*o = (struct criu_opts){
		.images_dir_fd = I32(dirs->images),
		.work_dir_fd = I32(dirs->work),
		.log_level = I32(LOG_LEVEL),
		.log_file = log_file,
		.notify_scripts = true,
		.orphan_pts_master = true,
		.manage_cgroups = true,
		.cgroup_mode = I32(args->cgroup_mode),
		/* What is in the network namespace is the engine's to make again: it has names and
		 * addresses on the host. */
		.empty_ns = I32(CLONE_NEWNET),
		.network_lock = I32(criu_has_iptables() ? CRIU_LOCK_IPTABLES : CRIU_LOCK_NFTABLES),
		.config_file = config_file(spec),
		.leave_running = args->leave_running,
		.ext_unix_sk = args->ext_unix_sk,
		.tcp_established = args->tcp_established,
		.tcp_skip_in_flight = args->tcp_skip_in_flight,
		.shell_job = args->shell_job,
		.file_locks = args->file_locks,
		.lazy_pages = args->lazy_pages,
		.auto_dedup = args->auto_dedup,
		.link_remap = args->link_remap,
		.lsm_profile = args->lsm_profile,
		.lsm_mount_context = args->lsm_mount_context,
	};
}

/* --- descriptors.json --- */

struct descriptors {
	char **links;
};
static const struct json_field descriptors_fields[] = {
	JSON_FIELD(struct descriptors, links, NULL, JSON_STRV),
};
static const struct json_desc descriptors_desc = JSON_DESC(struct descriptors, descriptors_fields);

int criu_descriptors_save(int images, char *const *streams, struct err *err)
{
	cleanup_buf struct buf b = BUF_INIT;
	cleanup_strv char **links = strv_copy(streams);

	/* criu has what a terminal or a file is. */
	while (strv_len(links) < 3)
		strv_add(&links, "/dev/null");
	json_write(&descriptors_desc, &(struct descriptors){ links }, 0, &b);
	return io_replace_file(images, CRIU_DESCRIPTORS, b.data, b.len, 0600, false, err);
}

int criu_descriptors_parse(const char *text, size_t len, char ***ret, struct err *err)
{
	struct descriptors d = { 0 };
	int r = json_parse(&descriptors_desc, &d, text, len, CRIU_DESCRIPTORS, err);

	if (r >= 0)
		*ret = d.links;
	return r;
}

int criu_descriptors_load(int images, struct criu_opts *o, struct err *err)
{
	cleanup_buf struct buf b = BUF_INIT;
	cleanup_strv char **links = NULL;
	/* A fifo would hold the runtime up, which signals don't end then. */
	cleanup_fd int fd =
	    openat(images, CRIU_DESCRIPTORS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "opening " CRIU_DESCRIPTORS);
	if (!S_ISREG(st.st_mode))
		return err_fail(err, ERR_CORRUPT, CRIU_DESCRIPTORS " is not a regular file");
	r = io_read_all(fd, &b, DESCRIPTORS_BYTES_MAX);
	if (r < 0)
		err_errno(err, -r, "reading " CRIU_DESCRIPTORS);
	else
		r = criu_descriptors_parse(buf_str(&b), b.len, &links, err);
	if (r < 0)
		return r;
	for (int i = 0; i < 3 && links && links[i]; i++)
		if (str_starts(links[i], "pipe:"))
			criu_opts_add_fd(o, links[i], i);
	return 0;
}
