/* SPDX-License-Identifier: Apache-2.0 */
/* What is executed, as whom: the container's own process, changed by options or replaced. */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "oci/user.h"
#include "runtime/exec.h"

/* Takes over from's member where to has none. */
#define INHERIT(to, from, member)                                                                  \
	do {                                                                                       \
		if (!(to)->member)                                                                 \
			(to)->member = take_ptr((from)->member);                                   \
	} while (0)

/* A process object of its own: what it does not say is the container's, as with runc. */
static int from_text(struct exec *e, struct err *err)
{
	struct spec_process *own = e->spec.process;
	struct spec_process *p = xcalloc(1, sizeof(*p));
	int r = json_parse(&spec_process_desc, p, e->args->process_text, e->args->process_len,
			   "process.json", err);

	if (r < 0) {
		free(p);
		return r;
	}
	INHERIT(p, own, capabilities);
	INHERIT(p, own, apparmor_profile);
	INHERIT(p, own, selinux_label);
	INHERIT(p, own, io_priority);
	INHERIT(p, own, scheduler);
	INHERIT(p, own, exec_cpu_affinity);
	if (!p->rlimits.n) {
		p->rlimits.items = take_ptr(own->rlimits.items);
		p->rlimits.n = own->rlimits.n;
		own->rlimits.n = 0;
	}
	if (!p->oom_score_adj.set)
		p->oom_score_adj = own->oom_score_adj;
	if (!p->user.umask.set)
		p->user.umask = own->user.umask;
	json_free(&spec_process_desc, own);
	free(own);
	e->spec.process = p;
	return 0;
}

/* What is asked for takes effect for a user who is root; ambient needs inheritable ones. */
static void add_caps(struct spec_process *p, char *const *caps)
{
	struct spec_caps *c;

	if (!strv_len(caps))
		return;
	if (!p->capabilities)
		p->capabilities = xcalloc(1, sizeof(*p->capabilities));
	c = p->capabilities;
	strv_extend(&c->bounding, caps);
	strv_extend(&c->effective, caps);
	strv_extend(&c->permitted, caps);
	if (strv_len(c->inheritable))
		strv_extend(&c->ambient, caps);
}

static void replace(char **member, const char *value)
{
	if (!value || !value[0])
		return;
	free(*member);
	*member = xstrdup(value);
}

/* Numbers are taken as they are, the group of the container stays where none is given, as with
 * runc; unless they are to be looked up. */
static void set_user(struct exec *e, const char *user)
{
	struct spec_user *u = &e->spec.process->user;
	const char *colon = user ? strchr(user, ':') : NULL;
	cleanup_free char *first = NULL;
	uint32_t uid, gid = u->gid;

	if (!user || !user[0])
		return;
	first = colon ? xstrndup(user, (size_t)(colon - user)) : xstrdup(user);
	if (e->args->look_up_user || user_parse_id(first, &uid) < 0 ||
	    (colon && user_parse_id(colon + 1, &gid) < 0)) {
		e->user = xstrdup(user);
		return;
	}
	u->uid = uid;
	u->gid = gid;
}

static void add_gids(struct spec_user *u, const struct json_u32s *more)
{
	struct json_u32s *gids = &u->additional_gids;

	if (!more || !more->n)
		return;
	gids->items = xrealloc(gids->items, (gids->n + more->n) * sizeof(*gids->items));
	memcpy(gids->items + gids->n, more->items, more->n * sizeof(*gids->items));
	gids->n += more->n;
}

static int from_options(struct exec *e, struct err *err)
{
	const struct exec_args *a = e->args;
	struct spec_process *p = e->spec.process;
	struct err wrong = ERR_INIT;
	int r;

	if (!strv_len(a->argv))
		return err_fail(err, ERR_USAGE, "exec args cannot be empty");
	strv_free(p->args);
	p->args = strv_copy(a->argv);
	replace(&p->cwd, a->cwd);
	replace(&p->apparmor_profile, a->apparmor);
	replace(&p->selinux_label, a->process_label);
	add_caps(p, a->caps);
	p->terminal = a->tty;
	if (a->no_new_privs.set)
		p->no_new_privileges = a->no_new_privs.value;
	set_user(e, a->user);
	add_gids(&p->user, a->additional_gids);
	r = spec_process_desc.check(p, &wrong);
	/* Its messages begin with the member: ".cwd: expected ...". */
	return r < 0 ? err_fail(err, wrong.kind, "process%s", wrong.msg) : 0;
}

static void add_missing_env(struct spec_process *p, char *const *env)
{
	for (size_t i = 0; env && env[i]; i++) {
		cleanup_free char *name = xstrndup(env[i], strcspn(env[i], "="));

		if (!strv_env_get(p->env, name))
			strv_env_set(&p->env, env[i]);
	}
}

int exec_process_make(struct exec *e, struct err *err)
{
	char *const *env = e->args->env;
	int r;

	if (!e->spec.process)
		e->spec.process = xcalloc(1, sizeof(*e->spec.process));
	r = e->args->process_text ? from_text(e, err) : from_options(e, err);
	for (size_t i = 0; r >= 0 && env && env[i]; i++)
		if (strchr(env[i], '='))
			strv_env_set(&e->spec.process->env, env[i]);
	if (r >= 0)
		add_missing_env(e->spec.process, e->args->default_env);
	return r;
}

/* A list that oci/ has checked: numbers up to 65535 and ranges. */
int exec_affinity_set(const char *list, struct err *err)
{
	enum { CPUS = 65536 };
	size_t size = CPU_ALLOC_SIZE(CPUS);
	cpu_set_t *set = CPU_ALLOC(CPUS);
	const char *p = list;
	int r = 0;

	if (!set)
		abort();
	CPU_ZERO_S(size, set);
	while (*p) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long cpu = first; cpu <= last && cpu < CPUS; cpu++)
			CPU_SET_S(cpu, size, set);
		p = *end == ',' ? end + 1 : end;
	}
	if (sched_setaffinity(0, size, set) < 0)
		r = err_errno(err, errno, "setting the CPU affinity to \"%s\"", list);
	CPU_FREE(set);
	return r;
}

/* The files are the container's: anything may be at their place. */
static void read_user_file(int root, const char *path, struct buf *b)
{
	cleanup_fd int fd = path_open_in(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, NULL);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    io_read_all(fd, b, USER_FILE_MAX) < 0)
		buf_reset(b);
}

int exec_user_find(struct exec *e, struct err *err)
{
	CLEANUP(buf_done) struct buf passwd = BUF_INIT;
	CLEANUP(buf_done) struct buf group = BUF_INIT;
	struct spec_user *u = &e->spec.process->user;
	cleanup_user struct user_result user = { 0 };
	struct user_files files = { 0 };
	cleanup_fd int root = -EBADF;
	int r;

	if (!e->user)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(err, errno, "opening the container's root");
	read_user_file(root, "/etc/passwd", &passwd);
	read_user_file(root, "/etc/group", &group);
	files.passwd = buf_str(&passwd);
	files.passwd_len = passwd.len;
	files.group = buf_str(&group);
	files.group_len = group.len;
	r = user_resolve(e->user, &files, &user, err);
	if (r < 0)
		return r;
	u->uid = user.uid;
	u->gid = user.gid;
	if (strchr(e->user, ':') && !e->args->look_up_user)
		return 0;
	free(u->additional_gids.items);
	u->additional_gids = user.groups;
	user.groups = (struct json_u32s){ 0 };
	if (e->args->look_up_user)
		add_gids(u, &(const struct json_u32s){ .items = &u->gid, .n = 1 });
	add_gids(u, e->args->additional_gids);
	return 0;
}
