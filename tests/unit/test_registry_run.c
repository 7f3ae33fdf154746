/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's side of inro-registry: certificates of a directory, and answers, which are hostile.
 */
#include "unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "image/registry_run.h"
#include "image/registry_tls.h"

/* ---- certificates ---- */

static int make_dir(void **state)
{
	static char path[] = "/tmp/inro-certs-XXXXXX";

	snprintf(path, sizeof(path), "/tmp/inro-certs-XXXXXX");
	*state = mkdtemp(path);
	return *state ? 0 : -1;
}

static int remove_dir(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = path_remove_tree(tmp, (char *)*state + strlen("/tmp/"), NULL);

	close(tmp);
	return r;
}

static void put(void **state, const char *name, const char *text)
{
	cleanup_fd int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(io_replace_file(dir, name, text, strlen(text), 0600, false, NULL), 0);
}

static void test_certificates(void **state)
{
	struct registry_tls tls = { NULL };
	struct err err = ERR_INIT;

	put(state, "b.crt", "B");
	put(state, "a.crt", "A\n");
	put(state, "note.txt", "x");
	put(state, "z.cert", "Z");
	put(state, "z.key", "ZK");
	put(state, "c.cert", "C");
	put(state, "c.key", "CK");
	assert_int_equal(registry_tls_read(*state, &tls, &err), 0);
	assert_string_equal(tls.ca, "A\nB\n");
	assert_string_equal(tls.cert, "C\n");
	assert_string_equal(tls.key, "CK\n");
	json_free(&registry_tls_desc, &tls);
}

static void test_certificate_without_its_key(void **state)
{
	struct registry_tls tls = { NULL };
	struct err err = ERR_INIT;

	put(state, "a.cert", "A");
	assert_int_equal(registry_tls_read(*state, &tls, &err), -ENOENT);
	assert_string_equal(err.hint, "a client certificate NAME.cert needs its NAME.key");
	assert_null(tls.cert);
	cleanup_free char *none = xasprintf("%s/none", (char *)*state);
	assert_int_equal(registry_tls_read(none, &tls, &err), 0);
	assert_null(tls.ca);
}

/* ---- answers ---- */

struct peer {
	struct registry_conn conn;
	int theirs;
};

static int make_peer(void **state)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	int pair[2];

	p->conn = (struct registry_conn)REGISTRY_CONN_INIT;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	p->conn.fd = pair[0];
	p->theirs = pair[1];
	*state = p;
	return 0;
}

static int remove_peer(void **state)
{
	struct peer *p = *state;

	registry_stop(&p->conn);
	fd_close(p->theirs);
	free(p);
	return 0;
}

static void say(struct peer *p, const char *text)
{
	assert_int_equal(send(p->theirs, text, strlen(text), 0), strlen(text));
}

static void test_request(void **state)
{
	struct peer *p = *state;
	char url[] = "https://r", text[1000];
	struct registry_endpoint ep = { .url = url };
	struct registry_request req = { .op = REGISTRY_PING, .endpoints = { &ep, 1 } }, got = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(registry_send(&p->conn, &req, -1, &err), 0);
	ssize_t n = recv(p->theirs, text, sizeof(text), 0);
	assert_int_equal(json_parse(&registry_request_desc, &got, text, (size_t)n, "x", &err), 0);
	assert_true(got.id == req.id && got.id > 0 && got.op == REGISTRY_PING);
	assert_string_equal(got.endpoints.items[0].url, url);
	json_free(&registry_request_desc, &got);
}

static void test_answers(void **state)
{
	struct peer *p = *state;
	struct registry_answer a = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(registry_next(&p->conn, 0, &a, &err), 0);
	say(p, "{\"id\":7,\"ok\":true,\"digest\":\"a\\u001bb\",\"size\":5,\"exists\":true}");
	assert_int_equal(registry_next(&p->conn, -1, &a, &err), 1);
	assert_true(a.id == 7 && a.ok && a.exists && a.size == 5);
	assert_string_equal(a.digest, "a?b");
	registry_answer_done(&a);
	say(p, "{\"id\":8,\"ok\":false,\"error\":{\"kind\":\"not-found\",\"errno\":2,"
	       "\"message\":\"no %s\\n\",\"hint\":\"%n\"}}");
	assert_int_equal(registry_next(&p->conn, 1000, &a, &err), 1);
	assert_int_equal(registry_answer_error(&a, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "no %s?");
	assert_string_equal(err.hint, "%n");
	registry_answer_done(&a);
	say(p, "{\"id\":9,\"ok\":false,\"error\":{\"errno\":-7}}");
	assert_int_equal(registry_next(&p->conn, 1000, &a, &err), 1);
	assert_true(registry_answer_error(&a, &err) < 0);
	registry_answer_done(&a);
	say(p, "{\"id\":1");
	assert_true(registry_next(&p->conn, 1000, &a, &err) < 0);
	p->theirs = fd_close(p->theirs);
	assert_int_equal(registry_next(&p->conn, 1000, &a, &err), -EPIPE);
}

/* An fd in an answer is not wanted, and does not stay open. */
static void test_fd_in_an_answer(void **state)
{
	struct peer *p = *state;
	struct registry_answer a = { 0 };
	struct err err = ERR_INIT;
	int pair[2];
	char c;

	assert_return_code(pipe2(pair, O_CLOEXEC), errno);
	assert_int_equal(fd_send(p->theirs, "{}", 2, &pair[1], 1), 2);
	close(pair[1]);
	assert_true(registry_next(&p->conn, 1000, &a, &err) < 0);
	assert_int_equal(read(pair[0], &c, 1), 0);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_certificates, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_certificate_without_its_key, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(test_request, make_peer, remove_peer),
		cmocka_unit_test_setup_teardown(test_answers, make_peer, remove_peer),
		cmocka_unit_test_setup_teardown(test_fd_in_an_answer, make_peer, remove_peer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
