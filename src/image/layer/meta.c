/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/meta.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/log.h"
#include "base/str.h"
#include "image/layer/acl.h"

#define XATTR_DEFAULT_ACL "system.posix_acl_default"
#define XATTR_NAMES_MAX   65536        /* the kernel's XATTR_LIST_MAX */
#define XATTR_TOTAL_MAX   (512u << 10) /* bytes of all values of one object */

static int owner_apply(const struct meta_target *t, struct archive_entry *entry, struct err *err)
{
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

	/* (uid_t) -1 means "leave it" to chown(2). */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_fail(err, ERR_INVALID, "%s: owner %lld:%lld is out of range", t->path,
				(long long)uid, (long long)gid);
	int r = t->fd >= 0
		    ? fchown(t->fd, (uid_t)uid, (gid_t)gid)
		    : fchownat(t->dirfd, t->name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW);
	if (r == 0)
		return 0;
	r = err_errno(err, errno, "giving %s to %lld:%lld", t->path, (long long)uid,
		      (long long)gid);
	if (r == -EINVAL && t->userns)
		err_hint(err, r,
			 "the user needs more subordinate ids in /etc/subuid and /etc/subgid");
	return r;
}

/* After the owner, because chown(2) takes set-id bits away. */
static int mode_apply(const struct meta_target *t, struct archive_entry *entry, struct err *err)
{
	mode_t mode = archive_entry_perm(entry) & 07777;

	if (archive_entry_filetype(entry) == AE_IFLNK)
		return 0;
	int r = t->fd >= 0 ? fchmod(t->fd, mode) : fchmodat(t->dirfd, t->name, mode, 0);
	if (r < 0)
		return err_errno(err, errno, "setting mode of %s", t->path);
	return 0;
}

static int xattr_put(const struct meta_target *t, const char *name, const void *value, size_t len,
		     struct err *err)
{
	int r;

	if (t->fd >= 0) {
		r = fsetxattr(t->fd, name, value, len, 0);
	} else {
		/* No /proc here, and setxattrat(2) is too new: the working directory leads there.
		 */
		r = fchdir(t->dirfd);
		if (r == 0)
			r = lsetxattr(t->name, name, value, len, 0);
	}
	if (r == 0)
		return 0;
	/* What this filesystem or this user namespace cannot hold is no reason to refuse an image;
	 * the kernel allows user.* on files and directories only. */
	if (errno == EOPNOTSUPP || errno == EPERM) {
		cleanup_free char *shown = str_escape(t->path), *attr = str_escape(name);
		log_warn("%s: attribute %s left out: %s", shown, attr, strerror(errno));
		return 0;
	}
	return err_errno(err, errno, "setting attribute %s of %s", name, t->path);
}

/* What an image may say. Not overlayfs's own marks, which would give a layer power over what lies
 * below it, and nothing else that the kernel or another program of the host's root believes:
 * trusted.*, security.selinux, security.ima ... */
static bool xattr_refused(const char *name)
{
	static const char *const allowed[] = { "security.capability", "system.posix_acl_access",
					       XATTR_DEFAULT_ACL };

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		if (str_eq(name, allowed[i]))
			return false;
	return !str_starts(name, "user.") || str_starts(name, "user.overlay.");
}

/* For when its members are there. */
static bool xattr_is_later(struct archive_entry *entry, const char *name)
{
	return archive_entry_filetype(entry) == AE_IFDIR && str_eq(name, XATTR_DEFAULT_ACL);
}

static int xattrs_check(const struct meta_target *t, struct archive_entry *entry, struct err *err)
{
	const char *name;
	const void *value;
	size_t len, total = 0;

	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK)
		total += len;
	if (total > XATTR_TOTAL_MAX)
		return err_fail(err, ERR_LIMIT, "%s: more than %u bytes of attributes", t->path,
				XATTR_TOTAL_MAX);
	return 0;
}

static int xattrs_apply(const struct meta_target *t, struct archive_entry *entry, struct err *err)
{
	const char *name;
	const void *value;
	size_t len;

	if (archive_entry_xattr_count(entry) == 0)
		return 0;
	int r = xattrs_check(t, entry, err);
	archive_entry_xattr_reset(entry);
	while (r == 0 && archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
		if (xattr_is_later(entry, name))
			continue;
		if (!xattr_refused(name)) {
			r = xattr_put(t, name, value, len, err);
			continue;
		}
		cleanup_free char *shown = str_escape(t->path), *attr = str_escape(name);
		log_warn("%s: attribute %s left out", shown, attr);
	}
	return r;
}

