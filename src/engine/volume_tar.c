/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volume_tar.h"

#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/db.h"
#include "engine/volume_mounts.h"
#include "image/tree.h"

/* While nobody removes it. */
static int open_dir(struct engine *eng, const char *name, struct volume *ret, struct err *err)
{
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = volume_find(eng, name, ret, err);
	if (r == 0)
		r = volume_open(eng, name, err);
	db_rollback(eng->db);
	return r;
}

/* Its directory, locked as by who copies an image's files into it, and its data. */
static int open_locked(struct engine *eng, const char *name, int how, int *ret_data,
		       struct err *err)
{
	cleanup_volume struct volume v = { 0 };
	cleanup_fd int dir = open_dir(eng, name, &v, err);

	if (dir < 0)
		return dir;
	if (NO_EINTR(flock(dir, how)) < 0)
		return err_errno(err, errno, "locking volume %s", name);
	cleanup_fd int data = volume_open_data(&v, dir, err);
	if (data == -ENOTDIR)
		return err_fail(err, ERR_UNSUPPORTED, "volume %s has no directory of files", name);
	if (data < 0)
		return data;
	int r = engine_store(eng, err);
	if (r < 0)
		return r;
	*ret_data = take_fd(data);
	return take_fd(dir);
}

int volume_export(struct engine *eng, const char *name, int64_t newest, int fd, struct err *err)
{
	cleanup_fd int data = -EBADF;
	cleanup_fd int dir = open_locked(eng, name, LOCK_SH, &data, err);
	int r = dir < 0 ? dir : tree_pack(&eng->store, data, newest, fd, err);

	return r < 0 && dir >= 0 ? err_wrap(err, r, "exporting volume %s", name) : r;
}

int volume_import(struct engine *eng, const char *name, int fd, struct err *err)
{
	cleanup_fd int data = -EBADF;
	cleanup_fd int dir = open_locked(eng, name, LOCK_EX, &data, err);
	int r = dir < 0 ? dir : tree_unpack(&eng->store, fd, data, -EBADF, err);

	/* A container that was killed while it copied its image's files would put them over these.
	 */
	if (r == 0 && unlinkat(dir, VOLUME_COPYING, 0) < 0 && errno != ENOENT)
		r = err_errno(err, errno, "unmarking it");
	return r < 0 && dir >= 0 ? err_wrap(err, r, "importing into volume %s", name) : r;
}
