/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking as a pipeline of processes, all made before the first byte is read, each behind its own
 * fence and with its own pipe to the engine:
 *   1 hash        what comes in; keeps it in the partial file
 *   2 decompress  read, write, memory: nothing else is let through
 *   3 hash        the tar: the diff id
 *   4 apply       this process; see apply.h
 * They read and write, since a page that were shared could change between hash and use.
 */
#pragma once

#include "image/layer/source.h"

/* Starts 1 to 3. plain: the input is a tar whose digest the engine knows to be the diff id: 1
 * alone. Returns the fd that the tar comes from. */
int pipeline_start(const struct source_limits *limits, bool plain, struct err *err);
/* Waits for the processes that pipeline_start() made. */
void pipeline_wait(void);
