/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "sys/conntrack.h"
#include "sys/sockdiag.h"

/* A request of three messages, of which the last one is answered. */
static struct nlbuf request(void)
{
	struct nlbuf q = NLBUF_INIT;

	nlbuf_begin(&q, RTM_NEWLINK, 0, "", 0);
	nlbuf_what(&q, "making it");
	nlbuf_begin(&q, RTM_NEWADDR, NLM_F_EXCL, "", 0);
	nlbuf_begin(&q, RTM_NEWROUTE, NLM_F_ACK, "", 0);
	nlbuf_what(&q, "finding the way");
	return q;
}

static void put_error(struct nlbuf *to, uint32_t seq, int error, const char *text)
{
	const struct nlmsgerr e = { .error = error, .msg = { .nlmsg_len = sizeof(e.msg) } };

	to->seq = seq - 1;
	nlbuf_begin(to, NLMSG_ERROR, text ? NLM_F_ACK_TLVS | NLM_F_CAPPED : NLM_F_CAPPED, &e,
		    sizeof(e));
	if (text)
		nlbuf_attr_str(to, NLMSGERR_ATTR_MSG, text);
}

static int parse(const struct nlbuf *q, const struct nlbuf *answer, struct netlink_answers *a)
{
	return netlink_answers_parse(q, answer->buf.data, answer->buf.len, a);
}

static void test_until_the_last_answer(void **state)
{
	cleanup_nlbuf struct nlbuf q = request(), one = NLBUF_INIT, two = NLBUF_INIT;
	struct netlink_answers a = { .each = NULL };

	(void)state;
	put_error(&one, 1, 0, NULL);
	assert_int_equal(parse(&q, &one, &a), 0);
	put_error(&two, 3, 0, NULL);
	assert_int_equal(parse(&q, &two, &a), 1);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.seq, 0);
}

/* The first error counts, also when the last message is done. */
static void test_the_first_error(void **state)
{
	cleanup_nlbuf struct nlbuf q = request(), one = NLBUF_INIT, two = NLBUF_INIT;
	struct netlink_answers a = { .each = NULL };
	struct err err = ERR_INIT;

	(void)state;
	put_error(&one, 2, -EADDRINUSE, "IPv4: taken");
	put_error(&one, 3, 0, NULL);
	assert_int_equal(parse(&q, &one, &a), -EADDRINUSE);
	assert_int_equal(a.seq, 2);
	/* without a name of its own: the one before */
	assert_int_equal(netlink_fail(&q, &a, -EADDRINUSE, &err), -EADDRINUSE);
	assert_string_equal(err.msg, "making it (IPv4: taken): Address already in use");

	a = (struct netlink_answers){ .each = NULL };
	put_error(&two, 1, -EPERM, NULL);
	put_error(&two, 3, -ENODEV, "later");
	assert_int_equal(parse(&q, &two, &a), -EPERM);
	netlink_fail(&q, &a, -EPERM, &err);
	assert_string_equal(err.msg, "making it: Operation not permitted");
}

static void test_the_last_message_fails(void **state)
{
	cleanup_nlbuf struct nlbuf q = request(), one = NLBUF_INIT;
	struct netlink_answers a = { .each = NULL };
	struct err err = ERR_INIT;

	(void)state;
	put_error(&one, 3, -ENETUNREACH, "Nexthop has invalid gateway");
	assert_int_equal(parse(&q, &one, &a), -ENETUNREACH);
	netlink_fail(&q, &a, -ENETUNREACH, &err);
	assert_string_equal(
	    err.msg, "finding the way (Nexthop has invalid gateway): Network is unreachable");
}

/* A batch of nfnetlink's that is refused as a whole has one answer, to its beginning. */
static void test_whole_batch(void **state)
{
	cleanup_nlbuf struct nlbuf q = request(), one = NLBUF_INIT;
	struct netlink_answers a = { .each = NULL }, b = { .each = NULL };

	(void)state;
	put_error(&one, 1, -EPERM, NULL);
	assert_int_equal(parse(&q, &one, &a), 0); /* of others the rest is done */
	q.whole = true;
	assert_int_equal(parse(&q, &one, &b), -EPERM);
}

