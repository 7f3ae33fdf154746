/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/changes.h"
#include "engine/etcfiles.h"
#include "engine/names.h"
#include "engine/parse.h"

static const char *const caller_env[] = { "LANG=C.UTF-8", "EMPTY=", NULL };

static char *env_text(const char *text)
{
	cleanup_strv char **out = NULL;
	struct err err = ERR_INIT;

	if (env_file_parse(text, strlen(text), "f.env", (char **)caller_env, &out, &err) < 0)
		return xstrdup(err.msg);
	return strv_join(out, "|");
}

static void test_env_file(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "A=1\nB=two words\n", "A=1|B=two words" },
		{ "# comment\n\n  C=3", "C=3" },
		{ "A=1\r\nB=2\r\n", "A=1|B=2" },
		{ "\xef\xbb\xbf"
		  "A=1\n",
		  "A=1" },
		{ "A=\"quoted\"\n", "A=\"quoted\"" },
		{ "A=b=c # not a comment\n", "A=b=c # not a comment" },
		{ "LANG\nEMPTY\nABSENT\n", "LANG=C.UTF-8|EMPTY=" },
		{ "A=1\nA=2\n", "A=2" },
		{ "A=1\n=2\n", "f.env:2: no variable name before \"=\"" },
		{ "A B=1\n", "f.env:1: variable name \"A B\" contains white space" },
		{ "", "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *got = env_text(rows[i].text);

		assert_string_equal(got, rows[i].want);
	}
	{
		cleanup_strv char **out = NULL;

		assert_int_equal(env_file_parse("A=\0b", 4, "f", (char **)caller_env, &out, NULL),
				 -EINVAL);
	}
}

typedef int (*parser)(const char *text, struct mount_request *ret, struct err *err);

