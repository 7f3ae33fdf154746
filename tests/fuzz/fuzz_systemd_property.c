/* SPDX-License-Identifier: Apache-2.0 */
/* Values of annotations, cpusets and unit names: what is accepted is a message that reads back. */
#include "base/str.h"
#include "runtime/systemd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const struct dbus_value *v)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct dbus_reader r;
	const char *rest;

	dbus_put_variant(&b, v);
	r = (struct dbus_reader){ .data = (const unsigned char *)b.data, .len = b.len };
	if (dbus_read_skip(&r, "v", &rest) < 0 || r.pos != r.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	struct json_pair pair = { (char *)(uintptr_t)UNIT_PROPERTY_PREFIX "TimeoutStopSec", text };
	const struct json_map map = { &pair, 1 };
	struct unit_properties props = { 0 };
	struct unit_name name = { 0 };
	struct dbus_value v = { 0 };
	struct err err = ERR_INIT;

	if (unit_property_parse(text, &v, &err) == 0) {
		check_value(&v);
		dbus_value_done(&v);
	} else if (!err.msg[0]) {
		abort();
	}
	if (unit_properties_annotated(&map, &props, &err) == 0 &&
	    (props.n != 1 || props.items[0].value.type != 't'))
		abort();
	unit_properties_done(&props);
	if (unit_cpuset_mask(text, &v) == 0) {
		check_value(&v);
		dbus_value_done(&v);
	}
	if (unit_name_parse(text, "id", false, &name, &err) == 0) {
		if (strlen(name.unit) > 255 || strchr(name.unit, '/') || strstr(name.path, "/../"))
			abort();
		unit_name_done(&name);
	}
	return 0;
}