/* Without NETLINK_CAP_ACK the request stands between the error and its text. */
static void test_text_behind_the_request(void **state)
{
	struct {
		struct nlmsgerr e;
		char rest[8];
	} body = { .e = { .error = -EINVAL, .msg = { .nlmsg_len = sizeof(struct nlmsghdr) + 6 } } };
	cleanup_nlbuf struct nlbuf q = request(), one = { .seq = 2 };
	struct netlink_answers a = { .each = NULL };

	(void)state;
	nlbuf_begin(&one, NLMSG_ERROR, NLM_F_ACK_TLVS, &body, sizeof(body));
	nlbuf_attr_str(&one, NLMSGERR_ATTR_MSG, "no");
	assert_int_equal(parse(&q, &one, &a), -EINVAL);
	assert_string_equal(a.text, "no");
}

static int count(const char *body, size_t len, void *to)
{
	assert_memory_equal(body, "body", len);
	return ++*(int *)to == 3 ? -E2BIG : 0;
}

static void test_listing(void **state)
{
	cleanup_nlbuf struct nlbuf some = NLBUF_INIT, rest = NLBUF_INIT;
	int n = 0, error = -EINTR;
	struct netlink_answers a = { .type = RTM_NEWADDR, .each = count, .to = &n };

	(void)state;
	nlbuf_begin(&some, RTM_NEWADDR, 0, "body", 4);
	nlbuf_begin(&some, RTM_NEWLINK, 0, "other", 5);
	nlbuf_begin(&some, RTM_NEWADDR, NLM_F_DUMP_INTR, "body", 4);
	assert_int_equal(parse(NULL, &some, &a), 0);
	assert_int_equal(n, 2);
	assert_true(a.disturbed);
	assert_int_equal(parse(NULL, &some, &a), -E2BIG);

	a.error = 0;
	nlbuf_begin(&rest, NLMSG_DONE, 0, "\0\0\0", 4);
	assert_int_equal(parse(NULL, &rest, &a), 1);
	/* the kernel may give up on the way */
	nlbuf_done(&rest);
	nlbuf_begin(&rest, NLMSG_DONE, 0, &error, sizeof(error));
	assert_int_equal(parse(NULL, &rest, &a), -EINTR);
}

static void test_wrong_errors(void **state)
{
	static const int wrong[] = { 1, 7, -4096, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cleanup_nlbuf struct nlbuf q = request(), one = NLBUF_INIT;
		struct netlink_answers a = { .each = NULL };

		put_error(&one, 3, wrong[i], NULL);
		assert_int_equal(parse(&q, &one, &a), -EPROTO);
	}
}

static void test_wrong_lengths(void **state)
{
	cleanup_nlbuf struct nlbuf q = request(), one = NLBUF_INIT;
	struct nlmsghdr hdr;

	(void)state;
	put_error(&one, 3, -EINVAL, "no");
	for (size_t len = 0; len < one.buf.len; len++) {
		struct netlink_answers a = { .each = NULL };
		cleanup_free char *cut = xmalloc(len + 1);

		memcpy(cut, one.buf.data, len);
		assert_int_equal(netlink_answers_parse(&q, cut, len, &a),
				 len < sizeof(hdr) ? 0 : -EPROTO);
	}
	/* shorter than its own head, and than an error */
	for (uint32_t len = 0; len < sizeof(hdr) + sizeof(int); len++) {
		struct netlink_answers a = { .each = NULL };

		memcpy(one.buf.data, &len, sizeof(len));
		assert_int_equal(parse(&q, &one, &a), -EPROTO);
	}
}

