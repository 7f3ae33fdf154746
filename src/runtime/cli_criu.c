/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli_criu.h"

#include "base/str.h"

const char *const criu_cgroup_mode_words[] = { "soft", "full", "strict", "ignore", NULL };
const char *const criu_empty_ns_words[] = { "network", NULL };

void criu_cli_args(const struct criu_cli *cli, struct criu_args *args)
{
	static const int modes[] = { CRIU_CG_SOFT, CRIU_CG_FULL, CRIU_CG_STRICT, CRIU_CG_IGNORE };

	*args = (struct criu_args){
		.image_path = cli->image_path && *cli->image_path ? cli->image_path : "checkpoint",
		.work_path = cli->work_path && *cli->work_path ? cli->work_path : NULL,
		.cgroup_mode = CRIU_CG_SOFT,
		.status_fd = -EBADF,
		.tcp_established = cli->tcp_established,
		.ext_unix_sk = cli->ext_unix_sk,
		.shell_job = cli->shell_job,
		.file_locks = cli->file_locks,
		.lazy_pages = cli->lazy_pages,
		.auto_dedup = cli->auto_dedup,
	};
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (str_eq(cli->manage_cgroups_mode, criu_cgroup_mode_words[i]))
			args->cgroup_mode = modes[i];
}
