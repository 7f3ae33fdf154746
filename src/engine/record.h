/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container records: the rows of the database's containers table. A record says "running" from
 * shortly before its start on; whether that is still true is told by the lock file (life.h), which
 * is taken before.
 */
#pragma once

#include "engine/engine.h"
#include "engine/restart.h"
#include "runtime/health.h"
#include "runtime/logline.h"

/* Of what the user and the image had mounted, what inspect, --volumes-from and a start ask for. */
struct record_mount {
	int type;        /* enum mount_kind */
	char *source;    /* the host's path, or the volume's name */
	char *host_path; /* of a volume: where its files are; NULL: it is a tmpfs */
	char *target;
	char *mode; /* the options as they were given; or NULL */
	char **options;
	bool readonly, idmap;
};

/* What a container was created with that its config.json does not say: column "options". */
struct record_options {
	bool tty, interactive; /* interactive: it has a standard input */
	int restart;           /* enum restart_policy; -1 like no */
	int64_t restart_max;
	char *stop_signal;           /* as given, by the user or the image; NULL: SIGTERM */
	struct opt_i64 stop_timeout; /* seconds */
	char *pid_file, *monitor_pid_file;
	bool notify;     /* systemd is told that it is ready */
	int notify_when; /* enum sdnotify; -1 like conmon */
	bool split;      /* its cgroup is below that of who starts it, as its monitor's */
	char **requires; /* ids of containers that are started first */
	int log_driver;  /* enum logline_driver */
	uint64_t log_max_size;
	uint32_t log_max_files;
	bool log_drop;         /* with the disk full the container does not wait */
	char *log_attrs;       /* JSON object, or fields of the journal's; or NULL */
	char *log_tag;         /* as given; or NULL */
	struct health *health; /* NULL: no health check */
	JSON_LIST(struct record_mount) mounts;
	char **pod_share;      /* namespaces that it has from its pod (pod_join.h) */
	bool infra;            /* it holds them for the others (infra.h) */
	struct json_map joins; /* namespace -> id of the container whose it is (join.h) */
	char *rootfs;          /* --rootfs: its root directory; NULL: it has an image */
	bool rootfs_overlay, rootfs_idmap;
	char *hostname; /* NULL: the first 12 digits of its id */
	char **dns;     /* servers for names of the world; NULL: its networks', or this machine's */
	/* Words of ports (publish.h); publish_all: those of expose, too, the image's and the
	 * user's. None, where its network can have none. */
	char **publish, **expose;
	bool publish_all;
	char **firewall, **egress; /* network_policy.h */
	char *cni;       /* the word of --network, "cni:NAME..."; NULL: it is not on such */
	char *pasta;     /* options of pasta(1), "" or with commas; NULL: it is not on that */
	char *service;   /* id of the service that it is a replica of (services.h); or NULL */
	bool ipc_shared; /* others may join its IPC namespace */
	char *mapping;   /* of its layers (engine/mapped.h); NULL: the image store's own */
};
extern const char *const log_driver_names[];

enum record_status { RECORD_CREATED, RECORD_RUNNING, RECORD_RESTARTING, RECORD_EXITED };
/* docker's words, which the database has, too. */
extern const char *const record_status_names[];

struct record {
	char *id, *name;
	char *image;                                 /* image id "sha256:...", or "host" */
	char *image_name;                            /* as the user wrote it */
	char *command;                               /* joined, for ps */
	int64_t created_ns, started_ns, finished_ns; /* 0: not yet */
	int status;                                  /* enum record_status */
	bool running; /* somebody should hold its lock: running, restarting */
	int exit_code;
	int64_t restarts; /* since somebody has started it */
	bool stopped;     /* somebody has stopped it since, and does not want it back */
	bool oom_killed;  /* one of its processes, the last time that it ran */
	char *error;      /* why it could not be started the last time; NULL: it could */
	bool auto_remove;
	bool removing; /* somebody has begun to remove it; it counts as RECORD_EXITED */
	char *asked;   /* JSON of asked.h, for record_insert(); NULL in what was read */
	char *pod;     /* id of the pod that it belongs to; NULL: none */
	/* Not in the table, told by containers_query(). */
	bool paused;
	int health; /* enum health_status; -1: it has no check */
	struct json_map labels;
	struct record_options options;
};
void record_done(struct record *rec);
/* Its labels as the table has them: JSON, or nothing. */
void record_labels_write(const struct record *rec, struct buf *out);
/* docker's word: that of its status, or "paused". */
const char *record_state(const struct record *rec);
#define cleanup_record CLEANUP(record_done)

