/* SPDX-License-Identifier: Apache-2.0 */
/* Between rootless.c and rootless_hold.c: what the maker and the holder say to each other. */
#pragma once

#include "base/err.h"

#define ROOTLESS_HOLDER_FILE "holder"
#define ROOTLESS_LOCK_FILE   "hold"

/* One byte each over a SOCK_SEQPACKET socket; a maker that dies before GO takes the holder along.
 */
enum {
	ROOTLESS_USERNS = 'u', /* holder: I am in a new user namespace */
	ROOTLESS_MAPPED = 'm', /* maker: its ids are mapped */
	ROOTLESS_NETNS = 'n',  /* holder: the network namespace is there */
	ROOTLESS_GO = 'g',     /* maker: all is set up, and you are on record */
};

/* A lock of fcntl(2) on an open file description; type as there. */
int rootless_lock(int fd, short type, bool wait);
int rootless_open_file(const char *dir, const char *name, struct err *err);
char *rootless_pasta_file(const char *dir);
