/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inro-layer: reads hostile archives so that the engine need not. Started by the engine only
 * (image/layer_run.c), with the fds of layer/result.h:
 *   inro-layer split  [--max-bytes=N]               an outer archive into a staging directory
 *   inro-layer digest [--max-bytes=N]               a copy of stdin, and its digest
 *   inro-layer unpack [--userns] [--plain] [...]    a layer into a directory
 *   inro-layer convert --to=gzip|zstd|none [--level=N] [--plain] [...]  another blob of a layer
 *   inro-layer remove --userns NAME                 a tree whose files belong to subordinate ids
 *   inro-layer own    --userns                      directories are as they are below stdin's
 *   inro-layer usage  [--userns]                    what a tree takes on the disk
 *   inro-layer empty  [--userns]                    whether a directory is
 *   inro-layer compare [--userns] --layers=1        how another tree differs
 *   inro-layer pack   [--userns] [--plain] [...]    an upper directory as a layer, to stdin
 *   inro-layer diff   [--userns] --layers=N [...]   what it changes in the layers
 *   inro-layer export [--userns] --layers=N [--path=DIR]
 *                                                   it and the layers as one tree, to stdin
 *   inro-layer chown  [--userns] --uid=U --gid=G [--path=DIR]
 *                                                   an owner for all of a tree
 *   inro-layer give   [--userns] --name=NAME...     entries of a directory become root's
 *   inro-layer entries                              a tarball's members as records (cp_stream.h)
 *   inro-layer verify                               signatures in stdin by keys
 * pack, diff, export and unpack with --idmap: the directory's ids are mapped by LAYER_FD_IDMAP, in
 * export the upper one's.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/usage.h"
#include "image/layer/apply.h"
#include "image/layer/chown.h"
#include "image/layer/compare.h"
#include "image/layer/compress.h"
#include "image/layer/confine.h"
#include "image/layer/digest.h"
#include "image/layer/entries.h"
#include "image/layer/pack.h"
#include "image/layer/pack_mount.h"
#include "image/layer/pipeline.h"
#include "image/layer/split.h"
#include "image/layer/stage.h"
#include "image/layer/tar.h"
#include "image/layer/verify.h"

struct args {
	bool userns, plain, tree;
	uint64_t max_bytes, max_entries, max_ratio, keep_bytes, keep_inodes;
	const char *name;
	const char *path;                   /* export, chown: this directory alone */
	int tar_fd;                         /* unpack, convert: what the stages before give */
	const char *to;                     /* convert: NULL is no compression */
	uint64_t level;                     /* UINT64_MAX: the default */
	uint64_t uid, gid;                  /* chown */
	uint64_t layers, timestamp, newest; /* UINT64_MAX: none */
	char **exclude, **names;
	int lower_fd; /* diff: the tree below */
	int idmap_fd;
	struct evp_md_ctx_st *hash; /* digest: made before the fence is up */
};

#define SPLIT_ENTRIES_MAX 100000
#define WARNINGS_MAX      20          /* an archive of millions of oddities would fill a log */
#define OWN_PATHS_MAX     (16u << 20) /* bytes */

static struct source_limits limits_of(const struct args *args, int dir)
{
	return (struct source_limits){ .max_bytes = args->max_bytes,
				       .max_ratio = args->max_ratio,
				       .keep_bytes = args->keep_bytes,
				       .keep_inodes = args->keep_inodes,
				       .keep_fd = dir };
}

static int mode_split(const struct args *args, int dir, struct buf *out, struct err *err)
{
	struct split_limits limits = { .source = limits_of(args, dir),
				       .max_entries = SPLIT_ENTRIES_MAX };
	struct split_result result = { 0 };

	int r = split_archive(STDIN_FILENO, dir, &limits, &result, err);
	if (r < 0)
		return r;
	json_write(&split_result_desc, &result, 0, out);
	json_free(&split_result_desc, &result);
	return 0;
}

