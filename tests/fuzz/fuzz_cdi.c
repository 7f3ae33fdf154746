/* SPDX-License-Identifier: Apache-2.0 */
/* Specifications of devices: what is taken has kinds and names that lead nowhere else. */
#include "base/str.h"
#include "base/strv.h"
#include "engine/cdi_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cdi_spec *s)
{
	struct spec_hooks none = { 0 };

	for (size_t i = 0; i < s->devices.n; i++) {
		cleanup_free char *name = xasprintf("%s=%s", s->kind, s->devices.items[i].name);
		size_t len;

		if (!cdi_name_parse(name, &len) || len != strlen(s->kind))
			abort();
	}
	for (size_t i = 0; i < s->edits.hooks.n; i++)
		if (!cdi_hooks_of(&none, s->edits.hooks.items[i].hook_name))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *word = xstrndup((const char *)data, size < 256 ? size : 256);
	cleanup_cdi_spec struct cdi_spec spec = { 0 };
	cleanup_strv char **names = NULL;
	size_t len;

	if (cdi_spec_parse((const char *)data, size, "fuzz", &spec, NULL) == 0)
		check(&spec);
	if (gpus_parse(word, &names, NULL) == 0)
		for (size_t i = 0; names && names[i]; i++)
			if (!cdi_name_parse(names[i], &len))
				abort();
	return 0;
}
