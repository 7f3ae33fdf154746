/* SPDX-License-Identifier: Apache-2.0 */
/* What both kinds of image archive share: their members, blobs and images. */
#include "image/load.h"

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define LINKS_MAX 8

/* Equal names: the last member first, since as with tar that one counts. */
static int member_compare(const void *a, const void *b)
{
	const struct split_entry *x = *(const struct split_entry *const *)a;
	const struct split_entry *y = *(const struct split_entry *const *)b;
	int r = strcmp(x->name, y->name);

	return r != 0 ? r : (x < y) - (x > y);
}

void load_sort_members(struct load *ld)
{
	size_t n = ld->archive.entries.n, kept = 0;

	ld->members = xcalloc(n + 1, sizeof(void *));
	for (size_t i = 0; i < n; i++)
		ld->members[i] = &ld->archive.entries.items[i];
	qsort(ld->members, n, sizeof(void *), member_compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !str_eq(ld->members[i]->name, ld->members[kept - 1]->name))
			ld->members[kept++] = ld->members[i];
	ld->n_members = kept;
}

static int name_compare(const void *name, const void *member)
{
	return strcmp(name, (*(const struct split_entry *const *)member)->name);
}

static const struct split_entry *member_entry(const struct load *ld, const char *name)
{
	const struct split_entry *const *found =
	    bsearch(name, ld->members, ld->n_members, sizeof(void *), name_compare);

	return found ? *found : NULL;
}

/* docker save links equal layers: "<id>/layer.tar" -> "../<id>/layer.tar". */
static char *link_target(const struct split_entry *entry)
{
	if (entry->hardlink)
		return xstrdup(entry->hardlink);
	const char *slash = strrchr(entry->name, '/');
	cleanup_free char *dir = xstrndup(entry->name, slash ? (size_t)(slash - entry->name) : 0);
	cleanup_free char *path = entry->symlink[0] == '/'
				      ? xstrdup(entry->symlink)
				      : xasprintf("/%s/%s", dir, entry->symlink);
	cleanup_free char *clean = path_clean(path);
	return xstrdup(clean + 1);
}

const struct split_entry *load_member(const struct load *ld, const char *name)
{
	const struct split_entry *entry = member_entry(ld, name);

	for (int i = 0; entry && !entry->digest && i < LINKS_MAX; i++) {
		cleanup_free char *target = link_target(entry);
		entry = member_entry(ld, target);
	}
	return entry && entry->digest ? entry : NULL;
}

static int count_document(struct load *ld, const struct buf *text, struct err *err)
{
	ld->docs_bytes += text->len;
	if (ld->docs_bytes > LOAD_DOCS_MAX)
		return err_fail(err, ERR_LIMIT,
				"manifests and configs of more than %u bytes in one archive",
				LOAD_DOCS_MAX);
	return 0;
}

int load_read_staged(struct load *ld, const char *digest, struct buf *out, struct err *err)
{
	int r = blob_read_at(ld->staging.fd, digest, out, err);

	return r < 0 ? r : count_document(ld, out, err);
}

int load_read_member(struct load *ld, const char *name, struct buf *out, struct err *err)
{
	const struct split_entry *entry = load_member(ld, name);

	if (!entry)
		return err_fail(err, ERR_NOT_FOUND, "no %s in the archive", name);
	int r = load_read_staged(ld, entry->digest, out, err);
	return r < 0 ? err_wrap(err, r, "%s", name) : 0;
}

int load_check_blob(const struct load *ld, const struct oci_descriptor *desc, struct err *err)
{
	if (!str_starts(desc->digest, "sha256:"))
		return err_fail(err, ERR_UNSUPPORTED, "blob %s: only sha256 digests are supported",
				desc->digest);
	cleanup_free char *name = xasprintf("blobs/sha256/%s", digest_hex(desc->digest));
	const struct split_entry *entry = load_member(ld, name);
	if (!entry) {
		if (blob_exists(ld->store, desc->digest, desc->size))
			return 0;
		return err_fail(err, ERR_CORRUPT, "blob %s is not in the archive", desc->digest);
	}
	if (!str_eq(entry->digest, desc->digest))
		return err_fail(err, ERR_CORRUPT, "blob %s has other content (%s)", desc->digest,
				entry->digest);
	if (desc->size < 0 || entry->size != (uint64_t)desc->size)
		return err_fail(err, ERR_CORRUPT, "blob %s has %llu bytes instead of %lld",
				desc->digest, (unsigned long long)entry->size,
				(long long)desc->size);
	return 0;
}

int load_read_blob(struct load *ld, const struct oci_descriptor *desc, struct buf *out,
		   struct err *err)
{
	int r = load_check_blob(ld, desc, err);

	if (r < 0)
		return r;
	cleanup_free char *name = xasprintf("blobs/sha256/%s", digest_hex(desc->digest));
	if (load_member(ld, name))
		return load_read_staged(ld, desc->digest, out, err);
	r = blob_read(ld->store, desc->digest, out, err);
	return r < 0 ? r : count_document(ld, out, err);
}

static int image_check(const struct load *ld, const struct load_image *image, struct err *err)
{
	char *const *diff_ids = image->config.rootfs->diff_ids;
	size_t n = strv_len(diff_ids);

	if (n != image->manifest.layers.n)
		return err_fail(err, ERR_CORRUPT, "config %s has %zu diff ids for %zu layers",
				image->manifest.config->digest, n, image->manifest.layers.n);
	for (size_t i = 0; i < n; i++) {
		if (!str_starts(diff_ids[i], "sha256:"))
			return err_fail(err, ERR_UNSUPPORTED,
					"diff id %s: only sha256 digests are supported",
					diff_ids[i]);
	}
	return 0;
}

struct load_image *load_find_image(const struct load *ld, const char *manifest_digest)
{
	for (size_t i = 0; i < ld->n_images; i++)
		if (str_eq(ld->images[i].manifest_digest, manifest_digest))
			return &ld->images[i];
	return NULL;
}

int load_add_image(struct load *ld, struct load_image *image, struct err *err)
{
	cleanup_load_image struct load_image own = *image;
	struct load_image *known = load_find_image(ld, own.manifest_digest);

	*image = (struct load_image){ 0 };
	int r = image_check(ld, &own, err);
	if (r < 0)
		return r;
	if (known) {
		strv_extend(&known->names, own.names);
		return 0;
	}
	ld->images = xrealloc(ld->images, (ld->n_images + 1) * sizeof(*ld->images));
	ld->images[ld->n_images++] = own;
	own = (struct load_image){ 0 };
	return 0;
}

void load_add_name(char ***names, const char *name)
{
	cleanup_reference struct reference ref = { 0 };
	struct err err = ERR_INIT;
	int r = reference_parse(name, &ref, &err);

	/* What a registry calls it is not for an archive to say. */
	if (r == 0 && ref.digest && !ref.tag)
		r = err_fail(&err, ERR_INVALID, "it is a digest");
	if (r < 0) {
		cleanup_free char *shown = str_escape(name);
		log_warn("name %s in the archive left out: %s", shown, err.msg);
		return;
	}
	free(take_ptr(ref.digest));
	cleanup_free char *full = reference_format(&ref);
	if (!strv_has(*names, full))
		strv_add(names, full);
}

void load_image_done(struct load_image *image)
{
	free(take_ptr(image->manifest_digest));
	oci_manifest_done(&image->manifest);
	oci_image_config_done(&image->config);
	strv_free(take_ptr(image->names));
}