static int mode_unpack(const struct args *args, int dir, struct buf *out, struct err *err)
{
	const struct source_limits limits = limits_of(args, dir);
	struct apply_options opts = { .max_entries = args->max_entries,
				      .userns = args->userns,
				      .tree = args->tree };
	struct apply_result result = { 0 };
	struct source *src = source_new(args->tar_fd, &limits, SOURCE_PLAIN);

	int r = apply_layer(src, dir, &opts, &result, err);
	source_free(src);
	/* The stages before learn that nobody reads any more. */
	fd_close(args->tar_fd);
	if (r < 0)
		return r;
	json_write(&apply_result_desc, &result, 0, out);
	json_free(&apply_result_desc, &result);
	return 0;
}

static int mode_convert(const struct args *args, int dir, struct buf *out, struct err *err)
{
	const struct stage_hash stage = { .ctx = hash_new(),
					  .partial_fd = -EBADF,
					  .in_fd = args->tar_fd,
					  .out_fd = LAYER_FD_OUT };
	struct stage_result made = { .bytes = 0 };
	struct convert_result result;

	int r = stage_hash(&stage, &made, err);
	hash_free(stage.ctx);
	fd_close(args->tar_fd);
	if (r < 0)
		return r;
	result = (struct convert_result){ .digest = made.digest, .size = made.bytes };
	json_write(&convert_result_desc, &result, 0, out);
	return 0;
}

static int mode_remove(const struct args *args, int dir, struct buf *out, struct err *err)
{
	if (!args->name || strchr(args->name, '/') || str_eq(args->name, ".."))
		return err_fail(err, ERR_USAGE, "remove needs one name");
	return path_remove_tree(dir, args->name, err);
}

static int mode_usage(const struct args *args, int dir, struct buf *out, struct err *err)
{
	struct apply_result result = { 0 };
	struct usage use = { 0 };

	usage_tree(dir, &use);
	result.size = use.bytes;
	result.entries = use.inodes;
	json_write(&apply_result_desc, &result, 0, out);
	return 0;
}

/* As many entries as tell whether there are any. */
static int mode_empty(const struct args *args, int dir, struct buf *out, struct err *err)
{
	struct apply_result result = { 0 };
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	if (!list) {
		fd_close(fd);
		return err_errno(err, errno, "reading the directory");
	}
	while (!result.entries && (de = readdir(list)))
		result.entries = !str_eq(de->d_name, ".") && !str_eq(de->d_name, "..");
	closedir(list);
	json_write(&apply_result_desc, &result, 0, out);
	return 0;
}

static int mode_compare(const struct args *args, int dir, struct buf *out, struct err *err)
{
	return compare_trees(dir, args->lower_fd, args->userns, out, err);
}

/* One directory as it is below stdin's. -ENOENT: there it is none. */
static int own_one(int dir, const char *path, struct err *err)
{
	const int flags = O_DIRECTORY | O_NOFOLLOW;
	struct stat st;

	cleanup_fd int from = path_open_in(STDIN_FILENO, path, O_PATH | flags, 0, err);
	if (from < 0)
		return from;
	cleanup_fd int to = path_open_in(dir, path, O_RDONLY | flags, 0, err);
	if (to < 0)
		return to;
	if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return err_errno(err, errno, "setting owner and mode of %s", path);
	const struct timespec times[2] = { st.st_atim, st.st_mtim };
	return futimens(to, times) < 0 ? err_errno(err, errno, "setting times of %s", path) : 0;
}

/* The paths come NUL-terminated through LAYER_FD_PATHS; those that stdin's directory lacks are the
 * answer. */
static int mode_own(const struct args *args, int dir, struct buf *out, struct err *err)
{
	cleanup_buf struct buf paths = BUF_INIT;
	struct apply_result missing = { 0 };

	int r = io_read_all(LAYER_FD_PATHS, &paths, OWN_PATHS_MAX);
	if (r < 0)
		return err_errno(err, -r, "reading paths");
	for (size_t at = 0; r == 0 && at < paths.len; at += strlen(paths.data + at) + 1) {
		r = own_one(dir, paths.data + at, err);
		if (r == -ENOENT)
			strv_add(&missing.implied, paths.data + at);
		/* Something else of that name hides what is below. */
		if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
			r = 0;
	}
	if (r == 0)
		json_write(&apply_result_desc, &missing, 0, out);
	json_free(&apply_result_desc, &missing);
	return r;
}

