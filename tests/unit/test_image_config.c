/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/strv.h"
#include "oci/image.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D     "sha256:" HEX64

#define PLATFORM         "\"architecture\":\"amd64\",\"os\":\"linux\""
#define ROOTFS           "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D "\"]}"
#define DESC(type, size) "{\"mediaType\":\"" type "\",\"digest\":\"" D "\",\"size\":" #size "}"
#define CONFIG_DESC      DESC("application/vnd.oci.image.config.v1+json", 7)
#define LAYER_DESC       DESC("application/vnd.oci.image.layer.v1.tar+gzip", 9)

/* The four documents by one entry point, so that one table of rows serves all. */
enum kind { CONFIG, MANIFEST, INDEX, ARCHIVE };

union document {
	struct oci_image_config config;
	struct oci_manifest manifest;
	struct oci_index index;
	struct docker_archive archive;
};

static int parse(enum kind kind, const char *text, union document *d, struct err *err)
{
	size_t len = strlen(text);

	switch (kind) {
	case CONFIG:
		return oci_image_config_parse(text, len, &d->config, err);
	case MANIFEST:
		return oci_manifest_parse(text, len, &d->manifest, err);
	case INDEX:
		return oci_index_parse(text, len, &d->index, err);
	case ARCHIVE:
		return docker_archive_parse(text, len, &d->archive, err);
	}
	return -EINVAL;
}

static void done(enum kind kind, union document *d)
{
	switch (kind) {
	case CONFIG:
		oci_image_config_done(&d->config);
		break;
	case MANIFEST:
		oci_manifest_done(&d->manifest);
		break;
	case INDEX:
		oci_index_done(&d->index);
		break;
	case ARCHIVE:
		docker_archive_done(&d->archive);
		break;
	}
}

struct row {
	enum kind kind;
	const char *text;  /* the document, or the members of a config's "config" */
	const char *error; /* NULL: accepted */
};

static void check_rows(const struct row *rows, size_t n, bool parameters)
{
	size_t i;

	for (i = 0; i < n; i++) {
		cleanup_free char *text = NULL;
		union document d;
		struct err err = ERR_INIT;
		int r;

		text = parameters
			   ? xasprintf("{" PLATFORM "," ROOTFS ",\"config\":{%s}}", rows[i].text)
			   : xstrdup(rows[i].text);
		r = parse(rows[i].kind, text, &d, &err);
		if (rows[i].error) {
			if (r == 0)
				fail_msg("%s\n  accepted, expected: %s", text, rows[i].error);
			if (strcmp(err.msg, rows[i].error) != 0)
				fail_msg("%s\n  got:      %s\n  expected: %s", text, err.msg,
					 rows[i].error);
			continue;
		}
		if (r < 0)
			fail_msg("%s\n  refused: %s", text, err.msg);
		done(rows[i].kind, &d);
	}
}

