/* SPDX-License-Identifier: Apache-2.0 */
/* Image references: both forms of what is accepted read back as the same reference. */
#include "base/str.h"
#include "oci/digest.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	cleanup_reference struct reference ref = { NULL };
	cleanup_free char *full = NULL, *familiar = NULL, *again = NULL, *repo = NULL;
	struct err err = ERR_INIT;

	cleanup_free char *key = reference_registry_key(text);
	cleanup_free char *same = reference_registry_key(key);
	if (strcmp(key, same) != 0)
		abort();
	if (digest_valid(text) && strlen(digest_hex(text)) < 64)
		abort();
	if (reference_parse(text, &ref, &err) < 0) {
		if (!err.msg[0] || ref.path)
			abort();
		return 0;
	}
	full = reference_format(&ref);
	familiar = reference_familiar(&ref);
	if (reference_normalize(familiar, &again, &err) < 0 || strcmp(full, again) != 0)
		abort();
	free(again);
	if (reference_normalize(full, &again, &err) < 0 || strcmp(full, again) != 0)
		abort();
	repo = reference_familiar_repository(&ref);
	if (strstr(full, "/../") || strlen(repo) > REFERENCE_NAME_MAX)
		abort();
	return 0;
}
