/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/df.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/containers_query.h"
#include "engine/db.h"
#include "image/usage.h"

#define DEPTH_MAX 128

void engine_df_done(struct engine_df *df)
{
	for (size_t i = 0; i < df->n_images; i++)
		image_row_done(&df->images[i].row);
	for (size_t i = 0; i < df->n_containers; i++)
		record_done(&df->containers[i].record);
	for (size_t i = 0; i < df->n_volumes; i++)
		volume_done(&df->volumes[i].volume);
	free(df->images);
	free(df->containers);
	free(df->volumes);
	mapped_items_done(&df->mapped);
	free(df->mapping);
	*df = (struct engine_df){ 0 };
}

/* Bytes in the regular files below the directory, which is taken over. *ret_partly: something could
 * not be read. */
static uint64_t tree_size(int dir_fd, int depth, bool *ret_partly)
{
	DIR *dir = fdopendir(dir_fd);
	const struct dirent *de;
	uint64_t size = 0;

	if (!dir) {
		fd_close(dir_fd);
		*ret_partly = true;
		return 0;
	}
	while ((de = readdir(dir))) {
		struct stat st;

		if (str_eq(de->d_name, ".") || str_eq(de->d_name, "..") ||
		    fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode) && st.st_nlink > 0)
			size += (uint64_t)st.st_size / st.st_nlink;
		if (!S_ISDIR(st.st_mode))
			continue;
		int fd = depth < DEPTH_MAX
			     ? path_open_in(dirfd(dir), de->d_name,
					    O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL)
			     : -EBADF;
		if (fd >= 0)
			size += tree_size(fd, depth + 1, ret_partly);
		else
			*ret_partly = true;
	}
	closedir(dir);
	return size;
}

uint64_t df_tree_size(struct engine *eng, const char *path)
{
	bool partly = false;
	int fd = path_open_in(eng->root_fd, path, O_RDONLY | O_DIRECTORY, 0, NULL);

	if (fd < 0 && fd != -EACCES)
		return 0;
	uint64_t size = fd < 0 ? 0 : tree_size(fd, 0, &partly);
	/* What belongs to subordinate ids may be closed to this process: then what the blocks say.
	 */
	if ((partly || fd < 0) && eng->rootless && engine_store(eng, NULL) == 0) {
		uint64_t usage = store_dir_usage(&eng->store, path);
		return usage > size ? usage : size;
	}
	return size;
}

uint64_t df_container_size(struct engine *eng, const char *id)
{
	cleanup_free char *path = xasprintf("containers/%s/upper", id);

	return df_tree_size(eng, path);
}

static int read_containers(struct engine *eng, struct engine_df *df, struct err *err)
{
	const struct containers_query all = { .all = true };
	cleanup_record_list struct record_list records = { 0 };
	int r = containers_query(eng, &all, &records, err);

	if (r < 0)
		return r;
	df->containers = xcalloc(records.n + 1, sizeof(*df->containers));
	for (size_t i = 0; i < records.n; i++) {
		struct df_container *c = &df->containers[df->n_containers++];

		c->record = records.items[i];
		records.items[i] = (struct record){ 0 };
		c->size = df_container_size(eng, c->record.id);
		df->containers_size += c->size;
		df->containers_active += c->record.running;
		df->containers_reclaimable += c->record.running ? 0 : c->size;
	}
	return 0;
}

static int read_volumes(struct engine *eng, struct engine_df *df, struct err *err)
{
	cleanup_volume_list struct volume_list volumes = { 0 };
	int r = volumes_list(eng, &volumes, err);

	if (r < 0)
		return r;
	df->volumes = xcalloc(volumes.n + 1, sizeof(*df->volumes));
	for (size_t i = 0; i < volumes.n; i++) {
		struct df_volume *v = &df->volumes[df->n_volumes++];

		v->volume = volumes.items[i];
		volumes.items[i] = (struct volume){ 0 };
		v->size = volume_size(eng, &v->volume);
		df->volumes_size += v->size;
		df->volumes_active += v->volume.uses > 0;
		df->volumes_reclaimable += v->volume.uses ? 0 : v->size;
	}
	return 0;
}

