/* SPDX-License-Identifier: Apache-2.0 */
/* What registries say: headers, addresses, errors; and which proxy leads to them. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/str.h"
#include "image/registry/auth.h"
#include "image/registry/failure.h"
#include "image/registry/proxy.h"

static void test_challenge(void **state)
{
	struct challenges c = { .n = 0 };

	assert_int_equal(challenges_parse("Bearer realm=\"https://a/t\",service=\"s.io\","
					  "scope=\"repository:x/y:pull,push\"",
					  &c),
			 0);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.items[0].scheme, CHALLENGE_BEARER);
	assert_string_equal(c.items[0].realm, "https://a/t");
	assert_string_equal(c.items[0].service, "s.io");
	assert_string_equal(c.items[0].scope, "repository:x/y:pull,push");
	challenges_done(&c);

	/* several in one header, with what nobody needs between them */
	assert_int_equal(
	    challenges_parse("Negotiate abc==, , basic ReAlM = \"a \\\"b\\\"\" ,charset="
			     "UTF-8, bearer error=insufficient_scope,Digest",
			     &c),
	    0);
	assert_int_equal(c.n, 4);
	assert_int_equal(c.items[0].scheme, CHALLENGE_OTHER);
	assert_null(c.items[0].realm);
	assert_string_equal(challenges_find(&c, CHALLENGE_BASIC)->realm, "a \"b\"");
	assert_string_equal(challenges_find(&c, CHALLENGE_BEARER)->error, "insufficient_scope");
	/* the next header's are added */
	assert_int_equal(challenges_parse("Basic realm=x", &c), 0);
	assert_int_equal(c.n, 5);
	challenges_done(&c);
	assert_int_equal(challenges_parse("", &c), 0);
	assert_int_equal(c.n, 0);
}

