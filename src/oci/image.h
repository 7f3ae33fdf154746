/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI image specification's documents (image-spec 1.1: descriptor.md, manifest.md,
 * image-index.md, config.md), Docker's image manifest version 2 schema 2 (the same shape with other
 * media types) and the manifest.json of `docker save`. Pure: bytes in, struct out.
 *
 * All of it is hostile input. Parsing refuses what a later step would have to trust: digests that
 * are malformed, sizes below zero, environment entries without a name, control characters, more
 * layers or entries than the limits below. Nothing is ever completed from the host's environment
 * (CVE-2026-57231). A struct that a parse function filled belongs to the caller: call its _done().
 */
#pragma once

#include "base/json.h"

#define OCI_BLOB_MAX      (4u << 20) /* bytes of a config, manifest, index or manifest.json */
#define OCI_LAYERS_MAX    512
#define OCI_MANIFESTS_MAX 4096         /* entries of an index or of manifest.json */
#define OCI_ENV_MAX       4096         /* entries */
#define OCI_ARGS_MAX      4096         /* entries of Entrypoint, Cmd, Shell, Healthcheck.Test */
#define OCI_KEYS_MAX      4096         /* ExposedPorts, Volumes, Labels, annotations */
#define OCI_STRING_MAX    (128u << 10) /* one env entry, argument, label */

#define OCI_MEDIA_INDEX         "application/vnd.oci.image.index.v1+json"
#define OCI_MEDIA_MANIFEST      "application/vnd.oci.image.manifest.v1+json"
#define OCI_MEDIA_CONFIG        "application/vnd.oci.image.config.v1+json"
#define OCI_MEDIA_LAYER         "application/vnd.oci.image.layer.v1.tar"
#define OCI_MEDIA_LAYER_GZIP    "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_MEDIA_LAYER_ZSTD    "application/vnd.oci.image.layer.v1.tar+zstd"
#define OCI_MEDIA_LAYER_XZ      "application/vnd.oci.image.layer.v1.tar+xz" /* of docker-archives */
#define DOCKER_MEDIA_INDEX      "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MEDIA_MANIFEST   "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_MEDIA_CONFIG     "application/vnd.docker.container.image.v1+json"
#define DOCKER_MEDIA_LAYER      "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_MEDIA_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define DOCKER_MEDIA_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"
/* Foreign layers: not to be handed on; their owner has them, and says where. */
#define OCI_MEDIA_FOREIGN         "application/vnd.oci.image.layer.nondistributable.v1.tar"
#define OCI_MEDIA_FOREIGN_GZIP    OCI_MEDIA_FOREIGN "+gzip"
#define OCI_MEDIA_FOREIGN_ZSTD    OCI_MEDIA_FOREIGN "+zstd"
#define DOCKER_MEDIA_FOREIGN      "application/vnd.docker.image.rootfs.foreign.diff.tar"
#define DOCKER_MEDIA_FOREIGN_GZIP DOCKER_MEDIA_FOREIGN ".gzip"

/* What a media type stands for, whichever project's word it is. */
enum oci_media {
	OCI_MEDIA_UNKNOWN, /* also NULL and "" */
	OCI_IS_INDEX,
	OCI_IS_MANIFEST,
	OCI_IS_CONFIG,
	OCI_IS_LAYER,   /* any compression */
	OCI_IS_FOREIGN, /* a foreign layer, any compression */
};
enum oci_media oci_media_kind(const char *media_type);

/* One key of a JSON object whose values say nothing: {"8080/tcp": {}}. */
struct oci_key {
	char *key;
};
typedef JSON_LIST(struct oci_key) oci_keys;

struct oci_platform {
	char *architecture, *os, *variant, *os_version;
	char **os_features;
	char **features; /* Docker's; reserved in OCI */
};

struct oci_descriptor {
	char *media_type, *digest;
	int64_t size;
	char **urls;
	struct json_map annotations;
	char *data; /* base64, not verified */
	char *artifact_type;
	struct oci_platform *platform;
};
typedef JSON_LIST(struct oci_descriptor) oci_descriptors;

/* A document that could be read as a manifest and as an index is refused (CVE-2021-41190): the
 * members not_* catch the other kind's words and are always NULL after parsing. */
struct oci_manifest {
	int64_t schema_version; /* 2 */
	char *media_type;       /* may be NULL in OCI documents */
	char *artifact_type;
	struct oci_descriptor *config; /* never NULL after parsing */
	oci_descriptors layers;        /* bottom first */
	struct oci_descriptor *subject;
	struct json_map annotations;
	char *not_manifests;
};

struct oci_index {
	int64_t schema_version; /* 2 */
	char *media_type, *artifact_type;
	oci_descriptors manifests;
	struct oci_descriptor *subject;
	struct json_map annotations;
	char *not_config, *not_layers;
};

/* Docker's Healthcheck; times in nanoseconds, 0: inherit the default. */
struct oci_healthcheck {
	char **test; /* {"NONE"}, {"CMD", args...}, {"CMD-SHELL", command} */
	int64_t interval, timeout, start_period, start_interval;
	int64_t retries;
};

