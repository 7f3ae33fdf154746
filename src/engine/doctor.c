/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/doctor_internal.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "sys/cgroup.h"
#include "sys/idmap.h"
#include "sys/uapi.h"

#define FILE_MAX   (4u << 20)
#define SUBIDS_MIN 65536
#define MIB        (UINT64_C(1) << 20)
#define INODES_FEW 1000
/* This was written after 2025: a clock that is before that has lost its time. */
#define CLOCK_MIN_NS (INT64_C(1735689600) * 1000000000)

const char *const doctor_verdict_names[] = { "ok", "warn", "fail", NULL };

static const struct json_field finding_fields[] = {
	JSON_FIELD(struct doctor_finding, check, "Check", JSON_STR, .flags = JSON_KEEP),
	JSON_FIELD(struct doctor_finding, verdict, "Status", JSON_ENUM,
		   .names = doctor_verdict_names, .flags = JSON_KEEP),
	JSON_FIELD(struct doctor_finding, text, "Message", JSON_STR, .flags = JSON_KEEP),
	JSON_FIELD(struct doctor_finding, cure, "Cure", JSON_STR),
};
static const struct json_desc finding_desc = JSON_DESC(struct doctor_finding, finding_fields);
static const struct json_field report_fields[] = {
	JSON_FIELD(struct doctor_report, items, NULL, JSON_ARRAY, .desc = &finding_desc,
		   .flags = JSON_KEEP),
};
const struct json_desc doctor_report_desc = JSON_DESC(struct doctor_report, report_fields);

void doctor_report_done(struct doctor_report *r)
{
	json_free(&doctor_report_desc, r);
}

/* ---- what checks say ---- */

void doctor_say(struct doctor_finding *f, int verdict, const char *cure, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	free(f->text);
	free(f->cure);
	f->verdict = verdict;
	f->text = str_mask_controls(xstrdup(text), "");
	f->cure = cure ? xstrdup(cure) : NULL;
}

/* What only unprivileged users need is no fault for root. */
static int for_users(const struct doctor *d)
{
	return d->rootless ? DOCTOR_FAIL : DOCTOR_WARN;
}

/* False: it is not there. */
bool doctor_read_file(const struct doctor *d, const char *path, struct buf *text)
{
	return io_read_file(d->root, path, text, FILE_MAX, NULL) == 0;
}

/* A number in a file of procfs; fallback: it is not there. */
int64_t doctor_read_number(const struct doctor *d, const char *path, int64_t fallback)
{
	cleanup_buf struct buf text = BUF_INIT;
	int64_t value;

	if (!doctor_read_file(d, path, &text) || !text.len)
		return fallback;
	text.data[strcspn(text.data, "\n")] = '\0';
	return str_parse_i64(text.data, &value) == 0 ? value : fallback;
}

bool doctor_exists(const struct doctor *d, const char *path)
{
	struct stat st;

	return fstatat(d->root, path, &st, 0) == 0;
}

/* ---- the checks: each begins with a finding that says "ok" ---- */

static void check_calls(const struct doctor *d, struct doctor_finding *f)
{
	static const struct {
		long nr;
		const char *name;
		bool needed;
	} calls[] = {
		{ SYS_open_tree, "open_tree", true },
		{ SYS_move_mount, "move_mount", true },
		{ SYS_fsopen, "fsopen", true },
		{ SYS_mount_setattr, "mount_setattr", true },
		{ SYS_pidfd_open, "pidfd_open", true },
		{ SYS_clone3, "clone3", false },
		{ SYS_openat2, "openat2", false },
		{ SYS_close_range, "close_range", false },
	};

	doctor_say(f, DOCTOR_OK, NULL, "all system calls that inro uses are there");
	for (size_t i = ARRAY_SIZE(calls); i-- > 0;) {
		if (d->has_call(calls[i].nr))
			continue;
		if (calls[i].needed)
			doctor_say(
			    f, DOCTOR_FAIL,
			    "run a kernel of 5.12 or later, and allow the call where this runs in "
			    "a container",
			    "the system call %s is missing", calls[i].name);
		else
			doctor_say(
			    f, DOCTOR_WARN,
			    "run a kernel of 5.9 or later, and allow the call where this runs in a "
			    "container",
			    "the system call %s is missing: slower ways are taken", calls[i].name);
	}
}

