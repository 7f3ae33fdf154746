/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/spec.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

int spec_command(const struct spec_input *in, char ***ret, struct err *err)
{
	const struct oci_config *c = in->config;
	cleanup_strv char **args = NULL;

	if (in->opts->entrypoint) {
		/* A new entrypoint, even an empty one, takes the image's command away as well. */
		if (in->opts->entrypoint[0])
			strv_add(&args, in->opts->entrypoint);
		strv_extend(&args, in->args);
	} else {
		if (c)
			strv_extend(&args, c->entrypoint);
		strv_extend(&args, strv_len(in->args) || !c ? in->args : c->cmd);
	}
	if (!strv_len(args))
		return err_hint(err, err_fail(err, ERR_INVALID, "no command specified"),
				"the image has none: write one behind its name");
	*ret = take_ptr(args);
	return 0;
}

static int gen_args(struct spec_input *in, struct spec_process *p, struct err *err)
{
	cleanup_strv char **args = NULL;
	int r;

	r = spec_command(in, &args, err);
	if (r < 0)
		return r;
	if (in->init_path && !in->opts->infra) {
		strv_add(&p->args, SPEC_INIT);
		strv_add(&p->args, "--");
	}
	strv_extend(&p->args, args);
	return 0;
}

static void set_all(char ***env, char *const *words)
{
	for (size_t i = 0; words && words[i]; i++)
		strv_env_set(env, words[i]);
}

static int merge_env(const struct spec_input *in, char ***env, struct err *err)
{
	char **words = in->opts->env_merge;

	for (size_t i = 0; words && words[i]; i++) {
		cleanup_free char *merged = NULL;
		int r = env_merge_parse(words[i], *env, &merged, err);

		if (r < 0)
			return r;
		strv_env_set(env, merged);
	}
	return 0;
}

/* Later ones win: defaults, our own environment, the image, what takes these away, --env-file and
 * -e, secrets. HOME, where nobody has set it, is what the runtime finds for the user of each
 * process. */
static int gen_env(const struct spec_input *in, const struct spec *spec, struct spec_process *p,
		   struct err *err)
{
	const char *host = spec->hostname ? spec->hostname : in->host_name;
	cleanup_free char *hostname = xasprintf("HOSTNAME=%s", host ? host : "");
	int r;

	strv_add(&p->env, PATH_DEFAULT);
	strv_env_set(&p->env, hostname);
	if (in->opts->tty)
		strv_env_set(&p->env, "TERM=xterm");
	set_all(&p->env, in->host_env);
	if (in->config)
		set_all(&p->env, in->config->env);
	r = merge_env(in, &p->env, err);
	if (r < 0)
		return r;
	for (size_t i = 0; in->opts->unsetenv && in->opts->unsetenv[i]; i++)
		strv_env_unset(p->env, in->opts->unsetenv[i]);
	if (in->opts->unsetenv_all) {
		strv_free(p->env);
		p->env = NULL;
	}
	set_all(&p->env, in->env);
	set_all(&p->env, in->secret_env);
	return 0;
}

static int gen_cwd(const struct spec_input *in, struct spec_process *p, struct err *err)
{
	const char *dir = in->opts->workdir;

	if (dir && dir[0] != '/')
		return err_fail(
		    err, ERR_USAGE,
		    "the working directory '%s' is invalid, it needs to be an absolute path", dir);
	if (!dir && in->config && in->config->working_dir && in->config->working_dir[0])
		dir = in->config->working_dir;
	p->cwd = path_clean(dir ? dir : "/");
	return 0;
}

static void add_group(struct json_u32s *list, uint32_t gid)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->items[i] == gid)
			return;
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
	list->items[list->n++] = gid;
}

static int gen_user(const struct spec_input *in, struct spec_process *p, struct err *err)
{
	const struct run_options *o = in->opts;
	uint32_t mask;
	size_t i;

	p->user.uid = in->user->uid;
	p->user.gid = in->user->gid;
	/* docker lists the primary group among the supplementary ones. */
	add_group(&p->user.additional_gids, in->user->gid);
	for (i = 0; i < in->user->groups.n; i++)
		add_group(&p->user.additional_gids, in->user->groups.items[i]);
	for (i = 0; i < in->groups.n; i++)
		add_group(&p->user.additional_gids, in->groups.items[i]);
	if (!o->umask)
		return 0;
	if (str_parse_mode(o->umask, &mask) < 0 || mask > 0777)
		return err_fail(err, ERR_USAGE,
				"--umask: expected an octal number up to 0777, got %s", o->umask);
	p->user.umask = (struct opt_u32){ true, mask };
	return 0;
}

static int gen_rlimits(const struct spec_input *in, struct spec_process *p, struct err *err)
{
	char **words = in->opts->ulimit;
	size_t i, k;
	int r;

	for (i = 0; words && words[i]; i++) {
		struct spec_rlimit limit;

		/* podman's word for the limits that we have ourselves, which is what there is. */
		if (str_eq(words[i], "host"))
			continue;
		r = ulimit_parse(words[i], &limit, err);
		if (r < 0)
			return r;
		for (k = 0; k < p->rlimits.n; k++)
			if (str_eq(p->rlimits.items[k].type, limit.type))
				break;
		if (k == p->rlimits.n)
			LIST_ADD(p->rlimits);
		else
			free(p->rlimits.items[k].type);
		p->rlimits.items[k] = limit;
	}
	return 0;
}

int spec_gen_process(struct spec_input *in, struct spec *spec, struct err *err)
{
	struct spec_process *p = xcalloc(1, sizeof(*p));
	const struct opt_i64 *oom = &in->opts->oom_score_adj;
	int r;

	spec->process = p;
	p->terminal = in->opts->tty;
	r = gen_args(in, p, err);
	if (r == 0)
		r = gen_cwd(in, p, err);
	if (r == 0)
		r = gen_user(in, p, err);
	if (r == 0)
		r = gen_rlimits(in, p, err);
	if (r < 0)
		return r;
	r = gen_env(in, spec, p, err);
	if (r < 0 || !oom->set)
		return r;
	if (oom->value < -1000 || oom->value > 1000)
		return err_fail(err, ERR_USAGE, "--oom-score-adj: expected -1000 to 1000");
	p->oom_score_adj = (struct opt_i32){ true, (int32_t)oom->value };
	return 0;
}
