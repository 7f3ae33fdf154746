/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that users of docker and podman know, refused by name with the reason and what to use.
 */
#pragma once

#include "base/opt.h"

extern const struct cmd_refused cmd_refusals[];
