/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the kernel to requests: trusted, but with lengths inside of lengths. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/conntrack.h"
#include "sys/sockdiag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(const char *body, size_t len, void *to)
{
	for (size_t i = 0; i < len; i++)
		*(char *)to ^= body[i]; /* all of it can be read */
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t addr[4] = { 127, 0, 0, 12 };
	const struct conntrack_port ports[] = {
		{ .family = AF_INET, .proto = IPPROTO_UDP, .port = 7001, .to = addr },
		{ .family = AF_INET, .proto = IPPROTO_UDP, .by = addr },
	};
	const struct conntrack_ports both = { ports, 2 }, one = { ports, 1 };
	struct nlbuf flows = NLBUF_INIT;
	const struct nlbuf q = { .seq = 3, .last = 3, .whole = true };
	struct sockdiag_ports heard = { .bits = { 0 } };
	uint32_t count = 0;
	char sum = 0;
	struct netlink_answers a = { .type = 16, .each = take, .to = &sum };

	netlink_answers_parse(&q, data, size, &a);
	if (a.error > 0 || strlen(a.text) >= sizeof(a.text))
		abort();

	conntrack_parse(data, size, &one, &flows);
	if ((flows.seq == 0) != (flows.buf.len == 0))
		abort();
	conntrack_parse(data, size, &both, &flows);
	nlbuf_done(&flows);
	conntrack_parse_count(data, size, &count);
	sockdiag_parse(data, size, &heard);
	return 0;
}
