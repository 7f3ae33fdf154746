/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of config.json's "linux.seccomp" (runtime-spec config-linux.md, Seccomp). */
#include "base/str.h"
#include "oci/spec_internal.h"

#define ERRNO_MAX    4095  /* MAX_ERRNO of the kernel: more is cut to this */
#define RET_DATA_MAX 65535 /* SECCOMP_RET_DATA */

static const char *const actions[] = {
	"SCMP_ACT_ALLOW",       "SCMP_ACT_ERRNO",
	"SCMP_ACT_KILL",        "SCMP_ACT_KILL_PROCESS",
	"SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
	"SCMP_ACT_NOTIFY",      "SCMP_ACT_TRACE",
	"SCMP_ACT_TRAP",        NULL,
};

const char *const spec_seccomp_archs[] = {
	"SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
	"SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
	"SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",
	"SCMP_ARCH_PARISC",  "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",     "SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_M68K",    "SCMP_ARCH_SH",       "SCMP_ARCH_SHEB",        NULL,
};

static const char *const flags[] = {
	"SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	NULL,
};

static const char *const operators[] = {
	"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",        "SCMP_CMP_EQ",
	"SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", NULL,
};

int spec_check_seccomp_arg(const void *object, struct err *err)
{
	const struct spec_seccomp_arg *arg = object;
	int r;

	r = spec_check_range(err, "index", arg->index, 0, 5);
	if (r < 0)
		return r;
	return spec_check_word(err, "op", arg->op, operators);
}

static int check_errno(struct err *err, const char *member, const struct opt_u32 *value,
		       const char *action)
{
	if (!value->set)
		return 0;
	if (strcmp(action, "SCMP_ACT_ERRNO") == 0)
		return spec_check_range(err, member, value->value, 0, ERRNO_MAX);
	if (strcmp(action, "SCMP_ACT_TRACE") == 0)
		return spec_check_range(err, member, value->value, 0, RET_DATA_MAX);
	return json_fail(err, member, "expected none for %s, got %u", action, value->value);
}

int spec_check_seccomp_rule(const void *object, struct err *err)
{
	static const char *const handover_calls[] = { "sendmsg", "write", NULL };
	const struct spec_seccomp_rule *rule = object;
	char member[64];
	bool notify, handover;
	size_t i;
	int r;

	r = spec_check_word(err, "action", rule->action, actions);
	if (r < 0)
		return r;
	notify = strcmp(rule->action, "SCMP_ACT_NOTIFY") == 0;
	for (i = 0; rule->names[i]; i++) {
		/* Init itself hands its listener over, when the filter is already at work. */
		handover = notify && spec_word_in(rule->names[i], handover_calls);
		if (*rule->names[i] && !handover)
			continue;
		snprintf(member, sizeof(member), "names[%zu]", i);
		if (handover)
			return json_fail(
			    err, member,
			    "expected none that init needs to hand over the listener, got %s",
			    rule->names[i]);
		return json_fail(err, member, "expected the name of a system call");
	}
	return check_errno(err, "errnoRet", &rule->errno_ret, rule->action);
}

static int check_listener(const struct spec_seccomp *sc, struct err *err)
{
	bool have_path = sc->listener_path && *sc->listener_path;
	char member[64];
	size_t i;

	if (strcmp(sc->default_action, "SCMP_ACT_NOTIFY") == 0)
		return json_fail(err, "defaultAction",
				 "expected an action other than SCMP_ACT_NOTIFY");
	if (sc->listener_metadata && *sc->listener_metadata && !have_path)
		return json_fail(err, "listenerMetadata", "expected listenerPath beside it");
	for (i = 0; i < sc->syscalls.n && !have_path; i++) {
		if (strcmp(sc->syscalls.items[i].action, "SCMP_ACT_NOTIFY") != 0)
			continue;
		snprintf(member, sizeof(member), "syscalls[%zu].action", i);
		return json_fail(err, member, "expected listenerPath for SCMP_ACT_NOTIFY");
	}
	return have_path ? spec_check_absolute(err, "listenerPath", sc->listener_path) : 0;
}

int spec_check_seccomp(const void *object, struct err *err)
{
	const struct spec_seccomp *sc = object;
	int r;

	r = spec_check_word(err, "defaultAction", sc->default_action, actions);
	if (r < 0)
		return r;
	r = check_errno(err, "defaultErrnoRet", &sc->default_errno_ret, sc->default_action);
	if (r < 0)
		return r;
	r = spec_check_words(err, "architectures", sc->architectures, spec_seccomp_archs);
	if (r < 0)
		return r;
	r = spec_check_words(err, "flags", sc->flags, flags);
	if (r < 0)
		return r;
	return check_listener(sc, err);
}
