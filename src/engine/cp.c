/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cp.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/cp_make.h"
#include "engine/cp_tar.h"
#include "engine/cp_walk.h"
#include "engine/events.h"
#include "engine/launch.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/start.h"
#include "engine/volume_mounts.h"
#include "image/layer_run.h"
#include "runtime/cancel.h"
#include "runtime/visit.h"

#define PROC     "/proc"
#define PROC_FDS PROC "/self/fd"

/* Source or destination. */
struct end {
	struct engine *eng;
	const struct cp_options *opts;
	char *word;           /* the container; NULL: of this machine */
	bool tarball;         /* the source is one, and says who owns what is in it */
	bool of_container;    /* the source is */
	const char *path;     /* "-": standard input or output */
	int pipe;             /* its end of it */
	struct cp_made *made; /* shared with the process in the container */

	struct record rec;
	struct spec spec;
	int lock;                  /* of one that does not run */
	struct end *within;        /* of the source: the destination, in the same container */
	int proc;                  /* then: an fd of /proc */
	const struct stat *source; /* of the destination: what comes there, of the same tree */
	struct visit visit;
};

static bool is_stream(const struct end *e)
{
	return !e->word && str_eq(e->path, "-");
}

/* docker: what begins like a path of this machine is one, whatever comes behind. */
static void end_parse(struct end *e, const char *word)
{
	const char *colon = strchr(word, ':');

	e->path = word;
	if (!colon || colon == word || word[0] == '/' || word[0] == '.')
		return;
	e->word = xstrndup(word, (size_t)(colon - word));
	e->path = colon + 1;
}

static void end_done(struct end *e)
{
	fd_close(e->lock);
	fd_close(e->pipe);
	fd_close(e->proc);
	free(e->word);
	record_done(&e->rec);
	spec_free(&e->spec);
}

/* ---- in the container ---- */

static struct cp_place place_of(const struct end *e, int root)
{
	return (struct cp_place){ .root = root,
				  .path = e->path,
				  .container = e->word ? e->rec.name : NULL };
}

static int read_from(const struct end *e, int fd, const char *name, int fds_dir, struct err *err)
{
	const struct cp_walk_options opts = { .fds_dir = fds_dir, .acls = e->opts->archive };
	struct cp_out out = { .fd = e->pipe, .pending = BUF_INIT };
	int r = cp_walk(fd, name, &opts, &out, err);

	buf_done(&out.pending);
	return r < 0 && r != -EPIPE ? err_wrap(err, r, "copying %s", e->path) : r;
}

static int read_at(const struct end *e, int root, int fds_dir, struct err *err)
{
	const struct cp_place place = place_of(e, root);
	cleanup_free char *name = NULL;
	cleanup_fd int fd = cp_place_source(&place, e->opts->follow, &name, err);

	return fd < 0 ? fd : read_from(e, fd, name, fds_dir, err);
}

static int write_at(const struct end *e, int root, int fds_dir, int cancel_fd, struct err *err)
{
	const struct cp_place place = place_of(e, root);
	const struct cp_make_options opts = {
		.keep_owner = e->opts->archive || e->tarball,
		.overwrite = e->opts->overwrite,
		.on_host = !e->word,
		.of_container = e->of_container,
		.uid = geteuid(),
		.gid = getegid(),
		.fds_dir = fds_dir,
		.source = e->source,
	};
	struct cp_in in = { .fd = e->pipe, .cancel_fd = cancel_fd };
	int r = e->tarball ? cp_unpack(&place, &opts, &in, e->made, err)
			   : cp_make(&place, &opts, &in, e->made, err);

	free(in.data);
	if (r == -ECANCELED)
		r = cancel_error(cancel_fd, err);
	if (e->made->left_out > 0)
		log_warn("%llu devices left out: they can't be made there",
			 (unsigned long long)e->made->left_out);
	if (r == -EROFS && e->word && e->spec.root && e->spec.root->readonly)
		err_hint(err, r, "container rootfs is marked read-only");
	return r;
}

static int read_inside(int root, int fds_dir, void *data, struct err *err)
{
	return read_at(data, root, fds_dir, err);
}

static int write_inside(int root, int fds_dir, void *data, struct err *err)
{
	return write_at(data, root, fds_dir, 0, err);
}

/* When both fail, the one that saw the other's end has nothing to say. */
static int choose(int r_from, const struct err *err_from, int r_to, const struct err *err_to,
		  struct err *err)
{
	bool first = r_from < 0 && (r_from != -EPIPE || r_to >= 0);

	if (r_from >= 0 && r_to >= 0)
		return 0;
	if (err)
		*err = first ? *err_from : *err_to;
	return first ? r_from : r_to;
}