static void test_env_merge(void **state)
{
	static const struct {
		const char *word, *want; /* NULL: refused */
	} rows[] = {
		{ "A=${LANG}:x", "A=C.UTF-8:x" },
		{ "A=$LANG.$EMPTY.$NOT", "A=C.UTF-8.." },
		{ "A=$", "A=$" },
		{ "A=${LANG", "A=${LANG" },
		{ "A=${}$1$$", "A=${}$1$$" },
		{ "A=b=${LANG}", "A=b=C.UTF-8" },
		{ "A=", "A=" },
		{ "A", NULL },
		{ "=x", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *got = NULL;
		int r = env_merge_parse(rows[i].word, (char **)caller_env, &got, NULL);

		assert_int_equal(r, rows[i].want ? 0 : -EINVAL);
		if (rows[i].want)
			assert_string_equal(got, rows[i].want);
	}
}

static void test_id_maps(void **state)
{
	static const char *const bad[] = { "",       "0",     "0:1:0",          "0:1:2:3", "a:1:2",
					   "-1:1:2", "0:1:x", "4294967295:0:2", "5:9:1" };
	struct idmap map = { 0 };
	uint32_t id, size;

	assert_int_equal(id_map_parse("uidmap", "0:1000:10", &map, NULL), 0);
	assert_int_equal(id_map_parse("uidmap", "10:5", &map, NULL), 0);
	assert_int_equal(map.n, 2);
	assert_int_equal(idmap_to_outside(&map, 10, &id), 0);
	assert_int_equal(id, 5);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(id_map_parse("uidmap", bad[i], &map, NULL), -EINVAL);
	assert_int_equal(map.n, 2);
	idmap_done(&map);

	assert_int_equal(userns_auto_parse(NULL, 100, &size, NULL), 0);
	assert_int_equal(userns_auto_parse("private", 100, &size, NULL), 0);
	assert_int_equal(userns_auto_parse("automatic", 100, &size, NULL), 0);
	assert_int_equal(userns_auto_parse("auto", 100, &size, NULL), 1);
	assert_int_equal(size, 100);
	assert_int_equal(userns_auto_parse("auto:size=7", 100, &size, NULL), 1);
	assert_int_equal(size, 7);
	assert_true(userns_auto_parse("auto:size=101", 100, &size, NULL) < 0);
	assert_true(userns_auto_parse("auto:size=0", 100, &size, NULL) < 0);
	assert_true(userns_auto_parse("auto:gidmapping=0:1:2", 100, &size, NULL) < 0);
}

static void test_secret(void **state)
{
	static const struct {
		const char *text, *source, *target;
		uint32_t uid, gid, mode;
		bool env;
	} rows[] = {
		{ "db", "db", "/run/secrets/db", 0, 0, 0444 },
		{ "db,target=password", "db", "/run/secrets/password", 0, 0, 0444 },
		{ "source=db,target=/etc/app/key,uid=5,gid=6,mode=0400", "db", "/etc/app/key", 5, 6,
		  0400 },
		{ "db,type=mount,target=a/../b", "db", "/run/secrets/b", 0, 0, 0444 },
		{ "db,type=env", "db", "db", 0, 0, 0444, true },
		{ "db,target=PASS/word,type=env", "db", "PASS/word", 0, 0, 0444, true },
		{ "db,type=env,type=mount", "db", "/run/secrets/db", 0, 0, 0444 },
	};
	static const char *const bad[] = { "",
					   "target=x",
					   "type=env",
					   "db,type=x",
					   "db,mode=999",
					   "db,uid=x",
					   "db,foo=1",
					   "db,target=/",
					   "db,target=.",
					   "db,mode=4755",
					   "db,type=env,uid=0",
					   "db,mode=0400,type=env",
					   "db,type=env,target=A=B" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_secret_request struct secret_request q = { 0 };

		assert_int_equal(secret_parse(rows[i].text, &q, NULL), 0);
		assert_string_equal(q.source, rows[i].source);
		assert_string_equal(q.target, rows[i].target);
		assert_int_equal(q.uid, rows[i].uid);
		assert_int_equal(q.gid, rows[i].gid);
		assert_int_equal(q.mode, rows[i].mode);
		assert_int_equal(q.env, rows[i].env);
	}
	cleanup_strv char **env = strv_split("A=1,db=2,PW=3,B=4", ',');
	char *const words[] = { (char *)"db,type=env", (char *)"x,target=PW,type=env",
				(char *)"B,target=A", NULL };
	secret_hide(words, env);
	assert_int_equal(strv_len(env), 2);
	assert_string_equal(env[0], "A=1");
	assert_string_equal(env[1], "B=4");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct secret_request q = { 0 };

		assert_true(secret_parse(bad[i], &q, NULL) < 0);
		assert_null(q.source);
	}
}

static void test_time_zones(void **state)
{
	assert_true(etc_zone_valid("Europe/Berlin"));
	assert_true(etc_zone_valid("America/Argentina/Buenos_Aires"));
	assert_true(etc_zone_valid("Etc/GMT+1"));
	assert_false(etc_zone_valid(""));
	assert_false(etc_zone_valid("/etc/passwd"));
	assert_false(etc_zone_valid("../passwd"));
	assert_false(etc_zone_valid("Europe/../../passwd"));
	assert_false(etc_zone_valid("Europe/"));
}

/* "source target options" or the error. */
static char *mount_text(parser parse, const char *text)
{
	cleanup_mount_request struct mount_request m = { 0 };
	cleanup_free char *options = NULL;
	struct err err = ERR_INIT;

	if (parse(text, &m, &err) < 0) {
		assert_true(err.msg[0]);
		return xasprintf("error: %s", err.msg);
	}
	options = strv_join(m.options, ",");
	return xasprintf("%s %s %s",
			 m.source                ? m.source
			 : m.kind == MOUNT_TMPFS ? "tmpfs"
			 : m.kind == MOUNT_RAMFS ? "ramfs"
						 : "-",
			 m.target ? m.target : "-", options);
}

struct mount_row {
	parser parse;
	const char *text, *want; /* NULL: an error */
};

static void check_rows(const struct mount_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cleanup_free char *got = mount_text(rows[i].parse, rows[i].text);

		if (rows[i].want)
			assert_string_equal(got, rows[i].want);
		else if (!str_starts(got, "error: "))
			fail_msg("%s was taken as %s", rows[i].text, got);
	}
}

