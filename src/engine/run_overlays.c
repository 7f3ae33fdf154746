/* SPDX-License-Identifier: Apache-2.0 */
/* -v SOURCE:TARGET:O: directories of the bundle for what the container writes there. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/mapped.h"
#include "engine/run_internal.h"
#include "engine/volume_mounts.h"

/* As the directory that it stands for. */
static int overlay_own(const struct overlay_how *how, const struct mount_request *m, int upper,
		       int work, struct err *err)
{
	const char *path = m->kind == MOUNT_BIND ? m->source : m->host_path;
	bool mapped = m->idmap && how->uids->n;
	uid_t root_uid;
	gid_t root_gid;
	struct stat st;

	/* A volume that is not there yet will be root's. */
	if (stat(path, &st) < 0) {
		if (errno != ENOENT || m->kind != MOUNT_VOLUME)
			return err_errno(err, errno, "looking at %s", path);
		st = (struct stat){ .st_mode = 0755 };
	}
	if (mapped && (idmap_to_outside(how->uids, st.st_uid, &st.st_uid) < 0 ||
		       idmap_to_outside(how->gids, st.st_gid, &st.st_gid) < 0))
		return err_fail(err, ERR_INVALID, "the owner of %s is not in the container", path);
	if (fchmod(upper, st.st_mode & 07777) < 0 ||
	    (fchown(upper, st.st_uid, st.st_gid) < 0 && !how->rootless))
		return err_errno(err, errno, "giving %s to the owner of %s", how->dir, path);
	if (!how->rootless && idmap_to_outside(how->uids, 0, &root_uid) == 0 &&
	    idmap_to_outside(how->gids, 0, &root_gid) == 0 && fchown(work, root_uid, root_gid) < 0)
		return err_errno(err, errno, "giving %s to the container's root", how->dir);
	return 0;
}

bool overlay_is_wanted(const struct mount_request *m)
{
	bool own = strv_has(m->options, MOUNT_O);

	for (size_t i = 0; m->options && m->options[i]; i++)
		own = own && !str_starts(m->options[i], "upperdir=");
	return own && (m->kind == MOUNT_BIND || m->host_path);
}

static int no_overlay(const struct mount_request *m, struct err *err)
{
	return err_hint(
	    err,
	    err_fail(err, ERR_UNSUPPORTED,
		     "mount at %s: with --userns nomap the container's root cannot write to "
		     "an overlay in the user's directory",
		     m->target),
	    "mount it read-only, or a named volume");
}

int overlay_make(const struct overlay_how *how, const struct mount_request *m, struct err *err)
{
	if (mapped_hides_user(how->mapping))
		return no_overlay(m, err);
	cleanup_fd int fd = path_mkdirs(how->dir, 0700, err);
	cleanup_fd int upper = fd < 0 ? fd : run_make_dir(fd, "upper", 0755, how->dir, err);
	cleanup_fd int work = upper < 0 ? upper : run_make_dir(fd, "work", 0700, how->dir, err);

	return work < 0 ? work : overlay_own(how, m, upper, work, err);
}

int run_overlays(struct run *run, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->n_mounts; i++) {
		cleanup_free char *dir = overlay_dir(run->bundle, i);
		const struct overlay_how how = { dir, &run->uids, &run->gids, run->eng->rootless,
						 run->rec.options.mapping };

		if (overlay_is_wanted(&run->mounts[i]))
			r = overlay_make(&how, &run->mounts[i], err);
	}
	return r;
}
