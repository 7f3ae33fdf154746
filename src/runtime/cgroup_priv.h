/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of runtime/cgroup*.c share; nobody else includes it. */
#pragma once

#include "runtime/cgroup.h"

/* --- cgroup_file.c: cgroupfs by path --- */

/* Paths here are those of the kernel's own filesystem, mounted by the host and without symlinks;
 * where a directory fd is at hand it is used. On v1 there is none: opening nine directories costs
 * more than walking nine paths. */
int cgroup_file_open(const struct cgroup_dir *dir, const char *name, int flags);
/* One write(2). -errno with a message that names value, file and cgroup. */
int cgroup_file_write(const struct cgroup_dir *dir, const char *name, const char *value,
		      struct err *err);
/* The same with a file that is open already; closes nothing. */
int cgroup_fd_write(int fd, const struct cgroup_dir *dir, const char *name, const char *value,
		    struct err *err);
/* Reads up to size - 1 bytes, terminates, cuts the trailing newline. Length or -errno. */
ssize_t cgroup_file_read(const struct cgroup_dir *dir, const char *name, char *buf, size_t size);
bool cgroup_file_exists(const struct cgroup_dir *dir, const char *name);
int cgroup_path_mkdir(const char *path);
int cgroup_path_rmdir(const char *path);
int cgroup_path_open(const char *path); /* O_PATH | O_DIRECTORY */
/* 1 or 0, -errno (-ENOENT: it is gone). */
int cgroup_path_is_cgroupfs(const char *path, bool *ret_v2);
/* All pids in cgroup.procs and those of child cgroups. 0 or -errno; the caller frees *ret. */
int cgroup_pids_read(const struct cgroup_dir *dir, pid_t **ret, size_t *ret_n);
/* Removes all child cgroups, deepest first. 0 or -errno (-EBUSY: one has processes). */
int cgroup_children_remove(const struct cgroup_dir *dir);
/* Of a v1 freezer. */
void cgroup_children_thaw(const struct cgroup_dir *dir);
/* Sleeps *inout_us, which then grows; false once the deadline has passed. */
bool cgroup_backoff(int64_t deadline_ns, unsigned int *inout_us);

/* --- cgroup.c, cgroup_create.c --- */

/* cgroup_create_begin with the machine as an argument, which is taken over and left empty: for
 * tests on a tree of plain files. */
int cgroup_create_begin_on(struct cgroup_system *sys, const struct cgroup_request *req,
			   struct cgroup *ret, struct err *err);
void cgroup_pending_done(struct cgroup *cg);
/* Of the hierarchies without a controller only systemd's and cgroup2, like runc. */
bool cgroup_hierarchy_used(const struct cgroup_hierarchy *h);
/* Makes the directory, and what is missing above it. 0 when it is there. */
int cgroup_path_make(const struct cgroup_hierarchy *h, const char *path);
/* Removes up to n parents of path as long as nobody uses them. */
void cgroup_parents_remove(const char *path, int n);
/* Of one that cgroup_open opened. */
int cgroup_controllers_read(struct cgroup *cg, struct err *err);
void cgroup_dir_done(struct cgroup_dir *dir);
/* The v1 directory of a controller, or the cgroup2 one when controller is NULL; NULL: none. */
struct cgroup_dir *cgroup_dir_find(struct cgroup *cg, const char *controller);
static inline const struct cgroup_dir *cgroup_dir_find_const(const struct cgroup *cg,
							     const char *controller)
{
	return cgroup_dir_find((struct cgroup *)(uintptr_t)cg, controller);
}

/* After cgroup_open: state.json keeps paths only; which controllers are where is needed for new
 * limits and statistics alone. */
int cgroup_controllers_read(struct cgroup *cg, struct err *err);
/* The limits without the device rules. */
int cgroup_limits_apply(struct cgroup *cg, const struct spec_resources *resources, struct err *err);

/* --- cgroup_update.c --- */

/* Before a write: what the file says now; NULL when nothing is recorded. The caller hands it to
 * cgroup_journal_add after the write, or frees it. */
char *cgroup_journal_read(const struct cgroup *cg, const struct cgroup_dir *dir, const char *file);
/* Takes old. */
void cgroup_journal_add(struct cgroup *cg, const struct cgroup_dir *dir, const char *file,
			const char *text, char *old);
/* Pure. What to write to file so that it says old again after text was written: old itself, or the
 * line of it for the device, interface or first word that text begins with. The caller frees. */
