/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's codes in our words. */
#include <inttypes.h>

#include "base/str.h"
#include "image/registry/http_internal.h"

static const struct {
	CURLcode code;
	enum http_failure failure;
	int errnum;
	const char *text; /* NULL: libcurl's own */
} codes[] = {
	{ CURLE_COULDNT_RESOLVE_PROXY, HTTP_UNREACHABLE, EHOSTUNREACH,
	  "the proxy's name is not known" },
	{ CURLE_GOT_NOTHING, HTTP_BROKEN, ECONNRESET, "the connection ended without an answer" },
	{ CURLE_PARTIAL_FILE, HTTP_BROKEN, ECONNRESET, "the connection broke off" },
	{ CURLE_RECV_ERROR, HTTP_BROKEN, ECONNRESET, "the connection broke off" },
	{ CURLE_SEND_ERROR, HTTP_BROKEN, ECONNRESET, "the connection broke off" },
	{ CURLE_SEND_FAIL_REWIND, HTTP_BROKEN, ECONNRESET, "the connection broke off" },
	{ CURLE_OPERATION_TIMEDOUT, HTTP_BROKEN, ETIMEDOUT, "nobody answered in time" },
	{ CURLE_WEIRD_SERVER_REPLY, HTTP_NOT_TLS, EPROTO, "what answers does not speak HTTP" },
	{ CURLE_UNSUPPORTED_PROTOCOL, HTTP_NOT_TLS, EPROTO, "what answers does not speak HTTP" },
	{ CURLE_PEER_FAILED_VERIFICATION, HTTP_UNTRUSTED, EACCES, NULL },
	{ CURLE_SSL_CERTPROBLEM, HTTP_UNTRUSTED, EACCES,
	  "the client certificate or its key is not usable" },
	{ CURLE_SSL_CACERT_BADFILE, HTTP_UNTRUSTED, EINVAL, "the CA certificates are not usable" },
};

/* "SSL certificate problem: x" and the like: what comes behind the last ": " is OpenSSL's. */
static const char *plain_text(struct transfer *t, CURLcode code)
{
	if (!t->text[0])
		return curl_easy_strerror(code);
	str_mask_controls(t->text, "");
	const char *rest = str_after(t->text, "SSL certificate problem: ");
	if (!rest)
		rest = str_after(t->text, "SSL: ");
	return rest ? rest : t->text;
}

static int resolve_error(struct transfer *t)
{
	t->x->failure = HTTP_UNREACHABLE;
	return err_errno(t->err, EHOSTUNREACH, "finding the address of %s", t->x->url->host);
}

static int connect_error(struct http *http, struct transfer *t)
{
	cleanup_free char *host = url_host_port(t->x->url);
	long errnum = 0;

	curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &errnum);
	t->x->failure = errnum == ETIMEDOUT ? HTTP_BROKEN : HTTP_UNREACHABLE;
	return err_errno(t->err, errnum > 0 ? (int)errnum : ECONNREFUSED, "connecting to %s%s",
			 host, t->proxied ? " through the proxy" : "");
}

static int tls_error(struct transfer *t, CURLcode code)
{
	/* An answer in clear text, as OpenSSL's versions put it. */
	static const char *const clear[] = { "wrong version number", "http request",
					     "packet length too long", "unexpected eof",
					     "record layer failure" };

	t->x->failure = HTTP_UNTRUSTED;
	for (size_t i = 0; i < ARRAY_SIZE(clear); i++)
		if (strstr(t->text, clear[i]))
			t->x->failure = HTTP_NOT_TLS;
	if (t->x->failure == HTTP_NOT_TLS)
		return err_fail(t->err, ERR_INVALID, "what answers does not speak TLS");
	/* A server that is restarted says this as well. */
	if (strstr(t->text, "SSL_ERROR_SYSCALL"))
		t->x->failure = HTTP_BROKEN;
	return err_fail(t->err, ERR_DENIED, "making a TLS connection: %s", plain_text(t, code));
}

/* The rules of ours that end an exchange come before what libcurl makes of that. */
static int own_error(struct transfer *t)
{
	t->x->failure = HTTP_GIVEN_UP;
	if (t->refused)
		return err_fail(
		    t->err, ERR_DENIED,
		    "the registry sends us to %s, an address of this machine's own surroundings",
		    t->x->url->host);
	if (t->timed_out) {
		t->x->failure = HTTP_BROKEN;
		if (t->window_bytes == 0)
			return err_fail(t->err, ERR_SYSTEM, "nothing came for %d s", t->timeout_s);
		return err_fail(t->err, ERR_SYSTEM,
				"no more than %" PRIu64 " bytes went through in %d s",
				t->window_bytes, t->timeout_s);
	}
	return t->r;
}

int http_outcome(struct http *http, struct transfer *t, CURLcode code)
{
	if (t->enough)
		return 0;
	if (t->refused || t->timed_out || t->r < 0)
		return own_error(t);
	if (code == CURLE_OK)
		return 0;
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		return resolve_error(t);
	if (code == CURLE_COULDNT_CONNECT)
		return connect_error(http, t);
	if (code == CURLE_SSL_CONNECT_ERROR)
		return tls_error(t, code);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (codes[i].code != code)
			continue;
		t->x->failure = codes[i].failure;
		int r = err_fail(t->err, ERR_SYSTEM, "%s",
				 codes[i].text ? codes[i].text : plain_text(t, code));
		if (t->err)
			t->err->errnum = codes[i].errnum;
		return r < 0 ? -codes[i].errnum : r;
	}
	t->x->failure = HTTP_BROKEN;
	return err_fail(t->err, ERR_SYSTEM, "%s", plain_text(t, code));
}
