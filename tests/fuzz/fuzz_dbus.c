/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a bus: what is read lies inside the message and is text. */
#include "base/strv.h"
#include "sys/dbus_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s, const uint8_t *data, size_t size)
{
	if (s && *s && ((const uint8_t *)s < data || (const uint8_t *)s + strlen(s) >= data + size))
		abort();
}

static void read_body(const struct dbus_msg *m, const uint8_t *data, size_t size)
{
	struct dbus_reader body = m->body;
	const char *type = m->signature, *text;

	while (*type) {
		struct dbus_reader before = body;
		if (*type == 's' && dbus_read_string(&before, &text) == 0)
			check_text(text, data, size);
		if (dbus_read_skip(&body, type, &type) < 0)
			return;
		if (body.pos > body.len)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dbus_msg m;
	size_t wanted;

	if (size >= DBUS_HEADER_MIN && dbus_msg_size(data, &wanted) == 0 &&
	    (wanted < DBUS_HEADER_MIN || wanted > DBUS_MESSAGE_MAX))
		abort();
	if (dbus_msg_parse(data, size, &m) == 0) {
		const char *const texts[] = { m.path,        m.interface, m.member,   m.error_name,
					      m.destination, m.sender,    m.signature };
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			check_text(texts[i], data, size);
		read_body(&m, data, size);
	}

	cleanup_free char *address = xstrndup((const char *)data, size);
	cleanup_strv char **paths = NULL;
	if (dbus_address_paths(address, &paths, NULL) == 0)
		for (char **p = paths; p && *p; p++)
			if (**p != '/')
				abort();
	return 0;
}
