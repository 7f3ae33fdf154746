/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image "host". Its one layer is the machine's root directory itself, so whatever is readable
 * there would be readable in the container. The mask, put into the container's upper directory
 * before it is mounted, hides by what overlayfs offers: a directory marked opaque shows nothing of
 * the one below it, and a file in the upper directory replaces the lower one. No mounts are needed,
 * and as the container's root owns the files it may write there: to its own copies.
 *
 * Hidden: other people's data (/root, /home, /srv stays), what belongs to running programs of the
 * host (/run, /tmp, /var/tmp, spools), the state of inro and of other engines, and secrets that
 * root in a container could read: password hashes, keys of ssh, TLS and WireGuard, saved network
 * passwords. /proc, /sys and /dev are mount points: overlayfs shows what lies under the mounts.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "image/store.h"
#include "sys/xattr.h"

enum mask_kind { MASK_DIR /* empty */, MASK_FILE /* empty */ };

struct mask {
	const char *path;
	enum mask_kind kind;
	mode_t mode; /* 0: that of the host's */
};

static const struct mask masks[] = {
	{ "root", MASK_DIR, 0700 },
	{ "home", MASK_DIR, 0755 },
	{ "run", MASK_DIR, 0755 },
	{ "tmp", MASK_DIR, 01777 },
	{ "var/tmp", MASK_DIR, 01777 },
	{ "proc", MASK_DIR, 0555 },
	{ "sys", MASK_DIR, 0555 },
	{ "dev", MASK_DIR, 0755 },
	{ "mnt", MASK_DIR, 0755 },
	{ "media", MASK_DIR, 0755 },
	{ "lost+found", MASK_DIR, 0700 },
	{ "var/backups", MASK_DIR, 0 }, /* holds copies of shadow */
	{ "var/log", MASK_DIR, 0 },
	{ "var/log/apt", MASK_DIR, 0 }, /* apt insists on it */
	{ "var/mail", MASK_DIR, 0 },
	{ "var/spool", MASK_DIR, 0 },
	{ "var/lib/inro", MASK_DIR, 0 },
	{ "var/lib/docker", MASK_DIR, 0 },
	{ "var/lib/containerd", MASK_DIR, 0 },
	{ "var/lib/containers", MASK_DIR, 0 },
	{ "var/lib/kubelet", MASK_DIR, 0 },
	{ "var/lib/private", MASK_DIR, 0 },
	{ "var/lib/systemd", MASK_DIR, 0 }, /* random seed, credentials, core dumps */
	{ "etc/shadow", MASK_FILE, 0640 },
	{ "etc/shadow-", MASK_FILE, 0640 },
	{ "etc/gshadow", MASK_FILE, 0640 },
	{ "etc/gshadow-", MASK_FILE, 0640 },
	{ "etc/ssh", MASK_DIR, 0 },
	{ "etc/ssl/private", MASK_DIR, 0 },
	{ "etc/wireguard", MASK_DIR, 0 },
	{ "etc/NetworkManager/system-connections", MASK_DIR, 0 },
	{ "etc/krb5.keytab", MASK_FILE, 0600 },
	{ "etc/machine-id", MASK_FILE, 0444 }, /* a container gets one of its own, or none */
};

int image_open_host(struct image_store *store, int **ret_fds, size_t *ret_n, struct err *err)
{
	if (store->rootless) {
		int r = err_fail(err, ERR_UNSUPPORTED,
				 "image host needs root: overlayfs refuses \"/\" as a layer in a "
				 "user namespace");
		return err_hint(err, r, "make an image of a root filesystem with `inro import`");
	}
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening /");
	*ret_fds = xmalloc(sizeof(**ret_fds));
	(*ret_fds)[0] = fd;
	*ret_n = 1;
	return 0;
}

struct mask_state {
	int host, upper; /* "/" and the upper directory */
	const char *opaque_name;
};

/* Gives what the upper directory has the owner and mode of what it covers. */
static int mode_copy(int dir, const char *name, const struct stat *st, mode_t mode,
		     const char *path, struct err *err)
{
	if (fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, name, mode ? mode : st->st_mode & 07777, 0) < 0)
		return err_errno(err, errno, "setting owner and mode of %s", path);
	return 0;
}

