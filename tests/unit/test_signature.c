/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "oci/signature.h"
#include "unit.h"

#define DIGEST "sha256:0123456789012345678901234567890123456789012345678901234567890123"
#define PAYLOAD(type, digest, reference, more)                                                     \
	"{\"critical\":{\"identity\":{\"docker-reference\":\"" reference                           \
	"\"},\"image\":{\"docker-manifest-digest\":\"" digest "\"},\"type\":\"" type "\"" more
#define COSIGN "cosign container image signature"

static void test_payload(void **state)
{
	static const char *const texts[] = {
		PAYLOAD(COSIGN, DIGEST, "a.b/c", "}}"),
		PAYLOAD(COSIGN, DIGEST, "a.b/c", "},\"optional\":null}"),
		PAYLOAD(COSIGN, DIGEST, "a.b/c", "},\"optional\":{\"creator\":\"x\",\"a\":[1]}}"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_signature_payload struct signature_payload payload = { NULL };
		struct err err = ERR_INIT;

		assert_ok(signature_payload_parse(texts[i], strlen(texts[i]), &payload, &err));
		assert_string_equal(payload.digest, DIGEST);
		assert_string_equal(payload.reference, "a.b/c");
		cleanup_free char *tag = signature_tag(payload.digest);
		assert_string_equal(tag, "sha256-"
					 "012345678901234567890123456789012345678901234567"
					 "8901234567890123.sig");
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "", "line 1" },
		{ "[]", "expected an object" },
		{ "{}", "critical: missing" },
		{ "{\"critical\":{}}", "critical.type: missing" },
		{ PAYLOAD("atomic container signature", DIGEST, "a.b/c", "}}"),
		  "critical.type: expected one of" },
		{ PAYLOAD(COSIGN, "sha256:12", "a.b/c", "}}"), "expected a digest" },
		{ PAYLOAD(COSIGN, "../x", "a.b/c", "}}"), "expected a digest" },
		{ PAYLOAD(COSIGN, DIGEST, "", "}}"), "docker-reference: expected a string that" },
		{ PAYLOAD(COSIGN, DIGEST, "a.b/c", ",\"expires\":1}}"),
		  "critical: unknown member \"expires\"" },
		{ PAYLOAD(COSIGN, DIGEST, "a.b/c", "},\"critical2\":1}"),
		  "unknown member \"critical2\"" },
		{ PAYLOAD(COSIGN, DIGEST, "a.b/c\",\"x\":\"", "}}"), "unknown member \"x\"" },
		{ PAYLOAD(COSIGN, DIGEST, "a.b/c\",\"docker-reference\":\"a.b/d", "}}"), "twice" },
		{ PAYLOAD(COSIGN, DIGEST, "a.b/c", "}} x"), "line 1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct signature_payload payload = { NULL };
		struct err err = ERR_INIT;

		if (signature_payload_parse(rows[i].text, strlen(rows[i].text), &payload, &err) >=
		    0)
			fail_msg("accepted: %s", rows[i].text);
		if (!strstr(err.msg, rows[i].message))
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_null(payload.digest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
