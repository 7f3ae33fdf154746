/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of one invocation: where its state is, and the database and image store, which are
 * opened when first needed. State is shared with other inro processes of the same user at any time;
 * nothing in this struct is authoritative, the database and the lock files are.
 *
 *   <root>     /var/lib/inro, rootless $XDG_DATA_HOME/inro (default ~/.local/share/inro)
 *   <runroot>  /run/inro, rootless $XDG_RUNTIME_DIR/inro (fallback /tmp/inro-UID, checked)
 */
#pragma once

#include "image/image.h"
#include "runtime/container.h"

struct config;
struct db;
struct net_rootless;

struct engine {
	char *root, *runroot;
	char *self_path;               /* this program's own file, for the clean-up role */
	char *config_file;             /* --config, read instead of all others; or NULL */
	struct config *config;         /* NULL until config_get() */
	int root_fd;                   /* O_DIRECTORY, -EBADF until engine_dirs() */
	int containers_fd;             /* <root>/containers */
	int run_fd;                    /* <runroot>/containers */
	int net_fd;                    /* <runroot>/net, -EBADF until engine_net() */
	struct net_rootless *networks; /* NULL until network_place() */
	bool rootless, debug;
	bool unshared; /* in a mount namespace of engine_unshare() */
	struct db *db; /* NULL until engine_db() */
	struct image_store store;
	bool store_open;
	struct runtime runtime;
};
#define ENGINE_INIT                                                                                \
	{                                                                                          \
		.root_fd = -EBADF, .containers_fd = -EBADF, .run_fd = -EBADF, .net_fd = -EBADF     \
	}

/* Decides the paths; opens nothing. root and runroot NULL: INRO_ROOT, INRO_RUNROOT, the default. */
int engine_init(struct engine *eng, const char *root, const char *runroot, struct err *err);
void engine_done(struct engine *eng);

/* A directory that we have just made is this process's group's, and so will be what comes into it,
 * also below one with the set-group-ID bit: a user namespace has not got the group of that. */
void engine_own_group(int dir, mode_t mode);
/* Makes and opens the directories. Idempotent, like the next three. */
int engine_dirs(struct engine *eng, struct err *err);
int engine_db(struct engine *eng, struct err *err);
int engine_store(struct engine *eng, struct err *err);
int engine_net(struct engine *eng, struct err *err);
/* The store whose networks <runroot>/net has, if it is another one that is there: --root was given
 * without --runroot. Else NULL. Behind engine_net() and engine_dirs(); the caller frees. */
char *engine_net_other(struct engine *eng);
/* Before anything of networks comes into the kernel: the firewall's table, names and inro-net are
 * one store's, the first that asks. ERR_CONFLICT: another one's, as above. */
int engine_net_own(struct engine *eng, struct err *err);
/* They are, as a container of it has been on one. */
bool engine_net_is_own(struct engine *eng);

/* Can this machine limit memory and swap together? */
bool engine_limits_swap(void);

/* Path of one of our programs: beside this program, else in libexec. The caller frees. */
int engine_program(const struct engine *eng, const char *name, char **ret, struct err *err);