char *cgroup_undo_text(const char *file, const char *old, const char *text);
/* The own cgroup as seen below the mount point, "/" or "/a/b". */
char *cgroup_own_below_mount(const struct cgroup_hierarchy *h);

/* --- cgroup_systemd.c --- */

void cgroup_unit_done(struct cgroup *cg);
/* Whether systemd has put the process into the unit's place in this hierarchy. */
bool cgroup_unit_has(const struct cgroup *cg, const struct cgroup_hierarchy *h);
int cgroup_unit_begin(const struct cgroup_request *req, struct cgroup *cg, struct err *err);
/* What to write to cgroupfs: res, or a copy in which the CPU quota is as systemd keeps it. */
struct cgroup_rounded {
	struct spec_resources res;
	struct spec_cpu cpu;
};
const struct spec_resources *cgroup_unit_round(const struct spec_resources *res,
					       struct cgroup_rounded *space);
/* The limits that have a property, for a unit that runs: systemd writes the same to cgroupfs. */
int cgroup_unit_update(struct cgroup *cg, const struct spec_resources *res, struct err *err);
/* Moves the process by systemd's rights. */
int cgroup_unit_attach(const struct cgroup *cg, pid_t pid, struct err *err);
/* Stops the unit with what is in it. When systemd can't be asked, that is only logged. */
void cgroup_unit_stop(struct cgroup *cg);

/* --- cgroup_owner.c: pure --- */

bool cgroup_is_given(
    const struct spec *spec); /* what the specification asks of the configuration */
/* The names in the text of /sys/kernel/cgroup/delegate, NULL: what cgroups(7) lists. */
char **cgroup_delegate_files(const char *text);

/* --- cgroup_procs.c --- */

bool cgroup_is_frozen(const struct cgroup_dir *dir); /* by itself or through a parent; v1, v2 */

/* --- cgroup_limits.c: one row per limit, shared by v1 and v2 --- */

struct limit_row {
	const char *name;       /* "memory.limit", as in config.json */
	const char *controller; /* "memory" */
	const char *file, *alt; /* alt is taken where file is missing; NULL: there is none */
	/* Writes the text for the file into out: 1, or 0 when the limit is not asked for. */
	int (*format)(const struct spec_resources *res, const struct limit_row *row, char *out,
		      size_t size, struct err *err);
	size_t object,
	    member; /* for format_*: offsets in spec_resources and in what that points to */
	unsigned int flags;
	const char *hint; /* when the file is missing */
};
enum {
	/* -EINVAL is tried again after all other rows: the kernel checks pairs of limits against
	 * each other, so what order is right depends on the values that are there. */
	LIMIT_RETRY = 1 << 0,
	/* A missing file is fine when the text is "0" or "max": the kernel can't do it anyway. */
	LIMIT_MISSING_IS_OFF = 1 << 1,
};
#define LIMIT_TEXT_MAX 4096

int format_i64(const struct spec_resources *res, const struct limit_row *row, char *out,
	       size_t size, struct err *err); /* 0 and absent: not asked for */
int format_i64_max(const struct spec_resources *res, const struct limit_row *row, char *out,
		   size_t size, struct err *err); /* the same, negative: "max" */
int format_i64_any(const struct spec_resources *res, const struct limit_row *row, char *out,
		   size_t size, struct err *err); /* 0 is a value */
int format_u64(const struct spec_resources *res, const struct limit_row *row, char *out,
	       size_t size, struct err *err);
int format_u64_any(const struct spec_resources *res, const struct limit_row *row, char *out,
		   size_t size, struct err *err);
int format_u32(const struct spec_resources *res, const struct limit_row *row, char *out,
	       size_t size, struct err *err);
int format_str(const struct spec_resources *res, const struct limit_row *row, char *out,
	       size_t size, struct err *err);
int format_true(const struct spec_resources *res, const struct limit_row *row, char *out,
		size_t size, struct err *err); /* "1" when true, else not asked for */
int format_pids(const struct spec_resources *res, const struct limit_row *row, char *out,
		size_t size, struct err *err);

/* find returns the directory to write in: NULL with *ret_skip set: not this table's; NULL without:
 * the error is in err. */
typedef struct cgroup_dir *(*limit_find_fn)(struct cgroup *cg, const char *controller,
					    bool *ret_skip, struct err *err);
