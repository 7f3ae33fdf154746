/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inro auto-update`: services whose containers run an image that has been replaced are restarted,
 * so that they run the new one. Containers say by labels what they want, as podman's do:
 *
 *   io.containers.autoupdate=registry    the image's name is asked for at its registry
 *   io.containers.autoupdate=local       what the name stands for here
 *   PODMAN_SYSTEMD_UNIT=NAME             the service that runs it
 *
 * A service that can't be started with the new image gets the old one back: the name leads there
 * again, until the next update.
 */
#pragma once

#include "engine/record.h"
#include "engine/registries.h"

#define AUTO_UPDATE_LABEL "io.containers.autoupdate"
#define AUTO_UPDATE_UNIT  "PODMAN_SYSTEMD_UNIT"

enum auto_update_state {
	AUTO_UPDATE_NO,
	AUTO_UPDATE_DONE,
	AUTO_UPDATE_PENDING,
	AUTO_UPDATE_FAILED,
	AUTO_UPDATE_ROLLED_BACK,
};
extern const char *const auto_update_state_names[]; /* podman's words */

/* One container. */
struct auto_update {
	struct record rec;
	const char *unit, *policy;
	int state; /* enum auto_update_state */
};
struct auto_updates {
	struct auto_update *items;
	size_t n;
};
void auto_updates_done(struct auto_updates *u);
#define cleanup_auto_updates CLEANUP(auto_updates_done)

struct auto_update_options {
	bool dry_run, no_rollback;
	struct registry_access access;
	/* Told of what went wrong with one container, image or service; the rest goes on. */
	void (*failed)(const struct err *err);
};
/* The number of failures, or -errno when nothing was begun. */
int engine_auto_update(struct engine *eng, const struct auto_update_options *opts,
		       struct auto_updates *ret, struct err *err);