static void test_execution_parameters(void **state)
{
	static const struct row rows[] = {
		{ CONFIG, "", NULL },
		{ CONFIG, "\"Unknown\":{\"a\":[1]},\"Env\":null,\"Memory\":0,\"User\":\"\"", NULL },
		{ CONFIG, "\"WorkingDir\":\"\",\"StopSignal\":\"SIGRTMIN+3\",\"Volumes\":{}",
		  NULL },
		{ CONFIG, "\"WorkingDir\":\"app\"",
		  "image config: config.WorkingDir: expected an absolute path, got \"app\"" },
		{ CONFIG, "\"Env\":[\"A=1\",\"=x\"]",
		  "image config: config.Env[1]: expected NAME=value, got \"=x\"" },
		{ CONFIG, "\"Env\":[\"A\\u0001=x\"]",
		  "image config: config.Env[0]: expected a name without control characters, got "
		  "\"A\\x01=x\"" },
		{ CONFIG, "\"Env\":[\"A=line\\nline\",\"B=\"]", NULL },
		{ CONFIG, "\"Env\":\"A=1\"",
		  "image config: config.Env: expected an array, got a string" },
		{ CONFIG,
		  "\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{},\"9\":{},\"8000-8010/sctp\":{}}",
		  NULL },
		{ CONFIG, "\"ExposedPorts\":{\"80/icmp\":{}}",
		  "image config: config.ExposedPorts: expected a port like 8080, 8080/tcp or "
		  "53/udp, got \"80/icmp\"" },
		{ CONFIG, "\"ExposedPorts\":{\"65536\":{}}",
		  "image config: config.ExposedPorts: expected a port like 8080, 8080/tcp or "
		  "53/udp, got \"65536\"" },
		{ CONFIG, "\"ExposedPorts\":{\"0\":{}}",
		  "image config: config.ExposedPorts: expected a port like 8080, 8080/tcp or "
		  "53/udp, got \"0\"" },
		{ CONFIG, "\"Volumes\":{\"data\":{}}",
		  "image config: config.Volumes: expected an absolute path below /, got \"data\"" },
		{ CONFIG, "\"Volumes\":{\"/\":{}}",
		  "image config: config.Volumes: expected an absolute path below /, got \"/\"" },
		{ CONFIG, "\"Volumes\":{\"/..\":{}}",
		  "image config: config.Volumes: expected an absolute path below /, got \"/..\"" },
		{ CONFIG, "\"User\":\"a\\nb\"",
		  "image config: config.User: expected user[:group], got \"a\\nb\"" },
		{ CONFIG, "\"Labels\":{\"\":\"x\"}",
		  "image config: config.Labels: expected names that are not empty and hold no "
		  "control characters, got \"\"" },
		{ CONFIG, "\"StopSignal\":\"SIG KILL\"",
		  "image config: config.StopSignal: expected a signal, got \"SIG KILL\"" },
		{ CONFIG, "\"Healthcheck\":{\"Test\":[\"RUN\",\"x\"]}",
		  "image config: config.Healthcheck.Test[0]: expected NONE, CMD or CMD-SHELL, got "
		  "\"RUN\"" },
		{ CONFIG, "\"Healthcheck\":{\"Interval\":-1}",
		  "image config: config.Healthcheck.Interval: expected an integer from 0 to "
		  "9223372036854775807, got -1" },
		{ CONFIG, "\"Cmd\":\"sh\"",
		  "image config: config.Cmd: expected an array, got a string" },
		{ CONFIG, "\"Cmd\":[\"a\\u0000b\"]",
		  "image config: line 1, column 172: NUL character in a string" },
	};

	check_rows(rows, ARRAY_SIZE(rows), true);
}

/* CVE-2026-57231: a bare name in Env took its value from the environment of whoever ran it. */
static void test_cve_2026_57231_env_is_never_looked_up(void **state)
{
	static const struct row rows[] = {
		{ CONFIG, "\"Env\":[\"INRO_TEST_SECRET\"]",
		  "image config: config.Env[0]: expected NAME=value, got \"INRO_TEST_SECRET\"" },
		{ CONFIG, "\"Env\":[\"PATH=/bin\",\"INRO_TEST_SECRET\"]",
		  "image config: config.Env[1]: expected NAME=value, got \"INRO_TEST_SECRET\"" },
		{ CONFIG, "\"Env\":[\"INRO_TEST_*\"]",
		  "image config: config.Env[0]: expected NAME=value, got \"INRO_TEST_*\"" },
	};
	union document d;
	struct err err = ERR_INIT;

	setenv("INRO_TEST_SECRET", "of the host", 1);
	check_rows(rows, ARRAY_SIZE(rows), true);
	assert_int_equal(
	    parse(CONFIG,
		  "{" PLATFORM "," ROOTFS
		  ",\"config\":{\"Env\":[\"INRO_TEST_SECRET=\",\"X=$INRO_TEST_SECRET\"]}}",
		  &d, &err),
	    0);
	assert_string_equal(d.config.config->env[0], "INRO_TEST_SECRET=");
	assert_string_equal(d.config.config->env[1], "X=$INRO_TEST_SECRET");
	oci_image_config_done(&d.config);
	unsetenv("INRO_TEST_SECRET");
}

