/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles as docker writes them: the runtime-spec's seccomp object, plus archMap, and rules that
 * hold only with (includes) or without (excludes) certain capabilities, architectures and kernels.
 */
#include <sys/utsname.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/spec.h"
#include "sys/cap.h"

struct profile_filter {
	char **caps, **arches;
	char *min_kernel;
};
struct profile_rule {
	char **names;
	char *name; /* before docker 1.11 */
	char *action;
	struct opt_u32 errno_ret;
	JSON_LIST(struct spec_seccomp_arg) args;
	struct profile_filter *includes, *excludes;
};
struct profile_arch {
	char *architecture;
	char **sub;
};
struct profile {
	char *default_action;
	struct opt_u32 default_errno_ret;
	char **architectures, **flags;
	char *listener_path, *listener_metadata;
	JSON_LIST(struct profile_arch) arch_map;
	JSON_LIST(struct profile_rule) syscalls;
};

static const struct json_field filter_fields[] = {
	JSON_FIELD(struct profile_filter, caps, "caps", JSON_STRV),
	JSON_FIELD(struct profile_filter, arches, "arches", JSON_STRV),
	JSON_FIELD(struct profile_filter, min_kernel, "minKernel", JSON_STR),
};
static const struct json_desc filter_desc = JSON_DESC(struct profile_filter, filter_fields);

static const struct json_field arg_fields[] = {
	JSON_FIELD(struct spec_seccomp_arg, index, "index", JSON_U32),
	JSON_FIELD(struct spec_seccomp_arg, value, "value", JSON_U64),
	JSON_FIELD(struct spec_seccomp_arg, value_two, "valueTwo", JSON_U64),
	JSON_FIELD(struct spec_seccomp_arg, op, "op", JSON_STR, .flags = JSON_REQUIRED),
};
static const struct json_desc arg_desc = JSON_DESC(struct spec_seccomp_arg, arg_fields);

static const struct json_field rule_fields[] = {
	JSON_FIELD(struct profile_rule, names, "names", JSON_STRV),
	JSON_FIELD(struct profile_rule, name, "name", JSON_STR),
	JSON_FIELD(struct profile_rule, action, "action", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct profile_rule, errno_ret, "errnoRet", JSON_OPT_U32),
	JSON_FIELD(struct profile_rule, args, "args", JSON_ARRAY, .desc = &arg_desc),
	JSON_FIELD(struct profile_rule, includes, "includes", JSON_OBJ, .desc = &filter_desc),
	JSON_FIELD(struct profile_rule, excludes, "excludes", JSON_OBJ, .desc = &filter_desc),
};
static const struct json_desc rule_desc = JSON_DESC(struct profile_rule, rule_fields);

static const struct json_field arch_fields[] = {
	JSON_FIELD(struct profile_arch, architecture, "architecture", JSON_STR),
	JSON_FIELD(struct profile_arch, sub, "subArchitectures", JSON_STRV),
};
static const struct json_desc arch_desc = JSON_DESC(struct profile_arch, arch_fields);

static const struct json_field profile_fields[] = {
	JSON_FIELD(struct profile, default_action, "defaultAction", JSON_STR,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct profile, default_errno_ret, "defaultErrnoRet", JSON_OPT_U32),
	JSON_FIELD(struct profile, architectures, "architectures", JSON_STRV),
	JSON_FIELD(struct profile, flags, "flags", JSON_STRV),
	JSON_FIELD(struct profile, listener_path, "listenerPath", JSON_STR),
	JSON_FIELD(struct profile, listener_metadata, "listenerMetadata", JSON_STR),
	JSON_FIELD(struct profile, arch_map, "archMap", JSON_ARRAY, .desc = &arch_desc),
	JSON_FIELD(struct profile, syscalls, "syscalls", JSON_ARRAY, .desc = &rule_desc),
};
static const struct json_desc profile_desc = JSON_DESC(struct profile, profile_fields);

