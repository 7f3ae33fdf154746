/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/mount.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/path.h"
#include "sys/uapi.h"

/* The kernel's messages about a filesystem context: "e tmpfs: Bad value for 'size'", one per
 * read(2). The last error says most; warnings are only of interest without one. */
static const char *context_log(int fsfd, char *out, size_t size)
{
	char line[512];
	bool have_error = false;
	ssize_t n;

	out[0] = '\0';
	while ((n = read(fsfd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (n < 3 || line[1] != ' ' || (line[0] != 'e' && have_error))
			continue;
		have_error = have_error || line[0] == 'e';
		snprintf(out, size, " (%.280s)", line + 2);
	}
	return out;
}

/* Adds, to what a kernel or sandbox without the call says, what to do. */
static int needs_kernel(struct err *err, int r, const char *call)
{
	if (r != -ENOSYS)
		return r;
	return err_hint(err, r,
			"%s(2) is missing here: inro needs Linux 5.12 or later, and a sandbox "
			"around it that lets its mount calls through",
			call);
}

static int context_fail(int fsfd, int errnum, const char *doing, const char *fstype,
			struct err *err)
{
	char log[300];

	return err_errno(err, errnum, "%s %s%s", doing, fstype,
			 context_log(fsfd, log, sizeof(log)));
}

static int context_open(const char *fstype, struct err *err)
{
	int fd = fsopen(fstype, FSOPEN_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENODEV)
		return err_set_kind(err,
				    err_errno(err, errno, "opening filesystem type %s", fstype),
				    ERR_UNSUPPORTED);
	return needs_kernel(
	    err, err_errno(err, errno, "opening filesystem type %s (fsopen)", fstype), "fsopen");
}

static int context_set(int fsfd, const char *fstype, const char *key, const char *value,
		       struct err *err)
{
	char log[300];
	int r = value ? fsconfig(fsfd, FSCONFIG_SET_STRING, key, value, 0)
		      : fsconfig(fsfd, FSCONFIG_SET_FLAG, key, NULL, 0);

	if (r == 0)
		return 0;
	int errnum = errno;
	context_log(fsfd, log, sizeof(log));
	r = err_errno(err, errnum, "setting option %s%s%s of %s%s", key, value ? "=" : "",
		      value ? value : "", fstype, log);
	return needs_kernel(err, r, "fsconfig");
}

/* Makes the superblock and a detached mount of it. */
static int context_mount(int fsfd, const char *fstype, unsigned int attrs, struct err *err)
{
	if (fsconfig(fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return context_fail(fsfd, errno, "creating", fstype, err);
	int fd = fsmount(fsfd, FSMOUNT_CLOEXEC, attrs);
	if (fd < 0)
		return needs_kernel(err, context_fail(fsfd, errno, "mounting", fstype, err),
				    "fsmount");
	return fd;
}

int mount_new(const char *fstype, const char *source, const struct mount_option *options, size_t n,
	      unsigned int attrs, struct err *err)
{
	cleanup_fd int fsfd = context_open(fstype, err);

	if (fsfd < 0)
		return fsfd;
	if (source) {
		int r = context_set(fsfd, fstype, "source", source, err);
		if (r < 0)
			return r;
	}
	return mount_from_context(fsfd, fstype, options, n, attrs, err);
}

int mount_from_context(int fsfd, const char *fstype, const struct mount_option *options, size_t n,
		       unsigned int attrs, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = context_set(fsfd, fstype, options[i].key, options[i].value, err);
		if (r < 0)
			return r;
	}
	return context_mount(fsfd, fstype, attrs, err);
}

int mount_open_procfs(int pidns_fd)
{
	cleanup_fd int fsfd = fsopen("proc", FSOPEN_CLOEXEC);

	if (fsfd < 0)
		return -errno;
	if (pidns_fd >= 0 && fsconfig(fsfd, FSCONFIG_SET_FD, "pidns", NULL, pidns_fd) < 0)
		return -errno;
	return take_fd(fsfd);
}

/* Gives a directory to overlayfs: as an fd (kernel >= 6.13), else by its name in /proc. *by_name
 * remembers the answer, so that the kernel is asked once. */
static int overlay_set_dir(int fsfd, const char *key, int fd, bool *by_name, struct err *err)
{
	char path[FD_PATH_MAX];

	if (!*by_name) {
		if (fsconfig(fsfd, FSCONFIG_SET_FD, key, NULL, fd) == 0)
			return 0;
		*by_name = true;
	}
	return context_set(fsfd, "overlay", key, fd_proc_path(fd, path), err);
}

/* Kernel < 6.5: overlayfs has no parser of its own for this interface. Any option is taken, and
 * only making the filesystem fails, so it is asked with one that is wrong everywhere else. */
static bool overlay_is_legacy(void)
{
	cleanup_fd int fsfd = fsopen("overlay", FSOPEN_CLOEXEC);

	return fsfd >= 0 && fsconfig(fsfd, FSCONFIG_SET_FLAG, "lowerdir+", NULL, 0) == 0;
}

/* Kernel < 6.7 has no "lowerdir+": all layers in one string, which fsconfig(2) limits. -E2BIG
 * without an error when they don't fit. */
static int overlay_set_lowerdir(int fsfd, const int *lower_fds, size_t n_lower, struct err *err)
{
	char value[256], path[FD_PATH_MAX];
	size_t len = 0;

	for (size_t i = 0; i < n_lower; i++) {
		int n = snprintf(value + len, sizeof(value) - len, "%s%s", i ? ":" : "",
				 fd_proc_path(lower_fds[i], path));
		if (n < 0 || (size_t)n >= sizeof(value) - len)
			return -E2BIG;
		len += (size_t)n;
	}
	return context_set(fsfd, "overlay", "lowerdir", value, err);
}

static int overlay_set_lowers(int fsfd, const int *lower_fds, size_t n_lower, bool *by_name,
			      struct err *err)
{
	struct err first = ERR_INIT;
	int r = fsconfig(fsfd, FSCONFIG_SET_FD, "lowerdir+", NULL, lower_fds[0]);

	*by_name = r < 0;
	if (*by_name) {
		if (overlay_is_legacy())
			return overlay_set_lowerdir(fsfd, lower_fds, n_lower, err);
		r = overlay_set_dir(fsfd, "lowerdir+", lower_fds[0], by_name, &first);
		if (r == -EINVAL) /* 6.5 and 6.6; or no directory, which is EINVAL then as well */
			return overlay_set_lowerdir(fsfd, lower_fds, n_lower, err);
	}
	for (size_t i = 1; i < n_lower && r == 0; i++)
		r = overlay_set_dir(fsfd, "lowerdir+", lower_fds[i], by_name, &first);
	if (r < 0 && err)
		*err = first;
	return r;
}

/* "nofollow" and not "off", which follows redirects where the kernel was built so. */
const struct mount_option mount_overlay_fixed[MOUNT_OVERLAY_FIXED] = {
	{ "redirect_dir", "nofollow" },
	{ "metacopy", "off" },
	{ "index", "off" },
};

static int overlay_set_fixed(int fsfd, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < MOUNT_OVERLAY_FIXED; i++)
		r = context_set(fsfd, "overlay", mount_overlay_fixed[i].key,
				mount_overlay_fixed[i].value, err);
	return r;
}

static int overlay_new(const struct mount_layers *l, unsigned int attrs, struct err *err)
{
	bool by_name = false;
	cleanup_fd int fsfd = context_open("overlay", err);

	if (fsfd < 0)
		return fsfd;
	/* So that mountinfo shows a source that is not empty. */
	int r = context_set(fsfd, "overlay", "source", "overlay", err);
	if (r == 0)
		r = overlay_set_fixed(fsfd, err);
	if (r == 0)
		r = overlay_set_lowers(fsfd, l->lower_fds, l->n_lower, &by_name, err);
	if (r == 0 && l->upper_fd >= 0)
		r = overlay_set_dir(fsfd, "upperdir", l->upper_fd, &by_name, err);
	if (r == 0 && l->upper_fd >= 0)
		r = overlay_set_dir(fsfd, "workdir", l->work_fd, &by_name, err);
	if (r == 0 && l->userxattr)
		r = context_set(fsfd, "overlay", "userxattr", NULL, err);
	if (r == 0 && l->throw_away && l->upper_fd >= 0)
		r = context_set(fsfd, "overlay", "volatile", NULL, err);
	return r < 0 ? r : context_mount(fsfd, "overlay", attrs, err);
}

/* "volatile" puts a mark into the work directory, and what has one is refused: its last user may
 * have lost what it wrote. */
#define VOLATILE_MARK "work/incompat/volatile"

static bool overlay_is_marked(const struct mount_layers *l)
{
	return l->throw_away && l->upper_fd >= 0 &&
	       faccessat(l->work_fd, VOLATILE_MARK, F_OK, 0) == 0;
}

/* The kernel looks at the lower layers last: an overlay that it refused for them has left a mark.
 */
static void overlay_remove_mark(const struct mount_layers *l)
{
	unlinkat(l->work_fd, VOLATILE_MARK "/dirty", 0);
	unlinkat(l->work_fd, VOLATILE_MARK, AT_REMOVEDIR);
}

int mount_overlay_part(int overlay_fd, const struct mount_layers *layers, struct err *err)
{
	cleanup_fd int fd = path_open_in(overlay_fd, layers->part, O_PATH, 0, err);

	return fd < 0 ? fd : mount_clone(fd, "", false, err);
}

/* Kernels before 6.15 clone nothing of a detached mount (EINVAL). */
static int overlay_make(const struct mount_layers *l, unsigned int attrs, struct err *err)
{
	cleanup_fd int fd = overlay_new(l, attrs, err);

	return fd < 0 || !l->part ? take_fd(fd) : mount_overlay_part(fd, l, err);
}

int mount_overlay(const struct mount_layers *layers, unsigned int attrs, struct err *err)
{
	struct err first = ERR_INIT;
	bool marked;

	if (layers->n_lower == 0)
		return err_fail(err, ERR_INVALID, "an overlay needs at least one lower layer");
	if (layers->n_lower > MOUNT_LAYERS_MAX)
		return err_fail(err, ERR_LIMIT, "overlayfs takes %d layers at most, not %zu",
				MOUNT_LAYERS_MAX, layers->n_lower);
	marked = overlay_is_marked(layers);
	int fd = overlay_make(layers, attrs, &first);
	/* EINVAL is also how kernels before 6.15 refuse layers that are detached mounts. */
	if (fd == -E2BIG)
		return mount_overlay_apart(layers, attrs, err);
	if (fd == -EINVAL) {
		if (!marked && overlay_is_marked(layers))
			overlay_remove_mark(layers);
		int apart = mount_overlay_apart(layers, attrs, NULL);
		if (apart >= 0)
			return apart;
	}
	if (fd < 0 && err)
		*err = first;
	return fd;
}

int mount_clone(int dirfd, const char *path, bool recursive, struct err *err)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	int fd = open_tree(dirfd, path, flags | (recursive ? AT_RECURSIVE : 0));

	if (fd < 0)
		return needs_kernel(
		    err,
		    err_errno(err, errno, "cloning mount%s%s (open_tree)", *path ? " " : "", path),
		    "open_tree");
	return fd;
}

int mount_attach(int mount_fd, int target_fd, struct err *err)
{
	if (move_mount(mount_fd, "", target_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return needs_kernel(err, err_errno(err, errno, "attaching mount (move_mount)"),
				    "move_mount");
	return 0;
}

int mount_detach(int fd, struct err *err)
{
	char path[FD_PATH_MAX];

	if (umount2(fd_proc_path(fd, path), MNT_DETACH) < 0)
		return err_errno(err, errno, "detaching mount");
	return 0;
}

int mount_detach_by(int fds_dir, int fd, struct err *err)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", fd);
	if (fchdir(fds_dir) < 0 || umount2(name, MNT_DETACH) < 0)
		return err_errno(err, errno, "detaching mount");
	return 0;
}

int mount_set(int dirfd, const char *path, bool recursive, uint64_t set, uint64_t clear,
	      uint64_t propagation, int userns_fd, struct err *err)
{
	struct mount_attr attr = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
	};
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	/* The times are one field, not bits: to set one, the field must be cleared too. */
	if (set & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (userns_fd >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns_fd;
	}
	if (mount_setattr(dirfd, path, flags, &attr, sizeof(attr)) < 0)
		return needs_kernel(err,
				    err_errno(err, errno,
					      "setting mount attributes%s%s (mount_setattr)",
					      *path ? " of " : "", path),
				    "mount_setattr");
	return 0;
}

/*
 * pivot_root(".", "."): the old root ends up mounted on top of the new one and is what "." and "/"
 * lead to, so one detach uncovers the new root; no directory for the old one is needed.
 */
int mount_pivot(int new_root_fd, struct err *err)
{
	cleanup_fd int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (old_root < 0 || fchdir(new_root_fd) < 0)
		return err_errno(err, errno, "entering new root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_errno(err, errno, "changing root (pivot_root)");
	/* Where the caller left its mounts shared, the unmounting would reach the host's. */
	r = mount_set(old_root, "", true, 0, 0, MS_SLAVE, -EBADF, err);
	if (r < 0)
		return err_wrap(err, r, "isolating old root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_errno(err, errno, "detaching old root");
	if (chdir("/") < 0)
		return err_errno(err, errno, "entering new root");
	return 0;
}
