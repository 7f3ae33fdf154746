/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the kernel to requests: trusted, but with lengths inside of lengths. */
#include "sys/netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(const char *body, size_t len, void *to)
{
	for (size_t i = 0; i < len; i++)
		*(char *)to ^= body[i]; /* all of it can be read */
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nlbuf q = { .seq = 3, .last = 3, .whole = true };
	char sum = 0;
	struct netlink_answers a = { .type = 16, .each = take, .to = &sum };

	netlink_answers_parse(&q, data, size, &a);
	if (a.error > 0 || strlen(a.text) >= sizeof(a.text))
		abort();
	return 0;
}
