/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container brought to life: what `run`, `start` and the clean-up role have in common. The
 * caller holds the container's lock, fills in what the monitor gets, sends, and either follows the
 * container to its end or leaves it to its monitor. Signals that are forwarded are blocked from
 * before the container starts.
 */
#pragma once

#include "engine/network_start.h"
#include "engine/supervisor.h"

struct attach;
struct image_row;

struct launch {
	struct engine *eng;
	struct record *rec;            /* borrowed */
	const char *bundle;            /* its path; borrowed */
	const struct image_row *image; /* is noted as used; or NULL; borrowed */

	/* What the monitor gets; owned. */
	int lock, control, bundle_fd, run_fd, upper, work;
	int pod_lock; /* from the choice of its pod's namespaces until it runs in them */
	const int *callers_pod_lock; /* NULL: that is taken here; borrowed */
	int *layers;
	size_t n_layers;
	uint32_t backoff_ms;
	int64_t restarts; /* as it was recorded when this began */

	bool detach;             /* nobody here attaches */
	bool hidden[2];          /* its standard output, and error, are not shown */
	bool with_stdin;         /* our standard input is the container's */
	bool no_proxy;           /* signals stay here */
	bool netns;              /* it will get a network namespace of its own, ours to make */
	bool part;               /* its service waits until it is ready: service_started() */
	bool give;               /* it starts for the first time: MONITOR_OPT_GIVE */
	const char *detach_keys; /* NULL: the default; borrowed */

	struct net_start net;
	bool joined; /* the network of its pod, which another member has made */
	struct supervisor monitor;
	int signal_fd;
	bool released; /* its end is recorded, the monitor knows */
};

void launch_init(struct launch *l, struct engine *eng, struct record *rec);
void launch_done(struct launch *l);

/* Starts the monitor, which waits; signals are blocked. */
int launch_spawn(struct launch *l, struct err *err);
/* The container's image's layers, as its record names it. */
int launch_open_layers(struct launch *l, struct err *err);
/* Sends it all: from here on the monitor creates the container. */
int launch_send(struct launch *l, struct err *err);
/* For `inro why`. */
void launch_note_failure(const struct launch *l, const struct err *why);
/* It was recorded as running and is not: its record tells so, or goes; r -ECANCELED: somebody has
 * interrupted the start of one that is there, and it is as it was. */
void launch_failed(struct launch *l, int r, const struct err *why);
/* Waits until it runs, or records why not; then, attached, for its end. Returns its exit status (0
 * when detached), or -errno. */
int launch_follow(struct launch *l, struct err *err);
/* What a session has come to: the container's exit status, 0 when the user has left it, or -errno
 * when part of its output was lost. */
int launch_status(const struct attach *attach, struct err *err);
