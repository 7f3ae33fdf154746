/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of plain files that look like cgroupfs, with a container's cgroup in them. */
#pragma once

#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

static int create_on(const struct cgroup_system *sys, const char *path, const char *id,
		     bool rootless, struct cgroup *ret, struct err *err)
{
	struct cgroup_system copy = { .layout = sys->layout, .n = sys->n };

	for (size_t i = 0; i < sys->n; i++) {
		copy.h[i] = sys->h[i];
		copy.h[i].mount_point = xstrdup(sys->h[i].mount_point);
		copy.h[i].mount_root = xstrdup(sys->h[i].mount_root);
		copy.h[i].own_path = xstrdup(sys->h[i].own_path);
		copy.h[i].controllers = strv_copy(sys->h[i].controllers);
	}
	const struct cgroup_request req = { .cgroups_path = path, .id = id, .rootless = rootless };
	int r = cgroup_create_begin_on(&copy, &req, ret, err);
	cgroup_system_done(&copy);
	if (r == 0)
		r = cgroup_create_finish(ret, err);
	return r;
}

struct tree {
	char dir[64];
	int fd;
	struct cgroup_system sys;
	struct cgroup cg;
};

static void tree_file(struct tree *t, const char *dir, const char *name, const char *content)
{
	cleanup_fd int parent = path_mkdirs_in(t->fd, dir, 0755, NULL);
	assert_true(parent >= 0);
	cleanup_fd int fd = openat(parent, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(io_write(fd, content, strlen(content)), 0);
}

UNUSED static const char *tree_read(struct tree *t, const char *path)
{
	static char text[256];
	cleanup_fd int fd = openat(t->fd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("no %s", path);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void tree_hierarchy(struct tree *t, const char *name, const char *const *controllers)
{
	struct cgroup_hierarchy *h = &t->sys.h[t->sys.n++];

	*h = (struct cgroup_hierarchy){
		.mount_point = path_join(t->dir, name),
		.mount_root = xstrdup("/"),
		.controllers = strv_copy((char *const *)(uintptr_t)controllers),
		.own_path = xstrdup("/user/session"),
		.v2 = !controllers,
	};
}

static void tree_new(struct tree *t)
{
	*t = (struct tree){ .dir = "/tmp/inro-cgroup-XXXXXX" };
	assert_non_null(mkdtemp(t->dir));
	t->fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->fd >= 0);
}

static void tree_free(struct tree *t)
{
	const char *name = strrchr(t->dir, '/') + 1;
	cleanup_fd int tmp = open("/tmp", O_PATH | O_CLOEXEC);

	cgroup_done(&t->cg);
	cgroup_system_done(&t->sys);
	close(t->fd);
	assert_int_equal(path_remove_tree(tmp, name, NULL), 0);
}

static const char *const v2_files[] = {
	"cgroup.procs",    "cgroup.freeze",        "cpu.weight",  "cpu.max",    "cpu.max.burst",
	"cpu.idle",        "cpuset.cpus",          "cpuset.mems", "memory.max", "memory.low",
	"memory.swap.max", "memory.high",          "pids.max",    "io.max",     "io.weight",
	"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "rdma.max",
};
#define V2_CONTROLLERS "cpuset cpu io memory hugetlb pids rdma"

static void v2_tree(struct tree *t, const char *given)
{
	tree_new(t);
	t->sys.layout = CGROUP_V2;
	tree_hierarchy(t, "cg", NULL);
	static const char *const dirs[] = { "cg", "cg/inro", "cg/user" };
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		tree_file(t, dirs[i], "cgroup.controllers", V2_CONTROLLERS "\n");
		tree_file(t, dirs[i], "cgroup.subtree_control", "");
	}
	tree_file(t, "cg/inro/box", "cgroup.controllers", given);
	for (size_t i = 0; i < ARRAY_SIZE(v2_files); i++)
		tree_file(t, "cg/inro/box", v2_files[i], "");
	struct err err = ERR_INIT;
	if (create_on(&t->sys, "/inro/box", "id", true, &t->cg, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct spec_resources parse(const char *json)
{
	struct spec_resources res = { 0 };
	struct err err = ERR_INIT;

	if (json_parse(&spec_resources_desc, &res, json, strlen(json), "resources", &err) < 0)
		fail_msg("%s", err.msg);
	return res;
}

UNUSED static int apply(struct tree *t, const char *json, struct err *err)
{
	struct spec_resources res = parse(json);

	*err = (struct err)ERR_INIT;
	int r = cgroup_apply(&t->cg, &res, err);
	json_free(&spec_resources_desc, &res);
	return r;
}

UNUSED static void apply_ok(struct tree *t, const char *json)
{
	struct err err;

	if (apply(t, json, &err) < 0)
		fail_msg("%s: %s", json, err.msg);
}
