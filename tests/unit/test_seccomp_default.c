/* SPDX-License-Identifier: Apache-2.0 */
/* The default profile is judged by what its compiled filter answers. */
#include "unit.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "base/str.h"
#include "base/strv.h"
#include "bpf.h"
#include "engine/seccomp_default.h"
#include "sys/seccomp.h"

#define CAP(name) (1ULL << (name))
/* What a container gets that asks for nothing. */
#define DOCKER_CAPS                                                                                \
	(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FSETID) | CAP(CAP_FOWNER) |              \
	 CAP(CAP_MKNOD) | CAP(CAP_NET_RAW) | CAP(CAP_SETGID) | CAP(CAP_SETUID) |                   \
	 CAP(CAP_SETFCAP) | CAP(CAP_SETPCAP) | CAP(CAP_NET_BIND_SERVICE) | CAP(CAP_SYS_CHROOT) |   \
	 CAP(CAP_KILL) | CAP(CAP_AUDIT_WRITE))

#define OK         SECCOMP_RET_ALLOW
#define DENY       (SECCOMP_RET_ERRNO | EPERM)
#define NO_SUCH    (SECCOMP_RET_ERRNO | ENOSYS)
#define NO_FAMILY  (SECCOMP_RET_ERRNO | EAFNOSUPPORT)
#define UPPER_BITS 0x100000000ULL

static uint32_t action_of(const char *word, uint32_t errnum)
{
	return strcmp(word, "SCMP_ACT_ALLOW") == 0 ? OK : SECCOMP_RET_ERRNO | errnum;
}

static void compile(uint64_t caps, struct buf *out)
{
	struct spec_seccomp s;
	struct seccomp_rule *rules;
	struct seccomp_arg *args;
	struct err err = ERR_INIT;
	size_t i;

	assert_int_equal(seccomp_default(caps, &s), 0);
	rules = xcalloc(s.syscalls.n, sizeof(*rules));
	args = xcalloc(s.syscalls.n, sizeof(*args));
	for (i = 0; i < s.syscalls.n; i++) {
		const struct spec_seccomp_rule *from = &s.syscalls.items[i];

		rules[i].names = from->names;
		rules[i].action = action_of(from->action, from->errno_ret.value);
		if (from->args.n == 0)
			continue;
		assert_int_equal(from->args.n, 1);
		assert_string_equal(from->args.items[0].op, "SCMP_CMP_MASKED_EQ");
		args[i] = (struct seccomp_arg){ from->args.items[0].index, SECCOMP_OP_MASKED_EQ,
						from->args.items[0].value,
						from->args.items[0].value_two };
		rules[i].args = &args[i];
		rules[i].n_args = 1;
	}
	const struct seccomp_policy policy = {
		.default_action = action_of(s.default_action, s.default_errno_ret.value),
		.architectures = s.architectures,
		.rules = rules,
		.n_rules = s.syscalls.n,
	};
	assert_ok(seccomp_compile(&policy, out, &err));
	json_free(&spec_seccomp_desc, &s);
	free(rules);
	free(args);
}

static uint32_t ask(const struct buf *b, uint32_t arch, const char *name, uint64_t a0)
{
	int nr = seccomp_syscall_resolve_name_arch(arch, name);
	struct seccomp_data d = { .arch = arch, .nr = nr, .args = { a0 } };

	if (nr < 0)
		fail_msg("%s is no system call of this architecture", name);
	if (arch == SCMP_ARCH_X32)
		d.arch = SCMP_ARCH_X86_64;
	return bpf_run(b, &d);
}

struct row {
	const char *name;
	uint64_t a0;
	uint32_t answer;
};

static void check_rows(uint64_t caps, uint32_t arch, const struct row *rows, size_t n)
{
	cleanup_buf struct buf b = BUF_INIT;
	uint32_t answer;
	size_t i;

	compile(caps, &b);
	for (i = 0; i < n; i++) {
		answer = ask(&b, arch, rows[i].name, rows[i].a0);
		if (answer != rows[i].answer)
			fail_msg("%s(%#llx): got %#x, expected %#x", rows[i].name,
				 (unsigned long long)rows[i].a0, answer, rows[i].answer);
	}
}

