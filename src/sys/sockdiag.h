/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ports of TCP somebody listens at, of the kernel: sock_diag(7). It goes through sockets that
 * listen alone (0.07 ms), where /proc/PID/net/tcp takes a walk through all connections of the
 * machine (5 ms with a table of 262,144, twice). Kernels without CONFIG_INET_DIAG: -ENOENT.
 */
#pragma once

#include "sys/netlink.h"

/* However many sockets there are. */
struct sockdiag_ports {
	uint8_t bits[(UINT16_MAX + 1) / 8];
};
bool sockdiag_has(const struct sockdiag_ports *ports, uint16_t port);

/* At any address of both families. sock: of NETLINK_SOCK_DIAG, in the network namespace that is
 * meant. */
int sockdiag_listening(int sock, struct sockdiag_ports *ret, struct err *err);

/* Pure part, for tests and fuzzing: one datagram, whose ports are added. 0: more to come, 1: that
 * was the last, or -errno. */
int sockdiag_parse(const void *data, size_t len, struct sockdiag_ports *ret);
