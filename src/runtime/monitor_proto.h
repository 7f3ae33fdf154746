/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What inro and inro-monitor say to each other over SOCK_SEQPACKET sockets: one pair, made by inro
 * and given to the monitor as fd 3, and any number of connections to the control socket
 * MONITOR_CONTROL_SOCKET in the container's run directory, which inro makes and hands over. All
 * ends are of the same build: fixed-size records, no encoding.
 *
 *   who starts it                monitor
 *   FDS (repeated)  ------>                     the fds that START counts, 16 to a message
 *   START           ------>                     creates the container in-process
 *                   <------      STARTED        with the client's ends of the stdio pipes, unless
 *                                               MONITOR_OPT_DETACHED
 *                   <------      FAILED         instead: why not; nothing of the container is left
 *   SIGNAL (any)    ------>                     delivered to the container's init
 *   CLOSE_OUTPUT    ------>                     nobody reads stdout or stderr any more: close it,
 *                                               so that the container gets SIGPIPE as in a pipeline
 *                   <------      EXITED         its exit record is on disk
 *                   <------      GONE           cgroups and runtime state are removed
 *   DONE            ------>                     the client has recorded or removed the container
 *
 * A client that goes away before DONE leaves the rest to the monitor, which then runs
 * `inro __cleanup` for the container. With MONITOR_OPT_OWN_END it does so in any case: the client
 * gets neither GONE nor a say, and EXITED when the end is in the database.
 *
 *   by the control socket
 *   ATTACH          ------>                     joins the container's stdio
 *                   <------      STARTED        as above
 *   SIGNAL          ------>
 *   WAIT            ------>                     nothing but EXITED is wanted
 *   PROBE           ------>                     a health probe now
 *                   <------      PROBED         enum monitor_probed
 *   HEALTH          ------>                     the health check is another one by now
 *                   <------      HEALTH         so it is
 *   PORTS           ------>                     this fd keeps its ports from now on, or nothing
 *                   <------      PORTS          so it is
 *                   <------      LET_GO         who joined has not read its output for long
 *   STOP_RESTART    ------>                     no restart follows this end
 *                   <------      STOP_RESTART   it is so
 *                   <------      EXITED         to all: the end is in the database
 *
 * Between an end and a restart it is `inro __cleanup` that answers: EXITED to WAIT and ATTACH.
 *
 * Who gives the container its network (MONITOR_OPT_NETWORK) talks with its init, over a socket
 * whose other end is one of the fds: create_args.network_fd.
 *
 * The lock on the container's lock file (an open file description lock) travels as an fd: the
 * container counts as alive while the client, the monitor or the clean-up role holds it.
 */
#pragma once

#include "base/err.h"
#include "runtime/logline.h"

#define MONITOR_SOCKET_FD 3
/* Its arguments. */
#define MONITOR_STAY    "--stay"  /* in the caller's cgroup */
#define MONITOR_NETNS   "--netns" /* it can make a network namespace while it waits */
#define MONITOR_VERSION 9
#define MONITOR_FDS_MAX 16 /* in one message */

enum monitor_msg_type {
	MONITOR_FDS = 1,
	MONITOR_START,
	MONITOR_SIGNAL,
	MONITOR_DONE,
	MONITOR_STARTED,
	MONITOR_FAILED,
	MONITOR_EXITED,
	MONITOR_GONE,
	MONITOR_CLOSE_OUTPUT,
	MONITOR_ATTACH,
	MONITOR_WAIT,
	MONITOR_STOP_RESTART,
	MONITOR_PROBE,
	MONITOR_PROBED,
	MONITOR_HEALTH,
	MONITOR_LET_GO,
	MONITOR_PORTS,
};

/* What has come of a probe. */
enum monitor_probed {
	MONITOR_PROBED_WELL,
	MONITOR_PROBED_BAD,
	MONITOR_PROBED_NOT,  /* the container could not be asked: it is paused, or ends */
	MONITOR_PROBED_NONE, /* it has no health check */
};

#define MONITOR_JOINS_MAX         10 /* kinds of namespaces, and two others */
#define MONITOR_JOIN_SHM          100 /* not one of them: /dev/shm of the container whose IPC is joined */
#define MONITOR_JOIN_USERNS_ABOVE 101 /* create_args.userns_above */
#define MONITOR_JOIN_KEEP         102 /* kept open until the end, nothing more */

/* Order of the fds in the FDS messages; layers follow, topmost first, then namespaces to join, then
 * the socket of MONITOR_OPT_NETWORK, then what keeps the ports of MONITOR_OPT_PORTS, then stdin,
 * stdout and stderr of who starts it, with MONITOR_OPT_PASSTHROUGH. */
