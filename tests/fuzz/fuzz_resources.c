/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources: the device rules in all their forms, and the texts for cgroup files. */
#include "runtime/cgroup_priv.h"
#include "runtime/mount_opts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_line(const struct device_rule *rule, bool allow, const char *line, void *data)
{
	size_t len = strlen(line);

	if (len == 0 || len > 64 || strchr(line, '\n'))
		abort();
	(void)rule;
	(void)allow;
	(void)data;
	return 0;
}

static void check_devices(const struct spec_resources *res)
{
	struct device_policy policy = { 0 };
	struct err err = ERR_INIT;
	struct bpf_insn *insns = NULL;

	if (device_policy_build(res, &policy, &err) >= 0) {
		if (device_policy_v1(&policy, check_line, NULL, &err) < 0 && !err.msg[0])
			abort();
		if (device_policy_bpf(&policy, &insns) == 0)
			abort();
		free(insns);
	} else if (!err.msg[0]) {
		abort();
	}
	device_policy_done(&policy);
}

/* Mount options come with the same spec; their text is split here too. */
static void check_options(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	char *words[64] = { NULL }, *rest = text;
	struct mount_opts o = { 0 };
	struct err err = ERR_INIT;
	size_t n = 0;

	for (char *w = strsep(&rest, ","); w && n < ARRAY_SIZE(words) - 1; w = strsep(&rest, ","))
		words[n++] = w;
	if (mount_opts_parse(words, &o, &err) < 0) {
		if (!err.msg[0])
			abort();
		return;
	}
	if ((o.set & o.clear & ~(uint64_t)0x70) || (o.rec_set & o.rec_clear & ~(uint64_t)0x70))
		abort();
	mount_opts_done(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec_resources res = { 0 };
	struct err err = ERR_INIT;
	int64_t swap;

	check_options(data, size);
	if (json_parse(&spec_resources_desc, &res, (const char *)data, size, "resources", &err) < 0)
		return 0;
	check_devices(&res);
	if (res.memory)
		cgroup_swap_max(res.memory->limit.value, res.memory->swap.value, &swap);
	json_free(&spec_resources_desc, &res);
	return 0;
}
