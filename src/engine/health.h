/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks of containers (runtime/health.h): what run's options and the image ask for, the
 * state that the monitor's probes keep in the run directory, and a probe at once.
 */
#pragma once

#include "engine/record.h"
#include "engine/runopts.h"
#include "oci/image.h"
#include "runtime/health.h"
#include "runtime/monitor_proto.h"

/* Pure. *ret: heap, health_free(), or NULL: there is no check. image may be NULL. */
int health_options_parse(const struct run_options *o, const struct oci_config *image,
			 struct health **ret, struct err *err);
void health_free(struct health *h);
/* The same settings, or none both times? */
bool health_same(const struct health *a, const struct health *b);
/* Does one of the options of health checks say something? */
bool health_options_given(const struct run_options *o);

/* At a start, for whoever holds the lock: puts the settings into the run directory run_fd and the
 * times into the monitor's orders, and forgets the last run's state. */
int health_begin(const struct record *rec, int run_fd, struct monitor_start *start,
		 struct err *err);

/* The check that rec says is now that of its container, which runs. anew: its answers so far say
 * nothing about it. */
int health_change(struct engine *eng, const struct record *rec, const struct health *h, bool anew,
		  struct err *err);

/* As it is now; of a container that does not run, docker's unhealthy. */
void health_read(struct engine *eng, const struct record *rec, struct health_state *ret);
void health_state_done(struct health_state *st);
#define cleanup_health_state CLEANUP(health_state_done)
/* enum health_status, or -1: it has no check. */
int health_status_of(struct engine *eng, const struct record *rec);

/* Probes now. *ret_well: the answer; *ret_status: enum health_status after it. */
int health_run(struct engine *eng, const char *word, bool *ret_well, int *ret_status,
	       struct err *err);
/* When a container's health has changed: tells it, and does what is due, a word of
 * health_action_names. */
int health_act(struct engine *eng, const char *id, const char *status, const char *action,
	       struct err *err);