static void check_seccomp(const struct doctor *d, struct doctor_finding *f)
{
	if (doctor_exists(d, "proc/sys/kernel/seccomp/actions_avail"))
		doctor_say(f, DOCTOR_OK, NULL, "system calls of containers can be filtered");
	else
		doctor_say(f, DOCTOR_FAIL, "run a kernel with CONFIG_SECCOMP_FILTER",
			   "the kernel has no seccomp filters");
}

static void check_landlock(const struct doctor *d, struct doctor_finding *f)
{
	if (d->landlock_abi > 0)
		doctor_say(f, DOCTOR_OK, NULL, "version %d", d->landlock_abi);
	else
		doctor_say(
		    f, DOCTOR_WARN, "add \"landlock\" to the kernel's parameter lsm=",
		    "the kernel has no Landlock: what unpacks images and talks to registries is "
		    "confined by other means alone");
}

/* Is the kernel older than that? */
static bool is_before(const struct doctor *d, int major, int minor)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **words = NULL;
	int have[2] = { 0 };

	if (!doctor_read_file(d, "proc/sys/kernel/osrelease", &text))
		return false;
	words = strv_split(buf_str(&text), '.');
	for (size_t i = 0; i < 2 && words[i]; i++) {
		words[i][strspn(words[i], "0123456789")] = '\0';
		if (str_parse_int(words[i], &have[i]) < 0)
			return false;
	}
	return have[0] < major || (have[0] == major && have[1] < minor);
}

static void check_overlay(const struct doctor *d, struct doctor_finding *f)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (!doctor_read_file(d, "proc/filesystems", &text) ||
	    !strstr(buf_str(&text), "\toverlay\n")) {
		doctor_say(f, DOCTOR_FAIL, "modprobe overlay",
			   "the kernel has no overlay filesystem");
		return;
	}
	doctor_say(f, DOCTOR_OK, NULL, "the overlay filesystem is there");
	if (d->rootless && is_before(d, 5, 11))
		doctor_say(f, DOCTOR_FAIL, "run a kernel of 5.11 or later",
			   "before Linux 5.11 users can't mount overlay filesystems");
}

static void check_user_namespaces(const struct doctor *d, struct doctor_finding *f)
{
	doctor_say(f, DOCTOR_OK, NULL, "users can make user namespaces");
	if (!doctor_exists(d, "proc/self/ns/user"))
		doctor_say(f, for_users(d), "run a kernel with CONFIG_USER_NS",
			   "the kernel has no user namespaces");
	else if (doctor_read_number(d, "proc/sys/user/max_user_namespaces", 1) == 0)
		doctor_say(f, for_users(d), "sysctl -w user.max_user_namespaces=65536",
			   "user namespaces are switched off: user.max_user_namespaces is 0");
	else if (doctor_read_number(d, "proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
		doctor_say(
		    f, for_users(d), "sysctl -w kernel.unprivileged_userns_clone=1",
		    "only root may make user namespaces: kernel.unprivileged_userns_clone is 0");
	else if (doctor_read_number(d, "proc/sys/kernel/apparmor_restrict_unprivileged_userns",
				    0) != 0)
		doctor_say(
		    f, for_users(d),
		    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor "
		    "profile with \"userns,\" for inro",
		    "AppArmor lets no unconfined program of users have rights in a user "
		    "namespace: kernel.apparmor_restrict_unprivileged_userns is 1");
}

/* "subid: sss": newuidmap asks that alone, and inro the files alone. */
static bool asks_elsewhere(const struct doctor *d)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **lines = NULL;

	if (!doctor_read_file(d, "etc/nsswitch.conf", &text))
		return false;
	lines = strv_split(buf_str(&text), '\n');
	for (char **line = lines; *line; line++) {
		const char *value = str_after(*line, "subid:");

		if (value && !str_starts(value + strspn(value, " \t"), "files"))
			return true;
	}
	return false;
}

static void check_sub_ids(const struct doctor *d, struct doctor_finding *f)
{
	static const char *const files[] = { "etc/subuid", "etc/subgid" };
	/* Who comes from LDAP or SSSD has no name in /etc/passwd: neither for usermod nor for inro.
	 */
	cleanup_free char *cure =
	    d->user
		? xasprintf("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
			    d->user)
		: xasprintf("echo %u:100000:65536 | tee -a /etc/subuid /etc/subgid (with a range "
			    "that nobody has)",
			    d->uid);

	if (!d->rootless) {
		doctor_say(f, DOCTOR_OK, NULL, "root needs none");
		return;
	}
	doctor_say(f, DOCTOR_OK, NULL, "this user has subordinate ids");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct subid_range ranges[SUBID_RANGES_MAX];
		cleanup_buf struct buf text = BUF_INIT;
		uint64_t count = 0;
		size_t n;

		doctor_read_file(d, files[i], &text);
		n = subid_parse(buf_str(&text), text.len, d->user, d->uid, ranges,
				ARRAY_SIZE(ranges));
		for (size_t k = 0; k < n; k++)
			count += ranges[k].count;
		if (count == 0)
			doctor_say(f, DOCTOR_FAIL, cure, "/%s gives this user no ids%s", files[i],
				   d->user ? "" : " by number, and /etc/passwd has no name for it");
		else if (count < SUBIDS_MIN && f->verdict == DOCTOR_OK)
			doctor_say(f, DOCTOR_WARN, cure,
				   "/%s gives this user %llu ids: files of other owners in images "
				   "can't be unpacked",
				   files[i], (unsigned long long)count);
	}
	if (f->verdict == DOCTOR_OK && asks_elsewhere(d))
		doctor_say(
		    f, DOCTOR_FAIL, "remove the line \"subid:\" from /etc/nsswitch.conf",
		    "newuidmap does not go by /etc/subuid, but by what /etc/nsswitch.conf says");
}