/* Looks a path up on the host without following a symlink at any place: one that a link leads to
 * has its own name in the list, or is not where the list thinks. 1: there. */
static int host_stat(const struct mask_state *ms, const char *path, struct stat *st)
{
	cleanup_fd int fd = path_open_in(ms->host, path, O_PATH | O_NOFOLLOW, 0, NULL);

	return fd >= 0 && fstat(fd, st) == 0;
}

/* Makes the directories above path in the upper directory; they merge with the host's. */
static int parents_make(const struct mask_state *ms, const char *path, struct err *err)
{
	cleanup_free char *prefix = xstrdup(path);
	struct stat st;

	for (char *slash = strchr(prefix, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!host_stat(ms, prefix, &st))
			return err_fail(err, ERR_CONFLICT, "/%s has gone", prefix);
		int r = 0;
		if (mkdirat(ms->upper, prefix, 0700) == 0)
			r = mode_copy(ms->upper, prefix, &st, 0, prefix, err);
		else if (errno != EEXIST)
			r = err_errno(err, errno, "creating %s", prefix);
		if (r < 0)
			return r;
		*slash = '/';
	}
	return 0;
}

static int dir_mask(const struct mask_state *ms, const char *path, struct err *err)
{
	/* EEXIST: the parent of another masked path; it gets the mark, which hides more. */
	if (mkdirat(ms->upper, path, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating %s", path);
	cleanup_fd int fd =
	    openat(ms->upper, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening %s", path);
	int r = xattr_set(fd, ms->opaque_name, "y", 1);
	return r < 0 ? err_errno(err, -r, "marking %s as opaque", path) : 0;
}

static int file_mask(const struct mask_state *ms, const char *path, struct err *err)
{
	cleanup_fd int fd =
	    openat(ms->upper, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 && errno != EEXIST ? err_errno(err, errno, "creating %s", path) : 0;
}

static int mask_apply(const struct mask_state *ms, const struct mask *mask, struct err *err)
{
	struct stat st;
	mode_t type = mask->kind == MASK_DIR ? S_IFDIR : S_IFREG;

	/* Only what the host has: the container should look like the host, less its secrets. */
	if (!host_stat(ms, mask->path, &st) || (st.st_mode & S_IFMT) != type)
		return 0;
	int r = parents_make(ms, mask->path, err);
	if (r == 0)
		r = mask->kind == MASK_DIR ? dir_mask(ms, mask->path, err)
					   : file_mask(ms, mask->path, err);
	return r < 0 ? r : mode_copy(ms->upper, mask->path, &st, mask->mode, mask->path, err);
}

/* Below a directory that is hidden whole there is nothing left to hide. */
static bool is_hidden(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		const char *rest = str_after(path, masks[i].path);
		if (masks[i].kind == MASK_DIR && rest && *rest == '/')
			return true;
	}
	return false;
}

int image_mask_host(struct image_store *store, int upper_fd, struct err *err)
{
	struct mask_state ms = { .upper = upper_fd,
				 .opaque_name = store->rootless ? "user.overlay.opaque"
								: "trusted.overlay.opaque" };
	cleanup_fd int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *own = path_clean(store->root);
	struct stat st;
	int r = 0;

	if (host < 0 || fstat(host, &st) < 0)
		return err_errno(err, errno, "opening /");
	ms.host = host;
	/* The upper directory's own attributes are those of the container's "/". */
	if (fchown(upper_fd, st.st_uid, st.st_gid) < 0 || fchmod(upper_fd, st.st_mode & 07777) < 0)
		return err_errno(err, errno, "setting owner and mode of the root directory");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(masks); i++)
		r = mask_apply(&ms, &masks[i], err);
	/* Wherever this store is. */
	struct mask store_mask = { .path = own[0] == '/' ? own + 1 : own, .kind = MASK_DIR };
	if (r == 0 && !is_hidden(store_mask.path))
		r = mask_apply(&ms, &store_mask, err);
	return r < 0 ? err_wrap(err, r, "hiding the host's private files") : 0;
}
