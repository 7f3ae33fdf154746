/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of criu's RPC (images/rpc.proto of criu, criu.org/RPC): the requests that the runtime
 * makes as bytes, criu's responses as a struct. Protocol buffers through one table of fields per
 * message, for the fields that are needed here. Pure; the decoder has limits and is fuzzed.
 */
#pragma once

#include "base/json.h"

enum criu_type {
	CRIU_DUMP = 1,
	CRIU_RESTORE = 2,
	CRIU_PRE_DUMP = 4,
	CRIU_NOTIFY = 6,
	CRIU_FEATURE_CHECK = 9,
	CRIU_VERSION = 10
};
enum criu_cgroup_mode {
	CRIU_CG_IGNORE = 0,
	CRIU_CG_SOFT = 3,
	CRIU_CG_FULL = 4,
	CRIU_CG_STRICT = 5,
	CRIU_CG_DEFAULT = 6
};

enum criu_network_lock { CRIU_LOCK_IPTABLES = 1, CRIU_LOCK_NFTABLES = 2 };

struct criu_inherit_fd {
	char *key;
	int32_t fd; /* criu's number of it */
};

typedef JSON_LIST(struct criu_inherit_fd) criu_inherit_fds;

struct criu_page_server {
	const char *address;
	struct opt_i32 port;
};

/* message criu_opts. Strings are borrowed but for those in the maps and lists. */
struct criu_opts {
	struct opt_i32 images_dir_fd, work_dir_fd; /* the requester's numbers */
	struct opt_i32 pid, log_level, cgroup_mode, empty_ns, status_fd, network_lock;
	bool leave_running, ext_unix_sk, tcp_established, tcp_skip_in_flight, evasive_devices;
	bool shell_job, file_locks, notify_scripts, track_mem, auto_dedup, link_remap;
	bool manage_cgroups, rst_sibling, lazy_pages, orphan_pts_master;
	const char *log_file, *root, *parent_img, *freeze_cgroup, *config_file;
	const char *lsm_profile, *lsm_mount_context;
	const struct criu_page_server *page_server;
	struct json_map ext_mnt; /* dump: mount point and name, restore: name and source */
	struct json_map cg_root; /* controller and path */
	struct json_map join_ns; /* type and path */
	char **external;
	criu_inherit_fds inherit_fd;
};
void criu_opts_add_fd(struct criu_opts *o, const char *key, int fd); /* copies key */
void criu_opts_done(struct criu_opts *o);

struct criu_features {
	bool mem_track, lazy_pages;
};

/* message criu_req */
struct criu_req {
	struct opt_i32 type; /* enum criu_type */
	const struct criu_opts *opts;
	bool notify_success, keep_open;
	const struct criu_features *features; /* those that are asked for */
};
void criu_req_encode(const struct criu_req *req, struct buf *out);

#define CRIU_RESP_BYTES_MAX 65536
#define CRIU_SCRIPT_MAX     64

/* message criu_resp */
struct criu_resp {
	int32_t type; /* enum criu_type */
	bool success;
	int32_t restored_pid;
	int32_t cr_errno;
	char errmsg[400]; /* cut */
	struct {
		char script[CRIU_SCRIPT_MAX];
		int32_t pid;
	} notify;
	struct criu_features features;
	struct {
		int32_t major, minor, sublevel;
	} version;
};
/* 0 or -errno: not such a message, or one without a type. */
int criu_resp_decode(const void *data, size_t len, struct criu_resp *ret, struct err *err);
