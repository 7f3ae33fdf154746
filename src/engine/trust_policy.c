/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's file. */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"
#include "engine/trust.h"

#define SYSTEM_FILE "/etc/containers/policy.json"
#define USER_FILE   ".config/containers/policy.json"

/* ---- where it is ---- */

/* root's HOME may be a user's: root has the machine's file alone. */
static char *user_file(const struct engine *eng)
{
	const char *home = eng->rootless ? getenv("HOME") : NULL;

	return home && home[0] == '/' ? path_join(home, USER_FILE) : NULL;
}

int trust_path(struct engine *eng, char **ret, struct err *err)
{
	const struct config *config;
	cleanup_free char *user = user_file(eng);
	const char *const paths[] = { user, SYSTEM_FILE };
	int r = config_get(eng, &config, err);

	*ret = NULL;
	if (r < 0)
		return r;
	if (config->image.policy) {
		*ret = xstrdup(config->image.policy);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		/* one that nobody may look at is one that can't be read */
		if (!paths[i] ||
		    (access(paths[i], F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR)))
			continue;
		*ret = xstrdup(paths[i]);
		break;
	}
	return 0;
}

/* ---- reading ---- */

static void accept_all(struct policy *ret)
{
	*ret = (struct policy){ .by_default.items = xcalloc(1, sizeof(struct policy_requirement)) };
	ret->by_default.items[0].type = POLICY_ACCEPT;
	ret->by_default.n = 1;
}

static int read_file(const char *path, struct policy *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(AT_FDCWD, path, &text, POLICY_BYTES_MAX, err);

	if (r < 0)
		return err_wrap(err, r, "reading the policy on images");
	return policy_parse(buf_str(&text), text.len, path, ret, err);
}

int trust_read(struct engine *eng, struct policy *ret, char **ret_path, struct err *err)
{
	cleanup_free char *path = NULL;
	int r = trust_path(eng, &path, err);

	if (r < 0)
		return r;
	if (path)
		r = read_file(path, ret, err);
	else
		accept_all(ret);
	if (r == 0)
		*ret_path = take_ptr(path);
	return r;
}

/* ---- changing ---- */

static struct policy_identity *identity_make(int match)
{
	struct policy_identity *id = match < 0 ? NULL : xcalloc(1, sizeof(*id));

	if (id)
		id->match = match;
	return id;
}

static int requirements_make(enum policy_type type, int match, char *const *keys,
			     struct policy_requirements *ret, struct err *err)
{
	size_t n = strv_len(keys);
	struct policy_requirement *items;

	for (size_t i = 0; i < n; i++)
		if (keys[i][0] != '/' || access(keys[i], R_OK) < 0)
			return keys[i][0] == '/'
				   ? err_errno(err, errno, "reading key %s", keys[i])
				   : err_fail(err, ERR_USAGE,
					      "expected the absolute path of a key, got \"%s\"",
					      keys[i]);
	items = xcalloc(n + 1, sizeof(*items));
	for (size_t i = 0; i < n; i++)
		items[i] = (struct policy_requirement){ .type = type,
							.key_path = xstrdup(keys[i]),
							.identity = identity_make(match) };
	if (n == 0)
		items[n++].type = type;
	*ret = (struct policy_requirements){ items, n };
	return 0;
}

/* The directory, locked: two that change the file at a time must not lose a change. */
static int lock_dir(const char *path, struct err *err)
{
	cleanup_free char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	cleanup_fd int fd = -EBADF;
	int r = path_mkdirs(dir, 0755, err);

	if (r < 0)
		return r;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || NO_EINTR(flock(fd, LOCK_EX)) < 0)
		return err_errno(err, errno, "locking %s", dir);
	return take_fd(fd);
}

int trust_set(struct engine *eng, const char *scope, enum policy_type type, int match,
	      char *const *keys, struct err *err)
{
	struct policy_requirements wanted = { NULL };
	cleanup_policy struct policy policy = { { NULL } };
	cleanup_free char *path = NULL, *user = user_file(eng);
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_free char *from = NULL;
	int r = scope ? policy_check_scope(scope, err) : 0;

	if (r == 0)
		r = trust_path(eng, &path, err);
	if (r < 0)
		return r;
	/* a user has the machine's policy as it is, up to the first word of their own */
	if (!path || (user && str_eq(path, SYSTEM_FILE))) {
		free(path);
		path = xstrdup(user ? user : SYSTEM_FILE);
	}
	cleanup_fd int lock = lock_dir(path, err);
	if (lock < 0)
		return lock;
	r = trust_read(eng, &policy, &from, err);
	if (r == 0)
		r = requirements_make(type, match, keys, &wanted, err);
	if (r < 0)
		return r;
	policy_set(&policy, scope ? POLICY_REGISTRIES : NULL, scope, &wanted);
	policy_write(&policy, &text);
	r = io_replace_file(lock, strrchr(path, '/') + 1, text.data, text.len, 0644, true, err);
	return r < 0 ? err_wrap(err, r, "writing %s", path) : 0;
}