static int mode_chown(const struct args *args, int dir, struct buf *out, struct err *err)
{
	cleanup_fd int part = -EBADF;

	if (args->uid >= UINT32_MAX || args->gid >= UINT32_MAX)
		return err_fail(err, ERR_USAGE, "chown needs --uid and --gid");
	if (args->path) {
		part = path_open_in(dir, args->path, O_RDONLY | O_DIRECTORY, 0, err);
		if (part < 0)
			return part;
	}
	return chown_tree(args->path ? part : dir, (uid_t)args->uid, (gid_t)args->gid, err);
}

/* Not what is in them. */
static int mode_give(const struct args *args, int dir, struct buf *out, struct err *err)
{
	for (char **name = args->names; name && *name; name++) {
		cleanup_fd int fd = path_open_in(dir, *name, O_PATH | O_NOFOLLOW, 0, NULL);

		if (fd == -ENOENT)
			continue;
		if (fd < 0 || fchownat(fd, "", 0, 0, AT_EMPTY_PATH) < 0)
			return err_errno(err, fd < 0 ? -fd : errno,
					 "giving %s to the container's root", *name);
	}
	return 0;
}

static int64_t seconds(uint64_t value)
{
	return value > INT64_MAX ? -1 : (int64_t)value;
}

static struct pack_options pack_options(const struct args *args)
{
	return (struct pack_options){ .userns = args->userns,
				      .timestamp = seconds(args->timestamp),
				      .newest = seconds(args->newest),
				      .exclude = args->exclude };
}

static int mode_pack(const struct args *args, int dir, struct buf *out, struct err *err)
{
	struct pack_options opts = pack_options(args);

	opts.layer = true;
	opts.gzip = !args->plain;
	return pack_tree(dir, STDIN_FILENO, &opts, err);
}

static int mode_export(const struct args *args, int dir, struct buf *out, struct err *err)
{
	const struct pack_options opts = pack_options(args);

	return pack_tree(dir, STDIN_FILENO, &opts, err);
}

static int mode_diff(const struct args *args, int dir, struct buf *out, struct err *err)
{
	struct pack_options opts = pack_options(args);

	opts.layer = true;
	return pack_diff(dir, args->lower_fd, &opts, out, err);
}

static int mode_digest(const struct args *args, int dir, struct buf *out, struct err *err)
{
	struct apply_result result = { 0 };
	char digest[HASH_TEXT_MAX];

	int r = digest_copy(args->hash, STDIN_FILENO, LAYER_FD_COPY, args->max_bytes, digest,
			    &result.input_size, err);
	if (r < 0)
		return r;
	result.digest = digest;
	json_write(&apply_result_desc, &result, 0, out);
	return 0;
}

static int mode_entries(const struct args *args, int dir, struct buf *out, struct err *err)
{
	const struct source_limits limits = limits_of(args, -EBADF);

	return entries_write(STDIN_FILENO, &limits, LAYER_FD_COPY, err);
}

static int mode_verify(const struct args *args, int dir, struct buf *out, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct verify_request req = { NULL };
	struct verify_result result = { { NULL } };

	int r = io_read_all(STDIN_FILENO, &text, JSON_BYTES_MAX);
	if (r < 0)
		return err_errno(err, -r, "reading signatures");
	r = json_parse(&verify_request_desc, &req, buf_str(&text), text.len, "signatures", err);
	if (r == 0)
		r = verify_signatures(&req, &result, err);
	if (r == 0)
		json_write(&verify_result_desc, &result, 0, out);
	json_free(&verify_request_desc, &req);
	json_free(&verify_result_desc, &result);
	return r;
}