static void test_mounts(void **state)
{
	static const struct mount_row rows[] = {
		{ volume_parse, "/a:/b", "/a /b rbind,rprivate" },
		{ volume_parse, "/a:/b:ro", "/a /b rbind,rro,rprivate" },
		{ volume_parse, "/a:/b:ro,z,rshared", "/a /b rbind,rro,rshared" },
		{ volume_parse, "./a:/b/", "./a /b rbind,rprivate" },
		{ volume_parse, ".:/b/../c", ". /c rbind,rprivate" },
		{ volume_parse, "a/b:/c", NULL },
		{ volume_parse, "name:/c", "name /c rbind,rprivate" },
		{ volume_parse, "n:/c:ro,nocopy", "n /c rbind,rro,rprivate" },
		{ volume_parse, "/c", "- /c rbind,rprivate" },
		{ volume_parse, "/a:/b:nosuid,noexec", "/a /b rbind,rprivate,nosuid,noexec" },
		{ volume_parse, "/a:/b:bind,slave,ro", "/a /b bind,ro,slave" },
		{ volume_parse, "/a:/b:idmap", "/a /b rbind,rprivate" },
		{ volume_parse, "-name:/c", NULL },
		{ volume_parse, "na me:/c", NULL },
		{ volume_parse, "na/me:/c", NULL },
		{ volume_parse, "/a:/b:U,ro", "/a /b rbind,rro,rprivate,U" },
		{ volume_parse, "v:/b:O,upperdir=/u,workdir=/w",
		  "v /b rbind,rprivate,O,upperdir=/u,workdir=/w" },
		{ volume_parse, "/a:/b:O,upperdir=/u", NULL },
		{ volume_parse, "/a:/b:upperdir=/u,workdir=/w", NULL },
		{ volume_parse, "/a:/b:O,upperdir=u,workdir=w", NULL },
		{ volume_parse, "/a:/b:U,O", "/a /b rbind,rprivate,U,O" },
		{ volume_parse, "name", NULL },
		{ volume_parse, "/a:b", NULL },
		{ volume_parse, "/a:/", NULL },
		{ volume_parse, "/a:/../..", NULL },
		{ volume_parse, ":/b", NULL },
		{ volume_parse, "/a:/b:zz", NULL },
		{ volume_parse, "/a:/b:ro:rw", NULL },
		{ tmpfs_parse, "/t", "tmpfs /t nosuid,nodev,noexec" },
		{ tmpfs_parse, "/t:rw,size=1k,exec",
		  "tmpfs /t nosuid,nodev,noexec,rw,size=1k,exec" },
		{ tmpfs_parse, "/t:U,tmpcopyup,mpol=local",
		  "tmpfs /t nosuid,nodev,noexec,tmpcopyup,mpol=local" },
		{ tmpfs_parse, "t", NULL },
		{ tmpfs_parse, "/t:context=x", NULL },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_mount_words(void **state)
{
	static const struct mount_row rows[] = {
		{ mount_parse, "type=bind,source=/a,target=/b", "/a /b rbind,rprivate" },
		{ mount_parse, "type=bind,src=/a,dst=/b,readonly", "/a /b rbind,rro,rprivate" },
		{ mount_parse, "type=bind,src=/a,dst=/b,ro=false", "/a /b rbind,rprivate" },
		{ mount_parse, "type=bind,src=/a,dst=/b,bind-propagation=slave,bind-nonrecursive",
		  "/a /b bind,slave" },
		{ mount_parse, "type=tmpfs,destination=/t,tmpfs-size=64m,tmpfs-mode=1770",
		  "tmpfs /t nosuid,nodev,noexec,size=67108864,mode=1770" },
		{ mount_parse, "type=bind,source=/a", NULL },
		{ mount_parse, "type=bind,target=/b", NULL },
		{ mount_parse, "type=tmpfs,source=/a,target=/b", NULL },
		{ mount_parse, "type=bind,source=/a,target=/b,tmpfs-size=1", NULL },
		{ mount_parse, "source=/a,target=/b", NULL },
		{ mount_parse, "type=volume,source=v,target=/b", "v /b rbind,rprivate" },
		{ mount_parse, "source=v,target=/b,readonly,volume-nocopy",
		  "v /b rbind,rro,rprivate" },
		{ mount_parse, "target=/b", "- /b rbind,rprivate" },
		{ mount_parse, "src=v,dst=/b,subpath=a/./b,nosuid,noexec",
		  "v /b rbind,rprivate,nosuid,noexec" },
		{ mount_parse, "src=v,dst=/b,volume-subpath=/a", NULL },
		{ mount_parse, "src=v,dst=/b,subpath=/a", "v /b rbind,rprivate" },
		{ mount_parse, "type=image,src=i,dest=/b,image-subpath=a", "i /b " },
		{ mount_parse, "type=image,src=i,dst=/b,image-subpath=/a", NULL },
		{ mount_parse, "type=image,src=i,dst=/b,volume-subpath=a", NULL },
		{ mount_parse, "type=glob,src=/a*,ro", "/a* - rbind,rro,rprivate" },
		{ mount_parse, "type=glob,src=/a*,dst=/b/.", "/a* /b rbind,rprivate" },
		{ mount_parse, "type=glob,src=/a*,dst=b", NULL },
		{ mount_parse, "type=glob,dst=/b", NULL },
		{ mount_parse, "type=ramfs,dst=/b,exec", "ramfs /b nosuid,nodev,noexec,exec" },
		{ mount_parse, "type=ramfs,src=/a,dst=/b", NULL },
		{ mount_parse, "type=ramfs,dst=/b,tmpfs-size=1m", NULL },
		{ mount_parse, "src=v,dst=/b,volume-subpath=a/../../b", NULL },
		{ mount_parse, "src=v,dst=/b,nosuid=true", NULL },
		{ mount_parse, "src=v,dst=/b,U,subpath=a", "v /b rbind,rprivate,U" },
		{ mount_parse, "type=bind,src=/a,dst=/b,subpath=x", NULL },
		{ mount_parse, "type=bind,src=/a,dst=/b,tmpcopyup", NULL },
		{ mount_parse, "type=tmpfs,dst=/t,tmpcopyup,noswap,exec",
		  "tmpfs /t nosuid,nodev,noexec,exec,tmpcopyup,noswap" },
		{ mount_parse, "type=tmpfs,dst=/t,tmpcopyup,notmpcopyup",
		  "tmpfs /t nosuid,nodev,noexec" },
		{ mount_parse, "src=v,dst=/b,volume-opt=type=tmpfs,\"volume-opt=o=size=1m,ro\"",
		  "v /b rbind,rprivate" },
		{ mount_parse, "src=v,dst=/b,volume-label=a=b", "v /b rbind,rprivate" },
		{ mount_parse, "type=bind,src=/a,dst=/b,bind-recursive=disabled",
		  "/a /b bind,rprivate" },
		{ mount_parse, "type=bind,src=/a,dst=/b,ro,bind-recursive=writable",
		  "/a /b rbind,ro,rprivate" },
		{ mount_parse, "type=devpts,dst=/d",
		  "- /d nosuid,noexec,newinstance,ptmxmode=0666,mode=0620" },
		{ mount_parse, "src=v,dst=/b,bind-propagation=slave", NULL },
		{ mount_parse, "dst=/b,bind-nonrecursive,tmpfs-size=1", NULL },
		{ mount_parse, "type=bind,src=/a,dst=/b,volume-nocopy", NULL },
		{ mount_parse, "src=v,dst=/b,volume-driver=nfs", NULL },
		{ mount_parse, "src=v,dst=/b,volume-label", NULL },
		{ mount_parse, "src=v,dst=/b,volume-label==x", NULL },
		{ mount_parse, "src=v,\"dst=/b", NULL },
		{ mount_parse, "src=v,\"dst=/b\"x", NULL },
		{ mount_parse, "src=v,dst=/b,", NULL },
		{ mount_parse, "type=bind,src=/a,dst=/b,bind-recursive=maybe", NULL },
		{ mount_parse, "type=bind,source=/a,target=/b,what=1", NULL },
		{ mount_parse, "type=bind,source=/a,target=/b,readonly=maybe", NULL },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_ulimit(void **state)
{
	static const struct {
		const char *text, *type;
		uint64_t soft, hard;
	} rows[] = {
		{ "nofile=1024:2048", "RLIMIT_NOFILE", 1024, 2048 },
		{ "nproc=7", "RLIMIT_NPROC", 7, 7 },
		{ "core=unlimited", "RLIMIT_CORE", UINT64_MAX, UINT64_MAX },
		{ "memlock=1:-1", "RLIMIT_MEMLOCK", 1, UINT64_MAX },
	};
	static const char *const bad[] = { "nofile",    "nofile=",   "nofile=2:1", "nofile=1:2:3",
					   "nofiles=1", "nofile=-2", "nofile=1k",  "nofile= 1",
					   "NOFILE=1",  "=1" };
	struct spec_rlimit limit;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ulimit_parse(rows[i].text, &limit, NULL), 0);
		assert_string_equal(limit.type, rows[i].type);
		assert_true(limit.soft == rows[i].soft && limit.hard == rows[i].hard);
		free(limit.type);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ulimit_parse(bad[i], &limit, NULL), -EINVAL);
}

static void test_device(void **state)
{
	static const struct {
		const char *text, *host, *container, *access;
	} rows[] = {
		{ "/dev/fuse", "/dev/fuse", "/dev/fuse", "rwm" },
		{ "/dev/fuse:r", "/dev/fuse", "/dev/fuse", "r" },
		{ "/dev/sda:/dev/xvdc", "/dev/sda", "/dev/xvdc", "rwm" },
		{ "/dev/sda:/dev/xvdc:rm", "/dev/sda", "/dev/xvdc", "rm" },
	};
	static const char *const bad[] = {
		"",          "fuse",       "/dev/fuse:x", "/dev/a:/dev/b:rwx",
		"/a:/b:r:w", "/dev/a:b:r", "/dev/a:/b:"
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_device_request struct device_request d = { 0 };

		assert_int_equal(device_parse(rows[i].text, &d, NULL), 0);
		assert_string_equal(d.host, rows[i].host);
		assert_string_equal(d.container, rows[i].container);
		assert_string_equal(d.access, rows[i].access);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct device_request d = { 0 };

		assert_int_equal(device_parse(bad[i], &d, NULL), -EINVAL);
	}
}

static void test_device_rule(void **state)
{
	static const struct {
		const char *text, *type, *access;
		int64_t major, minor; /* -1: any */
	} rows[] = {
		{ "c 10:229 rwm", "c", "rwm", 10, 229 },
		{ "b 8:* r", "b", "r", 8, -1 },
		{ "a *:* m", "a", "m", -1, -1 },
	};
	static const char *const bad[] = { "",          "c 10:229",
					   "c 10 rwm",  "x 1:2 r",
					   "c 1:2 x",   "c 1:2 rwmr",
					   "c  1:2 r",  "c 1:2:3 r",
					   "c -1:2 r",  "c 01:2 r",
					   "c 1:2 r ",  "cc 1:2 r",
					   "c 1:2 r x", "c 99999999999999:1 r" };
	struct spec_device_rule rule;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(device_rule_parse(rows[i].text, &rule, NULL), 0);
		assert_true(rule.allow);
		assert_string_equal(rule.type, rows[i].type);
		assert_string_equal(rule.access, rows[i].access);
		assert_int_equal(rule.major.set ? rule.major.value : -1, rows[i].major);
		assert_int_equal(rule.minor.set ? rule.minor.value : -1, rows[i].minor);
		free(rule.type);
		free(rule.access);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(device_rule_parse(bad[i], &rule, NULL), -EINVAL);
}

static void test_device_number(void **state)
{
	static const char *const bad[] = { "",      "/dev/sda",    "/dev/sda:",
					   "sda:1", "/dev/sda:-1", "/dev/sda:x" };
	struct err err = ERR_INIT;
	uint64_t n;

	for (size_t i = 0; i < 2; i++) {
		cleanup_free char *path = NULL;

		assert_int_equal(device_number_parse("o", i ? "/dev/a:b:7" : "/dev/a:b:1mb", !i,
						     &path, &n, NULL),
				 0);
		assert_string_equal(path, "/dev/a:b");
		assert_int_equal(n, i ? 7 : 1 << 20);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *path = NULL;

		assert_int_equal(device_number_parse("o", bad[i], true, &path, &n, &err), -EINVAL);
		assert_null(path);
	}
	assert_non_null(strstr(err.msg, "--o: "));
}

static void test_time_offset(void **state)
{
	static const struct {
		const char *text;
		bool boottime;
		int64_t secs;
		uint32_t nanosecs;
	} rows[] = {
		{ "boottime=+3600", true, 3600, 0 },
		{ "boottime=60", true, 60, 0 },
		{ "monotonic=-5", false, -5, 0 },
		{ "monotonic=0.25", false, 0, 250000000 },
		{ "monotonic=-1.5", false, -2, 500000000 },
		{ "boottime=-0.000000001", true, -1, 999999999 },
	};
	static const char *const bad[] = { "boottime",      "boottime=",
					   "boottime=1.",   "realtime=1",
					   "monotonic=1s",  "monotonic=--1",
					   "monotonic=+-1", "boottime=1.1234567890",
					   "boottime=.5",   "boottime=99999999999999999999" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec_time_offsets o = { 0 };
		struct spec_time_offset *got;

		assert_int_equal(time_offset_parse(rows[i].text, &o, NULL), 0);
		got = rows[i].boottime ? o.boottime : o.monotonic;
		assert_non_null(got);
		assert_true(got->secs == rows[i].secs && got->nanosecs == rows[i].nanosecs);
		free(got);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct spec_time_offsets o = { 0 };

		assert_int_equal(time_offset_parse(bad[i], &o, NULL), -EINVAL);
		assert_null(o.boottime);
		assert_null(o.monotonic);
	}
}

static void test_signal(void **state)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{ "TERM", SIGTERM }, { "SIGTERM", SIGTERM }, { "sigquit", SIGQUIT }, { "9", 9 },
		{ "RTMIN+3", 37 },   { "SIGRTMAX", 64 },     { "RTMAX-1", 63 },
	};
	static const char *const bad[] = {
		"", "0", "65", "-1", "SIG", "SIGNONE", "RTMIN+40", "+9"
	};
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(signal_parse(rows[i].text, &n, NULL), 0);
		assert_int_equal(n, rows[i].want);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(signal_parse(bad[i], &n, NULL), -EINVAL);
}

