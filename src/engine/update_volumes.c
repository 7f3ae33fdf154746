/* SPDX-License-Identifier: Apache-2.0 */
/* What --mount-add needs before anything is mounted: the record, volumes, directories, owners. */
#include <fcntl.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/diff.h"
#include "engine/images.h"
#include "engine/spec.h"
#include "engine/update_internal.h"
#include "engine/volume_mounts.h"
#include "engine/volumes.h"

void update_volumes_plan(struct update_mounts *um, struct record_options *options)
{
	size_t n = options->mounts.n;

	um->recorded = xcalloc(n + um->n_added + 1, sizeof(*um->recorded));
	if (n)
		memcpy(um->recorded, options->mounts.items, n * sizeof(*um->recorded));
	for (size_t i = 0; i < um->n_added; i++) {
		const struct mount_request *m = &um->added[i];

		um->recorded[n + i] = (struct record_mount){
			.type = (int)m->kind,
			.source = m->source,
			.host_path = m->host_path,
			.target = m->target,
			.mode = m->mode,
			.options = m->options,
			.readonly = m->readonly,
			.idmap = m->idmap,
		};
	}
	options->mounts.items = um->recorded;
	options->mounts.n = n + um->n_added;
}

static bool fills(const struct mount_request *m)
{
	return m->kind == MOUNT_VOLUME && !m->nocopy;
}

/* What the container has there, of its image and of its own. */
static int fill(struct engine *eng, const struct record *rec, const struct update_mounts *um,
		struct err *err)
{
	bool any = false;

	const struct record_mount *m = um->recorded + rec->options.mounts.n;
	cleanup_container_tree struct container_tree ct = { 0 };
	struct volumes_source from = { .cancel = true };
	int r = 0;

	for (size_t i = 0; i < um->n_added; i++)
		any = any || fills(&um->added[i]);
	/* The machine's own files are nothing to copy. */
	if (!any || rec->options.rootfs || str_eq(rec->image, IMAGE_HOST))
		return 0;
	r = container_tree_open(eng, rec->id, &ct, err);
	from.upper = ct.tree.upper_fd;
	from.layers = ct.tree.layers;
	from.n_layers = ct.tree.n_layers;
	for (size_t i = 0; r == 0 && i < um->n_added; i++)
		if (fills(&um->added[i]))
			r = volume_copy(eng, rec, &m[i], &from, err);
	return r;
}

static int note_filled(struct engine *eng, const struct record *rec, const struct update_mounts *um,
		       struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < um->n_added; i++) {
		if (um->added[i].kind != MOUNT_VOLUME)
			continue;
		r = db_exec(eng->db, err,
			    "UPDATE volume_uses SET pending = 0 WHERE container = ? AND volume = ?",
			    "ss", rec->id, um->added[i].source);
	}
	return r < 0 ? r : 0;
}

static int to_idmap(const spec_id_maps *maps, struct idmap *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < maps->n; i++)
		r = idmap_add(ret, maps->items[i].container_id, maps->items[i].host_id,
			      maps->items[i].size);
	return r;
}

static int make_overlays(struct engine *eng, const struct record *rec, const struct spec *spec,
			 const struct update_mounts *um, struct err *err)
{
	CLEANUP(idmap_done) struct idmap uids = { 0 };
	CLEANUP(idmap_done) struct idmap gids = { 0 };
	struct overlay_how how = { NULL, &uids, &gids, eng->rootless, rec->options.mapping };
	char **dir = um->overlays;
	int r = 0;

	if (to_idmap(&spec->linux_->uid_mappings, &uids) < 0 ||
	    to_idmap(&spec->linux_->gid_mappings, &gids) < 0)
		return err_fail(err, ERR_CORRUPT, "config.json is not whole");
	for (size_t i = 0; r == 0 && i < um->n_added; i++) {
		if (!overlay_is_wanted(&um->added[i]))
			continue;
		how.dir = *dir++;
		r = overlay_make(&how, &um->added[i], err);
	}
	return r;
}

/* Nothing uses them any more. What an unprivileged user can't remove goes with the container. */
static void remove_overlays(struct engine *eng, const struct record *rec,
			    const struct update_mounts *um)
{
	cleanup_free char *path = xasprintf("%s/" OVERLAYS_DIR, rec->id);
	cleanup_fd int dir = -EBADF;

	if (um->overlays)
		dir = path_open_in(eng->containers_fd, path, O_RDONLY | O_DIRECTORY, 0, NULL);
	for (size_t i = 0; dir >= 0 && um->overlays[i]; i++)
		path_remove_tree(dir, strrchr(um->overlays[i], '/') + 1, NULL);
}

int update_volumes_begin(struct engine *eng, const struct record *rec, const struct spec *spec,
			 const struct update_mounts *um, const struct record_options *options,
			 struct err *err)
{
	int r = db_begin(eng->db, err);

	if (r < 0)
		return r;
	r = volumes_use(eng, rec->id, um->added, um->n_added, err);
	if (r == 0)
		r = record_set_options(eng, rec->id, options, err);
	r = db_end(eng->db, r, err);
	for (size_t i = 0; r < 0 && i < um->n_added; i++)
		if (um->added[i].kind == MOUNT_VOLUME)
			volume_unmake(eng, um->added[i].source);
	if (r < 0)
		return r;
	r = fill(eng, rec, um, err);
	if (r == 0)
		r = note_filled(eng, rec, um, err);
	if (r == 0)
		r = make_overlays(eng, rec, spec, um, err);
	if (r == 0)
		r = mounts_chown(eng, rec, spec, um->recorded + rec->options.mounts.n, um->n_added,
				 err);
	if (r < 0)
		update_volumes_revert(eng, rec, um);
	return r;
}

static bool has_volume(const struct record_options *o, const char *name)
{
	for (size_t i = 0; i < o->mounts.n; i++)
		if (o->mounts.items[i].type == MOUNT_VOLUME &&
		    str_eq(o->mounts.items[i].source, name))
			return true;
	return false;
}

void update_volumes_revert(struct engine *eng, const struct record *rec,
			   const struct update_mounts *um)
{
	record_set_options(eng, rec->id, &rec->options, NULL);
	remove_overlays(eng, rec, um);
	for (size_t i = 0; i < um->n_added; i++) {
		const struct mount_request *m = &um->added[i];

		if (m->kind != MOUNT_VOLUME || has_volume(&rec->options, m->source))
			continue;
		db_exec(eng->db, NULL, "DELETE FROM volume_uses WHERE container = ? AND volume = ?",
			"ss", rec->id, m->source);
		/* Nobody knows its name. */
		if (m->anonymous)
			volume_remove(eng, m->source, NULL);
	}
}
