/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which proxy a host is reached through, from the environment, by the rules that docker and podman
 * have (Go's): http_proxy, https_proxy, all_proxy; no_proxy is a list of hosts (which stand for
 * what is below them, too), .domains, addresses and networks, each with an optional port; localhost
 * and loopback addresses never go through one. Pure.
 */
#pragma once

#include "image/registry/url.h"

/* The value of the variable, or NULL for a direct connection. env as environ(7), borrowed. */
const char *proxy_for(char *const *env, const struct url *url);