enum monitor_fd {
	MONITOR_FD_LOCK,    /* locked; kept open until the end */
	MONITOR_FD_CONTROL, /* listening; kept open until the end */
	MONITOR_FD_BUNDLE,  /* containers/<id>, with config.json */
	MONITOR_FD_RUN,     /* its run directory */
	MONITOR_FD_UPPER,
	MONITOR_FD_WORK,
	MONITOR_FD_LAYERS,
};

enum {
	MONITOR_OPT_TTY = 1 << 0,
	MONITOR_OPT_STDIN = 1 << 1,
	MONITOR_OPT_ROOTLESS = 1 << 2,
	MONITOR_OPT_USERXATTR = 1 << 3,
	MONITOR_OPT_DEBUG = 1 << 4,
	MONITOR_OPT_SYSTEMD_CGROUP = 1 << 5,
	MONITOR_OPT_THROW_AWAY = 1 << 6,   /* --rm: the upper directory goes at the end */
	MONITOR_OPT_DETACHED = 1 << 7,     /* the client wants no stdio */
	MONITOR_OPT_OWN_END = 1 << 8,      /* the monitor sees to the end, not the client */
	MONITOR_OPT_STDIN_ONCE = 1 << 9,   /* the client's end of input is the container's */
	MONITOR_OPT_LOG_DROP = 1 << 10,    /* with the disk full the container does not wait */
	MONITOR_OPT_HEALTH = 1 << 11,      /* it has a health check: runtime/health.h */
	MONITOR_OPT_PASSTHROUGH = 1 << 12, /* its stdio is the last three fds */
	MONITOR_OPT_ROOTFS = 1 << 13,      /* its root is config.json's, and no overlay */
	MONITOR_OPT_ROOTFS_IDMAP = 1 << 14,
	MONITOR_OPT_NOTIFY = 1 << 15, /* it says itself when it is ready: runtime/notify.h */
	MONITOR_OPT_GIVE = 1 << 16,   /* create_args.give_fd is the bundle */
	MONITOR_OPT_NETWORK = 1 << 17,
	MONITOR_OPT_PORTS = 1 << 18, /* it keeps published ports: net/ports.h */
};

struct monitor_start {
	uint32_t type; /* MONITOR_START */
	uint32_t version;
	uint32_t options; /* MONITOR_OPT_* */
	uint32_t n_fds;   /* all that came before */
	uint32_t n_layers;
	uint32_t n_joins;
	uint32_t joins[MONITOR_JOINS_MAX]; /* enum spec_ns: these in place of config.json's paths;
					      or MONITOR_JOIN_SHM */
	uint16_t rows, cols;               /* the terminal's size, 0: not known */
	uint32_t backoff_ms;               /* given back to the clean-up role */
	char id[256];
	char bundle[1024];
	char runtime_root[1024];
	/* How to run the clean-up role. */
	char inro_path[1024], root[1024], runroot[1024];
	/* Of the log, in the bundle's directory. */
	uint32_t log_driver; /* enum logline_driver */
	uint32_t log_max_files;
	uint64_t log_max_size;
	char log_attrs[LOGLINE_ATTRS_MAX + 1];
	/* Until the first health probe, 0: only when asked for; and what one takes at most. */
	uint32_t health_first_ms, health_limit_ms;
};

/* All but START and FAILED. STARTED has fds: the pty's master (for input and the window's size) and
 * the pipe of its output; or stdin (only when asked for, and there is one), stdout, stderr. */
struct monitor_msg {
	uint32_t type;
	int32_t value; /* SIGNAL: number; CLOSE_OUTPUT: 1 or 2; STARTED: init's pid; EXITED: exit
			  status 0..255; ATTACH: 1 with stdin; HEALTH: health_first_ms, -1: there
			  is no check any more */
	int64_t finished_ns; /* EXITED: realtime */
	uint32_t flags;      /* EXITED: MONITOR_EXIT_*; HEALTH: health_limit_ms */
	uint32_t reserved;
};
enum { MONITOR_EXIT_OOM = 1 << 0 }; /* the kernel has killed a process for want of memory */

struct monitor_failed {
	uint32_t type; /* MONITOR_FAILED */
	struct err err;
};

/* The lock file in the run directory also takes the exit record, in one write: "<status> <ns>\n",
 * or
 * "<status> <ns> oom\n". */
#define MONITOR_LOCK_FILE      "lock"
#define MONITOR_CONTROL_SOCKET "ctl"
