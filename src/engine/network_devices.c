/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/leases.h"
#include "engine/network_pin.h"
#include "net/veth.h"
#include "sys/ns.h"

#define DIR_NAME "devices"

/* No name of an interface has a colon. */
enum { OWNER, NAME, DEVICE, KIND, FIELDS };

/* Locked: who starts a container has written of all that it takes, or of nothing. */
struct notes {
	int dir;
	char **files;
};

static void notes_done(struct notes *n)
{
	fd_close(n->dir);
	strv_free(n->files);
}
#define cleanup_notes CLEANUP(notes_done)
#define NOTES_INIT                                                                                 \
	{                                                                                          \
		.dir = -EBADF                                                                      \
	}

static int notes_read(struct engine *eng, struct notes *ret, struct err *err)
{
	cleanup_fd int fd = -EBADF;
	struct dirent *entry;
	DIR *dir;

	if (eng->rootless || !net_state_is_there(eng, DIR_NAME))
		return 0;
	ret->dir = net_state_dir(eng, DIR_NAME, err);
	if (ret->dir >= 0 && NO_EINTR(flock(ret->dir, LOCK_EX)) < 0)
		return err_errno(err, errno, "locking which interfaces are lent");
	fd = ret->dir < 0 ? ret->dir : net_state_dir(eng, DIR_NAME, err);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return fd < 0 ? fd : err_errno(err, errno, "reading which interfaces are lent");
	take_fd(fd);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			strv_add(&ret->files, entry->d_name);
	closedir(dir);
	return 0;
}

static char **note_split(const char *file)
{
	char **fields = strv_split(file, ':');

	if (strv_len(fields) == FIELDS)
		return fields;
	strv_free(fields);
	return NULL;
}

/* Its interface in the namespace that is kept. 1: there is none, or no such namespace. */
static int bring(struct engine *eng, char *const *note, struct err *err)
{
	cleanup_fd int host = ns_open_of(getpid(), CLONE_NEWNET, err);
	cleanup_fd int outside = host < 0 ? -EBADF : rtnl_open(err);
	cleanup_fd int netns = host < 0 ? -EBADF : net_pin_open(eng, note[OWNER]);
	cleanup_fd int inside = netns < 0 ? -EBADF : netns_socket(netns, rtnl_open, err);

	if (host < 0 || outside < 0)
		return host < 0 ? host : outside;
	if (netns < 0)
		return 1;
	return inside < 0 ? inside
			  : net_device_return(inside, outside, host, note[DEVICE], note[NAME],
					      note[KIND], err);
}

/* A start that failed has left it where it was. */
static void tell_lost(char *const *note)
{
	cleanup_fd int sock = rtnl_open(NULL);

	if (sock < 0 || rtnl_link_index(sock, note[DEVICE], NULL) == -ENODEV)
		log_warn(
		    "interface %s: container %.12s had it as %s, and has it no more: if it is a "
		    "real one it comes back as it is called there",
		    note[DEVICE], note[OWNER], note[NAME]);
}

/* Is that the last one of its owner's? */
static bool is_last(const struct notes *n, const char *file, const char *owner)
{
	cleanup_free char *prefix = xasprintf("%s:", owner);
	bool others = false;

	for (char **f = n->files; *f; f++)
		others |= !str_eq(*f, file) && str_starts(*f, prefix) &&
			  faccessat(n->dir, *f, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	return !others;
}

static int note_end(struct engine *eng, const struct notes *n, const char *file, char *const *note,
		    struct err *err)
{
	int r = bring(eng, note, err);

	if (r < 0)
		return r;
	if (r > 0)
		tell_lost(note);
	if (is_last(n, file, note[OWNER]))
		net_unpin(eng, note[OWNER]);
	unlinkat(n->dir, file, 0);
	return 0;
}

int net_devices_return(struct engine *eng, const char *owner, const char *name, struct err *err)
{
	cleanup_notes struct notes n = NOTES_INIT;
	int r = notes_read(eng, &n, err), done = 0;

	if (r < 0)
		return r;
	for (char **f = n.files; f && *f; f++) {
		cleanup_strv char **note = note_split(*f);

		if (!note || !str_eq(note[OWNER], owner) || (name && !str_eq(note[NAME], name)))
			continue;
		int one = note_end(eng, &n, *f, note, r < 0 ? NULL : err);
		r = r < 0 ? r : one;
		done = 1;
	}
	return r < 0 ? r : done;
}

/* 1, 0 or -errno. */
static int runs(struct engine *eng, const char *owner, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT 1 FROM containers WHERE status IN ('running', 'restarting')"
			     " AND ?1 IN (id, pod)",
			     "s", owner);
	return r < 0 ? r : db_step(eng->db, stmt, err);
}

