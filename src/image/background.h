/* SPDX-License-Identifier: Apache-2.0 */
/* Work on the store that no command waits for. */
#pragma once

#include "image/image.h"

/* A copy of this process that goes on when this one has ended: 0 in there, with no fd but the
 * store's directory, and /dev/null where the standard streams were; it must call _exit(). Else its
 * pid, or -errno. */
pid_t background_start(struct image_store *store);
