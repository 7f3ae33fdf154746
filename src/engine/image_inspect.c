/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_inspect.h"

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "image/shim.h"
#include "oci/reference.h"

static const struct json_field data_fields[] = {
	JSON_FIELD(struct inspect_driver_data, lower_dir, "LowerDir", JSON_STR),
	JSON_FIELD(struct inspect_driver_data, upper_dir, "UpperDir", JSON_STR),
};
static const struct json_desc data_desc = JSON_DESC(struct inspect_driver_data, data_fields);

static const struct json_field driver_fields[] = {
	JSON_FIELD(struct inspect_driver, data, "Data", JSON_STRUCT, .desc = &data_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct inspect_driver, name, "Name", JSON_STR, .flags = JSON_KEEP),
};
static const struct json_desc driver_desc = JSON_DESC(struct inspect_driver, driver_fields);

static const struct json_field rootfs_fields[] = {
	JSON_FIELD(struct inspect_rootfs, type, "Type", JSON_STR, .flags = JSON_KEEP),
	JSON_FIELD(struct inspect_rootfs, layers, "Layers", JSON_STRV, .flags = JSON_KEEP),
};
static const struct json_desc rootfs_desc = JSON_DESC(struct inspect_rootfs, rootfs_fields);

static const struct json_field metadata_fields[] = {
	JSON_FIELD(struct inspect_metadata, last_tag_time, "LastTagTime", JSON_STR,
		   .flags = JSON_KEEP),
};
static const struct json_desc metadata_desc = JSON_DESC(struct inspect_metadata, metadata_fields);

#define STR(member, key) JSON_FIELD(struct image_inspect, member, key, JSON_STR, .flags = JSON_KEEP)
#define STRV(member, key)                                                                          \
	JSON_FIELD(struct image_inspect, member, key, JSON_STRV, .flags = JSON_KEEP)
static const struct json_field inspect_fields[] = {
	STR(id, "Id"),
	STRV(repo_tags, "RepoTags"),
	STRV(repo_digests, "RepoDigests"),
	STR(parent, "Parent"),
	STR(comment, "Comment"),
	STR(created, "Created"),
	STR(docker_version, "DockerVersion"),
	STR(author, "Author"),
	JSON_FIELD(struct image_inspect, config, "Config", JSON_OBJ, .desc = &oci_config_desc),
	STR(architecture, "Architecture"),
	JSON_FIELD(struct image_inspect, variant, "Variant", JSON_STR),
	STR(os, "Os"),
	JSON_FIELD(struct image_inspect, os_version, "OsVersion", JSON_STR),
	JSON_FIELD(struct image_inspect, size, "Size", JSON_I64, .flags = JSON_KEEP),
	JSON_FIELD(struct image_inspect, virtual_size, "VirtualSize", JSON_I64, .flags = JSON_KEEP),
	JSON_FIELD(struct image_inspect, driver, "GraphDriver", JSON_STRUCT, .desc = &driver_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct image_inspect, rootfs, "RootFS", JSON_STRUCT, .desc = &rootfs_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct image_inspect, metadata, "Metadata", JSON_STRUCT, .desc = &metadata_desc,
		   .flags = JSON_KEEP),
	STR(digest, "Digest"),
	JSON_FIELD(struct image_inspect, labels, "Labels", JSON_MAP, .flags = JSON_KEEP),
	JSON_FIELD(struct image_inspect, annotations, "Annotations", JSON_MAP, .flags = JSON_KEEP),
	STR(manifest_type, "ManifestType"),
	STR(user, "User"),
	JSON_FIELD(struct image_inspect, history, "History", JSON_ARRAY, .desc = &oci_history_desc,
		   .flags = JSON_KEEP),
	STRV(names_history, "NamesHistory"),
	JSON_FIELD(struct image_inspect, healthcheck, "Healthcheck", JSON_OBJ,
		   .desc = &oci_healthcheck_desc),
};
const struct json_desc image_inspect_desc = JSON_DESC(struct image_inspect, inspect_fields);

void image_inspect_done(struct image_inspect *ii)
{
	json_free(&image_inspect_desc, ii);
}

/* As they are shown: "debian:latest". */
static void familiar(char *const *names, char ***ret)
{
	for (size_t i = 0; names && names[i]; i++) {
		cleanup_reference struct reference ref = { 0 };

		if (reference_parse(names[i], &ref, NULL) == 0)
			strv_take(ret, reference_familiar(&ref));
	}
}

