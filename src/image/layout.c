/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/str.h"

/* ---- reading ---- */

/* Opening a device or a pipe may set something off: what it is comes first. */
int layout_open_file(int dir_fd, const char *name, uint64_t *ret_size, struct err *err)
{
	char proc[FD_PATH_MAX];
	struct stat st;
	cleanup_fd int path = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (path < 0 && errno == ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "there is no %s", name);
	if (path < 0 || fstat(path, &st) < 0)
		return err_errno(err, errno, "opening %s", name);
	if (S_ISLNK(st.st_mode))
		return err_fail(err, ERR_INVALID, "%s is a symbolic link", name);
	if (!S_ISREG(st.st_mode))
		return err_fail(err, ERR_INVALID, "%s is no regular file", name);
	cleanup_fd int fd = open(fd_proc_path(path, proc), O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "opening %s", name);
	*ret_size = (uint64_t)st.st_size;
	return take_fd(fd);
}

int layout_read(int dir_fd, const char *name, struct buf *out, struct err *err)
{
	uint64_t size = 0;
	cleanup_fd int fd = layout_open_file(dir_fd, name, &size, err);

	if (fd < 0)
		return fd;
	int r = io_read_all(fd, out, out->len + OCI_BLOB_MAX);
	if (r == -EFBIG)
		return err_fail(err, ERR_LIMIT, "%s is larger than %u bytes", name, OCI_BLOB_MAX);
	return r < 0 ? err_errno(err, -r, "reading %s", name) : 0;
}

