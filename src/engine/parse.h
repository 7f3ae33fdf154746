/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small languages of run's options. Pure: text in, struct out; errors say which option and what
 * was expected. Semantics are docker's unless a comment says otherwise.
 */
#pragma once

#include "oci/spec.h"
#include "sys/idmap.h"

/* --env-file: lines NAME=value, NAME (taken from env, left out when it is not there), # comments.
 * Values are literal, no quotes. Appends to *out. */
int env_file_parse(const char *text, size_t len, const char *path, char *const *env, char ***out,
		   struct err *err);
/* -e: NAME=value, or NAME alone from env, or all of NAME* there. */
int env_word_parse(const char *word, char *const *env, char ***out, struct err *err);

/* --env-merge: NAME=value with $OTHER or ${OTHER} of env in it; what is not there is empty. */
int env_merge_parse(const char *word, char *const *env, char **ret, struct err *err);

/* --pid, --ipc, --uts, --cgroupns, --userns, --network: absent or "private", "host",
 * "container:NAME", "ns:/PATH". */
enum ns_word_mode { NS_WORD_OWN, NS_WORD_HOST, NS_WORD_CONTAINER, NS_WORD_PATH };
struct ns_word {
	enum ns_word_mode mode;
	const char *arg; /* into value: the name or path */
};
int ns_word_parse(const char *option, const char *value, struct ns_word *ret, struct err *err);

/* --uidmap, --gidmap: "INSIDE:OUTSIDE:COUNT", or without COUNT for one id; added to map. */
int id_map_parse(const char *option, const char *text, struct idmap *map, struct err *err);
/* --userns keep-id[:uid=U,gid=G,size=N]: 1; 0: another word; or -errno. */
struct keep_id {
	struct opt_u64 uid, gid; /* not set: the caller's own */
	uint32_t size;           /* of the subordinate ids, so many at most; 0: all */
};
int keep_id_parse(const char *text, struct keep_id *ret, struct err *err);
/* --userns auto[:size=N]: 1, *ret_size is N or ids_max; 0: another word; or -errno. */
int userns_auto_parse(const char *text, uint32_t ids_max, uint32_t *ret_size, struct err *err);

/* Records have the numbers. MOUNT_GLOB is no mount yet: mount_glob(). */
enum mount_kind {
	MOUNT_BIND,
	MOUNT_TMPFS,
	MOUNT_VOLUME,
	MOUNT_DEVPTS,
	MOUNT_IMAGE,
	MOUNT_RAMFS,
	MOUNT_GLOB
};
extern const char *const mount_kind_names[];
struct mount_request {
	enum mount_kind kind;
	char *source;     /* MOUNT_BIND: absolute, or "./..."; MOUNT_VOLUME: its name, or NULL: an
			     anonymous one; MOUNT_IMAGE: the image's name, or its id;
			     MOUNT_GLOB: a pattern */
	char *target;     /* absolute, clean; MOUNT_GLOB: the directory of the targets, or NULL */
	char **options;   /* for the spec: "ro", "rprivate", "size=..."; MOUNT_O */
	char *mode;       /* the options of -v as given, or NULL */
	bool make_source; /* -v makes a missing host directory, --mount does not */
	bool readonly;
	bool chown;      /* MOUNT_TMPFS: it belongs to the container's user */
	bool nocopy;     /* what the image has there does not go into the volume */
	bool idmap;      /* files have the owner in the container that they have outside */
	bool anonymous;  /* it got a name, and goes with the container */
	char *subpath;   /* MOUNT_VOLUME, _IMAGE: below it, relative, clean; NULL: all of it */
	char *host_path; /* MOUNT_VOLUME: where its files are; NULL: it is a tmpfs. MOUNT_IMAGE:
			    its topmost layer */
	/* Of a volume that is made for it. */
	struct json_map labels, driver_opts;
};
/* Among the options: what is written stays out of the source, in a directory of the container's, or
 * in that of "upperdir=" with "workdir=". */
#define MOUNT_O "O"
/* And that all in the source becomes the container's user's. */
#define MOUNT_U "U"
void mount_request_done(struct mount_request *m);
#define cleanup_mount_request CLEANUP(mount_request_done)

