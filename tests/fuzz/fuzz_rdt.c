/* SPDX-License-Identifier: Apache-2.0 */
/* A schemata file against lines of a configuration: the input is both, apart at a NUL. */
#include "runtime/rdt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xcalloc(1, size + 2);
	const char *wanted;

	memcpy(text, data, size);
	wanted = text + strlen(text) + (strlen(text) < size);
	rdt_schema_matches(text, wanted);
	free(rdt_find((const char *)data, size));
	free(text);
	return 0;
}
