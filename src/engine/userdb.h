/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's user, from the /etc/passwd and /etc/group of its image. They are read from the
 * layers before anything is mounted: the topmost layer that says something about the file decides,
 * as in the overlay. A file that is a link into another layer counts as absent.
 */
#pragma once

#include "oci/user.h"

/* layers: topmost first. words: --user or the image's User, and --group-add. */
int userdb_resolve(const int *layers, size_t n, const char *user, char *const *groups,
		   struct user_result *ret, struct json_u32s *ret_groups, struct err *err);
