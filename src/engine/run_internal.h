/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one `inro run` or `create`, shared by run.c (the sequence) and its inputs:
 * run_image.c, run_mappings.c, run_mounts.c, run_users.c, and run_prepare.c (all else). */
#pragma once

#include "engine/cdi.h"
#include "engine/devices.h"
#include "engine/images.h"
#include "engine/join.h"
#include "engine/launch.h"
#include "engine/networks.h"
#include "engine/life.h"
#include "engine/run.h"
#include "engine/spec.h"
#include "net/netspec.h"

struct pod_member;

struct run {
	struct engine *eng;
	const struct run_options *opts;
	char *const *args;            /* behind the image */
	const struct pod_member *pod; /* opts are merged with its pod's; NULL: no pod */
	struct record rec;
	struct image_row image;
	bool host_image;
	struct oci_image_config config;

	/* What the spec is made from. */
	char **env, **host_env, **secret_env;
	struct mount_request *mounts;
	size_t n_mounts;
	struct secret_request *secrets;
	size_t n_secrets;
	struct device_list devices;
	struct cdi_changes cdi;
	struct joins joins;
	struct netspec *nets; /* asked for: its own, not its pod's */
	struct network *networks;
	size_t n_nets;
	struct idmap uids, gids;
	char *keep_user; /* of --userns keep-id; NULL: none */
	struct user_result user;
	struct json_u32s groups;
	struct spec_seccomp seccomp;
	struct spec_input in;
	char host_name[65];
	char *bundle, *init_path;

	struct launch launch;

	int cid_fd;      /* --cidfile */
	bool create;     /* and no more */
	bool begun;      /* run directory exists */
	bool recorded;   /* the record exists */
	bool incomplete; /* it failed for what the store lacks of the image */
};

/* Everything that can be checked before the container has an id. */
int run_check(struct run *run, struct err *err);
int run_find_image(struct run *run, const char *word, struct err *err);
/* After a failure r for what the store lacks of the image: gets that from where it came from. 0:
 * another try is worth it. */
int run_fetch_again(struct run *run, int r, struct err *err);
int run_parse(struct run *run, struct err *err);
/* run_ports.c: the words of published ports; and, with the image known, what of that the container
 * can have and its record says. */
int run_check_ports(const struct run *run, struct err *err);
/* Of a pod's: can they be published, by this user? */
int run_check_publish(struct engine *eng, const struct run_options *o, struct err *err);
int run_ports(struct run *run, struct err *err);
/* For those with MOUNT_O. */
int run_overlays(struct run *run, struct err *err);
/* A new directory, opened. bundle: for messages. */
int run_make_dir(int dirfd, const char *name, mode_t mode, const char *bundle, struct err *err);
/* In a user namespace of root's making, the container's root is another one than ours: true. */
bool run_container_root(const struct run *run, uid_t *ret_uid, gid_t *ret_gid);
/* Parts of that. */
int run_mappings(struct run *run, struct err *err);
int run_mounts(struct run *run, struct err *err);
int run_path_from_cwd(const char *path, char **ret, struct err *err);
/* run_networks.c: the words of --network, or instead of none the default's, and of "private" the
 * network that it means. one: where that word is. */
int network_choose(struct engine *eng, char **words, char *one[2], char ***ret, struct err *err);
/* The words of --network and what goes with them, checked; the networks of those
 * names; and in the transaction of the record, what it asks of them. */
int run_networks_check(struct run *run, struct err *err);
/* --ip and the like, added to what --network says. */
int networks_words(const struct run_options *o, struct netspec *list, size_t n, struct err *err);
int run_networks_find(struct run *run, struct err *err);
/* The same of a pod's. The caller frees the list, also after a failure. */
int networks_find(struct engine *eng, const struct netspec *nets, size_t n, struct network **ret,
		  struct err *err);
void networks_free(struct network *list, size_t n);
/* Have ports of a container on all of these to be published? */
int networks_check_ports(const struct network *list, size_t n, struct err *err);
/* reserve: it does not run yet. */
int networks_store(struct engine *eng, char *owner, const struct netspec *nets,
		   const struct network *networks, size_t n, bool reserve, struct err *err);
/* This machine's address on the first of them that has one; "": none has. */
void run_networks_gateway(const struct run *run, char ret[NET_ADDR_TEXT]);
int run_networks_store(struct run *run, struct err *err);
/* run_policy.c: --firewall and --egress, with the networks known. */
int run_policy(struct run *run, struct err *err);
/* With the layers open: who it runs as, and a layer of its own where the image does not know the
 * user. */
int run_users(struct run *run, struct err *err);
/* That, and all else: then the spec input is whole. */
int run_finish_input(struct run *run, struct err *err);
void run_input_done(struct run *run);
