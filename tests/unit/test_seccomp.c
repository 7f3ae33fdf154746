/* SPDX-License-Identifier: Apache-2.0 */
/* Filters are judged by what they answer: mostly by a small interpreter of classic BPF, so that any
 * architecture's calls can be asked about, and once by the kernel itself. */
#include "bpf.h"
#include "child.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "sys/prctl.h"
/* libseccomp's header and ours have different guards and no name in common. */
#include "sys/seccomp.h"

#define DENY    (SECCOMP_RET_ERRNO | EPERM)
#define NO_SUCH (SECCOMP_RET_ERRNO | ENOSYS)

static uint32_t ask(const struct buf *b, uint32_t arch, int nr, uint64_t a0, uint64_t a1)
{
	struct seccomp_data d = { .arch = arch, .nr = nr, .args = { a0, a1 } };

	return bpf_run(b, &d);
}

static uint32_t ask_native(const struct buf *b, const char *name, uint64_t a0, uint64_t a1)
{
	return ask(b, seccomp_arch_native(), seccomp_syscall_resolve_name(name), a0, a1);
}

static void compile(const struct seccomp_policy *p, struct buf *b)
{
	struct err err = ERR_INIT;

	if (seccomp_compile(p, b, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(b->len > 0 && b->len % sizeof(struct sock_filter) == 0);
}

static char *const basic[] = { (char *)"read", (char *)"write", (char *)"exit_group",
			       (char *)"no_such_call", NULL };
static char *const just_socket[] = { (char *)"socket", NULL };
static char *const just_chmod[] = { (char *)"fchmod", NULL };
static char *const just_personality[] = { (char *)"personality", NULL };

static void test_names(void **state)
{
	const struct seccomp_rule rules[] = {
		{ .names = basic, .action = SECCOMP_RET_ALLOW },
		{ .names = just_chmod, .action = SECCOMP_RET_ERRNO | EACCES },
		{ .names = just_socket, .action = DENY }, /* the same as the default */
	};
	const struct seccomp_policy p = { .default_action = DENY, .rules = rules, .n_rules = 3 };
	cleanup_buf struct buf b = BUF_INIT;

	compile(&p, &b);
	assert_int_equal(ask_native(&b, "read", 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_native(&b, "exit_group", 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_native(&b, "fchmod", 0, 0), SECCOMP_RET_ERRNO | EACCES);
	assert_int_equal(ask_native(&b, "socket", 0, 0), DENY);
	assert_int_equal(ask_native(&b, "close", 0, 0), DENY);
	/* A foreign architecture is not let in by any number. */
	uint32_t r = ask(&b, AUDIT_ARCH_PPC, 3, 0, 0) & SECCOMP_RET_ACTION_FULL;
	assert_true(r == SECCOMP_RET_KILL_THREAD || r == SECCOMP_RET_KILL_PROCESS);
}

static void test_newer_than_the_policy(void **state)
{
	const struct seccomp_rule rules[] = { { .names = basic, .action = SECCOMP_RET_ALLOW } };
	struct seccomp_policy p = { .default_action = DENY, .rules = rules, .n_rules = 1 };
	uint32_t native = seccomp_arch_native();
	int last = seccomp_syscall_resolve_name("exit_group");
	cleanup_buf struct buf b = BUF_INIT;

	compile(&p, &b);
	assert_int_equal(ask(&b, native, last - 1, 0, 0), DENY);
	assert_int_equal(ask(&b, native, last, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&b, native, last + 1, 0, 0), NO_SUCH);
	assert_int_equal(ask(&b, native, 10000, 0, 0), NO_SUCH);

	/* Who wants the process killed gets that. */
	p.default_action = SECCOMP_RET_KILL_PROCESS;
	compile(&p, &b);
	assert_int_equal(ask(&b, native, 10000, 0, 0), SECCOMP_RET_KILL_PROCESS);
	p.default_action = SECCOMP_RET_LOG;
	compile(&p, &b);
	assert_int_equal(ask(&b, native, 10000, 0, 0), SECCOMP_RET_LOG);
}

static void test_arguments(void **state)
{
	const struct seccomp_arg unix_only[] = { { .index = 0, .op = SECCOMP_OP_EQ, .a = 1 } };
	const struct seccomp_arg both[] = {
		{ .index = 0, .op = SECCOMP_OP_EQ, .a = 5 },
		{ .index = 1, .op = SECCOMP_OP_MASKED_EQ, .a = 06000, .b = 0 }
	};
	/* One index twice: either will do. */
	const struct seccomp_arg either[] = {
		{ .index = 0, .op = SECCOMP_OP_EQ, .a = 0 },
		{ .index = 0, .op = SECCOMP_OP_EQ, .a = 0xffffffffffffffff },
	};
	const struct seccomp_rule rules[] = {
		{ just_socket, SECCOMP_RET_ALLOW, unix_only, 1 },
		{ just_chmod, SECCOMP_RET_ALLOW, both, 2 },
		{ just_personality, SECCOMP_RET_ALLOW, either, 2 },
	};
	const struct seccomp_policy p = { .default_action = DENY, .rules = rules, .n_rules = 3 };
	cleanup_buf struct buf b = BUF_INIT;

	compile(&p, &b);
	assert_int_equal(ask_native(&b, "socket", 1, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_native(&b, "socket", 38, 0), DENY);
	assert_int_equal(ask_native(&b, "fchmod", 5, 0755), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_native(&b, "fchmod", 5, 04755), DENY);
	assert_int_equal(ask_native(&b, "fchmod", 6, 0755), DENY);
	assert_int_equal(ask_native(&b, "personality", 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_native(&b, "personality", UINT64_MAX, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask_native(&b, "personality", 8, 0), DENY);
	/* 64 bits count. */
	assert_int_equal(ask_native(&b, "personality", 1ULL << 32, 0), DENY);
}

static void test_bad_argument(void **state)
{
	const struct seccomp_arg far[] = { { .index = 6, .op = SECCOMP_OP_EQ, .a = 1 } };
	const struct seccomp_rule rules[] = { { just_socket, SECCOMP_RET_ALLOW, far, 1 } };
	const struct seccomp_policy p = { .default_action = DENY, .rules = rules, .n_rules = 1 };
	cleanup_buf struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(seccomp_compile(&p, &b, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "rule 0"));
	assert_non_null(strstr(err.msg, "socket"));
}

static void test_architectures(void **state)
{
	static char *const arches[] = { (char *)"SCMP_ARCH_X86", (char *)"SCMP_ARCH_X86_64",
					(char *)"SCMP_ARCH_AARCH64", (char *)"SCMP_ARCH_PDP11",
					NULL };
	const struct seccomp_rule rules[] = { { .names = basic, .action = SECCOMP_RET_ALLOW } };
	const struct seccomp_policy p = { DENY, arches, rules, 1 };
	cleanup_buf struct buf b = BUF_INIT;

	compile(&p, &b);
	assert_int_equal(ask(&b, AUDIT_ARCH_X86_64, 0, 0, 0), SECCOMP_RET_ALLOW); /* read */
	assert_int_equal(ask(&b, AUDIT_ARCH_I386, 3, 0, 0), SECCOMP_RET_ALLOW);   /* read */
	assert_int_equal(ask(&b, AUDIT_ARCH_I386, 0, 0, 0), DENY);
	assert_int_equal(ask(&b, AUDIT_ARCH_AARCH64, 63, 0, 0), SECCOMP_RET_ALLOW); /* read */
	assert_int_equal(ask(&b, AUDIT_ARCH_AARCH64, 3, 0, 0), DENY);
	assert_int_equal(ask(&b, AUDIT_ARCH_I386, 253, 0, 0), NO_SUCH); /* exit_group is 252 */
	assert_int_equal(ask(&b, AUDIT_ARCH_X86_64, 253, 0, 0), NO_SUCH);
#if defined(__x86_64__) && !defined(__ILP32__)
	/* x32 was not asked for: its numbers are not x86-64's. */
	uint32_t r = ask(&b, AUDIT_ARCH_X86_64, 0x40000000, 0, 0) & SECCOMP_RET_ACTION_FULL;
	assert_true(r == SECCOMP_RET_KILL_THREAD || r == SECCOMP_RET_KILL_PROCESS);
#endif
}

/* As many names as a real profile has: libseccomp then builds a tree, which must answer alike. */
static void test_large_policy(void **state)
{
	char *names[301] = { NULL };
	bool allowed[1000] = { false };
	uint32_t native = seccomp_arch_native();
	size_t n = 0;
	int last = 0;

	for (int nr = 0; nr < 1000 && n < 300; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(native, nr);
		if (!name || nr % 7 == 0) {
			free(name);
			continue;
		}
		names[n++] = name;
		allowed[nr] = true;
		last = nr;
	}
	const struct seccomp_rule rules[] = { { .names = names, .action = SECCOMP_RET_ALLOW } };
	const struct seccomp_policy p = { .default_action = DENY, .rules = rules, .n_rules = 1 };
	cleanup_buf struct buf b = BUF_INIT;
	compile(&p, &b);
	for (int nr = 0; nr < 1000; nr++) {
		uint32_t want = allowed[nr] ? SECCOMP_RET_ALLOW : nr > last ? NO_SUCH : DENY;
		if (ask(&b, native, nr, 0, 0) != want)
			fail_msg("call %d: %#x", nr, ask(&b, native, nr, 0, 0));
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
}

static int install(const void *data)
{
	static char *const uname_call[] = { (char *)"uname", NULL };
	const struct seccomp_rule rules[] = { { .names = uname_call,
						.action = SECCOMP_RET_ERRNO | EDOM } };
	const struct seccomp_policy p = { .default_action = SECCOMP_RET_ALLOW,
					  .rules = rules,
					  .n_rules = 1 };
	cleanup_buf struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct utsname u;

	CHECK_OK(seccomp_compile(&p, &b, &err), &err);
	CHECK(uname(&u) == 0);
	CHECK(prctl_no_new_privs() == 0);
	CHECK_OK(seccomp_install(b.data, b.len, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &err), &err);
	CHECK(uname(&u) < 0 && errno == EDOM);
	return 0;
}

static int install_listener(const void *data)
{
	static char *const uname_call[] = { (char *)"uname", NULL };
	const struct seccomp_rule rules[] = { { .names = uname_call,
						.action = SECCOMP_RET_USER_NOTIF } };
	const struct seccomp_policy p = { .default_action = SECCOMP_RET_ALLOW,
					  .rules = rules,
					  .n_rules = 1 };
	cleanup_buf struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	CHECK_OK(seccomp_compile(&p, &b, &err), &err);
	CHECK(prctl_no_new_privs() == 0);
	int fd = seccomp_install(
	    b.data, b.len, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC, &err);
	CHECK_OK(fd, &err);
	CHECK(fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	return 0;
}

static int install_errors(const void *data)
{
	static const struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct err err = ERR_INIT;

	CHECK(seccomp_install(allow, 0, 0, &err) < 0 && err.kind == ERR_CORRUPT);
	CHECK(seccomp_install(allow, 7, 0, &err) < 0 && err.kind == ERR_CORRUPT);
	if (geteuid() == 0)
		CHECK(setuid(65534) == 0);
	CHECK(seccomp_install(allow, sizeof(allow), 0, &err) == -EACCES);
	CHECK(strstr(err.hint, "no_new_privs"));
	return 0;
}

static void test_install(void **state)
{
	child_run(install, NULL);
}

static void test_install_listener(void **state)
{
	child_run(install_listener, NULL);
}

static void test_install_errors(void **state)
{
	child_run(install_errors, NULL);
}

/* As the runtime asks, before it loads a filter: also that it does not know. */
static void test_answer(void **state)
{
	const struct seccomp_arg flags = { .op = SECCOMP_OP_MASKED_EQ, .a = 0x7e020000, .b = 0 };
	const struct seccomp_arg third = { .index = 2, .op = SECCOMP_OP_EQ, .a = 1 };
	char *const getpid_name[] = { (char *)"getpid", NULL };
	char *const clone_name[] = { (char *)"clone", NULL };
	char *const ioctl_name[] = { (char *)"ioctl", NULL };
	const struct seccomp_rule rules[] = {
		{ .names = getpid_name, .action = SECCOMP_RET_ALLOW },
		{ .names = clone_name, .action = SECCOMP_RET_ALLOW, .args = &flags, .n_args = 1 },
		{ .names = ioctl_name, .action = SECCOMP_RET_ALLOW, .args = &third, .n_args = 1 },
	};
	const struct seccomp_policy p = { .default_action = DENY, .rules = rules, .n_rules = 3 };
	static const struct {
		struct seccomp_call call;
		bool known;
		uint32_t answer;
	} cases[] = {
		{ { SYS_getpid, false, 0 }, true, SECCOMP_RET_ALLOW },
		{ { SYS_dup, false, 0 }, true, DENY },
		{ { SYS_acct, false, 0 }, true, NO_SUCH },
		{ { SYS_clone, false, 0 }, false, 0 },
		{ { SYS_clone, true, 0x1011 }, true, SECCOMP_RET_ALLOW },
		{ { SYS_clone, true, 0x10000000 }, true, DENY },
		{ { SYS_ioctl, true, 0 }, false, 0 },
	};
	CLEANUP(buf_done) struct buf b = BUF_INIT;
	uint32_t answer;

	(void)state;
	compile(&p, &b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool known = seccomp_answer(b.data, b.len, &cases[i].call, &answer);

		assert_int_equal(known, cases[i].known);
		if (known)
			assert_int_equal(answer, cases[i].answer);
	}
	assert_false(seccomp_answer(b.data, b.len - b.len / 2, &cases[5].call, &answer));
	assert_false(seccomp_answer(NULL, 0, &cases[0].call, &answer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),          cmocka_unit_test(test_newer_than_the_policy),
		cmocka_unit_test(test_arguments),      cmocka_unit_test(test_bad_argument),
		cmocka_unit_test(test_architectures),  cmocka_unit_test(test_large_policy),
		cmocka_unit_test(test_install),        cmocka_unit_test(test_install_listener),
		cmocka_unit_test(test_install_errors), cmocka_unit_test(test_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