static const struct mode {
	const char *name;
	int (*run)(const struct args *args, int dir, struct buf *out, struct err *err);
	unsigned int confine;
	bool stages;
	bool reads;          /* it writes nothing but its output */
	bool copies;         /* it reads and writes fds that it has */
	void (*setup)(void); /* what needs files that are out of reach later */
	enum { MOUNT_NOTHING, MOUNT_LOWER, MOUNT_TREE } mount;
} modes[] = {
	{ "split", mode_split, 0, false },
	{ "unpack", mode_unpack, CONFINE_UNPACK, true },
	{ "convert", mode_convert, 0, true },
	{ "remove", mode_remove, CONFINE_UNPACK, false },
	{ "own", mode_own, CONFINE_UNPACK, false },
	{ "chown", mode_chown, CONFINE_UNPACK, false },
	{ "give", mode_give, CONFINE_UNPACK, false },
	{ "usage", mode_usage, .reads = true },
	{ "empty", mode_empty, .reads = true },
	{ "compare", mode_compare, .reads = true, .mount = MOUNT_LOWER },
	{ "pack", mode_pack, .reads = true },
	{ "diff", mode_diff, .reads = true, .mount = MOUNT_LOWER },
	{ "export", mode_export, .reads = true, .mount = MOUNT_TREE },
	{ "digest", mode_digest, .copies = true },
	{ "entries", mode_entries, .copies = true },
	{ "verify", mode_verify, .copies = true, .setup = verify_setup },
};

static int arg_parse(const char *arg, struct args *args, struct err *err)
{
	const struct {
		const char *prefix;
		uint64_t *value;
	} numbers[] = {
		{ "--max-bytes=", &args->max_bytes },
		{ "--max-entries=", &args->max_entries },
		{ "--max-ratio=", &args->max_ratio },
		{ "--layers=", &args->layers },
		{ "--timestamp=", &args->timestamp },
		{ "--newest=", &args->newest },
		{ "--level=", &args->level },
		{ "--uid=", &args->uid },
		{ "--gid=", &args->gid },
		{ "--keep-bytes=", &args->keep_bytes },
		{ "--keep-inodes=", &args->keep_inodes },
	};
	const char *to = str_after(arg, "--to=");
	const char *excluded = str_after(arg, "--exclude=/");
	const char *path = str_after(arg, "--path=");
	const char *name = str_after(arg, "--name=");

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *value = str_after(arg, numbers[i].prefix);
		if (value && str_parse_u64(value, numbers[i].value) == 0 &&
		    (*numbers[i].value > 0 || i > 2))
			return 0;
	}
	if (str_eq(arg, "--userns"))
		args->userns = true;
	else if (str_eq(arg, "--plain"))
		args->plain = true;
	else if (str_eq(arg, "--tree"))
		args->tree = true;
	else if (path)
		args->path = path;
	else if (name)
		strv_add(&args->names, name);
	else if (str_eq(arg, "--idmap"))
		args->idmap_fd = LAYER_FD_IDMAP;
	else if (to && (str_eq(to, "gzip") || str_eq(to, "zstd")))
		args->to = to;
	else if (str_eq(to, "none"))
		args->to = NULL;
	else if (excluded)
		strv_add(&args->exclude, excluded - 1);
	else if (arg[0] != '-' && !args->name)
		args->name = arg;
	else
		return err_fail(err, ERR_USAGE, "unknown argument %s", arg);
	return 0;
}

/* The tree that the mode reads beside its directory, or in its place. In that the ids are mapped
 * already. */
static int mount_tree(const struct mode *mode, struct args *args, int *dir, struct err *err)
{
	const struct pack_layers layers = { .n = args->layers,
					    .with_dir = mode->mount == MOUNT_TREE,
					    .idmap_fd = args->idmap_fd,
					    .userns = args->userns };

	if (args->layers > LAYER_LOWER_MAX)
		return err_fail(err, ERR_USAGE, "%s needs its layers", mode->name);
	int r = pack_mount(dir, &layers, err);
	if (r < 0)
		return r;
	if (mode->mount == MOUNT_LOWER) {
		args->lower_fd = r;
		return 0;
	}
	fd_close(*dir);
	*dir = r;
	args->idmap_fd = fd_close(args->idmap_fd);
	if (!args->path)
		return 0;
	r = path_open_in(*dir, args->path, O_RDONLY | O_DIRECTORY, 0, err);
	if (r < 0)
		return r;
	fd_close(*dir);
	*dir = r;
	return 0;
}

