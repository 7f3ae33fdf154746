/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hooks.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strv.h"
#include "runtime/cancel.h"

static int run_one(const struct spec_hook *hook, const char *state, int cancel_fd, struct err *err)
{
	char *no_env[] = { NULL };
	char *default_args[] = { hook->path, NULL };
	struct proc_spawn spawn = PROC_SPAWN_INIT;
	struct buf in = { .data = (char *)(uintptr_t)state, .len = strlen(state) };
	int64_t timeout_ms = -1;
	int r;

	spawn.path = hook->path;
	spawn.cancel_fd = cancel_fd;
	spawn.argv = hook->args && hook->args[0] ? hook->args : default_args;
	/* Only what the configuration gives: nothing of the runtime's environment leaks. */
	spawn.envp = hook->env ? hook->env : no_env;
	if (hook->timeout.set)
		timeout_ms = (int64_t)hook->timeout.value * 1000;
	if (timeout_ms > INT32_MAX)
		timeout_ms = INT32_MAX;
	r = proc_run(&spawn, &in, NULL, 0, (int)timeout_ms, err);
	if (r == -ECANCELED) {
		cancel_error(cancel_fd, err);
		return err_wrap(err, r, "%s", hook->path);
	}
	if (r == -ETIME || r == -ETIMEDOUT)
		return err_fail(err, ERR_INVALID, "%s: no end after %d s", hook->path,
				hook->timeout.value);
	if (r > 0)
		return err_fail(err, ERR_INVALID, "%s: exit status %d", hook->path, r);
	return r;
}

static char *state_text(const struct container_state *state, enum container_status status)
{
	struct container_state copy = *state;
	struct buf b = BUF_INIT;

	copy.status = (int)status;
	if (status == CONTAINER_STOPPED)
		copy.pid = 0;
	container_state_write(&copy, &b);
	return buf_take(&b);
}

int hooks_run(const char *kind, const spec_hook_list *hooks, const struct container_state *state,
	      enum container_status status, int cancel_fd, struct err *err)
{
	cleanup_free char *text = hooks->n ? state_text(state, status) : NULL;

	for (size_t i = 0; i < hooks->n; i++) {
		int r = run_one(&hooks->items[i], text, cancel_fd, err);

		if (r < 0)
			return err_wrap(err, r, "running %s hook #%zu", kind, i);
	}
	return 0;
}

void hooks_run_all(const char *kind, const spec_hook_list *hooks,
		   const struct container_state *state, enum container_status status, int cancel_fd)
{
	cleanup_free char *text = hooks->n ? state_text(state, status) : NULL;

	for (size_t i = 0; i < hooks->n; i++) {
		struct err err = ERR_INIT;

		if (run_one(&hooks->items[i], text, cancel_fd, &err) < 0)
			log_warn("running %s hook #%zu: %s", kind, i, err.msg);
	}
}

static const struct json_field hook_fields[] = {
	JSON_FIELD(struct spec_hook, path, "path", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_hook, args, "args", JSON_STRV),
	JSON_FIELD(struct spec_hook, env, "env", JSON_STRV),
	JSON_FIELD(struct spec_hook, timeout, "timeout", JSON_OPT_I32),
};
static const struct json_desc hook_desc = JSON_DESC(struct spec_hook, hook_fields);
static const struct json_field saved_fields[] = {
	JSON_FIELD(struct hooks_saved, poststart, "poststart", JSON_ARRAY, .desc = &hook_desc),
	JSON_FIELD(struct hooks_saved, poststop, "poststop", JSON_ARRAY, .desc = &hook_desc),
};
static const struct json_desc saved_desc = JSON_DESC(struct hooks_saved, saved_fields);

char *hooks_save(const struct spec_hooks *hooks)
{
	struct hooks_saved saved = { 0 };
	struct buf b = BUF_INIT;

	if (!hooks || (hooks->poststart.n == 0 && hooks->poststop.n == 0))
		return NULL;
	saved.poststart = hooks->poststart;
	saved.poststop = hooks->poststop;
	json_write(&saved_desc, &saved, 0, &b);
	return buf_take(&b);
}

int hooks_load(const char *text, struct hooks_saved *ret, struct err *err)
{
	*ret = (struct hooks_saved){ 0 };
	return text ? json_parse(&saved_desc, ret, text, strlen(text), "hooks", err) : 0;
}

void hooks_saved_done(struct hooks_saved *saved)
{
	json_free(&saved_desc, saved);
}