static int acls_apply(const struct meta_target *t, struct archive_entry *entry, struct err *err)
{
	static const struct {
		int type;
		const char *xattr;
	} kinds[] = {
		{ ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access" },
		{ ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, XATTR_DEFAULT_ACL },
	};

	if (archive_entry_acl_types(entry) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup_buf struct buf acl = BUF_INIT;
		if (xattr_is_later(entry, kinds[i].xattr) ||
		    !acl_encode(entry, kinds[i].type, &acl))
			continue;
		int r = xattr_put(t, kinds[i].xattr, acl.data, acl.len, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void meta_default_acl(struct archive_entry *entry, struct buf *out)
{
	cleanup_buf struct buf acl = BUF_INIT;
	const char *name;
	const void *value;
	size_t len;

	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
		if (!str_eq(name, XATTR_DEFAULT_ACL))
			continue;
		buf_reset(out);
		buf_add(out, value, len);
	}
	if (archive_entry_acl_types(entry) == 0 ||
	    !acl_encode(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, &acl))
		return;
	buf_reset(out);
	buf_add(out, acl.data, acl.len);
}

int meta_set_default_acl(int fd, const struct buf *acl, const char *path, struct err *err)
{
	const struct meta_target t = { .fd = fd, .path = path };

	if (acl->len > 0)
		return xattr_put(&t, XATTR_DEFAULT_ACL, acl->data, acl->len, err);
	if (fremovexattr(fd, XATTR_DEFAULT_ACL) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return err_errno(err, errno, "removing the default ACL of %s", path);
	return 0;
}

int meta_clear_xattrs(int fd, const char *path, struct err *err)
{
	char few[256];
	cleanup_free char *many = NULL;
	char *list = few;
	ssize_t len = flistxattr(fd, few, sizeof(few));

	if (len < 0 && errno == ERANGE) {
		list = many = xmalloc(XATTR_NAMES_MAX);
		len = flistxattr(fd, many, XATTR_NAMES_MAX);
	}
	if (len < 0 && errno != EOPNOTSUPP)
		return err_errno(err, errno, "listing attributes of %s", path);
	for (const char *name = list; name < list + len; name += strlen(name) + 1)
		if (!xattr_refused(name) && fremovexattr(fd, name) < 0 && errno != ENODATA)
			return err_errno(err, errno, "removing attribute %s of %s", name, path);
	return 0;
}

void meta_times(struct archive_entry *entry, struct timespec ret[2])
{
	ret[1].tv_sec = archive_entry_mtime(entry);
	ret[1].tv_nsec = archive_entry_mtime_nsec(entry);
	ret[0] = ret[1];
	if (archive_entry_atime_is_set(entry)) {
		ret[0].tv_sec = archive_entry_atime(entry);
		ret[0].tv_nsec = archive_entry_atime_nsec(entry);
	}
}

static int times_apply(const struct meta_target *t, struct archive_entry *entry, struct err *err)
{
	struct timespec times[2];

	meta_times(entry, times);
	int r = t->fd >= 0 ? futimens(t->fd, times)
			   : utimensat(t->dirfd, t->name, times, AT_SYMLINK_NOFOLLOW);
	if (r < 0)
		return err_errno(err, errno, "setting times of %s", t->path);
	return 0;
}

int meta_apply(const struct meta_target *t, struct archive_entry *entry, struct err *err)
{
	int r = owner_apply(t, entry, err);
	if (r == 0)
		r = mode_apply(t, entry, err);
	if (r == 0)
		r = xattrs_apply(t, entry, err);
	if (r == 0)
		r = acls_apply(t, entry, err);
	if (r == 0 && archive_entry_filetype(entry) != AE_IFDIR)
		r = times_apply(t, entry, err);
	return r;
}

static const char *opaque_mark(bool userns)
{
	return userns ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

int meta_set_opaque(int fd, bool userns, const char *path, struct err *err)
{
	if (fsetxattr(fd, opaque_mark(userns), "y", 1, 0) < 0)
		return err_errno(err, errno, "marking %s as opaque", path);
	return 0;
}

bool meta_is_opaque(int fd, bool userns)
{
	char value;

	return fgetxattr(fd, opaque_mark(userns), &value, 1) == 1 && value == 'y';
}
