/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "engine/login.h"

struct logout_options {
	char *authfile, *docker_file;
	bool all;
};

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct logout_options, all),
	  .help = "forget the credentials for all registries" },
	{ .name = "authfile",
	  .kind = OPT_STR,
	  OPT_FIELD(struct logout_options, authfile),
	  .arg = "FILE",
	  .help = "file of credentials (REGISTRY_AUTH_FILE)" },
	{ .name = "compat-auth-file",
	  .kind = OPT_STR,
	  OPT_FIELD(struct logout_options, docker_file),
	  .arg = "FILE",
	  .help = "file of credentials in a form that docker reads, too" },
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct logout_options *o = options;
	const char *file = o->docker_file ? o->docker_file : o->authfile;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *name = NULL;
	int r;

	if (o->docker_file && o->authfile)
		return err_fail(err, ERR_USAGE, "give --authfile or --compat-auth-file, not both");
	if (o->all && args[0])
		return err_fail(err, ERR_USAGE, "--all takes no registry");
	if (o->all) {
		r = auth_remove_all(file, err);
		if (r < 0)
			return err_wrap(err, r, "logging out");
		buf_adds(&out, "Removed login credentials for all registries\n");
		return cli_print(&out, err);
	}
	r = login_name(args[0], &name, err);
	if (r == 0)
		r = logout(file, name, err);
	if (r < 0)
		return r;
	buf_addf(&out, "Removed login credentials for %s\n", name);
	return cli_print(&out, err);
}

const struct cmd cmd_logout = {
	.name = "logout",
	.args = "[OPTIONS] [REGISTRY]",
	.summary = "Forget the credentials for a registry",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct logout_options),
	.max_args = 1,
	.run = run,
};