#define THREAD_FLAGS                                                                               \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |        \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static const struct row ordinary[] = {
	{ "read", 0, OK },
	{ "openat", 0, OK },
	{ "mmap", 0, OK },
	{ "execve", 0, OK },
	{ "exit_group", 0, OK },
	{ "futex", 0, OK },
	{ "rt_sigreturn", 0, OK },
	{ "clock_gettime", 0, OK },
	{ "connect", 0, OK },
	{ "epoll_wait", 0, OK },
	{ "setuid", 0, OK },
	{ "ptrace", 0, OK },
	{ "landlock_create_ruleset", 0, OK },
	{ "chroot", 0, OK },
	{ "clone", THREAD_FLAGS, OK },
	{ "clone", 17, OK },
	{ "unshare", CLONE_FILES, OK },
	{ "personality", 0, OK },
	{ "personality", 8, OK },
	{ "personality", 0xffffffff, OK },
	{ "socket", AF_UNIX, OK },
	{ "socket", AF_INET, OK },
	{ "socket", AF_INET6, OK },
	{ "socket", AF_NETLINK, OK },
	{ "socket", AF_PACKET, OK },
	{ "socketpair", AF_UNIX, OK },
};

static void test_ordinary_programs(void **state)
{
	check_rows(DOCKER_CAPS, seccomp_arch_native(), ordinary, ARRAY_SIZE(ordinary));
	check_rows(UINT64_MAX, seccomp_arch_native(), ordinary, ARRAY_SIZE(ordinary));
}

static const struct row refused[] = {
	{ "mount", 0, DENY },
	{ "umount2", 0, DENY },
	{ "pivot_root", 0, DENY },
	{ "setns", 0, DENY },
	{ "bpf", 0, DENY },
	{ "perf_event_open", 0, DENY },
	{ "userfaultfd", 0, DENY },
	{ "keyctl", 0, DENY },
	{ "add_key", 0, DENY },
	{ "request_key", 0, DENY },
	{ "kexec_load", 0, DENY },
	{ "kexec_file_load", 0, DENY },
	{ "init_module", 0, DENY },
	{ "finit_module", 0, DENY },
	{ "reboot", 0, DENY },
	{ "swapon", 0, DENY },
	{ "acct", 0, DENY },
	{ "quotactl", 0, DENY },
	{ "sethostname", 0, DENY },
	{ "syslog", 0, DENY },
	{ "settimeofday", 0, DENY },
	{ "open_by_handle_at", 0, DENY },
	{ "kcmp", 0, DENY },
	{ "mbind", 0, DENY },
	{ "vmsplice", 0, DENY },
	{ "personality", 0x0040000, DENY }, /* ADDR_NO_RANDOMIZE */
	{ "clone", CLONE_NEWUSER | 17, DENY },
	{ "clone", CLONE_NEWNS | THREAD_FLAGS, DENY },
	{ "clone", CLONE_NEWNET, DENY },
	{ "unshare", CLONE_NEWUSER, DENY },
	{ "unshare", CLONE_NEWPID, DENY },
	{ "unshare", CLONE_NEWCGROUP, DENY },
	{ "unshare", 0x80, DENY }, /* CLONE_NEWTIME */
	{ "socketpair", AF_TIPC, DENY },
	{ "socket", AF_KEY, DENY },
	{ "socket", AF_RDS, DENY },
	{ "socket", AF_CAN, DENY },
	/* refused so that the older way is taken */
	{ "clone3", 0, NO_SUCH },
	{ "io_uring_setup", 0, NO_SUCH },
	{ "fsopen", 0, NO_SUCH },
	{ "open_tree", 0, NO_SUCH },
	{ "mount_setattr", 0, NO_SUCH },
};

static void test_refused(void **state)
{
	check_rows(DOCKER_CAPS, seccomp_arch_native(), refused, ARRAY_SIZE(refused));
	/* CVE-2022-0185: a user namespace gave the capability that fsconfig(2) asks for */
	check_rows(0, seccomp_arch_native(), refused, ARRAY_SIZE(refused));
}

static void test_newer_than_the_list(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct seccomp_data d = { .arch = seccomp_arch_native(), .nr = 4000 };

	compile(DOCKER_CAPS, &b);
	assert_int_equal(bpf_run(&b, &d), NO_SUCH);
}

/* CVE-2026-31431: AF_ALG, reached directly, past a 64-bit comparison, or by the multiplexed call.
 */