static void test_documents(void **state)
{
	static const struct row rows[] = {
		{ CONFIG, "{" PLATFORM "," ROOTFS "}", NULL },
		{ CONFIG, "{" PLATFORM "}", "image config: rootfs: missing, expected an object" },
		{ CONFIG, "{\"os\":\"linux\"," ROOTFS "}",
		  "image config: architecture: missing, expected a string" },
		{ CONFIG, "{\"architecture\":\"amd64\\u001b[2J\",\"os\":\"linux\"," ROOTFS "}",
		  "image config: architecture: expected a word of letters and digits, got "
		  "\"amd64\\x1b[2J\"" },
		{ CONFIG, "{" PLATFORM ",\"rootfs\":{\"type\":\"tar\",\"diff_ids\":[]}}",
		  "image config: rootfs.type: expected \"layers\", got \"tar\"" },
		{ CONFIG,
		  "{" PLATFORM ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D "\","
		  "\"sha256:..\"]}}",
		  "image config: rootfs.diff_ids[1]: expected a digest like sha256:<64 lower-case "
		  "hex digits>, got \"sha256:..\"" },
		{ MANIFEST,
		  "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[" LAYER_DESC "]}",
		  NULL },
		{ MANIFEST,
		  "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER_MEDIA_MANIFEST
		  "\",\"config\":" DESC(DOCKER_MEDIA_CONFIG,
					1) ",\"layers\":[" DESC(DOCKER_MEDIA_LAYER_GZIP, 0) "]}",
		  NULL },
		{ MANIFEST, "{\"schemaVersion\":1,\"config\":" CONFIG_DESC ",\"layers\":[]}",
		  "image manifest: schemaVersion: expected 2, got 1" },
		{ MANIFEST, "{\"schemaVersion\":2,\"layers\":[]}",
		  "image manifest: config: missing, expected an object" },
		{ MANIFEST, "{\"schemaVersion\":2,\"config\":" CONFIG_DESC "}",
		  "image manifest: layers: missing, expected an array" },
		{ MANIFEST,
		  "{\"schemaVersion\":2,\"config\":" CONFIG_DESC
		  ",\"layers\":[{\"mediaType\":\"a/b\","
		  "\"digest\":\"" D "\",\"size\":-1}]}",
		  "image manifest: layers[0].size: expected an integer from 0 to "
		  "9223372036854775807, got -1" },
		{ MANIFEST,
		  "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/"
		  "b\",\"digest\":\"md5:00\",\"size\":"
		  "1},\"layers\":[]}",
		  "image manifest: config.digest: expected a digest like sha256:<64 lower-case hex "
		  "digits>, got \"md5:00\"" },
		{ MANIFEST,
		  "{\"schemaVersion\":2,\"config\":" DESC("a/b", 4194305) ",\"layers\":[]}",
		  "image manifest: config.size: expected an integer from 0 to 4194304, got "
		  "4194305" },
		{ MANIFEST,
		  "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[{\"mediaType\":\"\","
		  "\"digest\":\"" D "\",\"size\":1}]}",
		  "image manifest: layers[0].mediaType: expected a string that is not empty" },
		{ INDEX, "{\"schemaVersion\":2,\"manifests\":[]}", NULL },
		{ INDEX, "{\"schemaVersion\":2}",
		  "image index: manifests: missing, expected an array" },
		{ INDEX,
		  "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a/b\",\"digest\":\"" D
		  "\",\"size\":1,\"platform\":{\"os\":\"linux\"}}]}",
		  "image index: manifests[0].platform.architecture: missing, expected a string" },
		{ ARCHIVE,
		  "[{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\",\"host.example/a:1\"],\"Layers\":["
		  "\"x/layer.tar\"]},{\"Config\":\"blobs/sha256/" HEX64
		  "\",\"RepoTags\":null,\"Layers\":[]}]",
		  NULL },
		{ ARCHIVE, "{}", "manifest.json: expected an array, got an object" },
		{ ARCHIVE, "[1]", "manifest.json: [0]: expected an object, got an integer" },
		{ ARCHIVE, "[{\"Config\":\"/etc/passwd\",\"Layers\":[]}]",
		  "manifest.json: [0].Config: expected the path of a member of the archive, got "
		  "\"/etc/passwd\"" },
		{ ARCHIVE, "[{\"Config\":\"c\",\"Layers\":[\"a/../../x\"]}]",
		  "manifest.json: [0].Layers[0]: expected the path of a member of the archive, got "
		  "\"a/../../x\"" },
		{ ARCHIVE, "[{\"Config\":\"c\",\"Layers\":[\"a//x\"]}]",
		  "manifest.json: [0].Layers[0]: expected the path of a member of the archive, got "
		  "\"a//x\"" },
		{ ARCHIVE, "[{\"Config\":\"c\",\"Layers\":[],\"RepoTags\":[\"A\"]}]",
		  "manifest.json: [0].RepoTags[0]: invalid image reference \"A\": the repository "
		  "name must be lower case" },
	};

	check_rows(rows, ARRAY_SIZE(rows), false);
}

