/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <sys/prctl.h>

#include "sys/cap.h"
#include "sys/prctl.h"

#define BIT(cap)         ((uint64_t)1 << (cap))
#define NET_BIND_SERVICE 10
#define NET_ADMIN        12
#define SYS_ADMIN        21

static void test_names(void **state)
{
	assert_int_equal(cap_from_name("CAP_CHOWN"), 0);
	assert_int_equal(cap_from_name("CAP_NET_ADMIN"), NET_ADMIN);
	assert_int_equal(cap_from_name("CAP_SYS_ADMIN"), SYS_ADMIN);
	assert_int_equal(cap_from_name("CAP_SETFCAP"), 31);
	assert_int_equal(cap_from_name("CAP_CHECKPOINT_RESTORE"), 40);
	assert_int_equal(cap_from_name("NET_ADMIN"), -EINVAL);
	assert_int_equal(cap_from_name("cap_net_admin"), -EINVAL);
	assert_int_equal(cap_from_name("CAP_NET_ADMIN "), -EINVAL);
	assert_int_equal(cap_from_name(""), -EINVAL);
	for (int cap = 0; cap <= 40; cap++)
		assert_int_equal(cap_from_name(cap_name(cap)), cap);
	assert_null(cap_name(41));
	assert_null(cap_name(-1));
}

static void test_last(void **state)
{
	int last = cap_last();

	assert_true(last >= 37 && last < CAP_COUNT_MAX);
	assert_true(prctl(PR_CAPBSET_READ, last, 0, 0, 0) >= 0);
	assert_int_equal(prctl(PR_CAPBSET_READ, last + 1, 0, 0, 0), -1);
}

static int apply(const void *data)
{
	struct err err = ERR_INIT;
	struct cap_sets now, want = {
		.effective = BIT(NET_BIND_SERVICE),
		.permitted = BIT(NET_BIND_SERVICE) | BIT(NET_ADMIN),
		.inheritable = BIT(NET_BIND_SERVICE),
		.ambient = BIT(NET_BIND_SERVICE),
	};

	CHECK(cap_get(&now) == 0);
	CHECK((now.permitted & BIT(SYS_ADMIN)) && now.ambient == 0);
	CHECK_OK(cap_drop_bounding(BIT(NET_BIND_SERVICE) | BIT(NET_ADMIN), &err), &err);
	CHECK_OK(cap_apply(&want, &err), &err);
	CHECK(cap_get(&now) == 0);
	CHECK(now.bounding == (BIT(NET_BIND_SERVICE) | BIT(NET_ADMIN)));
	CHECK(now.effective == want.effective);
	CHECK(now.permitted == want.permitted);
	CHECK(now.inheritable == want.inheritable);
	CHECK(now.ambient == want.ambient);

	/* What is gone can't come back, and the error says what it was. */
	want.permitted |= BIT(SYS_ADMIN);
	CHECK(cap_apply(&want, &err) == -EPERM);
	CHECK(strstr(err.msg, "CAP_SYS_ADMIN"));
	CHECK(cap_drop_bounding(0, &err) == -EPERM);
	CHECK(strstr(err.msg, "CAP_NET_BIND_SERVICE"));
	return 0;
}

static int impossible(const void *data)
{
	struct err err = ERR_INIT;
	struct cap_sets want = { .permitted = BIT(63) };

	CHECK(cap_apply(&want, &err) < 0);
	CHECK(err.kind == ERR_UNSUPPORTED && strstr(err.msg, "capability 63"));
	want = (struct cap_sets){ .permitted = BIT(NET_ADMIN), .ambient = BIT(NET_ADMIN) };
	CHECK(cap_apply(&want, &err) == -EINVAL);
	CHECK(strstr(err.msg, "CAP_NET_ADMIN") && strstr(err.msg, "ambient"));
	want = (struct cap_sets){ .effective = BIT(NET_ADMIN) };
	CHECK(cap_apply(&want, &err) == -EINVAL);
	return 0;
}

static int nothing(const void *data)
{
	struct err err = ERR_INIT;
	struct cap_sets none = { 0 }, now;

	CHECK_OK(cap_drop_bounding(0, &err), &err);
	CHECK_OK(cap_apply(&none, &err), &err);
	CHECK(cap_get(&now) == 0);
	CHECK(!(now.bounding | now.effective | now.permitted | now.inheritable | now.ambient));
	/* Dropping again what is not there needs no right. */
	CHECK_OK(cap_drop_bounding(0, &err), &err);
	return 0;
}

static int prctls(const void *data)
{
	char name[16] = "";

	CHECK(prctl_no_new_privs() == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(prctl_keep_caps(true) == 0 && prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 1);
	CHECK(prctl_keep_caps(false) == 0 && prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0) == 0);
	CHECK(prctl_dumpable(false) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(prctl_subreaper(true) == 0);
	CHECK(prctl_name("a-name-too-long-for-it") == 0);
	CHECK(prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && strcmp(name, "a-name-too-long") == 0);
	CHECK(prctl_parent_death_signal(SIGKILL, getppid()) == 0);
	CHECK(prctl_parent_death_signal(SIGKILL, 0) == 0);
	CHECK(prctl_parent_death_signal(SIGKILL, getpid()) == -ESRCH);
	return 0;
}

static void test_apply(void **state)
{
	child_run_userns(apply, NULL, 0);
}

static void test_impossible(void **state)
{
	child_run_userns(impossible, NULL, 0);
}

static void test_nothing(void **state)
{
	child_run_userns(nothing, NULL, 0);
}

static void test_prctls(void **state)
{
	child_run(prctls, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),   cmocka_unit_test(test_last),
		cmocka_unit_test(test_apply),   cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_prctls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