static void test_names(void **state)
{
	static const char *const good[] = { "ab", "web-1", "A.b_c", "0a" };
	static const char *const bad[] = { "", "a", "-a", "a b", "a/b", "..", "_x", "ä1", "a:b" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(name_check(good[i], NULL), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(name_check(bad[i], NULL), -EINVAL);
	for (i = 0; i < 50; i++) {
		cleanup_free char *name = name_random((unsigned int)i);

		assert_int_equal(name_check(name, NULL), 0);
		assert_non_null(strchr(name, '_'));
	}
}

static void test_etc_files(void **state)
{
	const char *const hosts[] = { "db:10.0.0.5", "v6:fd00::1", NULL };
	const char *const dns[] = { "9.9.9.9", NULL }, *const search[] = { "a.example", "b.example",
									   NULL };
	struct run_options o = { .add_host = (char **)hosts };
	cleanup_buf struct buf out = BUF_INIT;

	assert_int_equal(etc_hosts_text(&o, NULL, "192.0.2.1 secret\n", &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "127.0.0.1\tlocalhost\n"));
	assert_non_null(strstr(buf_str(&out), "\n10.0.0.5\tdb\nfd00::1\tv6\n"));
	assert_null(strstr(buf_str(&out), "secret"));
	buf_reset(&out);
	o.network = (char *[]){ (char *)"host", NULL };
	assert_int_equal(etc_hosts_text(&o, NULL, "192.0.2.1 shared", &out, NULL), 0);
	assert_string_equal(buf_str(&out), "192.0.2.1 shared\n10.0.0.5\tdb\nfd00::1\tv6\n");
	buf_reset(&out);
	o.network = NULL;
	o.hosts_file = (char *)"base";
	assert_int_equal(etc_hosts_text(&o, NULL, "192.0.2.7 base", &out, NULL), 0);
	assert_string_equal(buf_str(&out), "192.0.2.7 base\n10.0.0.5\tdb\nfd00::1\tv6\n");
	buf_reset(&out);
	etc_resolv_text(&o, NULL, "nameserver 127.0.0.53\n", &out);
	assert_string_equal(buf_str(&out), "nameserver 127.0.0.53\n");
	buf_reset(&out);
	o.dns = (char **)dns;
	o.dns_search = (char **)search;
	etc_resolv_text(&o, NULL, "nameserver 127.0.0.53\n", &out);
	assert_string_equal(buf_str(&out), "nameserver 9.9.9.9\nsearch a.example b.example\n");
}

static void test_changes(void **state)
{
	static const char *const bad[] = { "",          "CMD",         "RUN true", "CMD [\"a\"",
					   "ENV A=\"x", "WORKDIR srv", "CMD [1]" };
	struct oci_config *c = xcalloc(1, sizeof(*c));
	struct oci_image_config image = { .config = c };
	size_t i;

	assert_int_equal(change_apply("CMD [\"a\", \"b c\"]", c, NULL), 0);
	assert_string_equal(c->cmd[1], "b c");
	assert_int_equal(change_apply("entrypoint echo hi", c, NULL), 0);
	assert_string_equal(c->entrypoint[2], "echo hi");
	assert_int_equal(change_apply("ENV A=1 B=\"two words\" C=a\\ b", c, NULL), 0);
	assert_string_equal(strv_env_get(c->env, "A"), "1");
	assert_string_equal(strv_env_get(c->env, "B"), "two words");
	assert_string_equal(strv_env_get(c->env, "C"), "a b");
	assert_int_equal(change_apply("ENV D old form", c, NULL), 0);
	assert_string_equal(strv_env_get(c->env, "D"), "old form");
	assert_int_equal(change_apply("LABEL k=v", c, NULL), 0);
	assert_string_equal(json_map_get(&c->labels, "k"), "v");
	assert_int_equal(change_apply("EXPOSE 80 53/udp", c, NULL), 0);
	assert_string_equal(c->exposed_ports.items[0].key, "80/tcp");
	assert_string_equal(c->exposed_ports.items[1].key, "53/udp");
	assert_int_equal(change_apply("USER alice:staff", c, NULL), 0);
	assert_string_equal(c->user, "alice:staff");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(change_apply(bad[i], c, NULL) < 0);
	oci_image_config_done(&image);
}

static void test_expose(void **state)
{
	struct json_map ports = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(expose_parse("8000-8001/UDP", &ports, &err));
	assert_ok(expose_parse("80", &ports, &err));
	assert_int_equal(ports.n, 3);
	assert_string_equal(ports.items[1].key, "8001/udp");
	assert_string_equal(ports.items[2].key, "80/tcp");
	assert_int_equal(expose_parse("80:80", &ports, &err), -EINVAL);
	assert_int_equal(ports.n, 3);
	json_map_done(&ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_env_file),    cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_mount_words), cmocka_unit_test(test_ulimit),
		cmocka_unit_test(test_device),      cmocka_unit_test(test_time_offset),
		cmocka_unit_test(test_signal),      cmocka_unit_test(test_names),
		cmocka_unit_test(test_etc_files),   cmocka_unit_test(test_changes),
		cmocka_unit_test(test_device_rule), cmocka_unit_test(test_device_number),
		cmocka_unit_test(test_env_merge),   cmocka_unit_test(test_time_zones),
		cmocka_unit_test(test_id_maps),     cmocka_unit_test(test_secret),
		cmocka_unit_test(test_expose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
