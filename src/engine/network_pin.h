/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's network namespace, mounted in <runroot>/net/netns for as long as something in it
 * has to be taken out by name at its end, when nobody is in it any more, and after a kill: by CNI's
 * plugins, and interfaces of the host's. Root's alone.
 */
#pragma once

#include "engine/engine.h"

/* It may be pinned already; another one of that id is not any more then. */
int net_pin(struct engine *eng, const char *id, int netns, struct err *err);
/* There may be none. */
void net_unpin(struct engine *eng, const char *id);
/* Where it is, or would be. The caller frees. */
char *net_pin_path(const struct engine *eng, const char *id);
/* The namespace. fd, or -ENOENT: there is none. */
int net_pin_open(struct engine *eng, const char *id);

/* <runroot>/net/NAME, made if it isn't there; a directory that can be listed. fd or -errno. */
int net_state_dir(struct engine *eng, const char *name, struct err *err);
/* Is it there? Nothing is made. */
bool net_state_is_there(struct engine *eng, const char *name);