/* Set-user-id root, or a file capability, which is to be had by an attribute. */
static bool is_helper(const struct doctor *d, const char *path, bool *ret_rights)
{
	cleanup_fd int fd = openat(d->root, path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char value[64];

	if (fd < 0 || fstat(fd, &st) < 0)
		return doctor_exists(d, path); /* not readable is no fault */
	*ret_rights = (st.st_mode & S_ISUID) ||
		      fgetxattr(fd, "security.capability", value, sizeof(value)) > 0;
	return true;
}

static void check_id_helpers(const struct doctor *d, struct doctor_finding *f)
{
	static const char *const paths[] = { "usr/bin/newuidmap", "usr/bin/newgidmap" };

	doctor_say(f, DOCTOR_OK, NULL,
		   d->rootless ? "newuidmap and newgidmap are there" : "root needs none");
	for (size_t i = 0; d->rootless && i < ARRAY_SIZE(paths); i++) {
		cleanup_free char *cure = xasprintf("chmod u+s /%s", paths[i]);
		bool rights = true;

		if (!is_helper(d, paths[i], &rights))
			doctor_say(f, DOCTOR_FAIL,
				   "install the package uidmap (Debian) or shadow-utils",
				   "/%s is missing: this user's subordinate ids can't be mapped",
				   paths[i]);
		else if (!rights)
			doctor_say(f, DOCTOR_FAIL, cure,
				   "/%s is not set-user-id and has no capability", paths[i]);
	}
}

static void check_v1(const struct cgroup_system *sys, const struct doctor *d,
		     struct doctor_finding *f)
{
	static const char *const wanted[] = { "memory", "cpu", "pids" };

	doctor_say(f, DOCTOR_OK, NULL, "version 1%s",
		   sys->layout == CGROUP_HYBRID ? " (hybrid)" : "");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		bool found = false;

		for (size_t k = 0; k < sys->n; k++)
			found = found || strv_has(sys->h[k].controllers, wanted[i]);
		if (!found)
			doctor_say(f, DOCTOR_WARN,
				   "mount the hierarchy of each controller in "
				   "/sys/fs/cgroup, or boot with cgroup version 2",
				   "the controller %s is not mounted: its limits can't be set",
				   wanted[i]);
	}
	if (d->rootless)
		doctor_say(
		    f, DOCTOR_WARN,
		    "boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line",
		    "cgroups are of version 1, in which users can't set limits");
}

