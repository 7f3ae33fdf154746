/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One health probe: a process of its own, made by the monitor, that finds out what is due, makes
 * the probe, keeps its answer in the run directory, and says what came of it. Commands run by the
 * runtime's exec; what needs no process in the container (a connection, a look at a file) is done
 * by a further process that joins the container's namespaces without executing anything, has no
 * rights left by then, and few system calls. Whatever the container does, it takes no longer than
 * the probe's timeout and a few seconds.
 */
#pragma once

#include "monitor/monitor.h"

/* What a probe says through its pipe, in one write. */
struct probe_report {
	int32_t result;   /* enum monitor_probed */
	uint32_t next_ms; /* until the next one; 0: none but when somebody asks */
};

/* Never returns. out: the pipe. Goes on as inro when something is to be done or told. */
void probe_main(struct monitor *m, int out) __attribute__((noreturn));

/* The process inside. Writes text about the answer to out; exits with 0 or 1. It has no
 * clock: who made it ends it. */
void probe_inside_main(const struct container *container, char *const *test, int out)
    __attribute__((noreturn));
