/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/manifest_members.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/transport.h"
#include "image/store.h"
#include "oci/digest.h"

void members_done(struct members *members)
{
	for (size_t i = 0; i < members->n; i++)
		oci_descriptor_done(&members->items[i]);
	free(members->items);
	*members = (struct members){ 0 };
}

/* Takes the descriptor's memory over. */
static void members_take(struct members *members, struct oci_descriptor *desc)
{
	members->items = xrealloc(members->items, (members->n + 1) * sizeof(*members->items));
	members->items[members->n++] = *desc;
	*desc = (struct oci_descriptor){ 0 };
}

static int members_copy(struct members *members, const struct oci_descriptor *desc, struct err *err)
{
	struct oci_descriptor copy = { 0 };
	int r = oci_descriptor_copy(desc, &copy, err);

	if (r == 0)
		members_take(members, &copy);
	return r;
}

/* ---- documents ---- */

static void add_text(struct members *members, const char *media_type, const char *digest,
		     size_t size)
{
	struct oci_descriptor desc = { .media_type = xstrdup(media_type),
				       .digest = xstrdup(digest),
				       .size = (int64_t)size };

	members_take(members, &desc);
}

static int add_index(struct members *members, const char *digest, const struct buf *text,
		     enum members_wanted wanted, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	int r = oci_index_parse(buf_str(text), text->len, &index, err);

	if (r < 0)
		return err_wrap(err, r, "index %s", digest);
	if (wanted == MEMBERS_TOP) {
		add_text(members, index.media_type ? index.media_type : OCI_MEDIA_INDEX, digest,
			 text->len);
		return 0;
	}
	if (wanted == MEMBERS_ONE) {
		const struct oci_descriptor *one = oci_index_select(&index);

		if (!one)
			return err_hint(err,
					err_fail(err, ERR_NOT_FOUND,
						 "index %s has no image for this machine", digest),
					"--all takes all of its images");
		return members_copy(members, one, err);
	}
	for (size_t i = 0; r == 0 && i < index.manifests.n; i++)
		r = members_copy(members, &index.manifests.items[i], err);
	return r;
}

/* Of the last member; the configuration's strings move. */
static void set_platform(struct members *members, struct oci_image_config *config)
{
	struct oci_platform *p;

	if (!config->os || !config->architecture)
		return;
	p = xcalloc(1, sizeof(*p));
	p->os = take_ptr(config->os);
	p->architecture = take_ptr(config->architecture);
	p->variant = take_ptr(config->variant);
	p->os_version = take_ptr(config->os_version);
	p->os_features = take_ptr(config->os_features);
	members->items[members->n - 1].platform = p;
}

/* An artifact has no platform, but says what it is. */
static void set_artifact(struct members *members, const struct oci_manifest *manifest)
{
	const char *type =
	    manifest->artifact_type ? manifest->artifact_type : manifest->config->media_type;

	if (type)
		members->items[members->n - 1].artifact_type = xstrdup(type);
}

static int add_manifest(struct members *members, const char *digest, const char *media_type,
			const struct buf *text, struct oci_manifest *manifest, struct err *err)
{
	int r = oci_manifest_parse(buf_str(text), text->len, manifest, err);

	if (r < 0)
		return err_wrap(err, r, "manifest %s", digest);
	if (manifest->media_type)
		media_type = manifest->media_type;
	else if (oci_media_kind(media_type) != OCI_IS_MANIFEST)
		media_type = OCI_MEDIA_MANIFEST;
	add_text(members, media_type, digest, text->len);
	return 0;
}

/* ---- here ---- */

static int add_row(struct engine *eng, const struct image_row *row, enum members_wanted wanted,
		   struct members *members, struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	int r = engine_store(eng, err);

	if (r == 0)
		r = blob_read(&eng->store, row->manifest, &text, err);
	if (r < 0)
		return r;
	if (row->kind == IMAGE_KIND_LIST)
		return add_index(members, row->manifest, &text, wanted, err);
	r = add_manifest(members, row->manifest, NULL, &text, &manifest, err);
	if (r == 0 && row->kind == IMAGE_KIND_ARTIFACT)
		set_artifact(members, &manifest);
	if (r < 0 || row->kind == IMAGE_KIND_ARTIFACT)
		return r;
	r = image_read_config(&eng->store, row->id, &config, err);
	if (r == 0)
		set_platform(members, &config);
	return r;
}