static void check_v2(const struct cgroup_system *sys, const struct doctor *d,
		     struct doctor_finding *f)
{
	static const char *const wanted[] = { "memory", "cpu", "pids" };
	const struct cgroup_hierarchy *h = &sys->h[0];
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **have = NULL;
	cleanup_free char *path = NULL;

	for (size_t i = 0; i < sys->n; i++)
		if (sys->h[i].v2)
			h = &sys->h[i];
	/* Of a user, what has been delegated; the session's own cgroup has it from there. */
	path = xasprintf("%s%s/cgroup.controllers", h->mount_point + 1,
			 d->rootless && !str_eq(h->own_path, "/") ? h->own_path : "");
	if (doctor_read_file(d, path, &text) && text.len)
		text.data[strcspn(text.data, "\n")] = '\0';
	have = strv_split(buf_str(&text), ' ');
	doctor_say(f, DOCTOR_OK, NULL, "version 2");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!strv_has(have, wanted[i]))
			doctor_say(f, DOCTOR_WARN,
				   d->rootless
				       ? "systemctl edit user@.service: [Service] "
					 "Delegate=cpu cpuset io memory pids; then log in again"
				       : "echo +memory +cpu +pids > "
					 "/sys/fs/cgroup/cgroup.subtree_control",
				   "the controller %s is not %s: its limits can't be set",
				   wanted[i], d->rootless ? "delegated to this user" : "there");
}

static void check_cgroups(const struct doctor *d, struct doctor_finding *f)
{
	cleanup_buf struct buf mounts = BUF_INIT;
	cleanup_buf struct buf own = BUF_INIT;
	struct cgroup_system sys = { 0 };

	doctor_read_file(d, "proc/self/mountinfo", &mounts);
	doctor_read_file(d, "proc/self/cgroup", &own);
	if (cgroup_system_parse(buf_str(&mounts), mounts.len, buf_str(&own), own.len, &sys, NULL) <
		0 ||
	    sys.layout == CGROUP_NONE || sys.n == 0)
		doctor_say(f, DOCTOR_FAIL, "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
			   "no cgroups are mounted: limits can't be set, nor containers paused");
	else if (sys.layout == CGROUP_V2)
		check_v2(&sys, d, f);
	else
		check_v1(&sys, d, f);
	cgroup_system_done(&sys);
}

static void check_store(const struct doctor *d, struct doctor_finding *f)
{
	cleanup_free char *cure = xasprintf("chown -R %u %s", d->uid, d->store.path);

	if (d->store_problem)
		doctor_say(f, DOCTOR_FAIL, cure, "%s can't be used: %s", d->store.path,
			   d->store_problem);
	else
		doctor_say(f, DOCTOR_OK, NULL, "%s can be written", d->store.path);
}

static void check_space(const struct doctor *d, struct doctor_finding *f)
{
	const struct doctor_space *s = &d->store;
	unsigned long long mib = s->free_bytes / MIB;

	doctor_say(f, DOCTOR_OK, NULL, "%llu MiB are free", mib);
	if (s->bytes && (s->free_bytes < 100 * MIB || s->free_bytes < s->bytes / 100))
		doctor_say(f, DOCTOR_FAIL, "inro system prune -a",
			   "the disk of %s is full: %llu MiB are free", s->path, mib);
	else if (s->bytes && (s->free_bytes < 1024 * MIB || s->free_bytes < s->bytes / 20))
		doctor_say(f, DOCTOR_WARN, "inro system prune -a",
			   "the disk of %s is nearly full: %llu MiB are free", s->path, mib);
}

static void check_inodes(const struct doctor *d, struct doctor_finding *f)
{
	const struct doctor_space *s = &d->store;
	unsigned long long n = s->free_inodes;

	doctor_say(f, DOCTOR_OK, NULL,
		   s->inodes ? "%llu files can be made" : "files are not counted", n);
	if (s->inodes && n < INODES_FEW)
		doctor_say(f, DOCTOR_FAIL, "inro system prune -a",
			   "only %llu more files can be made on the disk of %s", n, s->path);
	else if (s->inodes && n < s->inodes / 20)
		doctor_say(f, DOCTOR_WARN, "inro system prune -a",
			   "of the inodes on the disk of %s only %llu are free", s->path, n);
}

