/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what the user asked and what the image says to an OCI runtime-spec document. Pure but for
 * capability probing: all that needs the machine (files, devices, users, mappings) was looked up
 * before and comes in by struct spec_input. The result is complete: any OCI runtime could run it
 * once its root.path holds the image's files.
 */
#pragma once

#include "engine/join.h"
#include "engine/parse.h"
#include "engine/runopts.h"
#include "oci/image.h"
#include "oci/user.h"
#include "sys/idmap.h"

struct spec_device_pair {
	struct spec_device device;
	char *host; /* its path on this machine, where it is known */
	char *access;
};

/* Where the init of --init is in the container; in args there are "--" and the command behind it.
 */
#define SPEC_INIT      "/sbin/inro-init"
#define SPEC_INIT_ARGS 2

/* In the bundle: what containers write to mounts with MOUNT_O, each in upper and work of a numbered
 * directory. */
#define OVERLAYS_DIR "overlays"
char *overlay_dir(const char *bundle, size_t number);
/* One of the user's mounts, as the last one. */
struct spec_mount_how {
	const char *overlay_dir; /* with MOUNT_O */
	bool mapped;             /* the container has a user namespace of root's making */
	uint32_t uid, gid;       /* its user, inside */
};
struct mount_request;
void spec_add_mount(struct spec *spec, const struct mount_request *m,
		    const struct spec_mount_how *how);

struct cdi_changes;

struct spec_input {
	const char *id, *bundle; /* bundle: directory with the generated /etc files */
	const struct run_options *opts;
	const struct oci_config *config; /* the image's; may be NULL */
	char *const *args;               /* behind the image's name; may be empty */
	char *const *env;                /* --env-file and -e, parsed */
	char *const *host_env;           /* of ours, what --env-host and --http-proxy hand on */
	char *const *secret_env;         /* of --secret type=env, which nobody is to see */
	const struct user_result *user;
	struct json_u32s groups;    /* --group-add; not owned */
	bool bridged;               /* it is on networks */
	const char *host_name;      /* this machine's, for --uts and --network host */
	const char *rootfs;         /* the directory that is the root itself; NULL: it is mounted */
	bool own_passwd, own_group; /* there, not in a layer: USERS_DIR of the bundle */
	const char *init_path;      /* host file of inro-init; NULL without --init */
	const struct mount_request *mounts;
	size_t n_mounts;
	const struct spec_device_pair *devices;
	size_t n_devices;
	const struct cdi_changes *cdi;   /* what their specifications ask for besides; or NULL */
	const struct idmap *uids, *gids; /* NULL: no user namespace */
	const struct joins *joins;       /* namespaces of others; NULL: none */
	bool rootless;
	bool host_mqueue;  /* this machine has a /dev/mqueue to share */
	bool selinux;      /* this machine labels its processes */
	bool swap_limits;  /* this machine can limit memory and swap together */
	uint64_t own_caps; /* what this process may hand on, when there is no user namespace */
	struct spec_seccomp *seccomp_file; /* --security-opt seccomp=FILE; taken over */
	struct spec_resources limits; /* block_io: of devices that were looked up; taken over */
};

int spec_generate(struct spec_input *in, struct spec *ret, struct err *err);

/* The parts; each fills its piece of spec. */
int spec_gen_process(struct spec_input *in, struct spec *spec, struct err *err);
int spec_gen_caps(const struct spec_input *in, uint64_t *ret, struct err *err);
int spec_gen_mounts(const struct spec_input *in, struct spec *spec, struct err *err);
/* Is it not one of those that every container has, or that the engine has made for this one? */
bool spec_mount_is_users(const struct spec_mount *m, const char *bundle);
int spec_gen_namespaces(const struct spec_input *in, struct spec *spec, struct err *err);
int spec_gen_resources(const struct spec_input *in, struct spec_linux *linux_, struct err *err);
/* What those who describe devices ask for: on top of all else. */
int spec_gen_cdi(const struct cdi_changes *cdi, struct spec *spec, struct err *err);
/* Takes away what is mounted at that place so far. */
void spec_remove_mount(struct spec *spec, const char *destination);
/* What spec_gen_resources() leaves to it. */
int spec_gen_limits(struct spec_input *in, struct spec_linux *linux_, struct err *err);
int spec_gen_security(struct spec_input *in, struct spec *spec, uint64_t caps, struct err *err);

/* The command line that results from image and options: NULL-terminated, heap; docker's rules. */
int spec_command(const struct spec_input *in, char ***ret, struct err *err);
/* Does the container have a namespace of its own, or one that it joins? */
bool spec_ns_own(const struct spec *spec, enum spec_ns type);

/* A seccomp profile in docker's or in the runtime-spec's format becomes one for the spec. caps,
 * kernel version and architecture decide about conditional rules. */
int seccomp_profile_parse(const char *text, size_t len, const char *path, uint64_t caps,
			  struct spec_seccomp *ret, struct err *err);

/* Appends a zeroed item to a JSON_LIST and gives its address. */
#define LIST_ADD(list)                                                                             \
	__extension__({                                                                            \
		(list).items = xrealloc((list).items, ((list).n + 1) * sizeof(*(list).items));     \
		memset(&(list).items[(list).n], 0, sizeof(*(list).items));                         \
		&(list).items[(list).n++];                                                         \
	})