/* The execution parameters. Member names follow the JSON's. */
struct oci_config {
	char *user;
	oci_keys exposed_ports; /* "port[/tcp|udp|sctp]" */
	char **env;             /* "NAME=value", checked */
	char **entrypoint, **cmd;
	oci_keys volumes;  /* absolute paths */
	char *working_dir; /* absolute, or NULL */
	struct json_map labels;
	char *stop_signal;
	struct oci_healthcheck *healthcheck;
	bool args_escaped;
	char **shell;
	char **on_build; /* Docker's; instructions */
};

struct oci_history {
	char *created, *created_by, *author, *comment;
	bool empty_layer;
};

struct oci_rootfs {
	char *type;      /* "layers" */
	char **diff_ids; /* bottom first, each a checked digest */
};

struct oci_image_config {
	char *created; /* RFC 3339 text, or NULL */
	char *author;
	char *architecture, *os, *variant, *os_version;
	char **os_features;
	struct oci_config *config; /* NULL: no parameters */
	struct oci_rootfs *rootfs; /* never NULL after parsing */
	JSON_LIST(struct oci_history) history;
};

/* One entry of the manifest.json of a docker-archive. */
struct docker_archive_entry {
	char *config;     /* member path of the config, relative, checked: no "..", no NUL */
	char **repo_tags; /* may be NULL */
	char **layers;    /* member paths, bottom first, checked the same way */
};
struct docker_archive {
	JSON_LIST(struct docker_archive_entry) entries;
};

extern const struct json_desc oci_image_config_desc;
extern const struct json_desc oci_config_desc, oci_healthcheck_desc, oci_history_desc;
extern const struct json_desc oci_descriptor_desc;
extern const struct json_desc oci_manifest_desc;
extern const struct json_desc oci_index_desc;

/* Parse, check and limit. 0 or -errno (-EFBIG above OCI_BLOB_MAX); on failure nothing is left. */
int oci_image_config_parse(const char *text, size_t len, struct oci_image_config *ret,
			   struct err *err);
int oci_manifest_parse(const char *text, size_t len, struct oci_manifest *ret, struct err *err);
int oci_index_parse(const char *text, size_t len, struct oci_index *ret, struct err *err);
int docker_archive_parse(const char *text, size_t len, struct docker_archive *ret, struct err *err);

/* Compact JSON, appended: what is stored as a blob and hashed. */
void oci_image_config_write(const struct oci_image_config *config, struct buf *out);
void oci_manifest_write(const struct oci_manifest *manifest, struct buf *out);
void oci_index_write(const struct oci_index *index, struct buf *out);
void docker_archive_write(const struct docker_archive *archive, struct buf *out);

void oci_image_config_done(struct oci_image_config *config);
void oci_manifest_done(struct oci_manifest *manifest);
void oci_index_done(struct oci_index *index);
void docker_archive_done(struct docker_archive *archive);
#define cleanup_image_config   CLEANUP(oci_image_config_done)
#define cleanup_manifest       CLEANUP(oci_manifest_done)
#define cleanup_index          CLEANUP(oci_index_done)
#define cleanup_docker_archive CLEANUP(docker_archive_done)

/* A deep copy. 0, or -errno when *from is not as its checks want it. */
int oci_descriptor_copy(const struct oci_descriptor *from, struct oci_descriptor *ret,
			struct err *err);
void oci_descriptor_done(struct oci_descriptor *desc);
/* Is the document an index? By its media type, or when that says nothing by what it is. */
bool oci_is_index(const char *media_type, const char *text, size_t len);
/* The member with that digest, or NULL. */
struct oci_descriptor *oci_index_find(const struct oci_index *index, const char *digest);
/* Adds a member, whose memory is taken over, in the place of one with the same digest. Returns
 * where it is now. */
struct oci_descriptor *oci_index_put(struct oci_index *index, struct oci_descriptor *desc);
bool oci_index_remove(struct oci_index *index, const char *digest); /* false: there is none */
/* Sets the media type: Docker's list where that has words for all that is in it and all members
 * are Docker's, too; else OCI's index. */
void oci_index_choose_type(struct oci_index *index);

/* The platform this program was built for, in the words of GOARCH: "amd64", "arm64" + "v8". The
 * strings are static: do not free. */
struct oci_platform oci_platform_native(void);
/* Can a kernel of the native platform run it? os must be linux; an absent variant matches; on arm
 * a lower variant runs too. */
bool oci_platform_matches(const char *os, const char *architecture, const char *variant);
/* The first entry of the index that this machine can run (an entry without a platform counts when
 * there is nothing better), or NULL. */
const struct oci_descriptor *oci_index_select(const struct oci_index *index);
/* "linux/arm64/v8", "linux/arm64" or "arm64" as --platform takes it. The caller frees the fields by
 * oci_platform_done(). 0 or -EINVAL. */
int oci_platform_parse(const char *text, struct oci_platform *ret, struct err *err);
void oci_platform_done(struct oci_platform *platform);
/* Is that for the platform? A variant counts when it was asked for. want NULL:
 * oci_platform_matches(). */
bool oci_platform_fits(const struct oci_platform *want, const char *os, const char *architecture,
		       const char *variant);
/* "linux/arm64/v8"; NULL: the native one, without a variant. The caller frees. */
char *oci_platform_text(const struct oci_platform *platform);
/* The first entry for that platform; without a variant any will do. NULL: there is none. */
const struct oci_descriptor *oci_index_select_platform(const struct oci_index *index,
						       const struct oci_platform *want);