/* Who reads is killed with its maker; who writes sees that, and tidies up. */
static int copy_inside(int root, int fds_dir, void *data, struct err *err)
{
	struct end *from = data, *to = from->within;
	const struct visit_args writer = { .fn = write_inside, .data = to };
	const struct cp_place place = place_of(from, root);
	struct err err_from = ERR_INIT, err_to = ERR_INIT;
	struct visit second = VISIT_INIT;
	cleanup_free char *name = NULL;
	cleanup_fd int fd = cp_place_source(&place, from->opts->follow, &name, err);
	int pair[2], r_from, r_to;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "preparing to copy %s", from->path);
	(void)fcntl(pair[1], F_SETPIPE_SZ, CP_PIPE_SIZE);
	to->source = &st;
	to->pipe = pair[0];
	from->pipe = pair[1];
	r_to = visit_second(&writer, root, from->proc, from->pipe, &second, &err_to);
	to->pipe = fd_close(to->pipe);
	r_from = r_to < 0 ? 0 : read_from(from, fd, name, fds_dir, &err_from);
	from->pipe = fd_close(from->pipe);
	if (r_to == 0)
		r_to = visit_end(&second, &err_to);
	return choose(r_from, &err_from, r_to, &err_to, err);
}

/* ---- entering it ---- */