int limits_write(struct cgroup *cg, const struct spec_resources *res, const struct limit_row *rows,
		 size_t n, limit_find_fn find, struct err *err);

/* One text for one row's file, for what comes from a list in resources. 0, or -errno with the row's
 * name in the message. */
int limit_write(struct cgroup *cg, const struct limit_row *row, const char *text,
		limit_find_fn find, struct err *err);

/* Whether the limit is to be left out, for lack of a cgroup; then the warning will name it. */
bool limit_leave_out(struct cgroup *cg, const char *name);
/* Sets the error for a controller that this cgroup does not have. Returns -errno. */
int limit_no_controller(const struct cgroup *cg, const char *controller, struct err *err);

/* --- cgroup_convert.c: pure --- */

uint64_t cgroup_weight_of_shares(uint64_t shares); /* 2..262144 -> 1..10000; 0 -> 0 */
uint64_t cgroup_io_weight(uint32_t blkio_weight);  /* 10..1000 -> 1..10000; 0 -> 0 */
/* memory.swap.max for limits of memory and of memory+swap, both 0: unset, -1: unlimited. 1 and
 * *ret (-1: "max"), 0: nothing to write, -EINVAL: they contradict. */
int cgroup_swap_max(int64_t memory, int64_t memory_and_swap, int64_t *ret);
/* "max 100000" or "50000 100000" of cpu.max: quota -1 for max. 0 or -EINVAL. */
int cgroup_cpu_max_parse(const char *text, int64_t *ret_quota, uint64_t *ret_period);

/* --- cgroup_v1.c, cgroup_v2.c --- */

int cgroup_v1_apply(struct cgroup *cg, const struct spec_resources *res, struct err *err);
/* A new cpuset starts without CPUs and memory nodes: fills it, and what was made above it. */
int cgroup_v1_cpuset_init(const struct cgroup_dir *dir, struct err *err);

void cgroup_kernel_memory_warn(const struct spec_memory *m);
int cgroup_rdma_apply(struct cgroup *cg, const struct spec_resources *res, limit_find_fn find,
		      struct err *err); /* v1 and v2 */

int cgroup_v2_apply(struct cgroup *cg, const struct spec_resources *res, struct err *err);
/* Lets the directory have the controllers that its parents can give. */
int cgroup_v2_init(struct cgroup_dir *dir, struct err *err);
/* Whether the controller is there, after an attempt to enable it. */
bool cgroup_v2_has(struct cgroup_dir *dir, const char *controller);
/* Whether the highest cgroup that can be seen has it. */
bool cgroup_v2_offers(const struct cgroup_dir *dir, const char *controller);
/* Sets the error that says which cgroup above does not give the controller, and why. -errno. */
int cgroup_v2_explain(const struct cgroup_dir *dir, const char *controller, struct err *err);

/* --- cgroup_devices.c, cgroup_devices_bpf.c --- */

enum {
	DEVICE_MKNOD = 1 << 0, /* as BPF_DEVCG_ACC_* */
	DEVICE_READ = 1 << 1,
	DEVICE_WRITE = 1 << 2,
	DEVICE_ALL = 7
};
struct device_rule {
	bool allow;
	char type;            /* 'b' or 'c' */
	int64_t major, minor; /* -1: any */
	unsigned int access;
};
/* The last rule that matches decides, for each kind of access by itself. */
struct device_policy {
	bool allow; /* what no rule matches */
	struct device_rule *rules;
	size_t n, cap;
};
#define DEVICE_RULES_MAX 1024

/* Reads the rules in their order, the ones that runc adds behind them, and leaves out what has no
 * effect. *ret is freed by device_policy_done() in any case. */
int device_policy_build(const struct spec_resources *res, struct device_policy *ret,
			struct err *err);
void device_policy_done(struct device_policy *policy);
/* The lines for devices.allow and devices.deny, first "a" (rule NULL) for all. v1 can't express
 * exceptions of exceptions: ERR_UNSUPPORTED. Calls fn for each until it returns non-zero. */
int device_policy_v1(const struct device_policy *policy,
		     int (*fn)(const struct device_rule *rule, bool allow, const char *line,
			       void *data),
		     void *data, struct err *err);
struct bpf_insn;
/* The program; the caller frees. Returns the number of instructions. */
size_t device_policy_bpf(const struct device_policy *policy, struct bpf_insn **ret);

int cgroup_devices_apply(struct cgroup *cg, const struct spec_resources *res, struct err *err);
