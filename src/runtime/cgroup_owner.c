/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the container's cgroup is (runtime-spec config-linux.md, "Cgroup ownership"). */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"
#include "sys/idmap.h"

#define DELEGATE_FILE  "/sys/kernel/cgroup/delegate"
#define DELEGATE_BYTES 65536

bool cgroup_is_given(const struct spec *spec)
{
	const struct spec_namespace *ns = spec_namespace_find(spec, NS_CGROUP);

	if (!ns || ns->path || !spec->process)
		return false;
	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct spec_mount *m = &spec->mounts.items[i];
		cleanup_free char *clean = path_clean(m->destination);

		if (str_eq(m->source, "cgroup") && str_eq(clean, "/sys/fs/cgroup"))
			return !strv_has(m->options, "ro");
	}
	return false;
}

char **cgroup_delegate_files(const char *text)
{
	static const char *const known[] = { "cgroup.procs", "cgroup.subtree_control",
					     "cgroup.threads", NULL };
	cleanup_strv char **lines = text ? strv_split(text, '\n') : NULL;
	char **files = NULL;

	if (!text)
		return strv_copy((char *const *)(uintptr_t)known);
	for (char **line = lines; line && *line; line++)
		if (strchr(*line, '.') && (*line)[0] != '.' && !strchr(*line, '/'))
			strv_add(&files, *line);
	return files;
}

static char **files_to_give(void)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	int r = io_read_file(AT_FDCWD, DELEGATE_FILE, &text, DELEGATE_BYTES, NULL);

	return cgroup_delegate_files(r < 0 ? NULL : buf_str(&text));
}

static int host_uid(uid_t inside, pid_t pid, uid_t *ret, struct err *err)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct idmap map = { 0 };
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	r = io_read_file(AT_FDCWD, path, &text, 65536, err);
	if (r >= 0)
		r = idmap_parse_proc(buf_str(&text), text.len, &map, err);
	if (r >= 0)
		r = idmap_to_outside(&map, inside, ret);
	idmap_done(&map);
	return r;
}

static int give(const struct cgroup_dir *dir, uid_t uid, struct err *err)
{
	cleanup_strv char **files = files_to_give();

	if (fchownat(dir->fd, "", uid, (gid_t)-1, AT_EMPTY_PATH) < 0)
		return err_errno(err, errno, "giving cgroup %s to user %u", dir->path, uid);
	for (char **file = files; file && *file; file++)
		if (fchownat(dir->fd, *file, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return err_errno(err, errno, "giving %s of cgroup %s to user %u", *file,
					 dir->path, uid);
	return 0;
}

int cgroup_give(struct cgroup *cg, const struct spec *spec, pid_t init, struct err *err)
{
	const struct cgroup_dir *dir = cgroup_dir_find(cg, NULL);
	struct err own = ERR_INIT;
	uid_t uid;
	int r;

	if (cg->layout != CGROUP_V2 || !dir || !cgroup_is_given(spec))
		return 0;
	r = host_uid(spec->process->user.uid, init, &uid, &own);
	/* A user who is not mapped is an error of the process; its end one that is told already. */
	if (r == -ENOENT)
		return 0;
	if (r >= 0 && uid != geteuid())
		r = give(dir, uid, &own);
	if (r >= 0)
		return 0;
	if (cg->rootless) {
		log_debug("%s", own.msg);
		return 0;
	}
	if (err)
		*err = own;
	return r;
}