static void put_flow(struct nlbuf *to, uint8_t proto, uint8_t last, uint16_t port)
{
	const uint8_t addr[4] = { 10, 89, 0, last }, led[4] = { 10, 89, 1, last },
		      port_be[2] = { (uint8_t)(port >> 8), (uint8_t)port };
	const struct nfgenmsg head = { .nfgen_family = AF_INET };
	size_t tuple, part;

	nlbuf_begin(to, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, 0, &head, sizeof(head));
	tuple = nlbuf_nest(to, CTA_TUPLE_ORIG);
	part = nlbuf_nest(to, CTA_TUPLE_IP);
	nlbuf_attr(to, CTA_IP_V4_DST, addr, sizeof(addr));
	nlbuf_unnest(to, part);
	part = nlbuf_nest(to, CTA_TUPLE_PROTO);
	nlbuf_attr_u8(to, CTA_PROTO_NUM, proto);
	nlbuf_attr(to, CTA_PROTO_DST_PORT, port_be, sizeof(port_be));
	nlbuf_unnest(to, part);
	nlbuf_unnest(to, tuple);
	/* who answers: led there by a rule */
	tuple = nlbuf_nest(to, CTA_TUPLE_REPLY);
	part = nlbuf_nest(to, CTA_TUPLE_IP);
	nlbuf_attr(to, CTA_IP_V4_SRC, led, sizeof(led));
	nlbuf_unnest(to, part);
	nlbuf_unnest(to, tuple);
}

static uint32_t meant(const struct nlbuf *list, const struct conntrack_port *p)
{
	cleanup_nlbuf struct nlbuf out = NLBUF_INIT;

	assert_int_equal(
	    conntrack_parse(list->buf.data, list->buf.len, &(struct conntrack_ports){ p, 1 }, &out),
	    0);
	return out.seq;
}

/* Which flows of a listing are to be forgotten. */
static void test_flows(void **state)
{
	static const uint8_t seven[4] = { 10, 89, 0, 7 }, led[4] = { 10, 89, 1, 7 };
	struct conntrack_port p = { .family = AF_INET, .proto = IPPROTO_UDP, .port = 8080 };
	cleanup_nlbuf struct nlbuf list = NLBUF_INIT;

	(void)state;
	put_flow(&list, IPPROTO_UDP, 7, 8080);
	put_flow(&list, IPPROTO_UDP, 8, 8080);
	put_flow(&list, IPPROTO_UDP, 7, 8081);
	put_flow(&list, IPPROTO_TCP, 7, 8080);
	assert_int_equal(meant(&list, &p), 2);
	p.to = seven;
	assert_int_equal(meant(&list, &p), 1);
	p.family = AF_INET6;
	assert_int_equal(meant(&list, &p), 0);
	p = (struct conntrack_port){ .family = AF_INET, .proto = IPPROTO_UDP, .by = led };
	assert_int_equal(meant(&list, &p), 2); /* any port */
	p.port = 8081;
	assert_int_equal(meant(&list, &p), 1);
	p.by = seven;
	assert_int_equal(meant(&list, &p), 0);
}

/* Each flow once, whoever means it. */
static void test_flows_of_several(void **state)
{
	static const uint8_t led[2][4] = { { 10, 89, 1, 7 }, { 10, 89, 1, 8 } };
	const struct conntrack_port p[] = {
		{ .family = AF_INET6, .proto = IPPROTO_UDP },
		{ .family = AF_INET, .proto = IPPROTO_UDP, .by = led[0] },
		{ .family = AF_INET, .proto = IPPROTO_UDP, .by = led[1] },
		{ .family = AF_INET, .proto = IPPROTO_UDP, .port = 8080 },
	};
	cleanup_nlbuf struct nlbuf list = NLBUF_INIT;

	(void)state;
	put_flow(&list, IPPROTO_UDP, 7, 8080);
	put_flow(&list, IPPROTO_UDP, 8, 8080);
	put_flow(&list, IPPROTO_UDP, 9, 8080);
	put_flow(&list, IPPROTO_UDP, 9, 8081);
	for (size_t n = 0; n <= ARRAY_SIZE(p); n++) {
		static const uint32_t expected[] = { 0, 0, 1, 2, 3 };
		const struct conntrack_ports ports = { p, n };
		cleanup_nlbuf struct nlbuf out = NLBUF_INIT;

		assert_int_equal(conntrack_parse(list.buf.data, list.buf.len, &ports, &out), 0);
		assert_int_equal(out.seq, expected[n]);
	}
}

