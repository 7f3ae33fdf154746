/* SPDX-License-Identifier: Apache-2.0 */
/* What is known when a container is created, and kept for later commands. */
#include <fcntl.h>
#include <limits.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "runtime/hooks.h"
#include "runtime/state.h"

void state_fill(struct state *st, const char *id, const struct spec *spec, const char *bundle,
		const char *rootfs)
{
	const struct spec_linux *l = spec->linux_;
	const struct spec_namespace *pid_ns = spec_namespace_find(spec, NS_PID);
	char created[TIME_RFC3339_MAX];

	st->pub.oci_version = xstrdup(spec->oci_version);
	st->pub.id = xstrdup(id);
	st->pub.bundle = xstrdup(bundle);
	st->pub.rootfs = xstrdup(rootfs);
	st->pub.created = xstrdup(time_rfc3339(time_now_ns(), created));
	for (size_t i = 0; i < spec->annotations.n; i++)
		json_map_set(&st->pub.annotations, spec->annotations.items[i].key,
			     spec->annotations.items[i].value);
	if (l->cgroups_path)
		st->cgroups_path = xstrdup(l->cgroups_path);
	st->cgroups_planned = true;
	st->shares_pid_ns = !pid_ns || (pid_ns->path && pid_ns->path[0]);
	if (l->resources && l->resources->memory)
		st->memory_swap = l->resources->memory->swap.value;
	st->hooks = hooks_save(spec->hooks);
	if (l->seccomp && l->seccomp->listener_path) {
		st->listener_path = xstrdup(l->seccomp->listener_path);
		if (l->seccomp->listener_metadata)
			st->listener_metadata = xstrdup(l->seccomp->listener_metadata);
	}
}

void state_fill_streams(struct state *st, const struct create_args *args)
{
	const int fds[] = { args->stdio.in, args->stdio.out, args->stdio.err };

	if (args->spec->process && args->spec->process->terminal)
		return;
	for (int i = 0; i < 3; i++) {
		char link[FD_PATH_MAX], target[PATH_MAX];
		ssize_t n = readlink(fd_proc_path(fds[i] < 0 ? i : fds[i], link), target,
				     sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		strv_add(&st->streams, target);
	}
}

/* The directory is new and locked: no other name is needed until the file is complete. */
int state_config_write(int dirfd, const struct create_args *args, struct err *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	if (!args->spec_text)
		return 0;
	fd = openat(dirfd, STATE_CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : io_write(fd, args->spec_text, args->spec_len);
	return r < 0 ? err_errno(err, -r, "writing " STATE_CONFIG " of the state") : 0;
}

static int read_text(int dirfd, const struct state *st, struct buf *ret, struct err *err)
{
	cleanup_free char *path = NULL;
	int r = io_read_file(dirfd, STATE_CONFIG, ret, SPEC_BYTES_MAX, err);

	if (r != -ENOENT)
		return r;
	path = path_join(st->pub.bundle, "config.json");
	return io_read_file(AT_FDCWD, path, ret, SPEC_BYTES_MAX, err);
}

int state_config_read(int dirfd, const struct state *st, struct spec *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = read_text(dirfd, st, &text, err);

	if (r >= 0)
		r = spec_parse(buf_str(&text), text.len, ret, err);
	if (r >= 0 && !ret->linux_)
		r = err_fail(err, ERR_INVALID, "config.json: linux: needed");
	return r;
}
