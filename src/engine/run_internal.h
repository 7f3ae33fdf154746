/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one `inro run`, shared by run.c (the sequence) and run_prepare.c (its inputs). */
#pragma once

#include "engine/devices.h"
#include "engine/images.h"
#include "engine/life.h"
#include "engine/run.h"
#include "engine/spec.h"
#include "engine/supervisor.h"

struct run {
	struct engine *eng;
	const struct run_options *opts;
	char *const *args; /* behind the image */
	struct record rec;
	struct image_row image;
	bool host_image;
	struct oci_image_config config;

	/* What the spec is made from. */
	char **env;
	struct mount_request *mounts;
	size_t n_mounts;
	struct device_list devices;
	struct idmap uids, gids;
	struct user_result user;
	struct json_u32s groups;
	struct spec_seccomp seccomp;
	struct spec_input in;
	char host_name[65];
	char *bundle, *init_path;

	/* What the monitor gets. */
	int lock, bundle_fd, upper, work;
	int *layers;
	size_t n_layers;
	struct supervisor monitor;
	int signal_fd;

	bool begun;    /* run directory exists */
	bool recorded; /* the record exists */
	bool released; /* its end is recorded, the monitor knows */
};

/* Everything that can be checked before the container has an id. */
int run_check(struct run *run, struct err *err);
int run_find_image(struct run *run, const char *word, struct err *err);
int run_parse(struct run *run, struct err *err);
/* With the layers open: the user; then the spec input is whole. */
int run_finish_input(struct run *run, struct err *err);
void run_input_done(struct run *run);