int layout_open_dir(int dir_fd, const char *name, bool make, struct err *err)
{
	if (make && mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating %s", name);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "there is no directory %s", name);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return err_fail(err, ERR_INVALID, "%s is no directory", name);
	return fd < 0 ? err_errno(err, errno, "opening %s", name) : fd;
}

/* "version", "manifest.json", HEX, HEX.manifest.json, "signature-1". */
static bool is_dir_name(const char *name)
{
	static const char marked[] = ".manifest.json", signature[] = "signature-";
	const char *digits = str_after(name, signature);
	size_t len = strspn(name, "0123456789abcdef");

	if (digits)
		return *digits && strspn(digits, "0123456789") == strlen(digits);
	return str_eq(name, "version") || str_eq(name, "manifest.json") ||
	       (len == 64 && (!name[len] || str_eq(name + len, marked)));
}

static bool has_dir_names(int dir_fd)
{
	cleanup_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool good = dir != NULL;

	if (!dir)
		return false;
	fd = -EBADF; /* the stream has it */
	while (good && (entry = readdir(dir)))
		good = str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") ||
		       is_dir_name(entry->d_name);
	closedir(dir);
	return good;
}

bool layout_is_dir(int dir_fd)
{
	cleanup_buf struct buf version = BUF_INIT;

	return layout_read(dir_fd, "version", &version, NULL) == 0 &&
	       str_starts(buf_str(&version), DIR_VERSION_1) && has_dir_names(dir_fd);
}

/* ---- writing ---- */

static char *temp_name(void)
{
	char id[HEX_ID_LEN + 1];

	return hex_random_id(id) < 0 ? NULL : xasprintf(".%.32s.tmp", id);
}

int layout_create(int dir_fd, struct layout_file *ret, struct err *err)
{
	struct layout_file file = LAYOUT_FILE_INIT;

	file.fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
	if (file.fd < 0) {
		file.tmp = temp_name();
		if (file.tmp)
			file.fd = openat(dir_fd, file.tmp,
					 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	}
	if (file.fd < 0) {
		int errnum = errno;
		free(take_ptr(file.tmp));
		return err_errno(err, errnum, "creating a file");
	}
	*ret = file;
	return 0;
}

int layout_name(int dir_fd, struct layout_file *file, const char *name, struct err *err)
{
	char proc[FD_PATH_MAX];

	if (!file->tmp) {
		/* A link can't take the place of a file, a rename can. */
		char *tmp = temp_name();
		fd_proc_path(file->fd, proc);
		if (!tmp || linkat(AT_FDCWD, proc, dir_fd, tmp, AT_SYMLINK_FOLLOW) < 0) {
			free(tmp);
			return err_errno(err, errno, "naming %s", name);
		}
		file->tmp = tmp;
	}
	if (renameat(dir_fd, file->tmp, dir_fd, name) < 0)
		return err_errno(err, errno, "naming %s", name);
	free(take_ptr(file->tmp));
	return 0;
}

void layout_drop(int dir_fd, struct layout_file *file)
{
	if (file->tmp)
		unlinkat(dir_fd, file->tmp, 0);
	free(take_ptr(file->tmp));
	file->fd = fd_close(file->fd);
}

int layout_add_text(int dir_fd, const char *name, const void *text, size_t len, struct err *err)
{
	struct layout_file file = LAYOUT_FILE_INIT;

	int r = layout_create(dir_fd, &file, err);
	if (r == 0 && (r = io_write(file.fd, text, len)) < 0)
		r = err_errno(err, -r, "writing %s", name);
	if (r == 0)
		r = layout_name(dir_fd, &file, name, err);
	layout_drop(dir_fd, &file);
	return r;
}

/* ---- index.json ---- */

struct layout_version {
	char *version;
};
static const struct json_field version_fields[] = {
	JSON_FIELD(struct layout_version, version, "imageLayoutVersion", JSON_STR,
		   .flags = JSON_REQUIRED),
};
static const struct json_desc version_desc = JSON_DESC(struct layout_version, version_fields);

int layout_read_index(int dir_fd, struct oci_index *ret, struct err *err)
{
	cleanup_buf struct buf layout = BUF_INIT, text = BUF_INIT;
	struct layout_version version = { NULL };

	int r = layout_read(dir_fd, LAYOUT_FILE, &layout, err);
	if (r < 0)
		return r;
	r = json_parse(&version_desc, &version, buf_str(&layout), layout.len, LAYOUT_FILE, err);
	if (r == 0 && !str_starts(version.version, "1."))
		r = err_fail(err, ERR_UNSUPPORTED, "version %.32s of the image layout is not known",
			     version.version);
	json_free(&version_desc, &version);
	if (r == 0)
		r = layout_read(dir_fd, LAYOUT_INDEX, &text, err);
	if (r < 0)
		return r;
	r = oci_index_parse(buf_str(&text), text.len, ret, err);
	return r < 0 ? err_wrap(err, r, LAYOUT_INDEX) : 0;
}

static const char *ref_of(const struct oci_descriptor *desc)
{
	const char *ref = json_map_get(&desc->annotations, LAYOUT_REF);

	return ref && *ref ? ref : NULL;
}

/* A new entry, or the one of the same manifest that has no name. */
static struct oci_descriptor *entry_for(struct oci_index *index, const struct oci_descriptor *desc)
{
	struct oci_descriptor *entry;

	for (size_t i = 0; i < index->manifests.n; i++) {
		entry = &index->manifests.items[i];
		if (str_eq(entry->digest, desc->digest) && !ref_of(entry))
			return entry;
	}
	index->manifests.items = xrealloc(
	    index->manifests.items, (index->manifests.n + 1) * sizeof(*index->manifests.items));
	entry = &index->manifests.items[index->manifests.n++];
	*entry = (struct oci_descriptor){ .media_type = xstrdup(desc->media_type),
					  .digest = xstrdup(desc->digest),
					  .size = desc->size };
	if (desc->artifact_type)
		entry->artifact_type = xstrdup(desc->artifact_type);
	return entry;
}

static void index_put(struct oci_index *index, const struct oci_descriptor *desc, const char *ref)
{
	for (size_t i = 0; i < index->manifests.n; i++) {
		struct oci_descriptor *entry = &index->manifests.items[i];
		bool named = str_eq(ref_of(entry), ref);

		if (named && str_eq(entry->digest, desc->digest))
			return;
		if (named && ref)
			json_map_remove(&entry->annotations, LAYOUT_REF);
	}
	struct oci_descriptor *entry = entry_for(index, desc);
	if (ref)
		json_map_set(&entry->annotations, LAYOUT_REF, ref);
}

/* The one that is there, or a new one. */
static int index_open(int dir_fd, struct oci_index *ret, struct err *err)
{
	if (faccessat(dir_fd, LAYOUT_INDEX, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return layout_read_index(dir_fd, ret, err);
	if (errno != ENOENT)
		return err_errno(err, errno, "looking for " LAYOUT_INDEX);
	ret->schema_version = 2;
	ret->media_type = xstrdup(OCI_MEDIA_INDEX);
	return 0;
}

static int version_make(int dir_fd, struct err *err)
{
	if (faccessat(dir_fd, LAYOUT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return err_errno(err, errno, "looking for " LAYOUT_FILE);
	return layout_add_text(dir_fd, LAYOUT_FILE, LAYOUT_TEXT, strlen(LAYOUT_TEXT), err);
}

static int index_replace(int dir_fd, const struct oci_descriptor *desc, const char *ref,
			 struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	cleanup_buf struct buf text = BUF_INIT;

	int r = version_make(dir_fd, err);
	if (r == 0)
		r = index_open(dir_fd, &index, err);
	if (r < 0)
		return r;
	index_put(&index, desc, ref);
	oci_index_write(&index, &text);
	/* What nobody could read any more would take all other images along. */
	if (index.manifests.n > OCI_MANIFESTS_MAX || text.len > OCI_BLOB_MAX)
		return err_fail(err, ERR_LIMIT,
				LAYOUT_INDEX " has room for %d images and %u bytes, no more",
				OCI_MANIFESTS_MAX, OCI_BLOB_MAX);
	return layout_add_text(dir_fd, LAYOUT_INDEX, buf_str(&text), text.len, err);
}

int layout_check(int dir_fd, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };

	/* What makes a directory a layout may be made last. */
	if (faccessat(dir_fd, LAYOUT_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return index_open(dir_fd, &index, err);
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool layout_ref_valid(const char *ref)
{
	for (;;) {
		if (!is_alphanumeric(*ref))
			return false;
		while (is_alphanumeric(*ref))
			ref++;
		if (!*ref)
			return true;
		if (!strchr("-._:@+/", *ref))
			return false;
		ref += str_starts(ref, "--") ? 2 : 1;
	}
}

int layout_index_add(int dir_fd, const struct oci_descriptor *desc, const char *ref,
		     struct err *err)
{
	if (NO_EINTR(flock(dir_fd, LOCK_EX)) < 0)
		return err_errno(err, errno, "locking the image layout");
	int r = index_replace(dir_fd, desc, ref, err);
	flock(dir_fd, LOCK_UN);
	return r;
}

/* "@0", "@1" ...: by the place in index.json. */
static int index_place(const struct oci_index *index, const char *ref,
		       const struct oci_descriptor **ret, struct err *err)
{
	uint32_t n;

	if (str_parse_u32(ref + 1, &n) < 0)
		return err_fail(err, ERR_USAGE, "expected a number behind \"@\", got \"%s\"",
				ref + 1);
	if (n >= index->manifests.n)
		return err_fail(err, ERR_NOT_FOUND, "there are %zu images in it",
				index->manifests.n);
	*ret = &index->manifests.items[n];
	return 0;
}

int layout_index_find(const struct oci_index *index, const char *ref,
		      const struct oci_descriptor **ret, struct err *err)
{
	const struct oci_descriptor *found = NULL;
	size_t n = 0;

	if (ref && ref[0] == '@')
		return index_place(index, ref, ret, err);
	for (size_t i = 0; i < index->manifests.n; i++) {
		const struct oci_descriptor *entry = &index->manifests.items[i];
		const char *name = json_map_get(&entry->annotations, LAYOUT_NAME);

		if (ref && !str_eq(ref_of(entry), ref) && !str_eq(name, ref))
			continue;
		found = entry;
		n++;
	}
	/* Names that come twice mean the last one, as with tags; of all images none is meant. */
	if (n == 0)
		return ref ? err_fail(err, ERR_NOT_FOUND, "there is no image named %s", ref)
			   : err_fail(err, ERR_NOT_FOUND, "there is no image in it");
	if (!ref && n > 1)
		return err_hint(err, err_fail(err, ERR_INVALID, "there are %zu images in it", n),
				"name one of them behind a colon");
	*ret = found;
	return 0;
}