static int read_images(struct engine *eng, struct engine_df *df, struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	int r = images_list_brief(eng, NULL, true, &rows, err);

	if (r < 0)
		return r;
	df->images = xcalloc(rows.n + 1, sizeof(*df->images));
	for (size_t i = 0; i < rows.n; i++) {
		struct df_image *image = &df->images[df->n_images++];

		image->row = rows.items[i];
		rows.items[i] = (struct image_row){ 0 };
		for (size_t j = 0; j < df->n_containers; j++)
			image->containers += str_eq(df->containers[j].record.image, image->row.id);
		df->images_active += image->containers > 0;
	}
	return 0;
}

/* What images need of that kind, each once, and how much of it those of containers do. */
static int read_sizes(struct engine *eng, const char *kind, struct df_sizes *ret, struct err *err)
{
	static const char sql[] =
	    "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(used), 0),"
	    " coalesce(sum(iif(used, size, 0)), 0) FROM"
	    " (SELECT max(size) AS size, max(image IN (SELECT image FROM containers)) AS used"
	    " FROM content WHERE kind = ? GROUP BY digest)";
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, sql, "s", kind);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r <= 0)
		return r;
	ret->n = (size_t)db_column_i64(stmt, 0);
	ret->size = (uint64_t)db_column_i64(stmt, 1);
	ret->active = (size_t)db_column_i64(stmt, 2);
	ret->reclaimable = ret->size - (uint64_t)db_column_i64(stmt, 3);
	return 0;
}

/* Shared and unique bytes of each image. */
static int read_sharing(struct engine *eng, struct engine_df *df, struct err *err)
{
	static const char sql[] = "SELECT c.image, c.size, (SELECT count(*) FROM content d WHERE"
				  " d.kind = 'layer' AND d.digest = c.digest)"
				  " FROM content c WHERE c.kind = 'layer' ORDER BY c.image";
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	struct df_image *image = NULL;
	int r = db_query(eng->db, &stmt, err, sql, "");

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *id = db_column_str(stmt, 0);
		uint64_t size = (uint64_t)db_column_i64(stmt, 1);

		for (size_t i = 0; (!image || !str_eq(image->row.id, id)) && i < df->n_images; i++)
			if (str_eq(df->images[i].row.id, id))
				image = &df->images[i];
		if (!image || !str_eq(image->row.id, id))
			continue; /* it came a moment ago */
		if (db_column_i64(stmt, 2) > 1)
			image->shared += size;
		else
			image->unique += size;
	}
	return r;
}

static void read_mapped(struct engine *eng, struct engine_df *df)
{
	mapped_find(&eng->store, &df->mapped);
	df->mapping = xcalloc(df->mapped.n + 1, sizeof(*df->mapping));
	for (size_t i = 0; i < df->mapped.n; i++) {
		const struct mapped_item *item = &df->mapped.items[i];
		struct df_mapping *m = &df->mapping[i];

		m->item = item;
		for (size_t k = 0; item->text && k < df->n_containers; k++)
			m->containers +=
			    str_eq(df->containers[k].record.options.mapping, item->text);
		df->mappings.n++;
		df->mappings.size += item->size;
		df->mappings.active += m->containers > 0;
		df->mappings.reclaimable += m->containers ? 0 : item->size;
	}
}

int engine_df(struct engine *eng, struct engine_df *ret, struct err *err)
{
	cleanup_df struct engine_df df = { 0 };
	int r;

	r = engine_dirs(eng, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = images_fill_content(eng, err);
	if (r == 0)
		r = read_containers(eng, &df, err);
	if (r == 0)
		r = read_volumes(eng, &df, err);
	if (r == 0)
		r = read_images(eng, &df, err);
	if (r == 0)
		r = read_sharing(eng, &df, err);
	if (r == 0)
		r = read_sizes(eng, "layer", &df.layers, err);
	if (r == 0)
		r = read_sizes(eng, "blob", &df.blobs, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r < 0)
		return r;
	image_partials(&eng->store, &df.partials);
	read_mapped(eng, &df);
	*ret = df;
	df = (struct engine_df){ 0 };
	return 0;
}
