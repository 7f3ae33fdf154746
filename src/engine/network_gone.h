/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a network leaves when its row is gone: its bridge, its part of the firewall, and the
 * directory of names. By then the removal is done: what can't be taken away is warned of. Who was
 * killed before this leaves a bridge without ports and elements that nobody has; the firewall's
 * next repair takes those away.
 */
#pragma once

#include "engine/networks.h"

void network_gone(struct engine *eng, const struct network *net);
