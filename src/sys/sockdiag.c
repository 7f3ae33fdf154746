/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sockdiag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

bool sockdiag_has(const struct sockdiag_ports *ports, uint16_t port)
{
	return ports->bits[port / 8] & 1U << port % 8;
}

static int take_socket(const char *body, size_t len, void *to)
{
	struct sockdiag_ports *ports = to;
	struct inet_diag_msg m;
	uint16_t port;

	if (len < sizeof(m))
		return -EPROTO;
	memcpy(&m, body, sizeof(m));
	port = ntohs(m.id.idiag_sport);
	if (m.idiag_state == TCP_LISTEN)
		ports->bits[port / 8] |= (uint8_t)(1U << port % 8);
	return 0;
}

static struct netlink_answers answers(struct sockdiag_ports *to)
{
	return (
	    struct netlink_answers){ .type = SOCK_DIAG_BY_FAMILY, .each = take_socket, .to = to };
}

int sockdiag_parse(const void *data, size_t len, struct sockdiag_ports *ret)
{
	struct netlink_answers a = answers(ret);

	return netlink_answers_parse(NULL, data, len, &a);
}

static int list(int sock, uint8_t family, struct sockdiag_ports *ret, struct err *err)
{
	const struct inet_diag_req_v2 head = { .sdiag_family = family,
					       .sdiag_protocol = IPPROTO_TCP,
					       .idiag_states = 1U << TCP_LISTEN };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	struct netlink_answers a = answers(ret);
	int r;

	nlbuf_begin(&q, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &head, sizeof(head));
	nlbuf_what(&q, "listing sockets that listen");
	r = netlink_talk(sock, &q, &a);
	return r < 0 ? netlink_fail(&q, &a, r, err) : 0;
}

int sockdiag_listening(int sock, struct sockdiag_ports *ret, struct err *err)
{
	int r;

	*ret = (struct sockdiag_ports){ .bits = { 0 } };
	r = list(sock, AF_INET, ret, err);
	return r < 0 ? r : list(sock, AF_INET6, ret, err);
}
