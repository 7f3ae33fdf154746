/* SPDX-License-Identifier: Apache-2.0 */
/* `features`: runtime-spec features.md. What this program was built to do, not what the machine it
 * runs on can. */
#include <seccomp.h>

#include "base/io.h"
#include "runtime/cli.h"
#include "runtime/mount_opts.h"
#include "runtime/seccomp_policy.h"
#include "sys/cap.h"

static const char *const hooks[] = { "prestart",       "createRuntime", "createContainer",
				     "startContainer", "poststart",     "poststop" };
static const char *const arches[] = {
	"SCMP_ARCH_AARCH64",   "SCMP_ARCH_ARM",    "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",
	"SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
	"SCMP_ARCH_PPC",       "SCMP_ARCH_PPC64",  "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_RISCV64",
	"SCMP_ARCH_S390",      "SCMP_ARCH_S390X",  "SCMP_ARCH_X32",      "SCMP_ARCH_X86",
	"SCMP_ARCH_X86_64",
};

static const char *hook_word(size_t i)
{
	return i < ARRAY_SIZE(hooks) ? hooks[i] : NULL;
}

static const char *arch_word(size_t i)
{
	return i < ARRAY_SIZE(arches) ? arches[i] : NULL;
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
	buf_adds(b, ",\n    \"cgroup\": {\"v1\": true, \"v2\": true, \"systemd\": false, "
		    "\"systemdUser\": false, \"rdma\": true},\n"
		    "    \"seccomp\": {\"enabled\": true,\n      ");
	add_list(b, "actions", seccomp_action_word);
	buf_adds(b, ",\n      ");
	add_list(b, "operators", seccomp_op_word);
	buf_adds(b, ",\n      ");
	add_list(b, "archs", arch_word);
	buf_adds(b, ",\n      ");
	add_list(b, "knownFlags", seccomp_flag_word);
	buf_adds(b, ",\n      ");
	add_list(b, "supportedFlags", seccomp_flag_word);
	buf_adds(b, "\n    },\n"
		    "    \"apparmor\": {\"enabled\": true},\n"
		    "    \"selinux\": {\"enabled\": true},\n"
		    "    \"intelRdt\": {\"enabled\": false},\n"
		    "    \"netDevices\": {\"enabled\": false},\n"
		    "    \"mountExtensions\": {\"idmap\": {\"enabled\": true}}\n  },\n");
}

static int run_features(const void *globals, void *opts, char **args, struct err *err)
{
	const struct scmp_version *v = seccomp_version();
	CLEANUP(buf_done) struct buf b = BUF_INIT;
	int r;

	buf_adds(&b, "{\n  \"ociVersionMin\": \"1.0.0\",\n  \"ociVersionMax\": \"1.3.0\",\n  ");
	add_list(&b, "hooks", hook_word);
	buf_adds(&b, ",\n  ");
	add_list(&b, "mountOptions", mount_opts_word);
	buf_adds(&b, ",\n");
	add_linux(&b);
	buf_addf(&b,
		 "  \"annotations\": {\"io.github.seccomp.libseccomp.version\": \"%u.%u.%u\"},\n"
		 "  \"potentiallyUnsafeConfigAnnotations\": []\n}\n",
		 v->major, v->minor, v->micro);
	r = io_write(1, b.data, b.len);
	return r < 0 ? err_errno(err, -r, "writing the features") : 0;
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