/* "SOURCE:TARGET[:OPTION,...]" of -v; SOURCE is a path with a slash or dot in front, or a volume's
 * name; a TARGET alone is an anonymous volume. */
int volume_parse(const char *text, struct mount_request *ret, struct err *err);
/* "type=volume,source=...,target=...,readonly" of --mount, comma-separated values (RFC 4180). */
int mount_parse(const char *text, struct mount_request *ret, struct err *err);
/* mount_glob.c: the files that a MOUNT_GLOB means, each a MOUNT_BIND; at least one. Frees: each by
 * mount_request_done(), then the list. */
int mount_glob(const struct mount_request *m, struct mount_request **ret, size_t *ret_n,
	       struct err *err);
/* "CONTAINER[:OPTION,...]" of --volumes-from. *ret_readonly: "ro". */
int volumes_from_parse(const char *text, char **ret_container, bool *ret_readonly, struct err *err);
/* docker's rule: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 254. */
int volume_name_check(const char *name, struct err *err);
/* docker's local driver: type, device, o. Kind MOUNT_VOLUME: an ordinary directory; MOUNT_BIND or
 * MOUNT_TMPFS with source and options. ERR_UNSUPPORTED for what would be mounted on the host. */
int volume_opts_parse(const struct json_map *opts, struct mount_request *ret, struct err *err);
/* Parts that the parsers share. */
int mount_set_target(struct mount_request *m, const char *target, const char *text,
		     struct err *err);
int mount_set_source(struct mount_request *m, const char *source, const char *text,
		     struct err *err);
bool mount_is_propagation(const char *word);
/* What all bind mounts begin with. propagation NULL: private. */
void mount_bind_options(struct mount_request *m, bool nonrecursive, const char *propagation);
/* "TARGET[:OPTION,...]" of --tmpfs. */
int tmpfs_parse(const char *text, struct mount_request *ret, struct err *err);

struct secret_request {
	char *source; /* its name or id */
	char *target; /* absolute, clean; the variable's name */
	bool env;     /* it is a variable, not a file */
	uint32_t uid, gid, mode;
};
void secret_request_done(struct secret_request *q);
#define cleanup_secret_request CLEANUP(secret_request_done)
/* "NAME[,target=][,uid=][,gid=][,mode=]", "NAME,type=env[,target=]", or with source=NAME of
 * --secret.
 */
int secret_parse(const char *text, struct secret_request *ret, struct err *err);
/* Takes the variables away that the words of --secret have made. */
void secret_hide(char *const *words, char **env);

/* "nofile=1024:2048", "nofile=1024", "core=unlimited" or -1. */
int ulimit_parse(const char *text, struct spec_rlimit *ret, struct err *err);

struct device_request {
	char *host, *container, *access; /* access: of r, w, m */
};
void device_request_done(struct device_request *d);
#define cleanup_device_request CLEANUP(device_request_done)
/* "HOST[:CONTAINER][:rwm]" */
int device_parse(const char *text, struct device_request *ret, struct err *err);

/* "c 10:229 rwm", "b *:* m", "a ..." of --device-cgroup-rule. */
int device_rule_parse(const char *text, struct spec_device_rule *ret, struct err *err);
/* "/dev/sda:NUMBER" of the options that limit a block device: number is a size with docker's units
 * when bytes. */
int device_number_parse(const char *option, const char *text, bool bytes, char **ret_path,
			uint64_t *ret, struct err *err);

/* "boottime=+3600", "monotonic=-1.5", seconds with up to nine decimals. Several make one struct. */
int time_offset_parse(const char *text, struct spec_time_offsets *inout, struct err *err);

/* "8080", "8000-8010", "53/udp": the ports as docker names them, "53/udp", are keys of *ports, with
 * the value {}. */
int expose_parse(const char *text, struct json_map *ports, struct err *err);

/* A signal's name with or without SIG, or its number, 1..64. */
int signal_parse(const char *text, int *ret, struct err *err);

/* "key=value" or "key" (empty value) into map; what names the option in errors. */
int label_parse(const char *text, const char *what, struct json_map *map, struct err *err);

/* "SYS_ADMIN", "cap_sys_admin", "CAP_SYS_ADMIN" -> "CAP_SYS_ADMIN" (heap). Not checked further. */
char *cap_word(const char *text);
