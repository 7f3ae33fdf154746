/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving a container's processes to files and making them again from these, by executing criu
 * (runtime/criu.h). The images are those of runc and crun: a directory of criu's files, and
 * descriptors.json with what the standard streams were, so that pipes can be replaced.
 */
#pragma once

#include "runtime/container.h"
#include "runtime/criu.h"
#include "sys/cgroup.h"

struct criu_args {
	const char *image_path;
	const char *work_path;   /* logs and statistics; NULL: image_path */
	const char *parent_path; /* of an earlier pre-dump, relative to image_path; or NULL */
	const char *page_server_address; /* NULL: none */
	int page_server_port;
	const char *lsm_profile, *lsm_mount_context; /* restore */
	int cgroup_mode;                             /* enum criu_cgroup_mode */
	int cancel_fd;                               /* runtime/cancel.h; checkpoint */
	int status_fd; /* gets a 0 byte when pages can be fetched; or negative */
	bool leave_running, pre_dump, tcp_established, tcp_skip_in_flight, ext_unix_sk;
	bool shell_job, file_locks, lazy_pages, auto_dedup, link_remap;
};

/* Without leave_running and pre_dump the container is deleted then. When it fails the container
 * goes on as before. */
int container_checkpoint(const struct runtime *rt, const char *id, const struct criu_args *args,
			 struct err *err);
/* Creates a container, which runs at once, from images. Of create only id, bundle, spec, pid_file,
 * console_socket, console_fd_out and stdio matter. On failure nothing is left behind. */
int container_restore(const struct runtime *rt, const struct create_args *create,
		      const struct criu_args *args, struct container *ret, struct err *err);

/* --- inside checkpoint and restore --- */

struct criu_dirs {
	int images, work;
};
#define CRIU_DIRS_INIT                                                                             \
	{                                                                                          \
		.images = -EBADF, .work = -EBADF                                                   \
	}
/* Root with all its rights is needed; ERR_UNSUPPORTED. */
int criu_check_rights(const struct runtime *rt, const char *what, struct err *err);
int criu_dirs_open(const struct criu_args *args, bool make, struct criu_dirs *ret, struct err *err);
void criu_dirs_done(struct criu_dirs *dirs);
/* What both requests have in common. */
void criu_opts_init(struct criu_opts *o, const struct criu_args *args, const struct criu_dirs *dirs,
		    const struct spec *spec, const char *log_file);

#define CRIU_DESCRIPTORS "descriptors.json"
/* What the standard streams of the process were at first. */
int criu_descriptors_save(int images, char *const *streams, struct err *err);
/* ["/dev/null","pipe:[42]","pipe:[43]"]. Pure. The caller frees *ret. */
int criu_descriptors_parse(const char *text, size_t len, char ***ret, struct err *err);
/* For pipes among them: the runtime's own streams take their places. */
int criu_descriptors_load(int images, struct criu_opts *o, struct err *err);

/* criu_mounts.c: what is mounted in the container from outside of it */
struct criu_container {
	const struct spec *spec;
	const char *bundle;
	const char *notify; /* the directory of runtime/notify.h, NULL: there is none */
	const char *cgroup; /* restore: the path in every hierarchy */
	pid_t pid;          /* dump */
};
/* Adds mount points and names to *found. They are looked up in the container's tree, where a
 * filesystem of its own (FUSE) may never answer: by a process apart, for which a signal at
 * cancel_fd ends the wait, and the caller holds no lock. */
int criu_mounts_dump(const struct criu_container *c, int cancel_fd, struct json_map *found,
		     struct err *err);
int criu_mounts_restore(struct criu_opts *o, const struct criu_container *c, struct err *err);

/* restore_child.c: what becomes criu */
struct restore_child {
	const char *program; /* criu */
	const struct spec *spec;
	const char *bundle, *rootfs;
	const char *root; /* an empty directory */
	struct criu_dirs dirs;
	int sync,
	    sync_parent; /* our end of the connection to criu; the error, or the end at exec */
	int ns_fds[2];   /* passed on, from RESTORE_NS_FD on */
	size_t n_ns;
};
/* Numbers that the directories and namespaces have in criu. */
#define RESTORE_IMAGES_FD (CRIU_SOCKET + 1)
#define RESTORE_WORK_FD   (CRIU_SOCKET + 2)
#define RESTORE_NS_FD     (CRIU_SOCKET + 3)
_Noreturn void restore_child_main(struct restore_child *c);