/* ---- in a registry ---- */

static int add_found(struct documents *docs, enum members_wanted wanted, struct members *members,
		     struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	if (oci_is_index(docs->media_type, buf_str(&docs->text), docs->text.len))
		return add_index(members, docs->digest, &docs->text, wanted, err);
	r = add_manifest(members, docs->digest, docs->media_type, &docs->text, &manifest, err);
	if (r < 0)
		return r;
	if (oci_media_kind(manifest.config->media_type) != OCI_IS_CONFIG) {
		set_artifact(members, &manifest);
		return 0;
	}
	r = documents_get(docs, REGISTRY_BLOB, manifest.config, &text, err);
	if (r == 0)
		r = oci_image_config_parse(buf_str(&text), text.len, &config, err);
	if (r == 0)
		set_platform(members, &config);
	return r;
}

/* ---- words ---- */

/* 1: it is here; 0: it is not. */
static int find_here(struct engine *eng, const char *word, struct image_row *ret, struct err *err)
{
	struct err own = ERR_INIT;
	int r;

	if (str_starts(word, "docker://"))
		return 0;
	r = images_find_whole(eng, word, ret, &own);
	if (r == 0 || own.kind == ERR_NOT_FOUND)
		return r == 0;
	if (err)
		*err = own;
	return r;
}

/* Lists are made of what is here and in registries. */
static int check_transport(const char *word, struct err *err)
{
	cleanup_transport struct transport_name name = { 0 };
	int r = transport_parse(word, &name, err);

	if (r == 0 && name.path)
		r = err_hint(
		    err,
		    err_fail(err, ERR_UNSUPPORTED,
			     "images of archives and directories are not added as they are"),
		    "`inro pull %s`, then add what it says", word);
	return r;
}

int members_find(struct documents *docs, const char *word, enum members_wanted wanted,
		 struct members *ret, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	struct err own = ERR_INIT;
	int r = find_here(docs->eng, word, &row, err);

	if (r <= 0 && check_transport(word, &own) < 0) {
		*err = own;
		r = -own.errnum;
	} else if (r > 0) {
		r = add_row(docs->eng, &row, wanted, ret, err);
	} else if (r == 0) {
		r = documents_find(docs, word, err);
		if (r == 0)
			r = add_found(docs, wanted, ret, err);
	}
	return r < 0 ? err_wrap(err, r, "%s", word) : 0;
}

static void add_row_digests(const struct image_row *row, char ***ret)
{
	strv_add(ret, row->manifest);
	for (size_t i = 0; row->repo_digests && row->repo_digests[i]; i++) {
		const char *at = strchr(row->repo_digests[i], '@');

		if (at)
			strv_add(ret, at + 1);
	}
}

int members_digests(struct documents *docs, const char *word, char ***ret, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_members struct members members = { 0 };
	cleanup_image_row struct image_row row = { 0 };
	const char *name = str_after(word, "docker://");
	int r;

	if (digest_valid(word)) {
		strv_add(ret, word);
		return 0;
	}
	if (reference_parse(name ? name : word, &ref, NULL) == 0 && ref.digest) {
		strv_add(ret, ref.digest);
		return 0;
	}
	r = find_here(docs->eng, word, &row, err);
	if (r > 0) {
		add_row_digests(&row, ret);
		return 0;
	}
	if (r == 0)
		r = documents_find(docs, word, err);
	if (r < 0)
		return err_wrap(err, r, "%s", word);
	strv_add(ret, docs->digest);
	/* a list has given one of its images, perhaps */
	if (oci_is_index(docs->media_type, buf_str(&docs->text), docs->text.len))
		add_index(&members, docs->digest, &docs->text, MEMBERS_ONE, NULL);
	for (size_t i = 0; i < members.n; i++)
		strv_add(ret, members.items[i].digest);
	return 0;
}
