/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts with MOUNT_U: before a start all in them becomes the container's user's. */
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"
#include "engine/volume_mounts.h"
#include "image/tree.h"
#include "oci/spec.h"
#include "runtime/mount_opts.h"
#include "sys/idmap.h"

/* Nobody wants that, whatever was typed. */
static bool is_systems_place(const char *path)
{
	static const char *const dirs[] = { "/",        "/bin",    "/boot",  "/dev",   "/etc",
					    "/home",    "/lib",    "/lib64", "/media", "/mnt",
					    "/opt",     "/proc",   "/root",  "/run",   "/sbin",
					    "/srv",     "/sys",    "/tmp",   "/usr",   "/var",
					    "/var/lib", "/var/log" };
	static const char *const trees[] = { "/bin",   "/boot", "/dev",  "/etc", "/lib",
					     "/lib64", "/proc", "/sbin", "/sys", "/usr" };
	cleanup_free char *clean = path_clean(path);

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (str_eq(dirs[i], clean))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (path_below(clean, trees[i]))
			return true;
	return false;
}

/* Also where links have led to, which containers may have made where others have what is mounted.
 */
static int check_place(const char *path, int dir, struct err *err)
{
	char place[PATH_MAX], link[FD_PATH_MAX];
	ssize_t n = readlink(fd_proc_path(dir, link), place, sizeof(place) - 1);

	if (n < 0)
		return err_errno(err, errno, "U: finding out where %s is", path);
	place[n] = '\0';
	if (is_systems_place(path) || is_systems_place(place))
		return err_fail(err, ERR_DENIED, "U: %s is the system's, its owner stays", place);
	return 0;
}

static int outside(const spec_id_maps *maps, uint32_t *id, struct err *err)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct spec_id_map *m = &maps->items[i];

		if (*id >= m->container_id && *id - m->container_id < m->size) {
			*id += m->host_id - m->container_id;
			return 0;
		}
	}
	return maps->n ? err_fail(err, ERR_INVALID, "the user is not in the user namespace") : 0;
}

struct chown {
	struct engine *eng;
	const struct spec *spec;
	const struct image_ids *ids; /* of an unprivileged user's namespace; NULL: the store's */
};

static const char *option(char *const *options, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; options && options[i] && !value; i++)
		value = str_after(options[i], key);
	return value;
}

/* What of top is meant: the part, or all of it. Where root's containers may exchange names what was
 * looked at is what is changed; in a directory of subordinate ids nobody can look who has not got
 * them, nor is there anything of the system's: inro-layer finds the way to the part. */
static int open_place(const struct engine *eng, const char *path, const char *top,
		      const char **part, struct err *err)
{
	cleanup_fd int dir = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int inner = -EBADF;
	int r;

	if (dir < 0 && errno == ENOTDIR)
		return err_fail(err, ERR_INVALID, "U (chown) is for directories, which %s is not",
				path);
	if (dir < 0)
		return err_errno(err, errno, "U: opening %s", top);
	if (*part && !eng->rootless) {
		inner = path_open_in(dir, *part, O_PATH | O_DIRECTORY, 0, err);
		if (inner < 0)
			return inner;
		fd_close(dir);
		dir = take_fd(inner);
		*part = NULL;
	}
	r = check_place(*part ? top : path, dir, err);
	return r < 0 ? r : take_fd(dir);
}

/* below: path is in that directory, and links on the way lead nowhere out of it; or NULL. */
static int chown_dir(const struct chown *c, const char *path, const char *below, bool mapped,
		     struct err *err)
{
	struct engine *eng = c->eng;
	const struct spec *spec = c->spec;
	uint32_t uid = spec->process->user.uid, gid = spec->process->user.gid;
	const char *top = below ? below : path, *part = below ? path_below(path, below) : NULL;
	cleanup_fd int dir = -EBADF;
	int r = 0;

	if (below && !part)
		return err_fail(err, ERR_INVALID, "%s is not below %s", path, below);
	dir = open_place(eng, path, top, &part, err);
	if (dir < 0)
		return dir;
	/* inro-layer has the ids of a rootless container; a mapped mount has them on the disk. */
	if (!eng->rootless && !mapped) {
		r = outside(&spec->linux_->uid_mappings, &uid, err);
		if (r == 0)
			r = outside(&spec->linux_->gid_mappings, &gid, err);
	}
	if (r == 0)
		r = tree_chown(&eng->store, dir, part, c->ids, uid, gid, err);
	return r < 0 ? err_wrap(err, r, "changing the owner of %s", path) : 0;
}

static int chown_one(const struct chown *c, const struct record_mount *m, struct err *err)
{
	const char *path = m->type == MOUNT_BIND ? m->source : m->host_path;
	const char *upper = NULL;
	int r;

	for (size_t i = 0; i < c->spec->mounts.n; i++)
		if (str_eq(c->spec->mounts.items[i].destination, m->target))
			upper = option(c->spec->mounts.items[i].options, "upperdir=");
	r = chown_dir(c, path, option(m->options, MOUNT_OPT_BELOW "="), m->idmap, err);
	return r < 0 || !upper ? r : chown_dir(c, upper, NULL, false, err);
}

int mounts_chown(struct engine *eng, const struct record *rec, const struct spec *spec,
		 const struct record_mount *mounts, size_t n, struct err *err)
{
	cleanup_image_ids struct image_ids ids = { 0 };
	const char *mapping = rec->options.mapping;
	const struct chown c = { eng, spec, mapping ? &ids : NULL };
	int r = engine_store(eng, err);

	if (r == 0 && (!spec->process || !spec->linux_))
		r = err_fail(err, ERR_CORRUPT, "config.json is not whole");
	if (r == 0 && mapping && image_ids_parse(mapping, &ids) < 0)
		r = err_fail(err, ERR_CORRUPT, "the container's record has no mapping");
	for (size_t i = 0; r == 0 && i < n; i++)
		if (strv_has(mounts[i].options, MOUNT_U))
			r = chown_one(&c, &mounts[i], err);
	return r;
}

int volumes_chown(struct engine *eng, const struct record *rec, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/config.json", rec->id);
	cleanup_buf struct buf text = BUF_INIT;
	struct spec spec = { 0 };
	int r = io_read_file(eng->containers_fd, path, &text, SPEC_BYTES_MAX, err);

	if (r == 0)
		r = spec_parse(buf_str(&text), text.len, &spec, err);
	if (r == 0)
		r = mounts_chown(eng, rec, &spec, rec->options.mounts.items, rec->options.mounts.n,
				 err);
	spec_free(&spec);
	return r;
}
