/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/pack.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/links.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer/pack_entry.h"
#include "image/layer/pack_out.h"
#include "image/layer/pack_sparse.h"

#define WHITEOUT "wh."
#define OPAQUE   ".wh..wh..opq"
#define CHUNK    (128u << 10)

struct pack {
	const struct pack_options *opts;
	struct pack_out *out;
	struct buf head;
	struct links links;
	char *chunk;
};

/* ---- members ---- */

static int head_write(struct pack *pk, const struct tar_member *member, struct err *err)
{
	buf_reset(&pk->head);
	tar_header_add(&pk->head, member);
	return pack_out_add(pk->out, pk->head.data, pk->head.len, err);
}

static void member_time(const struct pack *pk, const struct timespec *t, struct tar_member *m)
{
	const struct pack_options *o = pk->opts;

	m->mtime = t->tv_sec;
	m->mtime_ns = (uint32_t)t->tv_nsec;
	if (o->timestamp >= 0 || (o->newest >= 0 && m->mtime >= o->newest)) {
		m->mtime = o->timestamp >= 0 ? o->timestamp : o->newest;
		m->mtime_ns = 0;
	}
}

static void member_fill(const struct pack *pk, const struct pack_entry *entry, const char *path,
			struct tar_member *ret)
{
	*ret = (struct tar_member){ .name = path,
				    .mode = entry->st.st_mode & 07777,
				    .uid = entry->st.st_uid,
				    .gid = entry->st.st_gid,
				    .xattrs = entry->xattrs,
				    .n_xattrs = entry->n_xattrs };
	member_time(pk, &entry->st.st_mtim, ret);
}

/* An empty file: what it says is its name. */
static int mark_write(struct pack *pk, const struct stat *st, const char *dir, const char *name,
		      struct err *err)
{
	cleanup_free char *path = xasprintf("%s%s%s", dir, *dir ? "/" : "", name);
	struct tar_member member = { .type = TAR_FILE, .name = path, .mode = 0644 };

	member_time(pk, &st->st_mtim, &member);
	return head_write(pk, &member, err);
}

/* Exactly size bytes, whatever a process does to the file meanwhile. */
static int data_write(struct pack *pk, int fd, uint64_t offset, uint64_t size, const char *path,
		      struct err *err)
{
	uint64_t left = size;
	int r = 0;

	if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
		return err_errno(err, errno, "reading /%s", path);
	while (left > 0 && r == 0) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t n = io_read(fd, pk->chunk, want);
		if (n < 0)
			return err_errno(err, (int)-n, "reading /%s", path);
		memset(pk->chunk + n, 0, want - (size_t)n);
		r = pack_out_add(pk->out, pk->chunk, want, err);
		left -= want;
	}
	return r;
}

static int padding_write(struct pack *pk, uint64_t size, struct err *err)
{
	static const char zeros[TAR_BLOCK];

	return pack_out_add(pk->out, zeros, tar_padding(size), err);
}

static int sparse_write(struct pack *pk, int fd, struct tar_member *member,
			const struct sparse_map *map, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	sparse_map_text(map, &text);
	member->sparse = true;
	member->real_size = member->size;
	member->size = text.len + map->data;
	int r = head_write(pk, member, err);
	if (r == 0)
		r = pack_out_add(pk->out, text.data, text.len, err);
	for (size_t i = 0; r == 0 && i < map->n; i++)
		r = data_write(pk, fd, map->parts[i].offset, map->parts[i].len, member->name, err);
	return r < 0 ? r : padding_write(pk, member->size, err);
}

static int content_write(struct pack *pk, int fd, struct tar_member *member, struct err *err)
{
	cleanup_sparse_map struct sparse_map map = { 0 };

	int r = sparse_map_read(fd, member->size, &map, err);
	if (r < 0)
		return err_wrap(err, r, "/%s", member->name);
	if (r > 0)
		return sparse_write(pk, fd, member, &map, err);
	r = head_write(pk, member, err);
	if (r == 0)
		r = data_write(pk, fd, 0, member->size, member->name, err);
	return r < 0 ? r : padding_write(pk, member->size, err);
}

static int file_write(struct pack *pk, int dir_fd, const char *name, struct tar_member *member,
		      struct pack_entry *entry, struct err *err)
{
	struct stat st;
	cleanup_fd int fd =
	    openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	/* It was replaced or removed just now. */
	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "opening /%s", member->name);
	if (st.st_dev != entry->st.st_dev || st.st_ino != entry->st.st_ino)
		return 0;
	member->type = TAR_FILE;
	member->link =
	    st.st_nlink > 1 ? links_find(&pk->links, st.st_dev, st.st_ino, member->name) : NULL;
	if (member->link) {
		member->type = TAR_HARDLINK;
		member->n_xattrs = 0;
		return head_write(pk, member, err);
	}
	member->size = (uint64_t)st.st_size;
	return content_write(pk, fd, member, err);
}