/* SQL, in which containers is the table: has it the image of this id mounted? Whether the id is
 * anywhere in the text is quickly told. */
#define RECORD_HAS_MOUNTED(id)                                                                     \
	"(instr(containers.options, " id ") AND EXISTS (SELECT 1 FROM"                             \
	" json_each(iif(json_valid(containers.options), containers.options, '{}'), '$.mounts')"    \
	" AS m WHERE m.value ->> 'type' = 'image' AND m.value ->> 'source' = " id "))"

struct record_list {
	struct record *items;
	size_t n;
};
void record_list_done(struct record_list *list);
#define cleanup_record_list CLEANUP(record_list_done)

/* How a container has ended. */
struct record_end {
	int exit_code;
	int64_t finished_ns;
	bool oom_killed;
	const char *error; /* why it could not be started, or NULL */
};

/* Each change of a record tells of itself by an event (events.h). */

/* Reserves id and name in one transaction, as rec->status. rec->name NULL: a random one is chosen
 * and stored there. attached: somebody joins it as it starts. also: done in the same transaction,
 * or NULL. ERR_EXISTS: the name is in use; the message is docker's. */
struct record_also {
	int (*fn)(struct engine *eng, const struct record *rec, void *data, struct err *err);
	void *data;
};
int record_insert(struct engine *eng, struct record *rec, bool attached,
		  const struct record_also *also, struct err *err);
/* By name, id or unambiguous beginning of an id. ERR_NOT_FOUND "No such container: ...". */
int record_find(struct engine *eng, const char *word, struct record *ret, struct err *err);
/* All, newest first; image NULL: any, else only the containers of this image id, and those that
 * have it mounted (--mount type=image). */
int record_list(struct engine *eng, const char *image, struct record_list *ret, struct err *err);
/* The n newest. */
int record_list_newest(struct engine *eng, int n, struct record_list *ret, struct err *err);
/* The members of the pod of exactly this id, newest first. */
int record_list_pod(struct engine *eng, const char *pod, struct record_list *ret, struct err *err);
/* ERR_EXISTS: a container has just this name. */
int record_name_check(struct engine *eng, const char *name, struct err *err);
/* ERR_EXISTS as above; ERR_NOT_FOUND: it was removed meanwhile. */
int record_rename(struct engine *eng, const struct record *rec, const char *name, struct err *err);
/* The one of exactly this id. -ENOENT: none, and err is not touched. */
int record_get(struct engine *eng, const char *id, struct record *ret, struct err *err);
/* A record that was removed meanwhile is no error for these. */
int record_start(struct engine *eng, const struct record *rec, int64_t started_ns, bool attached,
		 const struct record_also *also, struct err *err);
/* Its start was interrupted: it is again what rec says. end: what the event tells of. */
int record_unstart(struct engine *eng, const struct record *rec, const struct record_end *end,
		   struct err *err);
/* Somebody does not want it any more, until it is started again. */
int record_stopped(struct engine *eng, const char *id, struct err *err);
/* Is it to be started when the machine has been? Also when it runs. */
bool record_starts_at_boot(const struct record *rec);
/* It has ended and is to be started again. */
int record_restarting(struct engine *eng, const char *id, const struct record_end *end,
		      struct err *err);
/* What it was created with has changed. ERR_NOT_FOUND: it was removed. */
int record_set_options(struct engine *eng, const char *id, const struct record_options *options,
		       struct err *err);
/* The same as text. ret: zeroed, freed with its record. */
void record_options_write(const struct record_options *options, struct buf *out);
int record_options_parse(const char *text, struct record_options *ret, struct err *err);
/* What does not run is about to be removed: who is killed then is followed by whoever comes next.
 * volumes: its anonymous ones go, too. */
int record_removing(struct engine *eng, const char *id, bool volumes, struct err *err);
/* Nobody starts it again: what is "restarting" has exited. */
int record_give_up(struct engine *eng, const char *id, struct err *err);
int record_finish(struct engine *eng, const char *id, const struct record_end *end,
		  struct err *err);
/* end: how it has ended, in case that this was not recorded yet. volumes: the anonymous ones that
 * no other has go, too. */
int record_delete(struct engine *eng, const char *id, const struct record_end *end, bool volumes,
		  struct err *err);
