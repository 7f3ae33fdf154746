/* SPDX-License-Identifier: Apache-2.0 */
/* `features`: runtime-spec features.md. What this program was built to do, not what the machine it
 * runs on can; each list is that of the table which is worked by. */
#include "runtime/cli.h"
#include "runtime/mempolicy.h"
#include "runtime/mount_opts.h"
#include "runtime/seccomp_policy.h"
#include "sys/cap.h"

static const char *arch_word(size_t i)
{
	return spec_seccomp_archs[i];
}

/* As the kernel that runs now has them. */
static const char *supported_flag_word(size_t wanted)
{
	const char *word;

	for (size_t i = 0; (word = seccomp_flag_word(i)); i++)
		if (seccomp_flag_supported(word) && wanted-- == 0)
			return word;
	return NULL;
}

static const char *namespace_word(size_t i)
{
	return i < NS_COUNT ? spec_ns_names[i] : NULL;
}

static const char *capability_word(size_t i)
{
	return cap_name((int)i);
}

static void add_list(struct buf *b, const char *key, const char *(*word)(size_t))
{
	buf_addf(b, "\"%s\": [", key);
	for (size_t i = 0; word(i); i++)
		buf_addf(b, "%s\"%s\"", i ? ", " : "", word(i));
	buf_adds(b, "]");
}

static void add_linux(struct buf *b)
{
	buf_adds(b, "  \"linux\": {\n    ");
	add_list(b, "namespaces", namespace_word);
	buf_adds(b, ",\n    ");
	add_list(b, "capabilities", capability_word);
	buf_adds(b, ",\n    \"cgroup\": {\"v1\": true, \"v2\": true, \"systemd\": true, "
		    "\"systemdUser\": true, \"rdma\": true},\n"
		    "    \"seccomp\": {\"enabled\": true,\n      ");
	add_list(b, "actions", seccomp_action_word);
	buf_adds(b, ",\n      ");
	add_list(b, "operators", seccomp_op_word);
	buf_adds(b, ",\n      ");
	add_list(b, "archs", arch_word);
	buf_adds(b, ",\n      ");
	add_list(b, "knownFlags", seccomp_flag_word);
	buf_adds(b, ",\n      ");
	add_list(b, "supportedFlags", supported_flag_word);
	buf_adds(b, "\n    },\n"
		    "    \"apparmor\": {\"enabled\": true},\n"
		    "    \"selinux\": {\"enabled\": true},\n"
		    "    \"intelRdt\": {\"enabled\": true, \"schemata\": true, "
		    "\"monitoring\": true},\n"
		    "    \"memoryPolicy\": {\n      ");
	add_list(b, "modes", memory_policy_mode_word);
	buf_adds(b, ",\n      ");
	add_list(b, "flags", memory_policy_flag_word);
	buf_adds(b, "\n    },\n"
		    "    \"netDevices\": {\"enabled\": true},\n"
		    "    \"mountExtensions\": {\"idmap\": {\"enabled\": true}}\n  },\n");
}

static int run_features(const void *globals, void *opts, char **args, struct err *err)
{
	CLEANUP(buf_done) struct buf b = BUF_INIT;

	buf_adds(&b, "{\n  \"ociVersionMin\": \"1.0.0\",\n  \"ociVersionMax\": \"" SPEC_VERSION
		     "\",\n  ");
	add_list(&b, "hooks", spec_hook_word);
	buf_adds(&b, ",\n  ");
	add_list(&b, "mountOptions", mount_opts_word);
	buf_adds(&b, ",\n");
	add_linux(&b);
	/* What `docker info` shows of a runtime. runc's version is not ours to claim. */
	buf_adds(&b, "  \"annotations\": {\"org.opencontainers.runc.checkpoint.enabled\": "
		     "\"true\"},\n");
	buf_adds(&b, "  \"potentiallyUnsafeConfigAnnotations\": [\"org.systemd.property.\"]\n}\n");
	return cli_print(&b, "the features", err);
}

const struct cmd cmd_features = {
	.name = "features",
	.args = "",
	.summary = "Print what this runtime supports as JSON",
	.min_args = 0,
	.max_args = 0,
	.run = run_features,
	.flags = CMD_ROOT_NOT_NEEDED,
};