static int symlink_write(struct pack *pk, int dir_fd, const char *name, struct tar_member *member,
			 struct err *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "reading /%s", member->name);
	target[n] = '\0';
	member->type = TAR_SYMLINK;
	member->link = target;
	return head_write(pk, member, err);
}

static int dir_write(struct pack *pk, int fd, const char *path, const struct pack_entry *self,
		     int depth, struct err *err);

static int subdir_write(struct pack *pk, int dir_fd, const char *name,
			const struct tar_member *member, const struct pack_entry *entry, int depth,
			struct err *err)
{
	cleanup_fd int fd = pack_open_dir(dir_fd, name, member->name, err);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (depth >= PACK_DEPTH_MAX)
		return err_fail(err, ERR_LIMIT, "/%s: more than %d levels of directories",
				member->name, PACK_DEPTH_MAX);
	int r = head_write(pk, member, err);
	return r < 0 ? r : dir_write(pk, fd, member->name, entry, depth + 1, err);
}

static int entry_write(struct pack *pk, int dir_fd, const char *name, const char *path,
		       struct pack_entry *entry, int depth, struct err *err)
{
	const struct stat *st = &entry->st;
	struct tar_member member;

	member_fill(pk, entry, path, &member);
	switch (st->st_mode & S_IFMT) {
	case S_IFDIR:
		member.type = TAR_DIR;
		return subdir_write(pk, dir_fd, name, &member, entry, depth, err);
	case S_IFREG:
		return file_write(pk, dir_fd, name, &member, entry, err);
	case S_IFLNK:
		return symlink_write(pk, dir_fd, name, &member, err);
	case S_IFIFO:
		member.type = TAR_FIFO;
		break;
	case S_IFCHR:
	case S_IFBLK:
		member.type = S_ISCHR(st->st_mode) ? TAR_CHARDEV : TAR_BLOCKDEV;
		member.major = major(st->st_rdev);
		member.minor = minor(st->st_rdev);
		break;
	default: /* A socket is nothing without the process that listens. */
		return 0;
	}
	return head_write(pk, &member, err);
}

static int name_write(struct pack *pk, int dir_fd, const char *dir, const char *name, int depth,
		      struct err *err)
{
	cleanup_pack_entry struct pack_entry entry = { 0 };
	cleanup_free char *path = xasprintf("%s%s%s", dir, *dir ? "/" : "", name);

	int r = pack_entry_read(dir_fd, name, path, pk->opts, &entry, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (pk->opts->layer && str_starts(name, "." WHITEOUT))
		return err_fail(err, ERR_UNSUPPORTED,
				"/%s: in a layer this name stands for a file that is removed",
				path);
	if (entry.whiteout) {
		cleanup_free char *mark = xasprintf("." WHITEOUT "%s", name);
		return mark_write(pk, &entry.st, dir, mark, err);
	}
	if (pack_excluded(dir_fd, name, path, &entry.st, pk->opts))
		return 0;
	return entry_write(pk, dir_fd, name, path, &entry, depth, err);
}

static int dir_write(struct pack *pk, int fd, const char *path, const struct pack_entry *self,
		     int depth, struct err *err)
{
	cleanup_strv char **names = NULL;

	int r = pack_names(fd, &names, err);
	if (r < 0)
		return err_wrap(err, r, "/%s", path);
	if (pk->opts->layer && self->opaque)
		r = mark_write(pk, &self->st, path, OPAQUE, err);
	for (size_t i = 0; r == 0 && names && names[i]; i++)
		r = name_write(pk, fd, path, names[i], depth, err);
	return r;
}

static int root_write(struct pack *pk, int dir_fd, struct err *err)
{
	cleanup_pack_entry struct pack_entry entry = { 0 };
	struct tar_member member;

	int r = pack_entry_read(dir_fd, ".", "", pk->opts, &entry, err);
	if (r < 0)
		return r;
	member_fill(pk, &entry, ".", &member);
	member.type = TAR_DIR;
	r = head_write(pk, &member, err);
	if (r == 0)
		r = dir_write(pk, dir_fd, "", &entry, 0, err);
	buf_reset(&pk->head);
	tar_zeros_add(&pk->head, 2 * (size_t)TAR_BLOCK);
	if (r == 0)
		r = pack_out_add(pk->out, pk->head.data, pk->head.len, err);
	return r < 0 ? r : pack_out_end(pk->out, err);
}

int pack_tree(int dir_fd, int out_fd, const struct pack_options *opts, struct err *err)
{
	struct pack pk = { .opts = opts,
			   .out = pack_out_new(out_fd, opts->gzip),
			   .chunk = xmalloc(CHUNK) };

	int r = root_write(&pk, dir_fd, err);
	links_done(&pk.links);
	free(pk.chunk);
	buf_done(&pk.head);
	pack_out_free(pk.out);
	return r < 0 ? err_wrap(err, r, "packing") : 0;
}
