/* SPDX-License-Identifier: Apache-2.0 */
/* Files of settings: base/ini.h and engine/config.h. */
#include "base/str.h"
#include "engine/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config = { 0 };
	struct err err = ERR_INIT;

	/* a second file meets what the first has set */
	int r = config_add(&config, (const char *)data, size, "first", &err);
	if (r == 0)
		r = config_add(&config, (const char *)data, size, "second", &err);
	if (r < 0 && !*err.msg)
		abort();
	config_finish(&config);
	for (size_t i = 0; i < config.values.n; i++) {
		const struct config_value *v = &config.values.items[i];

		if (config_check_name(v->name, &err) < 0)
			abort();
	}
	for (size_t i = 0; i < config.registries.n; i++) {
		const char *name = config.registries.items[i].name;
		const struct config_registry *found = config_registry_find(&config, name);

		if (name[0] != '*' && (!found || !str_eq(found->name, name)))
			abort();
	}
	config_done(&config);
	return 0;
}
