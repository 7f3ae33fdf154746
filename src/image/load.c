/* SPDX-License-Identifier: Apache-2.0 */
#include "image/load.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/unpack.h"
#include "image/verified.h"
#include "oci/digest.h"

/* inro-layer has looked at the archive: digests become file names only when they are ones. */
static int archive_check(struct load *ld, struct err *err)
{
	for (size_t i = 0; i < ld->archive.entries.n; i++) {
		const struct split_entry *e = &ld->archive.entries.items[i];
		if (e->digest ? digest_valid(e->digest) && str_starts(e->digest, "sha256:")
			      : e->symlink || e->hardlink)
			continue;
		return err_fail(err, ERR_CORRUPT, "inro-layer gave no digest for %s", e->name);
	}
	load_sort_members(ld);
	return 0;
}

/* It could write to the staging directory as it liked: what later steps find there must be blobs
 * alone, no links, no layers. It has ended and left no process behind. */
static int staging_check(struct load *ld, struct err *err)
{
	struct dirent *entry;
	cleanup_fd int fd = openat(ld->staging.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!dir)
		return err_errno(err, errno, "reading staging directory");
	fd = -EBADF; /* the stream has it */
	while (r == 0 && (entry = readdir(dir))) {
		cleanup_free char *digest = xasprintf("sha256:%s", entry->d_name);
		struct stat st;
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (!digest_valid(digest) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || st.st_nlink != 1)
			r = err_fail(err, ERR_CORRUPT, "inro-layer left something that is no blob");
	}
	closedir(dir);
	return r;
}

static int images_find(struct load *ld, struct err *err)
{
	/* docker since 25 writes both; the layout says more. */
	if (load_member(ld, "index.json") && load_member(ld, "oci-layout"))
		return load_oci(ld, err);
	if (load_member(ld, "manifest.json")) {
		int r = load_docker(ld, err);
		if (r == 0 && ld->n_images == 0)
			r = err_fail(err, ERR_INVALID, "there is no image in the archive");
		return r;
	}
	int r = err_fail(err, ERR_INVALID,
			 "not an image archive: it has neither manifest.json nor index.json");
	return err_hint(err, r, "a tarball of a root filesystem is read by `inro import`");
}

static int layers_unpack(struct load *ld, struct err *err)
{
	size_t n = 0, total = 0;

	for (size_t i = 0; i < ld->n_images; i++)
		total += ld->images[i].manifest.layers.n;
	ld->layers = xcalloc(total + 1, sizeof(*ld->layers));
	for (size_t i = 0; i < ld->n_images; i++) {
		const struct load_image *image = &ld->images[i];
		for (size_t k = 0; k < image->manifest.layers.n; k++)
			ld->layers[n++] = (struct unpack_layer){
				.digest = image->manifest.layers.items[k].digest,
				.diff_id = image->config.rootfs->diff_ids[k],
				.size = (uint64_t)image->manifest.layers.items[k].size,
			};
	}
	ld->n_layers = unpack_sort(ld->layers, n);
	return unpack_layers(ld->store, &ld->staging, ld->layers, ld->n_layers, err);
}

/* Out of staging goes only what was verified since inro-layer has let go of it: blobs that were
 * unpacked, documents that were read. */
static int blob_commit(struct load *ld, const char *digest, struct err *err)
{
	return store_put_blob(ld->store, ld->staging.fd, digest_hex(digest), digest, err);
}

static int images_commit(struct load *ld, struct err *err)
{
	int r = 0;

	/* Layers before configs before manifests: who sees a manifest sees the rest. */
	for (size_t i = 0; r == 0 && i < ld->n_layers; i++)
		if (ld->layers[i].unpacked)
			r = store_add_layer(ld->store, &ld->staging, ld->layers[i].diff_id, err);
	for (size_t i = 0; r == 0 && i < ld->n_layers; i++)
		if (ld->layers[i].unpacked)
			r = blob_commit(ld, ld->layers[i].digest, err);
	for (size_t i = 0; r == 0 && i < ld->n_images; i++)
		r = blob_commit(ld, ld->images[i].manifest.config->digest, err);
	for (size_t i = 0; r == 0 && i < ld->n_images; i++)
		r = blob_commit(ld, ld->images[i].manifest_digest, err);
	return r;
}

static int images_report(struct load *ld, struct image_list *ret, struct err *err)
{
	struct image_list list = { .items = xcalloc(ld->n_images + 1, sizeof(*list.items)) };

	for (size_t i = 0; i < ld->n_images; i++) {
		struct load_image *image = &ld->images[i];
		int r = image_fill(ld->store, image->manifest_digest, &image->manifest,
				   &image->config, &list.items[i], err);
		if (r < 0) {
			image_list_done(&list);
			return r;
		}
		list.n++;
		list.items[i].names = take_ptr(image->names);
		list.items[i].made_manifest = image->made_manifest;
	}
	*ret = list;
	return 0;
}

