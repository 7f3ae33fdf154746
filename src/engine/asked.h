/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container was created with: the options word for word, kept with its record from its
 * creation on (column "asked") and changed by `update`. It is what inspect shows of HostConfig, and
 * what another container like it is made from: engine_create() takes the options, with the image's
 * name and args behind it as its words. No other reader of records pays for it.
 *
 * The words mean the same anywhere and later on: paths of files are absolute, what --env-file and
 * --label-file said is in env and label, and so is the value of variables given by name alone.
 */
#pragma once

#include "engine/engine.h"
#include "engine/runopts.h"

struct asked {
	struct run_options options;
	char **args; /* behind the image */
};
void asked_done(struct asked *a);
#define cleanup_asked CLEANUP(asked_done)

int asked_parse(const char *text, size_t len, struct asked *ret, struct err *err);
/* 0; 1: it was made by an inro that did not keep them, *ret is empty; or -errno. ERR_NOT_FOUND: no
 * such container. */
int asked_read(struct engine *eng, const char *id, struct asked *ret, struct err *err);
/* What asked_parse() reads. */
void asked_text_write(const struct asked *a, struct buf *out);
int asked_set(struct engine *eng, const char *id, const struct asked *a, struct err *err);

/* For the record of a new container. env, label: all that the options and the files that they name
 * come to. Relative paths are those of the directory cwd; NULL: they are left as they are. */
void asked_write(const struct run_options *opts, char *const *env, char *const *label,
		 char *const *args, const char *cwd, struct buf *out);
/* A word of -v or of --mount that means the same in any directory. The caller frees. */
char *asked_volume(const char *word, const char *cwd);
char *asked_mount(const char *word, const char *cwd);
/* The same of --security-opt. */
char *asked_security(const char *word, const char *cwd);
