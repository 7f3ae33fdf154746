/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/users_layer.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/parse.h"
#include "image/tree.h"
#include "oci/user_entry.h"

#define HOST_FILE_MAX USER_FILE_MAX
#define NO_NAME       "container user" /* podman's, of who has none on this machine */

/* ---- who ---- */

/* No NSS, which would load libraries into a static program: who is known from elsewhere has a
 * number. */
struct host_db {
	struct buf passwd, group;
	struct user_files files;
};

static void host_read(struct host_db *db)
{
	*db = (struct host_db){ 0 };
	if (io_read_file(AT_FDCWD, "/etc/passwd", &db->passwd, HOST_FILE_MAX, NULL) < 0)
		buf_reset(&db->passwd);
	if (io_read_file(AT_FDCWD, "/etc/group", &db->group, HOST_FILE_MAX, NULL) < 0)
		buf_reset(&db->group);
	db->files = (struct user_files){ .passwd = db->passwd.data,
					 .passwd_len = db->passwd.len,
					 .group = db->group.data,
					 .group_len = db->group.len };
}

static void host_done(struct host_db *db)
{
	buf_done(&db->passwd);
	buf_done(&db->group);
}

/* A number is known when somebody has it. */
static bool knows_user(const struct userdb *db, const char *word)
{
	const struct user_files files = userdb_files(db);
	cleanup_user struct user_result user = { 0 };

	return user_resolve(word, &files, &user, NULL) == 0 && user.name;
}

/* Nor has anybody else it, and it can be one. */
static bool is_free(const struct userdb *db, const char *name)
{
	const struct user_files files = userdb_files(db);
	cleanup_user struct user_result user = { 0 };

	return user_resolve(name, &files, &user, NULL) == -ENOENT;
}

static bool knows_group(const struct userdb *db, const char *name)
{
	const struct user_files files = userdb_files(db);
	uint32_t gid;

	return user_resolve_group(name, &files, &gid, NULL) == 0;
}

static bool knows_gid(const struct userdb *db, uint32_t gid)
{
	const struct user_files files = userdb_files(db);
	cleanup_free char *name = user_group_name(&files, gid);

	return name;
}

static bool may_change(const struct userdb *db, struct userdb_file *file, const char *name)
{
	if (!file->closed && !db->etc_is_link)
		return file->changed = true;
	if (file->told)
		return false;
	file->told = true;
	log_warn("the image's /etc/%s is a link, or can't be read: it gets no line for the user",
		 name);
	return false;
}

/* Is it there in the container, as something that is mounted? */
static const char *home_of(const struct users_asked *q, const char *host_home)
{
	for (size_t i = 0; host_home && i < q->n_mounts; i++) {
		const char *target = q->mounts[i].target;

		if (target && !str_eq(target, "/") &&
		    (str_eq(target, host_home) || path_below(host_home, target)))
			return host_home;
	}
	return q->workdir;
}

/* Somebody of this machine, in here with these ids. */
static void add_user(struct userdb *db, const struct users_asked *q, const struct user_result *host,
		     uint32_t uid, uint32_t gid, const char *home)
{
	cleanup_free char *number = xasprintf("%u", uid);
	bool named = host->name && is_free(db, host->name);
	const struct user_entry e = {
		.name = named ? host->name : number,
		.gecos = named ? host->gecos : NO_NAME,
		.home = home,
		.uid = uid,
		.gid = gid,
	};

	if (!knows_user(db, number) && may_change(db, &db->passwd, "passwd"))
		user_entry_add(&db->passwd.text, q->passwd_entry, &e);
}

static void add_group(struct userdb *db, const struct users_asked *q, const char *name,
		      uint32_t gid, const char *members)
{
	cleanup_free char *number = xasprintf("%u", gid);
	const struct group_entry e = {
		.name = name && !knows_group(db, name) ? name : number,
		.gid = gid,
		.members = members,
	};

	if (!knows_gid(db, gid) && may_change(db, &db->group, "group"))
		group_entry_add(&db->group.text, q->group_entry, &e);
}

/* Who has made it, with the ids that --userns keep-id gives. */
static void add_kept(struct userdb *db, const struct users_asked *q, const struct host_db *host)
{
	cleanup_user struct user_result own = { 0 };
	cleanup_free char *number = xasprintf("%u", geteuid());
	cleanup_free char *group = user_group_name(&host->files, getegid());
	cleanup_user struct user_result kept = { 0 };
	const struct user_files none = { 0 };

	if (user_resolve(number, &host->files, &own, NULL) < 0 ||
	    user_resolve(q->kept, &none, &kept, NULL) < 0)
		return;
	add_user(db, q, &own, kept.uid, kept.gid, home_of(q, own.home));
	add_group(db, q, group, kept.gid, own.name ? own.name : number);
}

static int add_hostuser(struct userdb *db, const struct users_asked *q, const struct host_db *host,
			const char *word, struct err *err)
{
	cleanup_user struct user_result user = { 0 };

	if (user_resolve(word, &host->files, &user, NULL) < 0 || !user.name || strchr(word, ':'))
		return err_fail(err, ERR_NOT_FOUND,
				"--hostuser %s: no such user in this machine's /etc/passwd", word);
	if (!knows_user(db, user.name))
		add_user(db, q, &user, user.uid, user.gid, home_of(q, user.home));
	return 0;
}

