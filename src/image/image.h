/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store's files (design section 5): blobs/sha256/<hex> as in an OCI image layout,
 * layers/<hex of the diff id>/ unpacked, each usable as one overlay lower directory. What names and
 * images exist is in the engine's database; here are bytes. Everything an archive says is hostile:
 * it is read by the confined libexec program inro-layer, digests are checked before use, results
 * appear by rename after fsync.
 */
#pragma once

#include "oci/image.h"

struct image_room {
	bool known;
	uint64_t bytes, inodes;
};

struct image_store {
	int fd;        /* O_DIRECTORY of the store's root, /var/lib/inro */
	char *root;    /* its path, for messages and for the "host" image's mask */
	bool rootless; /* layers are unpacked in a user namespace, marks are user.overlay.* */
	int lock_fd;   /* held shared while images are added: keeps image_collect() away */
	int marker_fd; /* of image_collect_begin() */
	int cancel_fd; /* taking an archive apart ends when it becomes readable; <= 0: none */
	struct image_room keep; /* what unpacking leaves free on the disk, see layer_run.c */
	uint64_t lookups;       /* done so far for shims, which have a limit */
};
/* Opens the store, made when missing; what an interrupted command left half done is removed in the
 * background. What adds images holds the store's lock until image_store_unlock() or _done(), so
 * call that when the image's record is in the database: until then nothing of it is collected. */
int image_store_open(const char *root, bool rootless, struct image_store *ret, struct err *err);
void image_store_unlock(struct image_store *store);
/* Nothing is collected while the fd that this returns is open somewhere. */
int image_store_hold(struct image_store *store, struct err *err);
void image_store_done(struct image_store *store);

/* One file or layer that an image needs. */
struct image_content {
	enum image_content_kind { IMAGE_BLOB, IMAGE_LAYER } kind;
	char *digest;  /* of the blob, or the layer's diff id */
	uint64_t size; /* bytes of the blob, or in the files of the unpacked layer */
};

/* An image that is whole in the store: its manifest, config and layers are all there. */
struct image {
	char *manifest_digest; /* "sha256:..." */
	char *id;              /* the config's digest, as docker shows it */
	char **names;          /* full references from the archive, may be NULL */
	char **repo_digests;   /* "docker.io/library/debian@sha256:...", may be NULL */
	char **diff_ids;       /* bottom first */
	uint64_t size;         /* bytes of the unpacked layers */
	int64_t created_ns;
	char *architecture, *os, *variant;
	struct image_content *content; /* all that it consists of, each once */
	size_t n_content;
	bool made_manifest; /* by this program: a manifest from a registry is worth more */
};
void image_done(struct image *image);
/* Adds to the content what is not there yet. */
void image_add_content(struct image *image, enum image_content_kind kind, const char *digest,
		       uint64_t size);

struct image_list {
	struct image *items;
	size_t n;
};
void image_list_done(struct image_list *list);

/* docker-archive or oci-archive, plain, gzip, zstd or xz, from fd. All images in it, which must be
 * for the platform; NULL: of indexes those for this machine's. Nothing stays on failure but whole
 * blobs and layers that image_collect() removes. */
int image_load(struct image_store *store, int fd, const struct oci_platform *platform,
	       struct image_list *ret, struct err *err);
/* A root filesystem tarball becomes a one-layer image. config may carry Cmd, Env ... and
 * message/created. */
int image_import(struct image_store *store, int fd, const struct oci_image_config *config,
		 struct image *ret, struct err *err);
/* The config blob, verified against id. */
int image_read_config(struct image_store *store, const char *id, struct oci_image_config *ret,
		      struct err *err);
/* Directory fds of the layers and their shims (shim.h), topmost first, for overlayfs; at least one:
 * an image without layers gets an empty directory. *ret_fds: heap, the caller closes and frees. */
int image_open_layers(struct image_store *store, char *const *diff_ids, int **ret_fds,
		      size_t *ret_n, struct err *err);
/* Gives a container's new upper directory the owner, mode and times that "/" has in the image:
 * overlayfs shows those of the upper one. */
int image_init_upper(struct image_store *store, char *const *diff_ids, int upper_fd,
		     struct err *err);
/* The built-in image "host": the machine's "/" as the one lower layer. ERR_UNSUPPORTED when
 * rootless: overlayfs refuses a lower directory with mounts below it that a user namespace locks.
 */
int image_open_host(struct image_store *store, int **ret_fds, size_t *ret_n, struct err *err);
/* Fills the new, empty upper directory of a container of "host" so that it hides what is no
 * business of a container: /root, /home, /run, /tmp, /var/tmp, password hashes, host keys, inro's
 * own state. It is not a lower layer because overlayfs takes no lower layer that lies inside
 * another one (the store is below "/"); an upper one may. */
int image_mask_host(struct image_store *store, int upper_fd, struct err *err);
/* What has been added is in the store, but perhaps not on the disk: writes it there, in the
 * background when that is more than a little, unless told to wait: what can't be had again must be
 * there when its command ends. A power cut before it has ended makes these images incomplete, not
 * corrupt. */
int image_store_sync(struct image_store *store, uint64_t added_bytes, bool wait, struct err *err);

/* What the image with that manifest, config (id) and layers consists of, added to ret's content.
 * Is the manifest missing or corrupt, then what is known without it, and a warning. */
int image_read_content(struct image_store *store, const char *manifest_digest, const char *id,
		       char *const *diff_ids, struct image *ret, struct err *err);

/* Takes the store's lock to collect: 1, or 0 when images are being added, or collected, just now.
 * Then whoever does that is to collect, see image_collect_wanted(). */
int image_collect_begin(struct image_store *store, struct err *err);
/* What images need: digests of blobs and diff ids, sorted; and the layers of each, bottom first,
 * with commas between them. NULL-terminated. */
struct image_keep {
	char *const *blobs, *const *diff_ids, *const *stacks;
};
/* Removes blobs, layers and shims that are for nothing of this, and gives the lock back. */
int image_collect(struct image_store *store, const struct image_keep *keep, uint64_t *ret_freed,
		  struct err *err);
/* Downloads that were broken off, and how many bytes they take. active: being downloaded now. */
struct image_partials {
	size_t n, active;
	uint64_t size, active_size;
};
void image_partials(const struct image_store *store, struct image_partials *ret);
/* Removes those that are not active. Returns the bytes freed. */
uint64_t image_partials_remove(struct image_store *store);

/* Has somebody found the store locked who wanted to collect, or been killed while collecting? To be
 * asked again after image_collect(). */
bool image_collect_wanted(struct image_store *store);
/* Removes a container's directory tree (upper files may belong to subordinate ids when rootless).
 */
int image_remove_tree(struct image_store *store, const char *rel_path, struct err *err);
