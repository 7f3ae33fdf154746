/* SPDX-License-Identifier: Apache-2.0 */
/* What a container writes to its notification socket; and the address of systemd's. */
#include "runtime/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same answer found in another way. */
static bool has_ready_line(const char *text)
{
	const char *at = text;

	while ((at = strstr(at, "READY=1"))) {
		if ((at == text || at[-1] == '\n') && (at[7] == '\n' || at[7] == '\0'))
			return true;
		at++;
	}
	return false;
}

static void check_message(const char *text, size_t len)
{
	size_t shown = strlen(text);
	bool valid = shown <= NOTIFY_BYTES_MAX && len - shown <= 1;

	if (notify_says_ready(text, len) != (valid && has_ready_line(text)))
		abort();
}

static void check_address(const char *name)
{
	struct sockaddr_un addr;
	int len = notify_address(name, &addr);
	size_t fixed = sizeof(addr) - sizeof(addr.sun_path), n;

	if (len < 0)
		return;
	n = (size_t)len - fixed;
	if ((size_t)len > sizeof(addr) || n != strlen(name) + (name[0] == '/'))
		abort();
	if (memcmp(addr.sun_path + 1, name + 1, strlen(name) - 1) != 0 ||
	    addr.sun_path[0] != (name[0] == '/' ? '/' : '\0'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xcalloc(1, size + 1), *exact = xcalloc(1, size ? size : 1);

	memcpy(text, data, size);
	memcpy(exact, data, size);
	check_message(text, size);
	notify_says_ready(exact, size); /* nothing behind it may be read */
	check_address(text);
	free(text);
	free(exact);
	return 0;
}