int users_add_host(struct userdb *db, const struct users_asked *q, struct err *err)
{
	struct host_db host;
	int r = 0;

	if (!q->kept && !q->hostuser)
		return 0;
	host_read(&host);
	for (size_t i = 0; r == 0 && q->hostuser && q->hostuser[i]; i++)
		r = add_hostuser(db, q, &host, q->hostuser[i], err);
	if (r == 0 && q->kept && geteuid() != 0)
		add_kept(db, q, &host);
	host_done(&host);
	return r;
}

void users_add_own(struct userdb *db, const struct users_asked *q, const struct user_result *user)
{
	const char *group = q->user ? strchr(q->user, ':') : NULL;
	cleanup_free char *word = q->user ? xstrndup(q->user, strcspn(q->user, ":")) : NULL;
	cleanup_user struct user_result known = { 0 };
	struct host_db host;
	uint32_t id;

	if (!word || !*word)
		return;
	/* By a name that the image does not know nobody is found: then it is a number. */
	if (!user->name) {
		host_read(&host);
		if (user_resolve(word, &host.files, &known, NULL) == 0)
			add_user(db, q, &known, user->uid, user->gid, q->workdir);
		host_done(&host);
	}
	if (!group)
		add_group(db, q, NULL, 0, word);
	else if (user_parse_id(group + 1, &id) == 0)
		add_group(db, q, NULL, id, word);
}

/* ---- the layer ---- */

static int own(int fd, const struct stat *st, mode_t mode, uid_t uid, gid_t gid)
{
	bool known = st->st_mode != 0;

	/* Without root they are the caller's, who is root in there, or has them given to root.
	 * EINVAL: in a container that does not know the owner. */
	if (fchown(fd, known ? st->st_uid : uid, known ? st->st_gid : gid) < 0 && errno != EPERM &&
	    errno != EINVAL)
		return -errno;
	return fchmod(fd, known ? st->st_mode & 0777 : mode) < 0 ? -errno : 0;
}

static int file_write(int etc, const char *name, const struct userdb_file *file, uid_t uid,
		      gid_t gid, struct err *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	if (!file->changed)
		return 0;
	fd = openat(etc, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : io_write(fd, file->text.data, file->text.len);
	if (r == 0)
		r = own(fd, &file->st, 0644, uid, gid);
	return r < 0 ? err_errno(err, -r, "writing the container's /etc/%s", name) : 0;
}

static int open_dir(int dirfd, const char *name)
{
	/* Not O_PATH: an overlay takes no such fd. */
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

int users_layer_write(int bundle_fd, const struct userdb *db, uid_t uid, gid_t gid, struct err *err)
{
	cleanup_fd int top = -EBADF;
	cleanup_fd int etc = -EBADF;
	int r;

	if (!db->passwd.changed && !db->group.changed)
		return 0;
	/* Whatever the umask is: the container's root need not be its owner. */
	if (mkdirat(bundle_fd, USERS_DIR, 0700) < 0 || (top = open_dir(bundle_fd, USERS_DIR)) < 0 ||
	    fchmod(top, 0755) < 0 || mkdirat(top, "etc", 0700) < 0)
		return err_errno(err, errno, "making " USERS_DIR " in the container's directory");
	etc = open_dir(top, "etc");
	if (etc < 0)
		return err_errno(err, errno, "opening " USERS_DIR " in the container's directory");
	r = file_write(etc, "passwd", &db->passwd, uid, gid, err);
	if (r == 0)
		r = file_write(etc, "group", &db->group, uid, gid, err);
	if (r < 0)
		return r;
	r = own(etc, &db->etc, 0755, uid, gid);
	return r < 0 ? err_errno(err, -r, "preparing the container's /etc") : 0;
}

int users_layer_give(struct engine *eng, const struct record *rec, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/" USERS_DIR "/etc", rec->id);
	cleanup_image_ids struct image_ids ids = { 0 };
	cleanup_fd int etc = -EBADF;
	struct stat st;
	int r;

	if (!rec->options.mapping ||
	    fstatat(eng->containers_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_uid != geteuid())
		return 0;
	if (image_ids_parse(rec->options.mapping, &ids) < 0)
		return err_fail(err, ERR_CORRUPT, "the container's record has no mapping");
	etc = openat(eng->containers_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = etc < 0 ? err_errno(err, errno, "opening %s", path) : engine_store(eng, err);
	if (r == 0)
		r = tree_chown(&eng->store, etc, NULL, &ids, 0, 0, err);
	return r < 0 ? err_wrap(err, r, "giving %s to the container's root", path) : 0;
}

int users_layer_open(struct engine *eng, const char *id, int **fds, size_t *n, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/" USERS_DIR, id);
	int fd = open_dir(eng->containers_fd, path);

	if (fd < 0)
		return errno == ENOENT ? 0
				       : err_errno(err, errno, "opening %s in %s", path, eng->root);
	*fds = xrealloc(*fds, (*n + 1) * sizeof(**fds));
	memmove(*fds + 1, *fds, *n * sizeof(**fds));
	(*fds)[0] = fd;
	(*n)++;
	return 0;
}