static void test_cve_2026_31431_families_of_nobody(void **state)
{
	static const uint64_t caps[] = { 0, DOCKER_CAPS, UINT64_MAX };
	static const struct row rows[] = {
		{ "socket", AF_ALG, NO_FAMILY },
		{ "socket", AF_VSOCK, NO_FAMILY },
		{ "socket", AF_ALG | UPPER_BITS, NO_FAMILY },
		{ "socket", AF_VSOCK | UPPER_BITS, NO_FAMILY },
		{ "socket", AF_INET | UPPER_BITS, OK },
		{ "socket", 200, DENY },
		{ "socketpair", AF_ALG, DENY },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(caps); i++)
		check_rows(caps[i], seccomp_arch_native(), rows, ARRAY_SIZE(rows));
#if defined(__x86_64__)
	/* by number: libseccomp's names stand for both ways at once */
	static const struct {
		int nr;
		uint64_t a0;
		uint32_t answer;
	} i386[] = {
		{ 102, 1, NO_SUCH },        /* socketcall, SYS_SOCKET */
		{ 102, 8, NO_SUCH },        /* SYS_SOCKETPAIR */
		{ 102, 3, NO_SUCH },        /* SYS_CONNECT */
		{ 359, AF_ALG, NO_FAMILY }, /* socket */
		{ 359, AF_VSOCK, NO_FAMILY },
		{ 359, AF_INET, OK },
		{ 360, AF_ALG, DENY }, /* socketpair */
		{ 362, 0, OK },        /* connect */
	};
	size_t k;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		cleanup_buf struct buf b = BUF_INIT;

		check_rows(caps[i], SCMP_ARCH_X32, rows, ARRAY_SIZE(rows));
		compile(caps[i], &b);
		for (k = 0; k < ARRAY_SIZE(i386); k++) {
			struct seccomp_data d = { .arch = SCMP_ARCH_X86,
						  .nr = i386[k].nr,
						  .args = { i386[k].a0 } };

			assert_int_equal(bpf_run(&b, &d), i386[k].answer);
		}
	}
#endif
}

static void test_what_capabilities_add(void **state)
{
	static const struct {
		unsigned int cap;
		struct row row;
	} rows[] = {
		{ CAP_SYS_ADMIN, { "mount", 0, OK } },
		{ CAP_SYS_ADMIN, { "clone3", 0, OK } },
		{ CAP_SYS_ADMIN, { "clone", CLONE_NEWUSER, OK } },
		{ CAP_SYS_ADMIN, { "unshare", CLONE_NEWNS, OK } },
		{ CAP_SYS_ADMIN, { "fsopen", 0, OK } },
		{ CAP_SYS_ADMIN, { "setns", 0, OK } },
		{ CAP_SYS_ADMIN, { "io_uring_setup", 0, NO_SUCH } },
		{ CAP_SYS_ADMIN, { "init_module", 0, DENY } },
		{ CAP_SYS_ADMIN, { "kexec_load", 0, DENY } },
		{ CAP_BPF, { "bpf", 0, OK } },
		{ CAP_PERFMON, { "perf_event_open", 0, OK } },
		{ CAP_SYSLOG, { "syslog", 0, OK } },
		{ CAP_DAC_READ_SEARCH, { "open_by_handle_at", 0, OK } },
		{ CAP_SYS_CHROOT, { "chroot", 0, OK } },
		{ CAP_SYS_BOOT, { "reboot", 0, OK } },
		{ CAP_SYS_MODULE, { "finit_module", 0, OK } },
		{ CAP_SYS_PACCT, { "acct", 0, OK } },
		{ CAP_SYS_PTRACE, { "kcmp", 0, OK } },
		{ CAP_SYS_TIME, { "clock_settime", 0, OK } },
		{ CAP_SYS_TTY_CONFIG, { "vhangup", 0, OK } },
		{ CAP_SYS_NICE, { "mbind", 0, OK } },
		{ CAP_NET_ADMIN, { "socket", AF_CAN, OK } },
		{ CAP_NET_ADMIN, { "socket", AF_KEY, OK } },
		{ CAP_NET_ADMIN, { "mount", 0, DENY } },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check_rows(CAP(rows[i].cap), seccomp_arch_native(), &rows[i].row, 1);
}

/* An OCI runtime other than ours must take the same document. */
static void test_is_a_valid_document(void **state)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct spec_seccomp s, again = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(seccomp_default(UINT64_MAX, &s), 0);
	json_write(&spec_seccomp_desc, &s, 0, &text);
	json_free(&spec_seccomp_desc, &s);
	assert_ok(json_parse(&spec_seccomp_desc, &again, text.data, text.len, "profile", &err));
	assert_string_equal(again.default_action, "SCMP_ACT_ERRNO");
	json_free(&spec_seccomp_desc, &again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary_programs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_newer_than_the_list),
		cmocka_unit_test(test_cve_2026_31431_families_of_nobody),
		cmocka_unit_test(test_what_capabilities_add),
		cmocka_unit_test(test_is_a_valid_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
