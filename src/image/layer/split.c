/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/split.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "image/layer/hash.h"
#include "image/layer/tar.h"

#define PART_NAME "part"

struct split {
	struct source *src;
	struct archive *tar;
	int dir;
	struct evp_md_ctx_st *hash;
};

static int part_copy(struct split *sp, int fd, uint64_t *ret_size, struct err *err)
{
	const void *data;
	size_t len;
	int64_t offset;
	uint64_t size = 0;
	int r;

	while ((r = tar_data(sp->tar, sp->src, &data, &len, &offset, err)) > 0) {
		if ((uint64_t)offset != size)
			return err_fail(err, ERR_UNSUPPORTED, "sparse member in an image archive");
		r = io_write(fd, data, len);
		if (r < 0)
			return err_errno(err, -r, "writing blob");
		hash_add(sp->hash, data, len);
		size += len;
	}
	*ret_size = size;
	return r;
}

static int split_file(struct split *sp, struct split_entry *out, struct err *err)
{
	char digest[HASH_TEXT_MAX];
	cleanup_fd int fd =
	    openat(sp->dir, PART_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_errno(err, errno, "creating blob");
	int r = part_copy(sp, fd, &out->size, err);
	if (r < 0)
		return err_wrap(err, r, "%s", out->name);
	hash_finish(sp->hash, digest);
	if (renameat(sp->dir, PART_NAME, sp->dir, str_after(digest, "sha256:")) < 0)
		return err_errno(err, errno, "naming blob %s", digest);
	out->digest = xstrdup(digest);
	return 0;
}

/* Directories, and what no image archive needs, leave no entry. */
static int split_member(struct split *sp, struct archive_entry *entry, struct split_entry *out,
			struct err *err)
{
	out->name = tar_clean(archive_entry_pathname(entry), "name", err);
	if (!out->name)
		return -EINVAL;
	const char *hardlink = archive_entry_hardlink(entry);
	if (hardlink) {
		out->hardlink = tar_clean(hardlink, "link target", err);
		return out->hardlink ? 1 : -EINVAL;
	}
	if (archive_entry_filetype(entry) == AE_IFLNK) {
		const char *target = archive_entry_symlink(entry);
		if (!target)
			return err_fail(err, ERR_INVALID, "%s: symlink without a target",
					out->name);
		out->symlink = xstrdup(target);
		return 1;
	}
	if (archive_entry_filetype(entry) != AE_IFREG)
		return 0;
	int r = split_file(sp, out, err);
	return r < 0 ? r : 1;
}

static void entry_done(struct split_entry *e)
{
	free(e->name);
	free(e->digest);
	free(e->symlink);
	free(e->hardlink);
	*e = (struct split_entry){ 0 };
}

static int split_members(struct split *sp, uint64_t max_entries, struct split_result *ret,
			 struct err *err)
{
	struct archive_entry *entry;
	size_t cap = 0;
	int r;

	while ((r = tar_next(sp->tar, sp->src, &entry, err)) > 0) {
		if (ret->entries.n >= max_entries)
			return err_fail(err, ERR_LIMIT, "archive has more than %" PRIu64 " members",
					max_entries);
		if (ret->entries.n == cap) {
			cap = cap ? 2 * cap : 64;
			ret->entries.items =
			    xrealloc(ret->entries.items, cap * sizeof(*ret->entries.items));
		}
		struct split_entry out = { 0 };
		r = split_member(sp, entry, &out, err);
		if (r > 0)
			ret->entries.items[ret->entries.n++] = out;
		else
			entry_done(&out);
		if (r < 0)
			return r;
	}
	return r;
}

int split_archive(int fd, int dir_fd, const struct split_limits *limits, struct split_result *ret,
		  struct err *err)
{
	struct split sp = { .dir = dir_fd, .hash = hash_new() };

	sp.src = source_new(fd, &limits->source, 0);
	sp.tar = tar_open(sp.src, err);
	int r = sp.tar ? split_members(&sp, limits->max_entries, ret, err) : -EINVAL;
	/* A writer on a pipe must not see it break, and a cut archive must not pass. */
	if (r == 0)
		r = source_drain(sp.src, err);
	if (sp.tar)
		archive_read_free(sp.tar);
	source_free(sp.src);
	hash_free(sp.hash);
	if (r < 0)
		json_free(&split_result_desc, ret);
	return r;
}
