/* SPDX-License-Identifier: Apache-2.0 */
/* The service gives up all that passing bytes on does not take; behind the helper's start. */
#pragma once

#include <sys/socket.h>

#include "base/err.h"

int confine_service(struct err *err);