static char *layer_dir(const struct engine *eng, const char *diff_id)
{
	const char *hex = str_after(diff_id, "sha256:");

	return xasprintf("%s/layers/%s/fs", eng->root, hex ? hex : diff_id);
}

/* The topmost layer is overlay2's upper directory, the others are below it, from the top down. */
static void fill_driver(const struct engine *eng, char *const *diff_ids, struct inspect_driver *d)
{
	cleanup_strv char **dirs = NULL;

	d->name = xstrdup("overlay2");
	for (size_t i = strv_len(diff_ids); i-- > 0;) {
		cleanup_free char *shim = shim_name(&eng->store, diff_ids, i);

		if (shim)
			strv_addf(&dirs, "%s/%s", eng->root, shim);
		strv_take(&dirs, layer_dir(eng, diff_ids[i]));
	}
	if (!dirs)
		return;
	d->data.upper_dir = xstrdup(dirs[0]);
	if (dirs[1])
		d->data.lower_dir = strv_join(dirs + 1, ":");
}

static void copy_map(const struct json_map *from, struct json_map *to)
{
	for (size_t i = 0; i < from->n; i++)
		json_map_set(to, from->items[i].key, from->items[i].value);
}

static void copy_healthcheck(const struct oci_healthcheck *from, struct image_inspect *ret)
{
	if (!from)
		return;
	ret->healthcheck = xcalloc(1, sizeof(*ret->healthcheck));
	*ret->healthcheck = *from;
	ret->healthcheck->test = strv_copy(from->test);
}

/* What the configuration says; its parts move into ret. */
static void fill_config(struct oci_image_config *config, struct image_inspect *ret)
{
	size_t n = config->history.n;

	ret->author = take_ptr(config->author);
	ret->os_version = take_ptr(config->os_version);
	ret->config = take_ptr(config->config);
	ret->history.items = take_ptr(config->history.items);
	ret->history.n = n;
	config->history.n = 0;
	if (n && ret->history.items[n - 1].comment)
		ret->comment = xstrdup(ret->history.items[n - 1].comment);
	if (config->created)
		ret->created = take_ptr(config->created);
	if (!ret->config)
		return;
	copy_map(&ret->config->labels, &ret->labels);
	copy_healthcheck(ret->config->healthcheck, ret);
	if (ret->config->user)
		ret->user = xstrdup(ret->config->user);
}

static void fill_list(const struct buf *text, struct image_inspect *ret)
{
	cleanup_index struct oci_index index = { 0 };

	if (oci_index_parse(buf_str(text), text->len, &index, NULL) < 0)
		return;
	ret->manifest_type = xstrdup(index.media_type ? index.media_type : OCI_MEDIA_INDEX);
	copy_map(&index.annotations, &ret->annotations);
}

static void fill_manifest(struct engine *eng, const struct image_row *row,
			  struct image_inspect *ret)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf text = BUF_INIT;

	/* without the manifest there is less to tell, no more */
	if (blob_read(&eng->store, row->manifest, &text, NULL) < 0)
		return;
	if (row->kind == IMAGE_KIND_LIST)
		fill_list(&text, ret);
	if (row->kind == IMAGE_KIND_LIST ||
	    oci_manifest_parse(buf_str(&text), text.len, &manifest, NULL) < 0)
		return;
	ret->manifest_type =
	    xstrdup(manifest.media_type ? manifest.media_type : OCI_MEDIA_MANIFEST);
	copy_map(&manifest.annotations, &ret->annotations);
}

static char *or_empty(const char *s)
{
	return xstrdup(s ? s : "");
}

static void fill_row(struct engine *eng, const struct image_row *row, struct image_inspect *ret)
{
	char text[TIME_RFC3339_MAX];

	ret->id = xstrdup(row->id);
	familiar(row->names, &ret->repo_tags);
	familiar(row->repo_digests, &ret->repo_digests);
	ret->names_history = strv_copy(row->names);
	ret->digest = xstrdup(row->manifest);
	ret->architecture = or_empty(row->architecture);
	ret->os = or_empty(row->os);
	ret->variant = row->variant ? xstrdup(row->variant) : NULL;
	ret->size = ret->virtual_size = (int64_t)row->size;
	ret->rootfs.type = xstrdup("layers");
	ret->rootfs.layers = strv_copy(row->diff_ids);
	ret->metadata.last_tag_time = xstrdup(time_rfc3339(row->tagged_ns, text));
	fill_driver(eng, row->diff_ids, &ret->driver);
}