struct here {
	uint64_t caps;
	const char *arch; /* GOARCH's word */
	uint32_t major, minor;
};

static bool kernel_at_least(const struct here *here, const char *version)
{
	cleanup_strv char **parts = strv_split(version, '.');
	uint32_t want_major, want_minor;

	if (strv_len(parts) < 2 || str_parse_u32(parts[0], &want_major) < 0 ||
	    str_parse_u32(parts[1], &want_minor) < 0)
		return false;
	return here->major > want_major || (here->major == want_major && here->minor >= want_minor);
}

static bool has_cap(const struct here *here, const char *name)
{
	int cap = cap_from_name(name);

	return cap >= 0 && (here->caps >> cap & 1);
}

static bool rule_holds(const struct profile_rule *rule, const struct here *here)
{
	const struct profile_filter *in = rule->includes, *ex = rule->excludes;
	size_t i;

	if (in && in->arches && !strv_has(in->arches, here->arch))
		return false;
	if (in && in->min_kernel && !kernel_at_least(here, in->min_kernel))
		return false;
	for (i = 0; in && in->caps && in->caps[i]; i++)
		if (!has_cap(here, in->caps[i]))
			return false;
	if (ex && ex->arches && strv_has(ex->arches, here->arch))
		return false;
	if (ex && ex->min_kernel && kernel_at_least(here, ex->min_kernel))
		return false;
	for (i = 0; ex && ex->caps && ex->caps[i]; i++)
		if (has_cap(here, ex->caps[i]))
			return false;
	return true;
}

static const char *native_scmp_arch(void)
{
#if defined(__x86_64__)
	return "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
	return "SCMP_ARCH_AARCH64";
#elif defined(__riscv)
	return "SCMP_ARCH_RISCV64";
#else
	return "";
#endif
}

static void take_rule(struct spec_seccomp *ret, struct profile_rule *rule)
{
	struct spec_seccomp_rule *to = LIST_ADD(ret->syscalls);

	to->names = take_ptr(rule->names);
	if (rule->name)
		strv_add(&to->names, rule->name);
	to->action = take_ptr(rule->action);
	to->errno_ret = rule->errno_ret;
	to->args.items = take_ptr(rule->args.items);
	to->args.n = rule->args.n;
	rule->args.n = 0;
}

static void take_profile(struct spec_seccomp *ret, struct profile *p, const struct here *here)
{
	size_t i;

	ret->default_action = take_ptr(p->default_action);
	ret->default_errno_ret = p->default_errno_ret;
	ret->architectures = take_ptr(p->architectures);
	ret->flags = take_ptr(p->flags);
	ret->listener_path = take_ptr(p->listener_path);
	ret->listener_metadata = take_ptr(p->listener_metadata);
	for (i = 0; i < p->arch_map.n; i++) {
		if (!str_eq(p->arch_map.items[i].architecture, native_scmp_arch()))
			continue;
		strv_add(&ret->architectures, p->arch_map.items[i].architecture);
		strv_extend(&ret->architectures, p->arch_map.items[i].sub);
	}
	for (i = 0; i < p->syscalls.n; i++)
		if (rule_holds(&p->syscalls.items[i], here))
			take_rule(ret, &p->syscalls.items[i]);
}

int seccomp_profile_parse(const char *text, size_t len, const char *path, uint64_t caps,
			  struct spec_seccomp *ret, struct err *err)
{
	struct here here = { .caps = caps, .arch = oci_platform_native().architecture };
	struct profile profile = { 0 };
	struct utsname uts;
	int r;

	r = json_parse(&profile_desc, &profile, text, len, path, err);
	if (r < 0)
		return r;
	if (uname(&uts) == 0) /* the kernel's own words: NOLINTNEXTLINE(cert-err34-c) */
		sscanf(uts.release, "%u.%u", &here.major, &here.minor);
	*ret = (struct spec_seccomp){ 0 };
	take_profile(ret, &profile, &here);
	json_free(&profile_desc, &profile);
	return 0;
}
