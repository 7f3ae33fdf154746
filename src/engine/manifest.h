/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inro manifest`: lists of manifests made of images that are here (engine/lists.h) or in
 * registries. A word for an image is one that is here, else one of a registry; with "docker://"
 * before it, of a registry only.
 */
#pragma once

#include "engine/lists.h"
#include "engine/push.h"

/* What the list shall say of a member; NULL: what it says is right. */
struct manifest_words {
	const char *arch, *os, *variant, *os_version;
	char *const *os_features, *const *features; /* each may hold several, with commas */
	char *const *annotations;                   /* KEY=VALUE */
};

struct manifest_options {
	bool all;                    /* all members of images that are lists */
	bool amend;                  /* the list may be there */
	char *const *annotations;    /* of the list itself, KEY=VALUE */
	const char *subject;         /* of the list itself: an image */
	struct manifest_words words; /* of the members named */
	struct registry_access access;
};

/* All give the list's id, on the heap. name: a reference without digest. */
int manifest_create(struct engine *eng, const char *name, char *const *images,
		    const struct manifest_options *options, char **ret_id, struct err *err);
int manifest_add(struct engine *eng, const char *list, char *const *images,
		 const struct manifest_options *options, char **ret_id, struct err *err);
/* image: a member by its digest or name, which manifest_remove() takes several of, all or none;
 * NULL: annotations and subject of the list. */
int manifest_annotate(struct engine *eng, const char *list, const char *image,
		      const struct manifest_options *options, char **ret_id, struct err *err);
int manifest_remove(struct engine *eng, const char *list, char *const *images,
		    const struct manifest_options *options, char **ret_id, struct err *err);

/* Appends the document: of the list that is here, else what a registry has under that name, else
 * the manifest of an image that is here. */
int manifest_read(struct engine *eng, const char *word, const struct registry_access *access,
		  struct buf *out, struct err *err);
/* The same, or of a list all members' documents, each with name, descriptor and platform. Members
 * of a list that is here stay without their document where only a registry has it. */
int manifest_read_verbose(struct engine *eng, const char *word,
			  const struct registry_access *access, struct buf *out, struct err *err);
/* What refers to it in its registry, as an index. */
int manifest_referrers(struct engine *eng, const char *word, const char *type,
		       const struct registry_access *access, struct buf *out, struct err *err);
/* A list that is here, to a registry; rm: it goes when it has been pushed. */
int manifest_push(struct engine *eng, const char *list, const struct reference *to,
		  const struct push_options *options, bool rm, struct push_result *ret,
		  struct err *err);