/* Members that are kept when empty are written as "", not left out. */
static void fill_empty(struct image_inspect *ret, const struct image_row *row)
{
	char **members[] = { &ret->parent, &ret->comment,       &ret->docker_version,
			     &ret->author, &ret->manifest_type, &ret->user };
	char text[TIME_RFC3339_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!*members[i])
			*members[i] = xstrdup("");
	if (!ret->created)
		ret->created = xstrdup(time_rfc3339(row->created_ns, text));
}

int image_inspect(struct engine *eng, const char *word, struct image_inspect *ret, struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	cleanup_image_inspect struct image_inspect ii = { 0 };
	cleanup_image_row struct image_row row = { 0 };
	int r;

	r = images_find_whole(eng, word, &row, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r == 0 && row.kind == IMAGE_KIND_IMAGE)
		r = image_read_config(&eng->store, row.id, &config, err);
	if (r < 0)
		return r;
	fill_row(eng, &row, &ii);
	fill_config(&config, &ii);
	fill_manifest(eng, &row, &ii);
	fill_empty(&ii, &row);
	*ret = ii;
	ii = (struct image_inspect){ 0 };
	return 0;
}

/* ---- history ---- */

void image_steps_done(struct image_steps *steps)
{
	for (size_t i = 0; i < steps->n; i++) {
		free(steps->items[i].id);
		free(steps->items[i].created_by);
		free(steps->items[i].comment);
		free(steps->items[i].layer);
	}
	free(steps->items);
	*steps = (struct image_steps){ 0 };
}

uint64_t image_layer_size(struct engine *eng, const char *diff_id)
{
	struct apply_result info = { 0 };
	uint64_t size = layer_info(&eng->store, diff_id, &info, NULL) == 0 ? info.size : 0;

	json_free(&apply_result_desc, &info);
	return size;
}

static void fill_layer(struct engine *eng, const char *diff_id, struct image_step *step)
{
	step->layer = xstrdup(diff_id);
	step->size = image_layer_size(eng, diff_id);
}

static void fill_step(const struct oci_history *h, struct image_step *step)
{
	if (!h->created || time_parse_rfc3339(h->created, &step->created_ns) < 0)
		step->created_ns = 0;
	step->created_by = or_empty(h->created_by);
	step->comment = or_empty(h->comment);
}

/* Layers that the history does not tell of are steps, too. */
static void fill_steps(struct engine *eng, const struct oci_image_config *config,
		       struct image_steps *steps)
{
	char *const *layers = config->rootfs->diff_ids;
	size_t n_layers = strv_len(layers), layer = 0, told = 0, n;

	for (size_t i = 0; i < config->history.n; i++)
		told += !config->history.items[i].empty_layer;
	n = config->history.n + (n_layers > told ? n_layers - told : 0);
	steps->items = xcalloc(n + 1, sizeof(*steps->items));
	steps->n = n;
	for (size_t i = 0; i < n; i++) {
		struct image_step *step = &steps->items[n - 1 - i];
		const struct oci_history none = { 0 };
		const struct oci_history *h =
		    i < config->history.n ? &config->history.items[i] : &none;

		fill_step(h, step);
		if (!h->empty_layer && layer < n_layers)
			fill_layer(eng, layers[layer++], step);
	}
}

int image_history(struct engine *eng, const char *word, struct image_steps *ret, struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	cleanup_image_steps struct image_steps steps = { 0 };
	cleanup_image_row struct image_row row = { 0 };
	int r;

	r = images_find(eng, word, &row, err);
	if (r == 0 && row.kind != IMAGE_KIND_IMAGE)
		r = err_fail(err, ERR_UNSUPPORTED, "%s has no history: it is no image but %s", word,
			     row.kind == IMAGE_KIND_LIST ? "a list of manifests" : "an artifact");
	if (r == 0)
		r = engine_store(eng, err);
	if (r == 0)
		r = image_read_config(&eng->store, row.id, &config, err);
	if (r < 0)
		return r;
	fill_steps(eng, &config, &steps);
	if (steps.n) {
		steps.items[0].id = xstrdup(row.id);
		if (!steps.items[0].created_ns)
			steps.items[0].created_ns = row.created_ns;
	}
	*ret = steps;
	steps = (struct image_steps){ 0 };
	return 0;
}
