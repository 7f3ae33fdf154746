/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: small texts that containers get as files or variables and that no image and no listing
 * shows. They are in the database, which is for its owner only. A container has a copy of its own,
 * made when it is created: beside its config.json, or for variables in there; both are for the
 * owner only, too. Whoever shows or takes over variables asks secret_hide().
 */
#pragma once

#include "engine/engine.h"
#include "engine/parse.h"

#define SECRET_BYTES_MAX 511999u /* podman's */
#define SECRET_ID_LEN    25

struct secret {
	char *id, *name;
	int64_t created_ns, updated_ns;
	struct json_map labels;
};
void secret_done(struct secret *s);
#define cleanup_secret CLEANUP(secret_done)

struct secret_list {
	struct secret *items;
	size_t n;
};
void secret_list_done(struct secret_list *list);
#define cleanup_secret_list CLEANUP(secret_list_done)

/* s->name and labels are given; the id is filled in. ERR_EXISTS: the name is in use, unless it is
 * replaced. */
int secret_create(struct engine *eng, struct secret *s, const struct buf *data, bool replace,
		  struct err *err);
/* All, by name. */
int secret_list(struct engine *eng, struct secret_list *ret, struct err *err);
/* By name, id or unambiguous beginning of an id. ERR_NOT_FOUND. */
int secret_find(struct engine *eng, const char *word, struct secret *ret, struct err *err);
int secret_data(struct engine *eng, const char *id, struct buf *out, struct err *err);
int secret_remove(struct engine *eng, const char *id, struct err *err);

/* Of a container that is made: NAME=VALUE of one that is a variable. */
int secret_env_add(struct engine *eng, const struct secret_request *q, char ***env,
		   struct err *err);
/* Each other one's file is in directory "secrets" of the bundle, named by
 * its number. ids: who the container's users are out here; NULL: the same. */
struct idmap;
int secrets_write(struct engine *eng, int bundle_fd, const struct secret_request *items, size_t n,
		  const struct idmap *uids, const struct idmap *gids, struct err *err);