static void test_challenge_refused(void **state)
{
	static const char *const bad[] = {
		"Bearer realm=\"x",
		"Bearer realm=\"x\" service=\"y\"",
		"Bearer realm=a, realm=b",
		"Bearer realm=https://a/t",
		"Bearer realm=\"a\x01\"",
		"Bearer realm=\"a\\",
		"=x",
		"\"Bearer\"",
		"A, B, C, D, E, F, G, H, I",
		"Bearer realm=\"a\";x",
		"Basic realm=\"a\" trailing",
		"B\xc3\xa4r realm=x",
	};
	struct challenges c = { .n = 0 };

	assert_int_equal(challenges_parse("Basic realm=kept", &c), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (challenges_parse(bad[i], &c) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(c.n, 1);
	}
	challenges_done(&c);
	cleanup_free char *longer = xcalloc(1, HEADER_VALUE_MAX + 10);
	memset(longer, 'a', HEADER_VALUE_MAX + 1);
	assert_int_equal(challenges_parse(longer, &c), -EINVAL);
}

static void test_content_range(void **state)
{
	static const char *const bad[] = { "",
					   "bytes",
					   "bytes 5-4/10",
					   "bytes 5-10/10",
					   "bytes 5-9",
					   "bytes */*",
					   "bytes -9/10",
					   "bytes 5-/10",
					   "items 5-9/10",
					   "bytes 5-9/10,",
					   "bytes 05-9/10",
					   "bytes +5-9/10",
					   "bytes 0-18446744073709551615/*",
					   "bytes 0-18446744073709551616/*" };
	struct content_range r;

	assert_int_equal(content_range_parse("bytes 5-9/10", &r), 0);
	assert_true(r.has_range && r.has_total);
	assert_true(r.first == 5 && r.last == 9 && r.total == 10);
	assert_int_equal(content_range_parse("Bytes 0-0/*", &r), 0);
	assert_true(r.has_range && !r.has_total);
	assert_int_equal(content_range_parse("bytes */7", &r), 0);
	assert_true(!r.has_range && r.has_total && r.total == 7);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (content_range_parse(bad[i], &r) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

static void test_numbers_of_headers(void **state)
{
	uint64_t n = 99;

	assert_int_equal(upload_range_parse("0-99", &n), 0);
	assert_int_equal(n, 100);
	assert_int_equal(upload_range_parse("bytes=0-1", &n), 0);
	assert_int_equal(n, 2);
	/* docker-registry's way to say that it has nothing */
	assert_int_equal(upload_range_parse("0-0", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(upload_range_parse("1-5", &n), -EINVAL);
	assert_int_equal(upload_range_parse("0-", &n), -EINVAL);
	assert_int_equal(upload_range_parse("", &n), -EINVAL);

	assert_int_equal(retry_after_parse("120", 0, &n), 0);
	assert_int_equal(n, 120);
	assert_int_equal(retry_after_parse("Fri, 13 Feb 2009 23:31:30 GMT", 1234567800, &n), 0);
	assert_int_equal(n, 90);
	assert_int_equal(retry_after_parse("Fri, 13 Feb 2009 23:31:30 GMT", 1300000000, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(retry_after_parse("99999999999", 0, &n), 0);
	assert_int_equal(n, 365 * 86400);
	assert_int_equal(retry_after_parse("-1", 0, &n), -EINVAL);
	assert_int_equal(retry_after_parse("soon", 0, &n), -EINVAL);
	assert_int_equal(retry_after_parse("1.5", 0, &n), -EINVAL);
	assert_int_equal(retry_after_parse("", 0, &n), -EINVAL);
}

static void test_link(void **state)
{
	static const char *const bad[] = { "x", "<x", "<a>; rel=\"next", "<a> rel=next",
					   "<a>; rel=\"next\" b" };
	char *next = NULL;

	assert_int_equal(link_next("</v2/a/tags/list?n=1&last=b,c>; rel=\"next\"", &next), 1);
	assert_string_equal(next, "/v2/a/tags/list?n=1&last=b,c");
	free(next);
	assert_int_equal(link_next("<a>; rel=prev , <b>;title=\"x, <y>\"; REL=Next", &next), 1);
	assert_string_equal(next, "b");
	free(next);
	assert_int_equal(link_next("<a>; rel=\"prev\"", &next), 0);
	assert_int_equal(link_next("<a>; anchor", &next), 0);
	assert_int_equal(link_next("", &next), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (link_next(bad[i], &next) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
}

static void test_media_type(void **state)
{
	cleanup_free char *plain = media_type_parse("application/vnd.oci.image.index.v1+json");
	cleanup_free char *params = media_type_parse(" Text/HTML ; charset=utf-8");

	assert_string_equal(plain, "application/vnd.oci.image.index.v1+json");
	assert_string_equal(params, "text/html");
	assert_null(media_type_parse(""));
	assert_null(media_type_parse("text"));
	assert_null(media_type_parse("text/"));
	assert_null(media_type_parse("/html"));
	assert_null(media_type_parse("text/html x"));
}

static void test_warning(void **state)
{
	static const char *const bad[] = {
		"",          "299",           "299 - text",     "199 - \"x\"",
		"299 - \"x", "299 - \"x\" y", "299 other \"x\""
	};
	cleanup_free char *text = warning_parse("299 - \"Your \\\"token\\\" expires.\"");

	assert_string_equal(text, "Your \"token\" expires.");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (warning_parse(bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

static void test_url(void **state)
{
	static const char *const bad[] = { "",
					   "registry:5000",
					   "ftp://a/",
					   "file:///etc/passwd",
					   "https://",
					   "https://u@a/",
					   "https://u:p@a/",
					   "https://a b/",
					   "https://a\\b/",
					   "https://a\n/",
					   "https://[::1/",
					   "https://a:99999/",
					   "https://b\xc3\xbc.de/" };
	struct url a, b;
	struct err err;

	assert_int_equal(url_parse("HTTPS://Reg.Example:5000/v2/?a=b#frag", &a, &err), 0);
	assert_string_equal(a.host, "reg.example");
	assert_true(a.https && a.port == 5000 && a.port_given);
	assert_null(strchr(a.text, '#'));
	cleanup_free char *shown = url_host_port(&a);
	assert_string_equal(shown, "reg.example:5000");

	assert_int_equal(url_resolve(&a, "/x?y=1", &b, &err), 0);
	assert_true(url_same_origin(&a, &b));
	assert_non_null(strstr(b.text, ":5000/x?y=1"));
	url_done(&b);
	assert_int_equal(url_resolve(&a, "http://reg.example:5000/", &b, &err), 0);
	assert_true(url_same_host(&a, &b) && !url_same_origin(&a, &b));
	url_done(&b);
	assert_int_equal(url_resolve(&a, "//other/x", &b, &err), 0);
	assert_string_equal(b.host, "other");
	assert_true(b.https && b.port == 443 && !b.port_given && !url_same_host(&a, &b));
	url_done(&b);
	url_done(&a);
	assert_int_equal(url_parse("https://[::1]:5000", &a, &err), 0);
	assert_string_equal(a.host, "::1");
	cleanup_free char *six = url_host_port(&a);
	assert_string_equal(six, "[::1]:5000");
	url_done(&a);
	/* one host, however it is written */
	assert_int_equal(url_parse("http://0x7f.1/", &a, &err), 0);
	assert_string_equal(a.host, "127.0.0.1");
	url_done(&a);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (url_parse(bad[i], &a, &err) >= 0)
			fail_msg("accepted: %s", bad[i]);
}

static void test_query(void **state)
{
	cleanup_free char *one = url_add_query("/v2/", "digest", "sha256:ab");
	cleanup_free char *two = url_add_query(one, "x", "a&b=c d+\xc3\xa4");

	assert_string_equal(one, "/v2/?digest=sha256:ab");
	assert_string_equal(two, "/v2/?digest=sha256:ab&x=a%26b%3Dc%20d%2B%C3%A4");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *host;
		enum address_class class;
	} hosts[] = {
		{ "127.0.0.1", ADDRESS_LOOPBACK },
		{ "127.255.0.9", ADDRESS_LOOPBACK },
		{ "::1", ADDRESS_LOOPBACK },
		{ "::ffff:127.0.0.1", ADDRESS_LOOPBACK },
		{ "::127.0.0.1", ADDRESS_LOOPBACK },
		{ "64:ff9b::7f00:1", ADDRESS_LOOPBACK },
		{ "localhost", ADDRESS_LOOPBACK },
		{ "a.localhost", ADDRESS_LOOPBACK },
		{ "169.254.169.254", ADDRESS_LINK_LOCAL },
		{ "100.100.100.200", ADDRESS_LINK_LOCAL },
		{ "168.63.129.16", ADDRESS_LINK_LOCAL },
		{ "fe80::1", ADDRESS_LINK_LOCAL },
		{ "fe80::1%eth0", ADDRESS_LINK_LOCAL },
		{ "fd00:ec2::254", ADDRESS_LINK_LOCAL },
		{ "::ffff:169.254.1.1", ADDRESS_LINK_LOCAL },
		{ "0.0.0.0", ADDRESS_SPECIAL },
		{ "::", ADDRESS_SPECIAL },
		{ "224.0.0.1", ADDRESS_SPECIAL },
		{ "255.255.255.255", ADDRESS_SPECIAL },
		{ "ff02::1", ADDRESS_SPECIAL },
		{ "10.0.0.1", ADDRESS_OTHER },
		{ "128.0.0.1", ADDRESS_OTHER },
		{ "169.253.0.1", ADDRESS_OTHER },
		{ "2001:db8::1", ADDRESS_OTHER },
		{ "reg.example", ADDRESS_OTHER },
		{ "localhost.example", ADDRESS_OTHER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		if (host_class_of(hosts[i].host) != hosts[i].class)
			fail_msg("%s is %d", hosts[i].host, (int)host_class_of(hosts[i].host));
	struct sockaddr_in in = { .sin_family = AF_INET };
	in.sin_addr.s_addr = htonl(0xa9fea9fe);
	assert_int_equal(address_class_of((struct sockaddr *)&in), ADDRESS_LINK_LOCAL);
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	assert_int_equal(address_class_of((struct sockaddr *)&in6), ADDRESS_LOOPBACK);
	struct sockaddr other = { .sa_family = AF_UNIX };
	assert_int_equal(address_class_of(&other), ADDRESS_SPECIAL);
}

static const char *proxy(const char *no_proxy, const char *text)
{
	cleanup_free char *no = xasprintf("no_proxy=%s", no_proxy);
	char plain[] = "http_proxy=plain:1", tls[] = "HTTPS_PROXY=http://tls:2";
	char *env[] = { plain, tls, no, NULL };
	cleanup_url struct url url = { NULL };
	struct err err;

	if (url_parse(text, &url, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	const char *found = proxy_for(env, &url);
	return !found ? "none" : strstr(found, "tls") ? "tls" : "plain";
}

static void test_proxy(void **state)
{
	static const struct {
		const char *no_proxy, *url, *want;
	} cases[] = {
		{ "", "https://reg.example/", "tls" },
		{ "", "http://reg.example/", "plain" },
		{ "", "https://localhost:5000/", "none" },
		{ "", "https://127.0.0.9/", "none" },
		{ "", "https://[::1]/", "none" },
		{ "*", "https://reg.example/", "none" },
		{ "example", "https://reg.example/", "none" },
		{ "reg.example", "https://REG.example/", "none" },
		{ "g.example", "https://reg.example/", "tls" },
		{ ".example", "https://reg.example/", "none" },
		{ ".reg.example", "https://reg.example/", "tls" },
		{ "*.example", "https://reg.example/", "none" },
		{ " other , reg.example:5000 ", "https://reg.example:5000/", "none" },
		{ "reg.example:5000", "https://reg.example/", "tls" },
		{ "reg.example:443", "https://reg.example/", "none" },
		{ "10.0.0.0/8", "https://10.1.2.3/", "none" },
		{ "10.0.0.0/8", "https://11.1.2.3/", "tls" },
		{ "10.1.2.3", "https://10.1.2.3:80/", "none" },
		{ "10.1.2.3:81", "https://10.1.2.3:80/", "tls" },
		{ "10.0.0.0/99", "https://10.1.2.3/", "tls" },
		{ "2001:db8::/32", "https://[2001:db8::5]/", "none" },
		{ "[2001:db8::5]:443", "https://[2001:db8::5]/", "none" },
		{ ",,", "https://reg.example/", "tls" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (!str_eq(proxy(cases[i].no_proxy, cases[i].url), cases[i].want))
			fail_msg("no_proxy=%s %s: %s", cases[i].no_proxy, cases[i].url,
				 proxy(cases[i].no_proxy, cases[i].url));
	char all[] = "ALL_PROXY=socks5h://x:1", none[] = "http_proxy=";
	char *env[] = { all, none, NULL };
	cleanup_url struct url url = { NULL };
	struct err err;
	assert_int_equal(url_parse("http://a/", &url, &err), 0);
	assert_string_equal(proxy_for(env, &url), "socks5h://x:1");
	assert_null(proxy_for(env + 1, &url));
}

static void check_failure(const char *body, const char *code, const char *message)
{
	char *got_code, *got_message;

	failure_parse(body, strlen(body), &got_code, &got_message);
	if (!str_eq(got_code, code) || !str_eq(got_message, message))
		fail_msg("%s: %s, %s", body, got_code ? got_code : "NULL",
			 got_message ? got_message : "NULL");
	free(got_code);
	free(got_message);
}

static void test_failures(void **state)
{
	check_failure("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\",\"detail\":{}},{}]}",
		      "DENIED", "no");
	check_failure("{\"errors\":[{\"code\":5,\"message\":null}]}", NULL, NULL);
	check_failure("{\"details\":\"wrong\"}", NULL, "wrong");
	check_failure("{\"error\":\"x\",\"error_description\":\"y\"}", NULL, "y");
	check_failure("{\"errors\":[{\"code\":\"A\\nB\",\"message\":\"\\u001b[2J\"}]}", "A?B",
		      "?[2J");
	check_failure("<html>", NULL, NULL);
	check_failure("", NULL, NULL);
}

static void test_tokens(void **state)
{
	char *token = NULL;
	int64_t seconds = 0;
	struct err err;

#define PARSE(text) token_parse(text, strlen(text), &token, &seconds, &err)
	assert_int_equal(PARSE("{\"token\":\"abc\",\"expires_in\":300}"), 0);
	assert_string_equal(token, "abc");
	assert_int_equal(seconds, 300);
	free(take_ptr(token));
	assert_int_equal(PARSE("{\"access_token\":\"x.y-z\"}"), 0);
	assert_string_equal(token, "x.y-z");
	assert_int_equal(seconds, 60);
	free(take_ptr(token));
	assert_true(PARSE("{}") < 0);
	assert_true(PARSE("{\"token\":\"a b\\nc\"}") < 0);
	assert_true(PARSE("{\"token\":\"\",\"access_token\":\" \"}") < 0);
	assert_null(token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenge),     cmocka_unit_test(test_challenge_refused),
		cmocka_unit_test(test_content_range), cmocka_unit_test(test_numbers_of_headers),
		cmocka_unit_test(test_link),          cmocka_unit_test(test_media_type),
		cmocka_unit_test(test_warning),       cmocka_unit_test(test_url),
		cmocka_unit_test(test_query),         cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_proxy),         cmocka_unit_test(test_failures),
		cmocka_unit_test(test_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