/* CVE-2021-41190: bytes that one tool takes for a manifest and another for an index. */
static void test_cve_2021_41190_two_faces(void **state)
{
	static const struct row rows[] = {
		{ MANIFEST,
		  "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[],\"manifests\":[]}",
		  "image manifest: manifests: expected none in an image manifest" },
		{ MANIFEST,
		  "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_INDEX
		  "\",\"config\":" CONFIG_DESC ",\"layers\":[]}",
		  "image manifest: mediaType: expected an image manifest's, got "
		  "\"application/vnd.oci.image.index.v1+json\"" },
		{ INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}",
		  "image index: layers: expected none in an image index" },
		{ INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"config\":{}}",
		  "image index: config: expected none in an image index" },
		{ INDEX,
		  "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_MANIFEST "\",\"manifests\":[]}",
		  "image index: mediaType: expected an image index's, got "
		  "\"application/vnd.oci.image.manifest.v1+json\"" },
	};

	check_rows(rows, ARRAY_SIZE(rows), false);
}

/* The example of image-spec config.md's shape with all members, as Docker writes them too. */
static const char full_config[] =
    "{\"created\":\"2015-10-31T22:22:56.015925234Z\",\"author\":\"A <a@example.com>\","
    "\"architecture\":\"arm\",\"variant\":\"v7\",\"os\":\"linux\",\"os.version\":\"1\","
    "\"os.features\":[\"f\"],\"config\":{\"User\":\"alice:users\",\"ExposedPorts\":{\"8080/"
    "tcp\":{}},"
    "\"Env\":[\"PATH=/bin\",\"FOO=oci_is_a=b\"],\"Entrypoint\":[\"/bin/"
    "app\"],\"Cmd\":[\"--x\",\"\"],"
    "\"Volumes\":{\"/var/a\":{},\"/var/b\":{}},\"WorkingDir\":\"/home/"
    "alice\",\"Labels\":{\"k\":\"v\"},"
    "\"StopSignal\":\"SIGKILL\",\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":1,"
    "\"Timeout\":2,\"StartPeriod\":3,\"StartInterval\":4,\"Retries\":5},\"ArgsEscaped\":true,"
    "\"Shell\":[\"/bin/sh\",\"-c\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D "\"]},"
    "\"history\":[{\"created\":\"2015-10-31T22:22:54.690851953Z\",\"created_by\":\"ADD\","
    "\"author\":"
    "\"a\",\"comment\":\"c\"},{\"created_by\":\"CMD\",\"empty_layer\":true}]}";
static const char full_manifest[] =
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
    "\"artifactType\":\"a/b\",\"config\":" CONFIG_DESC
    ",\"layers\":[{\"mediaType\":\"a/b\",\"digest\":"
    "\"" D "\",\"size\":0,\"urls\":[\"http://x\"],\"annotations\":{\"a\":\"b\"},\"data\":\"e30=\","
    "\"artifactType\":\"c/d\"}],\"subject\":" CONFIG_DESC ",\"annotations\":{\"k\":\"v\"}}";