static void check_runtime_dir(const struct doctor *d, struct doctor_finding *f)
{
	cleanup_free char *cure =
	    xasprintf("loginctl enable-linger %s, and log in by ssh or the console, not by su",
		      d->user ? d->user : "USER");

	if (d->rootless && !d->runtime_dir)
		doctor_say(
		    f, DOCTOR_WARN, cure,
		    "XDG_RUNTIME_DIR is not set: state is kept in /tmp, and containers may end "
		    "with the session");
	else
		doctor_say(f, DOCTOR_OK, NULL, "%s", d->runtime_dir ? d->runtime_dir : "/run");
}

/* A link that `systemctl enable` makes. */
static bool is_enabled(const struct doctor *d, const char *dir)
{
	cleanup_free char *path = xasprintf("%s/default.target.wants/inro-restart.service", dir);
	struct stat st;

	return fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void check_boot(const struct doctor *d, struct doctor_finding *f)
{
	cleanup_free char *own =
	    xasprintf("%s/.config/systemd/user", d->home && d->home[0] ? d->home + 1 : "root");
	cleanup_free char *cure = xasprintf("systemctl --user enable inro-restart; loginctl "
					    "enable-linger %s",
					    d->user ? d->user : "USER");
	bool enabled = d->rootless ? is_enabled(d, own) || is_enabled(d, "etc/systemd/user")
				   : is_enabled(d, "etc/systemd/system");

	if (!d->n_policies)
		doctor_say(f, DOCTOR_OK, NULL, "no container is to be started at boot");
	else if (!doctor_exists(d, "run/systemd/system"))
		doctor_say(
		    f, DOCTOR_WARN, "inro start --all --filter should-start-on-boot=true",
		    "systemd does not run here: something else has to start %zu containers at "
		    "boot",
		    d->n_policies);
	else if (!enabled)
		doctor_say(f, DOCTOR_WARN, d->rootless ? cure : "systemctl enable inro-restart",
			   "%zu containers have a restart policy, and nothing starts them at boot",
			   d->n_policies);
	else
		doctor_say(f, DOCTOR_OK, NULL, "inro-restart.service is enabled");
}

static void check_clock(const struct doctor *d, struct doctor_finding *f)
{
	if (d->now_ns < CLOCK_MIN_NS)
		doctor_say(
		    f, DOCTOR_FAIL, "timedatectl set-ntp true",
		    "the clock has lost its time: registries' certificates are not valid yet");
	else
		doctor_say(f, DOCTOR_OK, NULL, "the time may be right");
}

static void check_programs(const struct doctor *d, struct doctor_finding *f)
{
	if (d->missing_program)
		doctor_say(f, DOCTOR_FAIL, "install inro again", "%s is missing",
			   d->missing_program);
	else
		doctor_say(f, DOCTOR_OK, NULL, "all of inro's programs are there");
}

static const struct doctor_check checks[] = {
	{ "programs", check_programs },
	{ "kernel", check_calls },
	{ "seccomp", check_seccomp },
	{ "landlock", check_landlock },
	{ "overlay", check_overlay },
	{ "user namespaces", check_user_namespaces },
	{ "subordinate ids", check_sub_ids },
	{ "id helpers", check_id_helpers },
	{ "cgroups", check_cgroups },
	{ "store", check_store },
	{ "disk space", check_space },
	{ "inodes", check_inodes },
	{ "runtime directory", check_runtime_dir },
	{ "restarts at boot", check_boot },
	{ "clock", check_clock },
};

static void examine(const struct doctor *d, const struct doctor_check *check,
		    struct doctor_report *ret)
{
	struct doctor_finding *f = &ret->items.items[ret->items.n++];

	f->check = xstrdup(check->name);
	check->run(d, f);
}

void doctor_examine(const struct doctor *d, struct doctor_report *ret)
{
	size_t n = ARRAY_SIZE(checks);

	for (const struct doctor_check *c = doctor_network_checks; c->name; c++)
		n++;
	ret->items.items = xcalloc(n, sizeof(*ret->items.items));
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		examine(d, &checks[i], ret);
	for (const struct doctor_check *c = doctor_network_checks; c->name; c++)
		examine(d, c, ret);
}
