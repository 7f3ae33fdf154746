/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small languages of run's options. Pure: text in, struct out; errors say which option and what
 * was expected. Semantics are docker's unless a comment says otherwise.
 */
#pragma once

#include "oci/spec.h"

/* --env-file: lines NAME=value, NAME (taken from env, left out when it is not there), # comments.
 * Values are literal, no quotes. Appends to *out. */
int env_file_parse(const char *text, size_t len, const char *path, char *const *env, char ***out,
		   struct err *err);
/* -e: NAME=value, or NAME alone from env. */
int env_word_parse(const char *word, char *const *env, char ***out, struct err *err);

enum mount_kind { MOUNT_BIND, MOUNT_TMPFS };
struct mount_request {
	enum mount_kind kind;
	char *source;     /* MOUNT_BIND: absolute, or "./..." */
	char *target;     /* absolute, clean */
	char **options;   /* for the spec: "ro", "rprivate", "size=..." */
	bool make_source; /* -v makes a missing host directory, --mount does not */
};
void mount_request_done(struct mount_request *m);
#define cleanup_mount_request CLEANUP(mount_request_done)

/* "SOURCE:TARGET[:OPTION,...]" of -v. ERR_UNSUPPORTED for named volumes. */
int volume_parse(const char *text, struct mount_request *ret, struct err *err);
/* "type=bind,source=...,target=...,readonly" of --mount. */
int mount_parse(const char *text, struct mount_request *ret, struct err *err);
/* "TARGET[:OPTION,...]" of --tmpfs. */
int tmpfs_parse(const char *text, struct mount_request *ret, struct err *err);

/* "nofile=1024:2048", "nofile=1024", "core=unlimited" or -1. */
int ulimit_parse(const char *text, struct spec_rlimit *ret, struct err *err);

struct device_request {
	char *host, *container, *access; /* access: of r, w, m */
};
void device_request_done(struct device_request *d);
#define cleanup_device_request CLEANUP(device_request_done)
/* "HOST[:CONTAINER][:rwm]" */
int device_parse(const char *text, struct device_request *ret, struct err *err);

/* "boottime=+3600", "monotonic=-1.5", seconds with up to nine decimals. Several make one struct. */
int time_offset_parse(const char *text, struct spec_time_offsets *inout, struct err *err);

/* A signal's name with or without SIG, or its number, 1..64. */
int signal_parse(const char *text, int *ret, struct err *err);

/* "key=value" or "key" (empty value) into map; what names the option in errors. */
int label_parse(const char *text, const char *what, struct json_map *map, struct err *err);

/* "SYS_ADMIN", "cap_sys_admin", "CAP_SYS_ADMIN" -> "CAP_SYS_ADMIN" (heap). Not checked further. */
char *cap_word(const char *text);