static int open_dir(const struct end *e, const char *name, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/%s", e->rec.id, name);
	int fd =
	    openat(e->eng->containers_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	/* It belongs to the container's root, who shuts others out. */
	if (fd < 0 && errno == EACCES)
		fd = openat(e->eng->containers_fd, path,
			    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening the files of container %s", e->rec.name)
		      : fd;
}

static int visit_stopped(struct end *e, const struct visit_args *args, struct launch *l,
			 struct err *err)
{
	const struct volumes_source from = { .upper = l->upper,
					     .layers = l->layers,
					     .n_layers = l->n_layers };
	const struct mount_layers overlay = {
		.lower_fds = l->layers,
		.n_lower = l->n_layers,
		.upper_fd = l->upper,
		.work_fd = l->work,
		.userxattr = e->eng->rootless,
	};
	bool plain = e->rec.options.rootfs && !e->rec.options.rootfs_overlay;
	int r = volumes_prepare(e->eng, &e->rec, &from, err);

	return r < 0 ? r
		     : visit_begin_stopped(&e->eng->runtime, args, l->bundle,
					   plain ? NULL : &overlay, &e->visit, err);
}

/* Nobody starts it while we have its lock, or the process in it. */
static int enter_stopped(struct end *e, const struct visit_args *args, struct err *err)
{
	cleanup_free char *bundle = xasprintf("%s/containers/%s", e->eng->root, e->rec.id);
	struct launch l;
	int r;

	launch_init(&l, e->eng, &e->rec);
	l.bundle = bundle;
	r = l.upper = open_dir(e, "upper", err);
	if (r >= 0)
		r = l.work = open_dir(e, "work", err);
	if (r >= 0)
		r = launch_open_layers(&l, err);
	if (r >= 0)
		r = visit_stopped(e, args, &l, err);
	launch_done(&l);
	return r;
}

static int enter(struct end *e, bool writes, struct err *err)
{
	struct visit_args args = {
		.id = e->rec.id,
		.spec = &e->spec,
		.fn = writes      ? write_inside
		      : e->within ? copy_inside
				  : read_inside,
		.data = e,
		.keep = { e->pipe, e->lock, e->proc, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF },
		.rootfs_idmap = e->rec.options.rootfs_idmap,
		.tidies = writes,
	};
	int r = e->lock < 0 ? visit_begin(&e->eng->runtime, &args, &e->visit, err)
			    : enter_stopped(e, &args, err);

	e->pipe = fd_close(e->pipe);
	return r < 0 ? err_wrap(err, r, "entering container %s", e->rec.name) : 0;
}

static int read_spec(struct end *e, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/config.json", e->rec.id);
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(e->eng->containers_fd, path, &text, SPEC_BYTES_MAX, err);

	return r < 0 ? r : spec_parse(buf_str(&text), text.len, &e->spec, err);
}

/* Finds the container, and takes the lock of one that does not run. */
static int find(struct end *e, struct end *other, struct err *err)
{
	int r = life_find(e->eng, e->word, &e->rec, err);

	if (r == 0 && str_eq(e->rec.id, other->rec.id)) {
		other->within = e;
		return read_spec(e, err);
	}
	if (r == 0 && !e->rec.running)
		r = engine_lock_stopped(e->eng, e->word, &e->rec, &e->lock, err);
	if (r >= 0 && e->lock < 0)
		r = live_check(e->eng, &e->rec, err);
	return r < 0 ? r : read_spec(e, err);
}

/* ---- both ends ---- */

static int check_words(const struct end *from, const struct end *to, struct err *err)
{
	if (!*from->path)
		return err_fail(err, ERR_USAGE, "source can not be empty");
	if (!*to->path)
		return err_fail(err, ERR_USAGE, "destination can not be empty");
	if (!from->word && !to->word)
		return err_fail(err, ERR_USAGE, "must specify at least one container source");
	return 0;
}

static int open_ends(struct end *from, struct end *to, struct err *err)
{
	int pair[2], r = from->word ? find(from, to, err) : 0;

	if (r == 0 && to->word)
		r = find(to, from, err);
	if (r < 0)
		return r;
	if (from->within) {
		from->proc = open(PROC, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return from->proc < 0 ? err_errno(err, errno, "opening " PROC)
				      : enter(from, false, err);
	}
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	(void)fcntl(pair[1], F_SETPIPE_SZ, CP_PIPE_SIZE);
	to->pipe = pair[0];
	from->pipe = pair[1];
	r = from->word ? enter(from, false, err) : 0;
	return r < 0 || !to->word ? r : enter(to, true, err);
}

/* A program that has no files reads it. */
static int read_tarball(struct end *from, struct err *err)
{
	struct layer_job job = LAYER_JOB_INIT;
	cleanup_buf struct buf none = BUF_INIT;
	cleanup_fd int in = fd_dup(STDIN_FILENO, 3);
	int r =
	    in < 0 ? err_errno(err, -in, "opening standard input") : engine_store(from->eng, err);

	if (r == 0)
		r = layer_entries_start(&from->eng->store, in, from->pipe, &job, err);
	from->pipe = fd_close(from->pipe);
	return r < 0 ? r : layer_finish(&job, &none, err);
}

/* This process's part: what is of this machine. */
static int own_part(struct end *from, struct end *to, struct err *err)
{
	cleanup_fd int fds_dir = open(PROC_FDS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int cancel_fd = -EBADF;
	int r = 0;

	if (fds_dir < 0)
		return err_errno(err, errno, "opening " PROC_FDS);
	if (is_stream(from)) {
		r = read_tarball(from, err);
	} else if (!from->word) {
		r = read_at(from, -EBADF, fds_dir, err);
		from->pipe = fd_close(from->pipe);
	} else if (is_stream(to)) {
		struct cp_in in = { .fd = to->pipe };

		r = cp_tar_write(&in, STDOUT_FILENO, &to->made->bytes, err);
		free(in.data);
	} else if (!to->word) {
		/* What it has not finished goes when it is interrupted. */
		cancel_fd = cancel_begin(err);
		r = cancel_fd < 0 ? cancel_fd : write_at(to, -EBADF, fds_dir, cancel_fd, err);
	}
	to->pipe = fd_close(to->pipe);
	return r;
}

static int end_visit(struct end *e, struct err *err)
{
	return e->visit.pidfd >= 0 ? visit_end(&e->visit, err) : 0;
}

static int copy(struct end *from, struct end *to, struct err *err)
{
	struct err err_own = ERR_INIT, err_from = ERR_INIT, err_to = ERR_INIT;
	int r_own = open_ends(from, to, &err_own);
	bool own = r_own == 0;
	int r_from, r_to;

	if (own)
		r_own = own_part(from, to, &err_own);
	from->pipe = fd_close(from->pipe);
	to->pipe = fd_close(to->pipe);
	if (r_own == -ECANCELED)
		visit_abort(&from->visit);
	r_from = end_visit(from, &err_from);
	r_to = end_visit(to, &err_to);
	if (!own || r_own == -ECANCELED) {
		if (err)
			*err = err_own;
		return r_own;
	}
	if (!from->word)
		return choose(r_own, &err_own, r_to, &err_to, err);
	if (!to->word)
		return choose(r_from, &err_from, r_own, &err_own, err);
	return choose(r_from, &err_from, r_to, &err_to, err);
}

int engine_cp(struct engine *eng, const char *source, const char *destination,
	      const struct cp_options *opts, uint64_t *ret_bytes, struct err *err)
{
	struct cp_made *made =
	    mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct end from = { .eng = eng,
			    .opts = opts,
			    .made = made,
			    .pipe = -EBADF,
			    .lock = -EBADF,
			    .proc = -EBADF,
			    .visit = VISIT_INIT };
	struct end to = from;
	int r;

	if (made == MAP_FAILED)
		return err_errno(err, errno, "allocating memory");
	end_parse(&from, source);
	end_parse(&to, destination);
	to.tarball = is_stream(&from);
	to.of_container = from.word;
	signal(SIGPIPE, SIG_IGN);
	r = check_words(&from, &to, err);
	if (r == 0)
		r = engine_dirs(eng, err);
	if (r == 0)
		r = copy(&from, &to, err);
	if (r == 0 && from.word)
		event_note_container(eng, from.rec.id, "archive-path", NULL);
	if (r == 0 && to.word)
		event_note_container(eng, to.rec.id, "extract-to-dir", NULL);
	*ret_bytes = made->bytes;
	end_done(&from);
	end_done(&to);
	munmap(made, sizeof(*made));
	return r;
}