/* Of those that do not run: brought back, or, ret not NULL, listed. One that can't come back keeps
 * no other; the first error is told. */
static int each_left(struct engine *eng, char ***ret, struct err *err)
{
	cleanup_notes struct notes n = NOTES_INIT;
	int r = notes_read(eng, &n, err);

	if (r < 0)
		return r;
	for (char **f = n.files; f && *f; f++) {
		cleanup_strv char **note = note_split(*f);
		struct err *own = r < 0 ? NULL : err;

		if (!note)
			continue;
		int one = runs(eng, note[OWNER], own);
		if (one == 0 && ret)
			strv_add(ret, note[DEVICE]);
		else if (one == 0)
			one = note_end(eng, &n, *f, note, own);
		r = r < 0 || one > 0 ? r : one;
	}
	return r;
}

int net_devices_left(struct engine *eng, char ***ret, struct err *err)
{
	return each_left(eng, ret, err);
}

int net_devices_sweep(struct engine *eng, struct err *err)
{
	cleanup_free char *other = NULL;
	int r = eng->rootless ? 0 : engine_dirs(eng, err);

	if (r == 0)
		r = engine_net(eng, err);
	if (r < 0)
		return r;
	other = engine_net_other(eng); /* whose containers are none of these rows */
	return other ? 0 : each_left(eng, NULL, err);
}

/* ---- taking ---- */

/* Who has it, if a container does: one that is being started may be about to move it. */
static int check_free(struct engine *eng, const struct notes *n, const char *owner,
		      const char *name, const char *device, struct err *err)
{
	for (char **f = n->files; f && *f; f++) {
		cleanup_strv char **note = note_split(*f);

		if (!note || !str_eq(note[DEVICE], device) ||
		    (str_eq(note[OWNER], owner) && str_eq(note[NAME], name)) ||
		    runs(eng, note[OWNER], NULL) == 0)
			continue;
		cleanup_free char *other = lease_owner_name(eng, note[OWNER]);
		return err_fail(err, ERR_CONFLICT,
				"interface %s is container %s's, as long as it runs", device,
				other);
	}
	return 0;
}

static int look_at(const char *device, struct rtnl_link *ret, struct err *err)
{
	cleanup_fd int sock = rtnl_open(err);

	return sock < 0 ? sock : net_device_check(sock, device, ret, err);
}

int net_device_note(struct engine *eng, const char *owner, const char *name, const char *device,
		    int netns, struct err *err)
{
	cleanup_notes struct notes n = NOTES_INIT;
	struct rtnl_link link = { .kind = "" };
	cleanup_fd int dir = net_state_dir(eng, DIR_NAME, err);
	int r = dir < 0 ? dir : 0;

	if (r == 0) {
		net_devices_sweep(eng, NULL); /* what can't come back may be another one */
		r = notes_read(eng, &n, err);
	}
	if (r == 0)
		r = check_free(eng, &n, owner, name, device, err);
	if (r == 0)
		r = look_at(device, &link, err);
	if (r < 0)
		return r;
	cleanup_free char *file = xasprintf("%s:%s:%s:%s", owner, name, device, link.kind);
	cleanup_fd int note = path_mkfile_in(dir, file, 0600, err);
	return note < 0 ? note : net_pin(eng, owner, netns, err);
}