static int load_steps(struct load *ld, int (*const *steps)(struct load *ld, struct err *err),
		      size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = steps[i](ld, err);
	return r;
}

int load_begin(struct load *ld, struct image_store *store, int fd, struct err *err)
{
	static int (*const steps[])(struct load * ld, struct err * err) = { archive_check,
									    staging_check };

	*ld = (struct load){ .store = store, .staging = STAGING_INIT };
	int r = store_lock_shared(store, err);
	if (r == 0)
		r = staging_new(store, &ld->staging, err);
	if (r == 0)
		r = layer_split(store, fd, ld->staging.fd, &ld->archive, err);
	return r < 0 ? r : load_steps(ld, steps, ARRAY_SIZE(steps), err);
}

int load_finish(struct load *ld, struct image_list *ret, struct err *err)
{
	static int (*const steps[])(struct load * ld, struct err * err) = {
		layers_unpack,
		images_commit,
	};

	int r = load_steps(ld, steps, ARRAY_SIZE(steps), err);
	return r < 0 ? r : images_report(ld, ret, err);
}

void load_done(struct load *ld)
{
	for (size_t i = 0; i < ld->n_images; i++)
		load_image_done(&ld->images[i]);
	free(ld->images);
	free(ld->layers);
	free(ld->members);
	json_free(&split_result_desc, &ld->archive);
	staging_done(ld->store, &ld->staging);
}

/* Who asks for a platform wants no other. */
static int platform_check(const struct load *ld, struct err *err)
{
	for (size_t i = 0; ld->platform && i < ld->n_images; i++) {
		const struct oci_image_config *c = &ld->images[i].config;

		if (oci_platform_fits(ld->platform, c->os, c->architecture, c->variant))
			continue;
		cleanup_free char *wanted = oci_platform_text(ld->platform);
		return err_fail(err, ERR_NOT_FOUND, "an image of the archive is for %s/%s, not %s",
				c->os ? c->os : "?", c->architecture ? c->architecture : "?",
				wanted);
	}
	return 0;
}

int image_load(struct image_store *store, int fd, const struct oci_platform *platform,
	       struct image_list *ret, struct err *err)
{
	struct load ld;

	int r = load_begin(&ld, store, fd, err);
	ld.platform = platform;
	if (r == 0)
		r = images_find(&ld, err);
	if (r == 0)
		r = platform_check(&ld, err);
	if (r == 0)
		r = load_finish(&ld, ret, err);
	load_done(&ld);
	return r < 0 ? err_wrap(err, r, "loading image") : 0;
}

/* What is in the staging directory, as members of an archive that is a layout. */
static int staged_read(struct load *ld, struct err *err)
{
	struct dirent *entry;
	cleanup_fd int fd = openat(ld->staging.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t cap = 0;

	if (!dir)
		return err_errno(err, errno, "reading staging directory");
	fd = -EBADF; /* the stream has it */
	while ((entry = readdir(dir))) {
		cleanup_free char *digest = xasprintf("sha256:%s", entry->d_name);
		struct stat st;
		if (!digest_valid(digest) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (ld->archive.entries.n == cap) {
			cap = cap ? 2 * cap : 16;
			ld->archive.entries.items = xrealloc(
			    ld->archive.entries.items, cap * sizeof(*ld->archive.entries.items));
		}
		ld->archive.entries.items[ld->archive.entries.n++] = (struct split_entry){
			.name = xasprintf("blobs/sha256/%s", entry->d_name),
			.digest = take_ptr(digest),
			.size = (uint64_t)st.st_size,
		};
	}
	closedir(dir);
	load_sort_members(ld);
	return 0;
}

static int staged_load(struct load *ld, const char *manifest, char *const *names, bool made,
		       struct image_list *ret, struct err *err)
{
	struct stat st;

	int r = store_lock_shared(ld->store, err);
	if (r == 0)
		r = staged_read(ld, err);
	if (r == 0 && fstatat(ld->staging.fd, digest_hex(manifest), &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = err_errno(err, errno, "looking for manifest %s", manifest);
	if (r < 0)
		return r;
	const struct oci_descriptor desc = { .digest = (char *)(uintptr_t)manifest,
					     .size = st.st_size };
	r = load_oci_manifest(ld, &desc, NULL, err);
	if (r < 0)
		return r;
	strv_extend(&ld->images[0].names, names);
	ld->images[0].made_manifest = made;
	return load_finish(ld, ret, err);
}

int image_load_staged(struct image_store *store, struct staging *st, const char *manifest,
		      char *const *names, bool made_manifest, struct image_list *ret,
		      struct err *err)
{
	struct load ld = { .store = store, .staging = *st };

	*st = (struct staging)STAGING_INIT;
	int r = staged_load(&ld, manifest, names, made_manifest, ret, err);
	load_done(&ld);
	return r;
}