static void test_count_of_flows(void **state)
{
	const struct nfgenmsg head = { .nfgen_family = AF_UNSPEC };
	const uint16_t type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS;
	cleanup_nlbuf struct nlbuf answer = NLBUF_INIT;
	uint32_t n = 1;

	(void)state;
	nlbuf_begin(&answer, type, 0, &head, sizeof(head));
	nlbuf_attr(&answer, CTA_STATS_GLOBAL_ENTRIES, "x", 1); /* too short to be it */
	assert_int_equal(conntrack_parse_count(answer.buf.data, answer.buf.len, &n), 0);
	assert_int_equal(n, 1);
	nlbuf_attr_be32(&answer, CTA_STATS_GLOBAL_ENTRIES, 70000);
	assert_int_equal(conntrack_parse_count(answer.buf.data, answer.buf.len, &n), 0);
	assert_int_equal(n, 70000);
	nlbuf_begin(&answer, type, 0, &head, 0); /* too short for its head */
	assert_int_equal(conntrack_parse_count(answer.buf.data, answer.buf.len, &n), -EPROTO);
}

static void put_socket(struct nlbuf *to, uint8_t state, uint16_t port)
{
	const struct inet_diag_msg m = { .idiag_family = AF_INET6,
					 .idiag_state = state,
					 .id = { .idiag_sport = htons(port) } };

	nlbuf_begin(to, SOCK_DIAG_BY_FAMILY, 0, &m, sizeof(m));
}

static void test_listening(void **state)
{
	cleanup_nlbuf struct nlbuf answer = NLBUF_INIT;
	struct sockdiag_ports heard = { .bits = { 0 } };

	(void)state;
	put_socket(&answer, TCP_LISTEN, 80);
	put_socket(&answer, TCP_LISTEN, 65535);
	put_socket(&answer, TCP_ESTABLISHED, 81);
	assert_int_equal(sockdiag_parse(answer.buf.data, answer.buf.len, &heard), 0);
	for (uint32_t port = 0; port <= UINT16_MAX; port++)
		assert_int_equal(sockdiag_has(&heard, (uint16_t)port), port == 80 || port == 65535);
	/* too short to be one */
	nlbuf_begin(&answer, SOCK_DIAG_BY_FAMILY, 0, &heard, sizeof(struct inet_diag_msg) - 4);
	assert_int_equal(sockdiag_parse(answer.buf.data, answer.buf.len, &heard), -EPROTO);
}

/* Of this process, in the kernel's words: both families, and only while it listens. */
static void test_kernel_says_who_listens(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in6 at = { .sin6_family = i ? AF_INET6 : AF_INET };
		socklen_t len = i ? sizeof(at) : sizeof(struct sockaddr_in);
		cleanup_fd int fd = socket(at.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		struct err err = ERR_INIT;
		cleanup_fd int sock = netlink_open(NETLINK_SOCK_DIAG, &err);
		struct sockdiag_ports heard;

		assert_ok(sock);
		assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
		assert_ok(sockdiag_listening(sock, &heard, &err));
		assert_false(sockdiag_has(&heard, ntohs(at.sin6_port)));
		assert_int_equal(listen(fd, 1), 0);
		assert_ok(sockdiag_listening(sock, &heard, &err));
		assert_true(sockdiag_has(&heard, ntohs(at.sin6_port)));
	}
}

/* The kernel's own answers. */
static void test_kernel(void **state)
{
	const struct ifinfomsg none = { .ifi_index = INT32_MAX };
	cleanup_nlbuf struct nlbuf q = NLBUF_INIT;
	struct err err = ERR_INIT;
	int sock = netlink_open(NETLINK_ROUTE, &err);

	(void)state;
	assert_ok(sock);
	nlbuf_begin(&q, RTM_GETLINK, NLM_F_ACK, &none, sizeof(none));
	nlbuf_what(&q, "looking for it");
	nlbuf_begin(&q, RTM_GETLINK, NLM_F_ACK, &none, sizeof(none));
	assert_int_equal(netlink_batch(sock, &q, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "looking for it"));
	close(sock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_until_the_last_answer),
		cmocka_unit_test(test_the_first_error),
		cmocka_unit_test(test_the_last_message_fails),
		cmocka_unit_test(test_whole_batch),
		cmocka_unit_test(test_text_behind_the_request),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_wrong_errors),
		cmocka_unit_test(test_wrong_lengths),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_flows_of_several),
		cmocka_unit_test(test_count_of_flows),
		cmocka_unit_test(test_listening),
		cmocka_unit_test(test_kernel_says_who_listens),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