/* Puts the fence up that the mode works behind. */
static int fence(const struct mode *mode, struct args *args, int *dir, struct err *err)
{
	bool apart = false;
	int r;

	if (mode->setup)
		mode->setup();
	if (mode->copies) {
		args->hash = hash_new();
		return confine_stage(getppid(), args->max_bytes, err);
	}
	r = confine_root(dir, args->idmap_fd, &apart, err);
	args->idmap_fd = fd_close(args->idmap_fd);
	if (r == 0 && mode->stages) {
		const struct pipeline_options options = {
			.limits = { .max_bytes = args->max_bytes, .max_ratio = args->max_ratio },
			.plain = args->plain,
			.compress = args->to,
			.level = args->level <= COMPRESS_ZSTD_MAX ? (int)args->level : 0,
		};

		args->tar_fd = pipeline_start(&options, err);
		r = args->tar_fd < 0 ? args->tar_fd : 0;
	}
	if (r == 0 && mode->reads)
		r = confine_reading(*dir, args->lower_fd, err);
	else if (r == 0)
		r = confine(*dir, mode->confine, apart, args->max_bytes, err);
	return r;
}

static int run(char **argv, struct buf *out, struct err *err)
{
	struct args args = { .max_bytes = UINT64_MAX,
			     .max_entries = UINT64_MAX,
			     .max_ratio = UINT64_MAX,
			     .layers = UINT64_MAX,
			     .level = UINT64_MAX,
			     .uid = UINT64_MAX,
			     .gid = UINT64_MAX,
			     .timestamp = UINT64_MAX,
			     .newest = UINT64_MAX,
			     .lower_fd = -EBADF,
			     .idmap_fd = -EBADF };
	const struct mode *mode = NULL;
	int dir = LAYER_FD_DIR, r = 0;

	for (size_t i = 0; argv[0] && i < ARRAY_SIZE(modes); i++)
		if (str_eq(argv[0], modes[i].name))
			mode = &modes[i];
	if (!mode)
		return err_fail(err, ERR_USAGE,
				"started without a mode; the engine runs this program");
	for (argv++; *argv && r == 0; argv++)
		r = arg_parse(*argv, &args, err);
	if (r == 0 && args.userns)
		r = confine_userns(LAYER_FD_SYNC, err);
	fd_close(LAYER_FD_SYNC);
	tar_setup();
	if (r == 0 && mode->mount != MOUNT_NOTHING)
		r = mount_tree(mode, &args, &dir, err);
	if (r == 0)
		r = fence(mode, &args, &dir, err);
	if (r == 0)
		r = mode->run(&args, dir, out, err);
	strv_free(args.exclude);
	strv_free(args.names);
	hash_free(args.hash);
	return r;
}

int main(int argc, char **argv)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	log_setup("inro", STDERR_FILENO, LOG_PLAIN, LOG_WARN);
	if (fcntl(LAYER_FD_RESULT, F_GETFD) < 0 || fcntl(LAYER_FD_DIR, F_GETFD) < 0) {
		log_error("inro-layer is run by inro, not by hand");
		return 2;
	}
	log_limit_warnings(WARNINGS_MAX);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	int r = run(argc > 0 ? argv + 1 : argv, &out, &err);
	int written = r < 0 ? io_write(LAYER_FD_RESULT, &err, sizeof(err))
			    : io_write(LAYER_FD_RESULT, buf_str(&out), out.len);
	fd_close(LAYER_FD_RESULT);
	pipeline_wait();
	return r < 0 || written < 0;
}
