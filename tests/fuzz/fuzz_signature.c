/* SPDX-License-Identifier: Apache-2.0 */
/* What signatures say. */
#include "base/str.h"
#include "oci/digest.h"
#include "oci/policy.h"
#include "oci/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int matches[] = { POLICY_MATCH_EXACT, POLICY_MATCH_REPO_DIGEST_OR_EXACT,
				       POLICY_MATCH_REPOSITORY };
	cleanup_signature_payload struct signature_payload payload = { NULL };
	cleanup_reference struct reference ref = { NULL };
	struct err err = ERR_INIT;

	if (signature_payload_parse((const char *)data, size, &payload, &err) < 0) {
		if (!err.msg[0] || payload.digest)
			abort();
		return 0;
	}
	if (!digest_valid(payload.digest) || !payload.reference[0])
		abort();
	cleanup_free char *tag = signature_tag(payload.digest);
	if (strlen(tag) <= 128 && !reference_tag_valid(tag))
		abort();
	if (reference_parse("reg.example:5000/team/app:1", &ref, NULL) < 0)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		const struct policy_identity id = { .match = matches[i] };

		if (policy_identity_fits(&id, &ref, payload.reference) &&
		    !strstr(payload.reference, "/team/app"))
			abort();
	}
	return 0;
}
