/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/strv.h"
#include "oci/spec.h"

/* Where a row's fragment goes in a small valid document. */
enum where { WHOLE, TOP, PROC, LINUX, RES, SECC };

static char *document(enum where where, const char *fragment)
{
	const char *sep = *fragment ? "," : "";

	switch (where) {
	case WHOLE:
		return xstrdup(fragment);
	case TOP:
		return xasprintf("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}%s%s}",
				 sep, fragment);
	case PROC:
		return xasprintf("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
				 "\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]%s%s}}",
				 sep, fragment);
	case LINUX:
		return xasprintf("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
				 "\"linux\":{%s}}",
				 fragment);
	case RES:
		return xasprintf("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
				 "\"linux\":{\"resources\":{%s}}}",
				 fragment);
	case SECC:
		return xasprintf(
		    "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
		    "\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\"%s%s}}}",
		    sep, fragment);
	}
	return NULL;
}

struct row {
	enum where where;
	const char *fragment;
	const char *error; /* behind "config.json: "; NULL: accepted */
};

static void check_rows(const struct row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		cleanup_free char *text = document(rows[i].where, rows[i].fragment);
		cleanup_free char *expected = NULL;
		struct spec spec = { 0 };
		struct err err = ERR_INIT;
		int r = spec_parse(text, strlen(text), &spec, &err);

		if (!rows[i].error) {
			if (r < 0)
				fail_msg("%s\n  refused: %s", text, err.msg);
			spec_free(&spec);
			continue;
		}
		if (r == 0)
			fail_msg("%s\n  accepted, expected: %s", text, rows[i].error);
		expected = xasprintf("config.json: %s", rows[i].error);
		if (strcmp(err.msg, expected) != 0)
			fail_msg("%s\n  got:      %s\n  expected: %s", text, err.msg, expected);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

#define NS(t)        "\"namespaces\":[{\"type\":\"" t "\"}]"
#define MAP(c, h, s) "{\"containerID\":" #c ",\"hostID\":" #h ",\"size\":" #s "}"

static void test_errors_of_the_document(void **state)
{
	static const struct row rows[] = {
		{ WHOLE, "{\"root\":{\"path\":\"/\"}}", "ociVersion: missing, expected a string" },
		{ WHOLE, "{\"ociVersion\":\"1.0.2\"}", "root: missing, expected an object" },
		{ WHOLE, "{\"ociVersion\":\"2.0.0\",\"root\":{\"path\":\"/\"}}",
		  "ociVersion: expected a version 1.x.y, got \"2.0.0\"" },
		{ WHOLE, "{\"ociVersion\":\"1.0\",\"root\":{\"path\":\"/\"}}",
		  "ociVersion: expected a version 1.x.y, got \"1.0\"" },
		{ WHOLE, "{\"ociVersion\":\"1.0.2-dev\",\"root\":{\"path\":\"/\"}}", NULL },
		{ WHOLE, "{\"ociVersion\":\"1.3.0+dev\",\"root\":{\"path\":\"/\"}}", NULL },
		{ WHOLE, "{\"ociVersion\":\"1.0.2\",\"root\":{}}",
		  "root.path: missing, expected a string" },
		{ WHOLE, "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"\"}}",
		  "root.path: expected the path of the root filesystem" },
		{ WHOLE, "[]", "expected an object, got an array" },
		{ TOP, "", NULL },
		{ TOP, "\"windows\":{\"x\":1},\"vm\":[],\"unknown\":null", NULL },
		{ TOP, "\"root\":{\"path\":\"/\"}", "member \"root\" twice in one object" },
		{ TOP, "\"hostname\":\"a\\u0000b\"",
		  "line 1, column 62: NUL character in a string" },
		{ TOP, "\"hostname\":\"web\"",
		  "hostname: expected a uts namespace in linux.namespaces beside it" },
		{ TOP, "\"domainname\":\"example\"",
		  "domainname: expected a uts namespace in linux.namespaces beside it" },
		{ TOP, "\"hostname\":\"web\",\"linux\":{" NS("uts") "}", NULL },
		{ TOP, "\"hostname\":\"\"", NULL },
		{ TOP,
		  "\"hostname\":\"0123456789012345678901234567890123456789012345678901234567890123"
		  "4\",\"linux\":{" NS("uts") "}",
		  "hostname: expected at most 64 bytes, got 65" },
		{ TOP, "\"annotations\":{\"\":\"x\"}",
		  "annotations: expected names that are not empty" },
		{ TOP, "\"annotations\":{\"a\":1}",
		  "annotations.a: expected a string, got an integer" },
		{ TOP, "\"mounts\":[{\"type\":\"proc\"}]",
		  "mounts[0].destination: missing, expected a string" },
		{ TOP, "\"mounts\":[{\"destination\":\"\"}]",
		  "mounts[0].destination: expected a string that is not empty" },
		{ TOP, "\"mounts\":[{\"destination\":\"/a\",\"options\":[\"rbind\"]}]",
		  "mounts[0].source: expected a path to bind" },
		{ TOP, "\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[" MAP(0, 0, 1) "]}]",
		  "mounts[0].gidMappings: expected both uidMappings and gidMappings" },
		{ TOP,
		  "\"mounts\":[{\"destination\":\"/a\"},{\"destination\":\"/b\",\"options\":["
		  "\"idmap\"]}]",
		  "mounts[1].options: expected uidMappings and gidMappings or a user namespace for "
		  "an id-mapped mount" },
		{ TOP, "\"hooks\":{\"poststop\":[{\"path\":\"bin/x\"}]}",
		  "hooks.poststop[0].path: expected an absolute path, got \"bin/x\"" },
		{ TOP, "\"hooks\":{\"prestart\":[{\"path\":\"/x\",\"timeout\":0}]}",
		  "hooks.prestart[0].timeout: expected at least 1 second, got 0" },
		{ TOP, "\"hooks\":{\"createRuntime\":[{\"path\":\"/x\",\"env\":[\"A=1\",\"B\"]}]}",
		  "hooks.createRuntime[0].env[1]: expected NAME=value, got \"B\"" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_errors_of_the_process(void **state)
{
	static const struct row rows[] = {
		{ TOP, "\"process\":{\"cwd\":\"/\"}",
		  "process.args: expected at least one argument" },
		{ TOP, "\"process\":{\"cwd\":\"/\",\"args\":[]}",
		  "process.args: expected at least one argument" },
		{ TOP, "\"process\":{\"cwd\":\"/\",\"args\":[\"\"]}",
		  "process.args[0]: expected a command, got an empty string" },
		{ TOP, "\"process\":{\"args\":[\"sh\"]}",
		  "process.cwd: missing, expected a string" },
		{ TOP, "\"process\":{\"cwd\":\"tmp\",\"args\":[\"sh\"]}",
		  "process.cwd: expected an absolute path, got \"tmp\"" },
		{ PROC, "\"args\":\"sh\"", "member \"args\" twice in one object" },
		{ PROC, "\"env\":[\"PATH\"]", "process.env[0]: expected NAME=value, got \"PATH\"" },
		{ PROC, "\"env\":[\"=x\"]", "process.env[0]: expected NAME=value, got \"=x\"" },
		{ PROC, "\"terminal\":1", "process.terminal: expected a boolean, got an integer" },
		{ PROC, "\"consoleSize\":{\"height\":70000,\"width\":80}",
		  "process.consoleSize.height: expected an integer from 0 to 65535, got 70000" },
		{ PROC, "\"user\":{\"uid\":-1,\"gid\":0}",
		  "process.user.uid: expected an integer from 0 to 4294967295, got -1" },
		{ PROC, "\"user\":{\"uid\":4294967295,\"gid\":0}",
		  "process.user.uid: expected an integer from 0 to 4294967294, got 4294967295" },
		{ PROC, "\"user\":{\"uid\":4294967296,\"gid\":0}",
		  "process.user.uid: expected an integer from 0 to 4294967295, got 4294967296" },
		{ PROC, "\"user\":{\"uid\":\"0\",\"gid\":0}",
		  "process.user.uid: expected an integer, got a string" },
		{ PROC, "\"user\":{\"uid\":1.5}",
		  "process.user.uid: expected an integer, got a number that is no integer" },
		{ PROC, "\"user\":{\"umask\":4096}",
		  "process.user.umask: expected at most 4095 (octal 7777), got 4096" },
		{ PROC, "\"user\":{\"additionalGids\":[5,4294967295]}",
		  "process.user.additionalGids[1]: expected an integer from 0 to 4294967294, got "
		  "4294967295" },
		{ PROC,
		  "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024},"
		  "{\"type\":\"RLIMIT_CORE\",\"hard\":1024,\"soft\":4096}]",
		  "process.rlimits[1].soft: expected at most hard (1024), got 4096" },
		{ PROC,
		  "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":1,\"soft\":1},"
		  "{\"type\":\"RLIMIT_CORE\",\"hard\":2,\"soft\":2}]",
		  "process.rlimits[1].type: expected each limit once, got RLIMIT_CORE again" },
		{ PROC, "\"rlimits\":[{\"type\":\"NOFILE\",\"hard\":1,\"soft\":1}]",
		  "process.rlimits[0].type: expected RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, "
		  "RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, "
		  "RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO, "
		  "RLIMIT_RTTIME, RLIMIT_SIGPENDING or RLIMIT_STACK, got \"NOFILE\"" },
		{ PROC, "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"hard\":1}]",
		  "process.rlimits[0].soft: missing, expected an integer" },
		{ PROC,
		  "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"hard\":18446744073709551615,\"soft\":"
		  "18446744073709551615}]",
		  NULL },
		{ PROC, "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"KILL\"]}",
		  "process.capabilities.bounding[1]: expected a capability like CAP_CHOWN, got "
		  "\"KILL\"" },
		{ PROC, "\"capabilities\":{\"ambient\":[\"CAP_SOMETHING_NEW\"]}", NULL },
		{ PROC, "\"capabilities\":{\"ambient\":[\"cap_kill\"]}",
		  "process.capabilities.ambient[0]: expected a capability like CAP_CHOWN, got "
		  "\"cap_kill\"" },
		{ PROC, "\"oomScoreAdj\":-1001",
		  "process.oomScoreAdj: expected an integer from -1000 to 1000, got -1001" },
		{ PROC, "\"scheduler\":{\"policy\":\"SCHED_FIFO\"}",
		  "process.scheduler.priority: expected an integer from 1 to 99, got 0" },
		{ PROC, "\"scheduler\":{\"policy\":\"SCHED_IDLE\",\"nice\":5}",
		  "process.scheduler.nice: expected 0 for SCHED_IDLE, got 5" },
		{ PROC, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}",
		  "process.scheduler.nice: expected an integer from -20 to 19, got 20" },
		{ PROC, "\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"runtime\":5}",
		  "process.scheduler.runtime: expected none for SCHED_BATCH" },
		{ PROC,
		  "\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":9,\"deadline\":8}",
		  "process.scheduler.runtime: expected at most deadline (8), got 9" },
		{ PROC, "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}",
		  "process.ioPriority.priority: expected an integer from 0 to 7, got 8" },
		{ PROC, "\"ioPriority\":{\"class\":\"BE\",\"priority\":1}",
		  "process.ioPriority.class: expected IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or "
		  "IOPRIO_CLASS_IDLE, got \"BE\"" },
		{ PROC, "\"execCPUAffinity\":{\"initial\":\"0-\"}",
		  "process.execCPUAffinity.initial: expected a list of numbers and ranges like "
		  "0-3,7, got \"0-\"" },
		{ PROC, "\"execCPUAffinity\":{\"initial\":\"7\",\"final\":\"0-3,7\"}", NULL },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_errors_of_namespaces(void **state)
{
	static const struct row rows[] = {
		{ LINUX, "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\",\"path\":\"/x\"}]",
		  "linux.namespaces[1].type: expected each namespace once, got pid again" },
		{ LINUX, NS("net"),
		  "linux.namespaces[0].type: expected one of \"pid\", \"network\", \"mount\", "
		  "\"ipc\", \"uts\", \"user\", \"cgroup\", \"time\", got \"net\"" },
		{ LINUX, "\"namespaces\":[{\"type\":\"pid\",\"path\":\"proc/1/ns/pid\"}]",
		  "linux.namespaces[0].path: expected an absolute path, got \"proc/1/ns/pid\"" },
		{ LINUX, "\"uidMappings\":[" MAP(0, 1000, 1) "]",
		  "linux.uidMappings: expected a user namespace in linux.namespaces beside it" },
		{ LINUX, NS("user"),
		  "linux.uidMappings: expected a mapping for the new user namespace" },
		{ LINUX, NS("user") ",\"uidMappings\":[" MAP(0, 1000, 1) "]",
		  "linux.gidMappings: expected a mapping for the new user namespace" },
		{ LINUX, "\"namespaces\":[{\"type\":\"user\",\"path\":\"/x\"}]", NULL },
		{ LINUX, NS("user") ",\"uidMappings\":[" MAP(0, 1000, 0) "]",
		  "linux.uidMappings[0].size: expected at least 1, got 0" },
		{ LINUX, NS("user") ",\"uidMappings\":[" MAP(1, 0, 4294967295) "]",
		  "linux.uidMappings[0].size: expected a range that ends below 4294967295, got "
		  "4294967295 ids from containerID 1" },
		{ LINUX, NS("user") ",\"gidMappings\":[" MAP(0, 4294967290, 10) "]",
		  "linux.gidMappings[0].size: expected a range that ends below 4294967295, got 10 "
		  "ids from hostID 4294967290" },
		{ LINUX,
		  NS("user") ",\"uidMappings\":[" MAP(0, 1000, 10) "," MAP(
		      9, 5000, 1) "],\"gidMappings\":[" MAP(0, 0, 1) "]",
		  "linux.uidMappings[1]: expected ranges that do not overlap uidMappings[0]" },
		{ LINUX,
		  NS("user") ",\"uidMappings\":[" MAP(0, 0, 1) "],\"gidMappings\":[" MAP(
		      0, 1000, 5) "," MAP(5, 5000, 1) "," MAP(6, 1004, 1) "]",
		  "linux.gidMappings[2]: expected ranges that do not overlap gidMappings[0]" },
		{ LINUX,
		  NS("user") ",\"uidMappings\":[" MAP(0, 0, 1000) "," MAP(
		      1000, 1000, 9) "],\"gidMappings\":[" MAP(0, 0, 4294967295) "]",
		  NULL },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_errors_of_linux(void **state)
{
	static const struct row rows[] = {
		{ LINUX, "\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}",
		  "linux.sysctl: expected a network namespace in linux.namespaces for "
		  "net.ipv4.ip_forward" },
		{ LINUX, NS("network") ",\"sysctl\":{\"net/ipv4/ip_forward\":\"1\"}", NULL },
		{ LINUX, NS("network") ",\"sysctl\":{\"net.ipv4.conf.eth0/1.rp_filter\":\"1\"}",
		  NULL },
		{ LINUX, "\"sysctl\":{\"vm.swappiness\":\"1\"}",
		  "linux.sysctl: expected a parameter of a namespace, got \"vm.swappiness\"" },
		{ LINUX, NS("ipc") ",\"sysctl\":{\"kernel.shmmaximum\":\"1\"}",
		  "linux.sysctl: expected a parameter of a namespace, got \"kernel.shmmaximum\"" },
		{ LINUX, NS("network") ",\"sysctl\":{\"net/../kernel/core_pattern\":\"|x\"}",
		  "linux.sysctl: expected a name like net.ipv4.ip_forward, got "
		  "\"net/../kernel/core_pattern\"" },
		{ LINUX, NS("network") ",\"sysctl\":{\"net.//.kernel.core_pattern\":\"|x\"}",
		  "linux.sysctl: expected a name like net.ipv4.ip_forward, got "
		  "\"net.//.kernel.core_pattern\"" },
		{ LINUX, NS("network") ",\"sysctl\":{\"net..x\":\"1\"}",
		  "linux.sysctl: expected a name like net.ipv4.ip_forward, got \"net..x\"" },
		{ LINUX, "\"maskedPaths\":[\"/a\",\"b\"]",
		  "linux.maskedPaths[1]: expected an absolute path, got \"b\"" },
		{ LINUX, "\"readonlyPaths\":[\"\"]",
		  "linux.readonlyPaths[0]: expected an absolute path, got \"\"" },
		{ LINUX, "\"cgroupsPath\":\"/a/../b\"",
		  "linux.cgroupsPath: expected a path without \"..\", got \"/a/../b\"" },
		{ LINUX, "\"cgroupsPath\":\"system.slice:inro:a..b\"", NULL },
		{ LINUX, "\"rootfsPropagation\":\"public\"",
		  "linux.rootfsPropagation: expected shared, slave, private or unbindable, got "
		  "\"public\"" },
		{ LINUX,
		  "\"devices\":[{\"path\":\"dev/x\",\"type\":\"c\",\"major\":1,\"minor\":1}]",
		  "linux.devices[0].path: expected an absolute path, got \"dev/x\"" },
		{ LINUX, "\"devices\":[{\"path\":\"/x\",\"type\":\"s\"}]",
		  "linux.devices[0].type: expected c, b, u or p, got \"s\"" },
		{ LINUX, "\"devices\":[{\"path\":\"/x\",\"type\":\"c\",\"major\":1}]",
		  "linux.devices[0].minor: expected a device number, it is missing" },
		{ LINUX,
		  "\"devices\":[{\"path\":\"/x\",\"type\":\"b\",\"major\":4096,\"minor\":0}]",
		  "linux.devices[0].major: expected an integer from 0 to 4095, got 4096" },
		{ LINUX, "\"devices\":[{\"path\":\"/x\",\"type\":\"p\"}]", NULL },
		{ LINUX, "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}",
		  "linux.timeOffsets: expected a time namespace in linux.namespaces beside it" },
		{ LINUX, NS("time") ",\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}",
		  "linux.timeOffsets.boottime.nanosecs: expected an integer from 0 to 999999999, "
		  "got "
		  "1000000000" },
		{ LINUX, NS("time") ",\"timeOffsets\":{\"boottime\":{\"secs\":-5,\"nanosecs\":1}}",
		  NULL },
		{ LINUX, "\"netDevices\":{\"eth0\":{}}",
		  "linux.netDevices: expected a network namespace in linux.namespaces beside it" },
		{ LINUX, NS("network") ",\"netDevices\":{\"eth0\":{\"name\":\"a/b\"}}",
		  "linux.netDevices.eth0.name: expected a network interface name of 1 to 15 "
		  "characters, got \"a/b\"" },
		{ LINUX, NS("network") ",\"netDevices\":{\"eth0\":{\"name\":\"x\"},\"x\":{}}",
		  "linux.netDevices: expected a name of its own for each device, got \"x\"" },
		{ LINUX, "\"personality\":{\"domain\":\"BSD\"}",
		  "linux.personality.domain: expected LINUX or LINUX32, got \"BSD\"" },
		{ LINUX, "\"intelRdt\":{\"closID\":\"../x\"}",
		  "linux.intelRdt.closID: expected a name without slashes, or \"/\", got "
		  "\"../x\"" },
		{ LINUX, "\"intelRdt\":{\"schemata\":[\"L3:0=f\\nMB:0=1\"]}",
		  "linux.intelRdt.schemata[0]: expected one line that starts with \"\"" },
		{ LINUX, "\"memoryPolicy\":{\"mode\":\"MPOL_BIND\"}",
		  "linux.memoryPolicy.nodes: expected at least one node for MPOL_BIND" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_errors_of_resources(void **state)
{
	static const struct row rows[] = {
		{ RES, "\"devices\":[{\"access\":\"rwm\"}]",
		  "linux.resources.devices[0].allow: missing, expected a boolean" },
		{ RES, "\"devices\":[{\"allow\":true,\"access\":\"rx\"}]",
		  "linux.resources.devices[0].access: expected letters of \"rwm\", got \"rx\"" },
		{ RES, "\"devices\":[{\"allow\":true,\"type\":\"d\"}]",
		  "linux.resources.devices[0].type: expected a, b or c, got \"d\"" },
		{ RES, "\"devices\":[{\"allow\":true,\"major\":-1,\"minor\":-1}]", NULL },
		{ RES, "\"devices\":[{\"allow\":true,\"major\":-2}]",
		  "linux.resources.devices[0].major: expected an integer from -1 to 4095, got -2" },
		{ RES, "\"memory\":{\"limit\":\"64m\"}",
		  "linux.resources.memory.limit: expected an integer, got a string" },
		{ RES, "\"memory\":{\"limit\":9223372036854775808}",
		  "linux.resources.memory.limit: expected an integer from -9223372036854775808 to "
		  "9223372036854775807, got 9223372036854775808" },
		{ RES, "\"memory\":{\"limit\":100,\"swap\":50}",
		  "linux.resources.memory.swap: expected at least limit (100), got 50" },
		{ RES, "\"memory\":{\"limit\":100,\"swap\":-1}", NULL },
		{ RES, "\"memory\":{\"swappiness\":101}",
		  "linux.resources.memory.swappiness: expected an integer from 0 to 100, got 101" },
		{ RES, "\"cpu\":{\"cpus\":\"0-3;rm\"}",
		  "linux.resources.cpu.cpus: expected a list of numbers and ranges like 0-3,7, got "
		  "\"0-3;rm\"" },
		{ RES, "\"cpu\":{\"quota\":100,\"burst\":200}",
		  "linux.resources.cpu.burst: expected at most quota (100), got 200" },
		{ RES, "\"cpu\":{\"idle\":2}",
		  "linux.resources.cpu.idle: expected an integer from 0 to 1, got 2" },
		{ RES, "\"pids\":{\"limit\":-2}",
		  "linux.resources.pids.limit: expected an integer from -1 to 9223372036854775807, "
		  "got -2" },
		{ RES, "\"blockIO\":{\"weight\":5}",
		  "linux.resources.blockIO.weight: expected an integer from 10 to 1000, got 5" },
		{ RES, "\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0}]}",
		  "linux.resources.blockIO.weightDevice[0]: expected weight or leafWeight" },
		{ RES, "\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0}]}",
		  "linux.resources.blockIO.throttleReadBpsDevice[0].rate: missing, expected an "
		  "integer" },
		{ RES, "\"hugepageLimits\":[{\"pageSize\":\"2M/../x\",\"limit\":1}]",
		  "linux.resources.hugepageLimits[0].pageSize: expected a size like 64KB, 2MB or "
		  "1GB, got \"2M/../x\"" },
		{ RES, "\"network\":{\"priorities\":[{\"name\":\"a b\",\"priority\":1}]}",
		  "linux.resources.network.priorities[0].name: expected a network interface name "
		  "of "
		  "1 to 15 characters, got \"a b\"" },
		{ RES, "\"rdma\":{\"mlx5_1\":{}}",
		  "linux.resources.rdma.mlx5_1: expected hcaHandles or hcaObjects" },
		{ RES, "\"rdma\":{\"a b\":{\"hcaHandles\":1}}",
		  "linux.resources.rdma: expected the name of an RDMA device, got \"a b\"" },
		{ RES, "\"unified\":{\"../cgroup.procs\":\"1\"}",
		  "linux.resources.unified: expected the name of a cgroup file like memory.high, "
		  "got "
		  "\"../cgroup.procs\"" },
		{ RES, "\"unified\":{\"cgroup.procs\":\"1\"}",
		  "linux.resources.unified: expected the name of a cgroup file like memory.high, "
		  "got "
		  "\"cgroup.procs\"" },
		{ RES, "\"unified\":{\"memory.high\":\"1\",\"hugetlb.2MB.max\":\"2\"}", NULL },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

#define RULE(...) "\"syscalls\":[{\"names\":[\"read\"]," __VA_ARGS__ "}]"

static void test_errors_of_seccomp(void **state)
{
	static const struct row rows[] = {
		{ LINUX, "\"seccomp\":{}",
		  "linux.seccomp.defaultAction: missing, expected a string" },
		{ LINUX, "\"seccomp\":{\"defaultAction\":\"ALLOW\"}",
		  "linux.seccomp.defaultAction: expected SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, "
		  "SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_LOG, "
		  "SCMP_ACT_NOTIFY, SCMP_ACT_TRACE or SCMP_ACT_TRAP, got \"ALLOW\"" },
		{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
		  "linux.seccomp.defaultAction: expected an action other than SCMP_ACT_NOTIFY" },
		{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
		  "linux.seccomp.defaultErrnoRet: expected none for SCMP_ACT_ALLOW, got 1" },
		{ SECC, "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_RISCV64\"]", NULL },
		{ SECC, "\"flags\":[\"LOG\"]",
		  "linux.seccomp.flags[0]: expected SECCOMP_FILTER_FLAG_TSYNC, "
		  "SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW or "
		  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, got \"LOG\"" },
		{ SECC, "\"listenerMetadata\":\"x\"",
		  "linux.seccomp.listenerMetadata: expected listenerPath beside it" },
		{ SECC, RULE("\"action\":\"SCMP_ACT_NOTIFY\""),
		  "linux.seccomp.syscalls[0].action: expected listenerPath for SCMP_ACT_NOTIFY" },
		{ SECC, "\"listenerPath\":\"/s\"," RULE("\"action\":\"SCMP_ACT_NOTIFY\""), NULL },
		{ SECC, RULE("\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":4096"),
		  "linux.seccomp.syscalls[0].errnoRet: expected an integer from 0 to 4095, got "
		  "4096" },
		{ SECC, RULE("\"action\":\"SCMP_ACT_KILL\",\"errnoRet\":1"),
		  "linux.seccomp.syscalls[0].errnoRet: expected none for SCMP_ACT_KILL, got 1" },
		{ SECC, "\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_ALLOW\"}]",
		  "linux.seccomp.syscalls[0].names: expected an array that is not empty" },
		{ SECC, "\"syscalls\":[{\"names\":[\"\"],\"action\":\"SCMP_ACT_ALLOW\"}]",
		  "linux.seccomp.syscalls[0].names[0]: expected the name of a system call" },
		{ SECC,
		  RULE("\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":6,\"value\":0,\"op\":"
		       "\"SCMP_CMP_EQ\"}]"),
		  "linux.seccomp.syscalls[0].args[0].index: expected an integer from 0 to 5, got "
		  "6" },
		{ SECC,
		  RULE("\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":0,\"op\":"
		       "\"==\"}]"),
		  "linux.seccomp.syscalls[0].args[0].op: expected SCMP_CMP_NE, SCMP_CMP_LT, "
		  "SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT or SCMP_CMP_MASKED_EQ, got "
		  "\"==\"" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void parse(const char *text, struct spec *spec)
{
	struct err err = ERR_INIT;

	if (spec_parse(text, strlen(text), spec, &err) < 0)
		fail_msg("%s\n  refused: %s", text, err.msg);
}

static void test_tidied(void **state)
{
	cleanup_free char *text = document(
	    TOP,
	    "\"mounts\":[{\"destination\":\"data\"}],\"linux\":{\"namespaces\":[{\"type\":\"pid\","
	    "\"path\":\"\"}],\"devices\":[{\"path\":\"/x\",\"type\":\"c\",\"major\":1,\"minor\":3,"
	    "\"fileMode\":8630}]}");
	struct spec spec = { 0 };

	parse(text, &spec);
	assert_string_equal(spec.mounts.items[0].destination, "/data");
	assert_null(spec_namespace_find(&spec, NS_PID)->path);
	assert_null(spec_namespace_find(&spec, NS_USER));
	assert_int_equal(spec.linux_->devices.items[0].file_mode.value, 0666);
	assert_null(spec.process);
	spec_free(&spec);
}

static void test_sysctl_path(void **state)
{
	static const char *const rows[][2] = {
		{ "net.ipv4.ip_forward", "net/ipv4/ip_forward" },
		{ "net/ipv4/ip_forward", "net/ipv4/ip_forward" },
		{ "net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter" },
		{ "net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter" },
		{ "", NULL },
		{ "/net/x", NULL },
		{ ".net.x", NULL },
		{ "net.x.", NULL },
		{ "net/./x", NULL },
		{ "net/../x", NULL },
		{ "net./.x", NULL },
		{ "net.//.x", NULL },
		{ "net x", NULL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *path = spec_sysctl_path(rows[i][0]);

		if (!str_eq(path, rows[i][1]))
			fail_msg("%s: got %s", rows[i][0], path ? path : "(none)");
	}
}

/* Everything that spec.h has a place for; what is parsed is written back the same. */
static const char full_document[] =
    "{\"ociVersion\":\"1.3.0\",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":25,"
    "\"width\":80},\"user\":{\"uid\":1,\"gid\":2,\"umask\":63,\"additionalGids\":[5,6],"
    "\"username\":\"u\"},\"args\":[\"sh\",\"-c\",\"\"],\"commandLine\":\"x\",\"env\":[\"A=1\",\"B="
    "\"],"
    "\"cwd\":\"/w\",\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],"
    "\"inheritable\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"],\"ambient\":[\"CAP_KILL\"]},"
    "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615,\"soft\":0}],"
    "\"noNewPrivileges\":true,\"apparmorProfile\":\"p\",\"oomScoreAdj\":-5,\"scheduler\":{"
    "\"policy\":"
    "\"SCHED_DEADLINE\",\"flags\":[\"SCHED_FLAG_RECLAIM\"],\"runtime\":1,\"deadline\":2,\"period\":"
    "3},"
    "\"selinuxLabel\":\"l\",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":0},"
    "\"execCPUAffinity\":{\"initial\":\"7\",\"final\":\"0-3,7\"}},\"root\":{\"path\":\"rootfs\","
    "\"readonly\":true},\"hostname\":\"h\",\"domainname\":\"d\",\"mounts\":[{\"destination\":\"/"
    "m\","
    "\"type\":\"none\",\"source\":\"/s\",\"options\":[\"rbind\",\"idmap\"],\"uidMappings\":[{"
    "\"containerID\":0,\"hostID\":1,\"size\":2}],\"gidMappings\":[{\"containerID\":0,\"hostID\":1,"
    "\"size\":2}]}],\"hooks\":{\"prestart\":[{\"path\":\"/a\",\"args\":[\"a\"],\"env\":[\"A=1\"],"
    "\"timeout\":5}],\"createRuntime\":[{\"path\":\"/b\"}],\"createContainer\":[{\"path\":\"/c\"}],"
    "\"startContainer\":[{\"path\":\"/d\"}],\"poststart\":[{\"path\":\"/"
    "e\"}],\"poststop\":[{\"path\":"
    "\"/"
    "f\"}]},\"annotations\":{\"k\":\"v\",\"e\":\"\"},\"linux\":{\"uidMappings\":[{\"containerID\":"
    "0,"
    "\"hostID\":1000,\"size\":1}],\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}],"
    "\"sysctl\":{\"net.core.somaxconn\":\"256\"},\"resources\":{\"devices\":[{\"allow\":false,"
    "\"type\":\"c\",\"major\":1,\"minor\":0,\"access\":\"rwm\"}],\"memory\":{\"limit\":1,"
    "\"reservation\":0,\"swap\":-1,\"kernel\":3,\"kernelTCP\":4,\"swappiness\":0,"
    "\"disableOOMKiller\":false,\"useHierarchy\":true,\"checkBeforeUpdate\":true},\"cpu\":{"
    "\"shares\":1024,\"quota\":-1,\"burst\":0,\"period\":100000,\"realtimeRuntime\":0,"
    "\"realtimePeriod\":1,\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":0},\"pids\":{\"limit\":0},"
    "\"blockIO\":{\"weight\":10,\"leafWeight\":20,\"weightDevice\":[{\"major\":8,\"minor\":0,"
    "\"weight\":500,\"leafWeight\":300}],\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,"
    "\"rate\":600}],\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":601}],"
    "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":602}],"
    "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]},\"hugepageLimits\":[{"
    "\"pageSize\":\"2MB\",\"limit\":0}],\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":"
    "\"eth0\",\"priority\":0}]},\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":0}},"
    "\"unified\":{\"memory.high\":\"1\"}},\"cgroupsPath\":\"/"
    "c\",\"namespaces\":[{\"type\":\"pid\"},{"
    "\"type\":\"network\",\"path\":\"/"
    "n\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{"
    "\"type\":\"user\"},{\"type\":\"cgroup\"},{\"type\":\"time\"}],\"devices\":[{\"path\":\"/dev/"
    "fuse\","
    "\"type\":\"c\",\"major\":10,\"minor\":229,\"fileMode\":438,\"uid\":0,\"gid\":0}],"
    "\"netDevices\":{"
    "\"eth0\":{\"name\":\"c0\"},\"eth1\":{}},\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\","
    "\"defaultErrnoRet\":0,\"architectures\":[\"SCMP_ARCH_X86\"],\"flags\":["
    "\"SECCOMP_FILTER_FLAG_LOG\"],\"listenerPath\":\"/"
    "l\",\"listenerMetadata\":\"m\",\"syscalls\":[{"
    "\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38,\"args\":[{"
    "\"index\":0,\"value\":18446744073709551615,\"valueTwo\":3,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]},"
    "\"rootfsPropagation\":\"slave\",\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":["
    "\"/proc/sys\"],\"mountLabel\":\"ml\",\"intelRdt\":{\"closID\":\"g\",\"schemata\":[\"L2:0=f\"],"
    "\"l3CacheSchema\":\"L3:0=7f0\",\"memBwSchema\":\"MB:0=20\",\"enableMonitoring\":true,"
    "\"enableCMT\":true,\"enableMBM\":true},\"memoryPolicy\":{\"mode\":\"MPOL_INTERLEAVE\","
    "\"nodes\":"
    "\"2-3\",\"flags\":[\"MPOL_F_STATIC_NODES\"]},\"personality\":{\"domain\":\"LINUX32\"},"
    "\"timeOffsets\":{\"monotonic\":{\"secs\":-1,\"nanosecs\":5},\"boottime\":{\"secs\":2}}}}";

static void test_round_trip(void **state)
{
	cleanup_buf struct buf once = BUF_INIT, twice = BUF_INIT;
	struct spec spec = { 0 };

	parse(full_document, &spec);
	json_write(&spec_desc, &spec, 0, &once);
	spec_free(&spec);
	assert_string_equal(buf_str(&once), full_document);
	parse(buf_str(&once), &spec);
	json_write(&spec_desc, &spec, JSON_PRETTY, &twice);
	spec_free(&spec);
	parse(buf_str(&twice), &spec);
	buf_reset(&once);
	json_write(&spec_desc, &spec, 0, &once);
	spec_free(&spec);
	assert_string_equal(buf_str(&once), full_document);
}

/* What `runc spec` and `runc spec --rootless` of runc 1.1.5 write, hostname and version apart. */
static const char runc_process[] =
    "\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],\"env\":["
    "\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
    "\"TERM=xterm\"],\"cwd\":\"/"
    "\",\"capabilities\":{\"bounding\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\","
    "\"CAP_NET_BIND_SERVICE\"],\"effective\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_"
    "SERVICE\"],"
    "\"permitted\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]},\"rlimits\":[{"
    "\"type\":\"RLIMIT_NOFILE\","
    "\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},\"root\":{\"path\":\"rootfs\","
    "\"readonly\":true},\"hostname\":\"inro\",\"mounts\":[{\"destination\":\"/"
    "proc\",\"type\":\"proc\","
    "\"source\":\"proc\"},{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
    "\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},";
static const char runc_ipc_mounts[] =
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},{\"destination\":\"/dev/"
    "mqueue\",\"type\":"
    "\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},";
static const char runc_cgroup_mount[] =
    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],";
static const char runc_paths[] =
    "\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\","
    "\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","
    "\"/sys/firmware\",\"/proc/scsi\"],\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\","
    "\"/proc/sys\",\"/proc/sysrq-trigger\"]}}";

static void check_example(const struct spec_example_args *args, const char *expected)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct spec spec = { 0 };

	spec_example(args, &spec);
	json_write(&spec_desc, &spec, 0, &text);
	spec_free(&spec);
	assert_string_equal(buf_str(&text), expected);
	parse(buf_str(&text), &spec);
	spec_free(&spec);
}

static void test_example_is_runcs(void **state)
{
	cleanup_free char *expected = xasprintf(
	    "{\"ociVersion\":\"%s\",%s{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":"
	    "\"devpts\",\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\","
	    "\"mode=0620\",\"gid=5\"]},%s{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":"
	    "\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},%s\"linux\":{"
	    "\"resources\":"
	    "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},\"namespaces\":[{\"type\":"
	    "\"pid\"},{"
	    "\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}],%s",
	    SPEC_VERSION_WRITTEN, runc_process, runc_ipc_mounts, runc_cgroup_mount, runc_paths);

	check_example(&(struct spec_example_args){ .uid = 1000, .gid = 1000 }, expected);
}

static void test_example_for_cgroup2(void **state)
{
	static const enum spec_ns expected[] = { NS_PID,   NS_IPC,    NS_UTS,
						 NS_MOUNT, NS_CGROUP, NS_USER };
	const struct spec_example_args args = { .rootless = true, .cgroup2 = true };
	struct spec spec = { 0 };

	spec_example(&args, &spec);
	assert_int_equal(spec.linux_->namespaces.n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(spec.linux_->namespaces.items[i].type, expected[i]);
	spec_free(&spec);
}

static void test_rootless_example_is_runcs(void **state)
{
	cleanup_free char *expected = xasprintf(
	    "{\"ociVersion\":\"%s\",%s{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":"
	    "\"devpts\",\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\","
	    "\"mode=0620\"]},%s{\"destination\":\"/sys\",\"type\":\"none\",\"source\":\"/sys\","
	    "\"options\":[\"rbind\",\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},%s\"linux\":{"
	    "\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}],\"gidMappings\":[{"
	    "\"containerID\":0,\"hostID\":1001,\"size\":1}],\"namespaces\":[{\"type\":\"pid\"},{"
	    "\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"user\"}],%s",
	    SPEC_VERSION_WRITTEN, runc_process, runc_ipc_mounts, runc_cgroup_mount, runc_paths);

	check_example(&(struct spec_example_args){ .rootless = true, .uid = 1000, .gid = 1001 },
		      expected);
}

static void test_limits(void **state)
{
	struct spec spec = { 0 };
	struct err err = ERR_INIT;
	static char deep[4000];
	size_t i;

	assert_int_equal(spec_parse("{}", SPEC_BYTES_MAX + 1, &spec, &err), -EFBIG);
	assert_int_equal(err.kind, ERR_LIMIT);
	for (i = 0; i < sizeof(deep); i++)
		deep[i] = '[';
	assert_true(spec_parse(deep, sizeof(deep), &spec, &err) < 0);
	assert_int_equal(err.kind, ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_of_the_document),
		cmocka_unit_test(test_errors_of_the_process),
		cmocka_unit_test(test_errors_of_namespaces),
		cmocka_unit_test(test_errors_of_linux),
		cmocka_unit_test(test_errors_of_resources),
		cmocka_unit_test(test_errors_of_seccomp),
		cmocka_unit_test(test_tidied),
		cmocka_unit_test(test_sysctl_path),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_example_is_runcs),
		cmocka_unit_test(test_example_for_cgroup2),
		cmocka_unit_test(test_rootless_example_is_runcs),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
