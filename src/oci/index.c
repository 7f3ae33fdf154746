/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes that are put together here (image-spec image-index.md). */
#include "base/str.h"
#include "oci/image.h"

int oci_descriptor_copy(const struct oci_descriptor *from, struct oci_descriptor *ret,
			struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct oci_descriptor copy = { 0 };

	json_write(&oci_descriptor_desc, from, 0, &text);
	int r =
	    json_parse(&oci_descriptor_desc, &copy, buf_str(&text), text.len, "descriptor", err);
	if (r == 0)
		*ret = copy;
	return r;
}

void oci_descriptor_done(struct oci_descriptor *desc)
{
	json_free(&oci_descriptor_desc, desc);
}

bool oci_is_index(const char *media_type, const char *text, size_t len)
{
	cleanup_index struct oci_index index = { 0 };
	enum oci_media kind = oci_media_kind(media_type);

	if (kind == OCI_IS_INDEX || kind == OCI_IS_MANIFEST)
		return kind == OCI_IS_INDEX;
	return oci_index_parse(text, len, &index, NULL) == 0;
}

struct oci_descriptor *oci_index_find(const struct oci_index *index, const char *digest)
{
	for (size_t i = 0; i < index->manifests.n; i++)
		if (str_eq(index->manifests.items[i].digest, digest))
			return &index->manifests.items[i];
	return NULL;
}

struct oci_descriptor *oci_index_put(struct oci_index *index, struct oci_descriptor *desc)
{
	struct oci_descriptor *at = oci_index_find(index, desc->digest);

	if (at) {
		oci_descriptor_done(at);
	} else {
		index->manifests.items =
		    xrealloc(index->manifests.items,
			     (index->manifests.n + 1) * sizeof(*index->manifests.items));
		at = &index->manifests.items[index->manifests.n++];
	}
	*at = *desc;
	*desc = (struct oci_descriptor){ 0 };
	return at;
}

bool oci_index_remove(struct oci_index *index, const char *digest)
{
	struct oci_descriptor *at = oci_index_find(index, digest), *items = index->manifests.items;

	if (!at)
		return false;
	oci_descriptor_done(at);
	index->manifests.n--;
	memmove(at, at + 1, (size_t)(items + index->manifests.n - at) * sizeof(*at));
	return true;
}

static bool is_plain_docker(const struct oci_descriptor *d)
{
	return str_eq(d->media_type, DOCKER_MEDIA_MANIFEST) && d->platform && !d->annotations.n &&
	       !d->artifact_type && !d->data;
}

void oci_index_choose_type(struct oci_index *index)
{
	bool docker = index->manifests.n > 0 && !index->annotations.n && !index->subject &&
		      !index->artifact_type;

	for (size_t i = 0; docker && i < index->manifests.n; i++)
		docker = is_plain_docker(&index->manifests.items[i]);
	free(index->media_type);
	index->media_type = xstrdup(docker ? DOCKER_MEDIA_INDEX : OCI_MEDIA_INDEX);
	index->schema_version = 2;
}
