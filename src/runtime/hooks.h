/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: programs that get the container's state on stdin (runtime-spec config.md, "POSIX-platform
 * Hooks"). They run in the namespaces of the caller, one after the other. */
#pragma once

#include "runtime/container.h"

/* The first failure ends the list and is the error: kind names the list ("createRuntime"). The
 * state is passed with this status. A signal at cancel_fd (runtime/cancel.h) kills the hook. */
int hooks_run(const char *kind, const spec_hook_list *hooks, const struct container_state *state,
	      enum container_status status, int cancel_fd, struct err *err);
/* Runs all; failures are warnings (poststop). */
void hooks_run_all(const char *kind, const spec_hook_list *hooks,
		   const struct container_state *state, enum container_status status,
		   int cancel_fd);

/* Those that run after create, kept in state.json: a later change of the bundle has no effect. */
struct hooks_saved {
	spec_hook_list poststart, poststop;
};
char *hooks_save(const struct spec_hooks *hooks); /* JSON text, NULL: there are none */
int hooks_load(const char *text, struct hooks_saved *ret, struct err *err); /* text may be NULL */
void hooks_saved_done(struct hooks_saved *saved);
