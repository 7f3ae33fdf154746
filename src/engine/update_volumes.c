/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that --mount-add adds. */
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/diff.h"
#include "engine/images.h"
#include "engine/update_internal.h"
#include "engine/volume_mounts.h"
#include "engine/volumes.h"

void update_volumes_plan(struct update_mounts *um, struct record_options *options)
{
	size_t n = options->mounts.n;

	um->recorded = xcalloc(n + um->n_volumes + 1, sizeof(*um->recorded));
	if (n)
		memcpy(um->recorded, options->mounts.items, n * sizeof(*um->recorded));
	for (size_t i = 0; i < um->n_volumes; i++) {
		const struct mount_request *m = &um->volumes[i];

		um->recorded[n + i] = (struct record_mount){
			.type = MOUNT_VOLUME,
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
	options->mounts.n = n + um->n_volumes;
}

/* What the container has there, of its image and of its own. */
static int fill(struct engine *eng, const struct record *rec, const struct update_mounts *um,
		struct err *err)
{
	const struct record_mount *m = um->recorded + rec->options.mounts.n;
	cleanup_container_tree struct container_tree ct = { 0 };
	struct volumes_source from = { .cancel = true };
	int r = 0;

	/* The machine's own files are nothing to copy. */
	if (rec->options.rootfs || str_eq(rec->image, IMAGE_HOST))
		return 0;
	r = container_tree_open(eng, rec->id, &ct, err);
	from.upper = ct.tree.upper_fd;
	from.layers = ct.tree.layers;
	from.n_layers = ct.tree.n_layers;
	for (size_t i = 0; r == 0 && i < um->n_volumes; i++)
		if (!um->volumes[i].nocopy)
			r = volume_copy(eng, rec, &m[i], &from, err);
	return r;
}

static int note_filled(struct engine *eng, const struct record *rec, const struct update_mounts *um,
		       struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < um->n_volumes; i++)
		r = db_exec(eng->db, err,
			    "UPDATE volume_uses SET pending = 0 WHERE container = ? AND volume = ?",
			    "ss", rec->id, um->volumes[i].source);
	return r < 0 ? r : 0;
}

int update_volumes_begin(struct engine *eng, const struct record *rec,
			 const struct update_mounts *um, const struct record_options *options,
			 struct err *err)
{
	int r = db_begin(eng->db, err);

	if (r < 0)
		return r;
	r = volumes_use(eng, rec->id, um->volumes, um->n_volumes, err);
	if (r == 0)
		r = record_set_options(eng, rec->id, options, err);
	r = db_end(eng->db, r, err);
	for (size_t i = 0; r < 0 && i < um->n_volumes; i++)
		volume_unmake(eng, um->volumes[i].source);
	if (r < 0)
		return r;
	r = fill(eng, rec, um, err);
	if (r == 0)
		r = note_filled(eng, rec, um, err);
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
	for (size_t i = 0; i < um->n_volumes; i++) {
		const struct mount_request *m = &um->volumes[i];

		if (has_volume(&rec->options, m->source))
			continue;
		db_exec(eng->db, NULL, "DELETE FROM volume_uses WHERE container = ? AND volume = ?",
			"ss", rec->id, m->source);
		/* Nobody knows its name. */
		if (m->anonymous)
			volume_remove(eng, m->source, NULL);
	}
}