static void test_round_trip(void **state)
{
	cleanup_buf struct buf out = BUF_INIT;
	union document d;
	struct err err = ERR_INIT;

	if (parse(CONFIG, full_config, &d, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(d.config.config->exposed_ports.items[0].key, "8080/tcp");
	assert_int_equal(d.config.config->volumes.n, 2);
	oci_image_config_write(&d.config, &out);
	oci_image_config_done(&d.config);
	assert_string_equal(buf_str(&out), full_config);

	buf_reset(&out);
	if (parse(MANIFEST, full_manifest, &d, &err) < 0)
		fail_msg("%s", err.msg);
	oci_manifest_write(&d.manifest, &out);
	oci_manifest_done(&d.manifest);
	assert_string_equal(buf_str(&out), full_manifest);
}

static void test_limits(void **state)
{
	cleanup_buf struct buf text = BUF_INIT;
	union document d;
	struct err err = ERR_INIT;
	size_t i;

	buf_adds(&text, "{" PLATFORM ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
	for (i = 0; i <= OCI_LAYERS_MAX; i++)
		buf_addf(&text, "%s\"" D "\"", i ? "," : "");
	buf_adds(&text, "]}}");
	assert_true(oci_image_config_parse(text.data, text.len, &d.config, &err) < 0);
	assert_string_equal(err.msg,
			    "image config: rootfs.diff_ids: expected at most 512 entries, got 513");
	assert_int_equal(oci_manifest_parse("{}", OCI_BLOB_MAX + 1, &d.manifest, &err), -EFBIG);
	assert_int_equal(err.kind, ERR_LIMIT);
}

static void test_platform(void **state)
{
	struct oci_platform native = oci_platform_native();
	cleanup_free char *text = NULL;
	union document d;
	struct err err = ERR_INIT;

	assert_true(oci_platform_matches("linux", native.architecture, native.variant));
	assert_true(oci_platform_matches("linux", native.architecture, ""));
	assert_false(oci_platform_matches("windows", native.architecture, NULL));
	assert_false(oci_platform_matches("linux", "m68k", NULL));
	assert_false(oci_platform_matches("linux", native.architecture, "v99"));

	text = xasprintf("{\"schemaVersion\":2,\"manifests\":["
			 "{\"mediaType\":\"%s\",\"digest\":\"" D "\",\"size\":1},"
			 "{\"mediaType\":\"%s\",\"digest\":\"" D "\",\"size\":2,\"platform\":{"
			 "\"os\":\"unknown\",\"architecture\":\"unknown\"}},"
			 "{\"mediaType\":\"a/b\",\"digest\":\"" D "\",\"size\":3,\"platform\":{"
			 "\"os\":\"linux\",\"architecture\":\"%s\"}},"
			 "{\"mediaType\":\"%s\",\"digest\":\"" D "\",\"size\":4,\"platform\":{"
			 "\"os\":\"linux\",\"architecture\":\"%s\"}}]}",
			 OCI_MEDIA_MANIFEST, OCI_MEDIA_MANIFEST, native.architecture,
			 DOCKER_MEDIA_MANIFEST, native.architecture);
	if (parse(INDEX, text, &d, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(oci_index_select(&d.index)->size, 4);
	free(d.index.manifests.items[3].platform->os);
	d.index.manifests.items[3].platform->os = xstrdup("plan9");
	assert_int_equal(oci_index_select(&d.index)->size, 1);
	oci_index_done(&d.index);
	assert_null(oci_index_select(&d.index));
}

static struct oci_descriptor member(char digit, const char *media_type)
{
	struct oci_descriptor desc = { .media_type = xstrdup(media_type), .size = digit };

	desc.digest = xasprintf("sha256:%064d", 0);
	desc.digest[strlen(desc.digest) - 1] = digit;
	desc.platform = xcalloc(1, sizeof(*desc.platform));
	desc.platform->os = xstrdup("linux");
	desc.platform->architecture = xstrdup("arm");
	strv_add(&desc.platform->features, "neon");
	json_map_set(&desc.annotations, "a", "b\n");
	return desc;
}

static void test_index_members(void **state)
{
	struct oci_index index = { 0 };
	struct oci_descriptor desc, copy;
	struct err err = ERR_INIT;

	for (int i = 0; i < 3; i++) {
		desc = member((char)('1' + i), DOCKER_MEDIA_MANIFEST);
		struct oci_descriptor *at = oci_index_put(&index, &desc);

		assert_ptr_equal(at, &index.manifests.items[i]);
		assert_null(desc.digest);
	}
	desc = member('2', OCI_MEDIA_MANIFEST);
	assert_int_equal(oci_descriptor_copy(&desc, &copy, &err), 0);
	assert_string_equal(copy.platform->features[0], "neon");
	assert_string_equal(json_map_get(&copy.annotations, "a"), "b\n");
	assert_true(copy.digest != desc.digest && copy.platform != desc.platform);
	/* in the place of the one with its digest */
	struct oci_descriptor *at = oci_index_put(&index, &copy);
	assert_ptr_equal(at, &index.manifests.items[1]);
	assert_int_equal(index.manifests.n, 3);
	assert_string_equal(index.manifests.items[1].media_type, OCI_MEDIA_MANIFEST);
	assert_true(oci_index_remove(&index, desc.digest));
	assert_false(oci_index_remove(&index, desc.digest));
	assert_null(oci_index_find(&index, desc.digest));
	assert_int_equal(index.manifests.n, 2);
	assert_int_equal(index.manifests.items[1].size, '3');
	oci_descriptor_done(&desc);
	/* annotations are OCI's */
	oci_index_choose_type(&index);
	assert_string_equal(index.media_type, OCI_MEDIA_INDEX);
	for (size_t i = 0; i < 2; i++)
		json_map_done(&index.manifests.items[i].annotations);
	oci_index_choose_type(&index);
	assert_string_equal(index.media_type, DOCKER_MEDIA_INDEX);
	json_map_set(&index.annotations, "a", "b");
	oci_index_choose_type(&index);
	assert_string_equal(index.media_type, OCI_MEDIA_INDEX);
	oci_index_done(&index);
	oci_index_choose_type(&index);
	assert_string_equal(index.media_type, OCI_MEDIA_INDEX);
	oci_index_done(&index);
}

static void test_is_index(void **state)
{
	static const char index[] = "{\"schemaVersion\":2,\"manifests\":[]}";

	assert_true(oci_is_index(OCI_MEDIA_INDEX, "", 0));
	assert_false(oci_is_index(DOCKER_MEDIA_MANIFEST, index, strlen(index)));
	assert_true(oci_is_index("text/plain", index, strlen(index)));
	assert_true(oci_is_index(NULL, index, strlen(index)));
	assert_false(oci_is_index(NULL, "{}", 2));
}

static void test_media_kinds(void **state)
{
	assert_int_equal(oci_media_kind(OCI_MEDIA_INDEX), OCI_IS_INDEX);
	assert_int_equal(oci_media_kind(DOCKER_MEDIA_INDEX), OCI_IS_INDEX);
	assert_int_equal(oci_media_kind(DOCKER_MEDIA_MANIFEST), OCI_IS_MANIFEST);
	assert_int_equal(oci_media_kind(OCI_MEDIA_LAYER_ZSTD), OCI_IS_LAYER);
	assert_int_equal(oci_media_kind(OCI_MEDIA_FOREIGN_ZSTD), OCI_IS_FOREIGN);
	assert_int_equal(oci_media_kind(DOCKER_MEDIA_FOREIGN_GZIP), OCI_IS_FOREIGN);
	assert_int_equal(oci_media_kind("application/json"), OCI_MEDIA_UNKNOWN);
	assert_int_equal(oci_media_kind(NULL), OCI_MEDIA_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_execution_parameters),
		cmocka_unit_test(test_cve_2026_57231_env_is_never_looked_up),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_cve_2021_41190_two_faces),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_platform),
		cmocka_unit_test(test_index_members),
		cmocka_unit_test(test_is_index),
		cmocka_unit_test(test_media_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
