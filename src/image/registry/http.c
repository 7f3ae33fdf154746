/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/http.h"

#include <strings.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "image/registry/http_internal.h"
#include "image/registry/proxy.h"

#define HEADERS_MAX   (64u << 10)
#define BUFFER_SIZE   (256l << 10)
#define CONNECT_MAX_S 30
/* Below this many bytes a second, over the time-out, somebody is holding us up. */
#define SPEED_MIN 256
/* A registry reads all of a blob again before it answers that it has it. */
#define COMMIT_FACTOR 10

static const char *const header_names[] = {
	[HEADER_CONTENT_RANGE] = "content-range",
	[HEADER_CONTENT_TYPE] = "content-type",
	[HEADER_CHUNK_MIN] = "oci-chunk-min-length",
	[HEADER_DIGEST] = "docker-content-digest",
	[HEADER_ETAG] = "etag",
	[HEADER_FILTERS] = "oci-filters-applied",
	[HEADER_LINK] = "link",
	[HEADER_LOCATION] = "location",
	[HEADER_RANGE] = "range",
	[HEADER_RETRY_AFTER] = "retry-after",
	[HEADER_SUBJECT] = "oci-subject",
	[HEADER_WARNING] = "warning",
};

void http_reply_done(struct http_reply *reply)
{
	for (size_t i = 0; i < HTTP_HEADERS; i++)
		free(reply->headers[i]);
	challenges_done(&reply->challenges);
	buf_done(&reply->body);
	memset(reply, 0, sizeof(*reply));
}

/* ---- what comes ---- */

static void reply_status(struct transfer *t, const char *line)
{
	struct http_reply *reply = &t->x->reply;
	const char *space = strchr(line, ' ');

	/* A new one: that before was a 1xx. */
	http_reply_done(reply);
	if (space && strspn(space + 1, "0123456789") == 3)
		reply->status = (space[1] - '0') * 100 + (space[2] - '0') * 10 + space[3] - '0';
}

static int reply_header(struct transfer *t, const char *name, const char *value)
{
	struct http_reply *reply = &t->x->reply;

	if (strcasecmp(name, "content-length") == 0) {
		reply->has_length = str_parse_u64(value, &reply->length) == 0;
	} else if (strcasecmp(name, "www-authenticate") == 0) {
		/* One that nobody understands counts as none. */
		int r UNUSED = challenges_parse(value, &reply->challenges);
	} else if (strcasecmp(name, "transfer-encoding") == 0 &&
		   strcasecmp(value, "chunked") != 0) {
		return err_fail(t->err, ERR_INVALID,
				"an answer in an encoding that was not asked for");
	}
	for (size_t i = 0; i < HTTP_HEADERS; i++) {
		if (strcasecmp(name, header_names[i]) == 0 && !reply->headers[i] &&
		    strlen(value) <= URL_MAX)
			reply->headers[i] = xstrdup(value);
	}
	return 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;

	t->header_bytes += len;
	t->window_bytes += len;
	if (t->header_bytes > HEADERS_MAX) {
		t->r = err_fail(t->err, ERR_LIMIT, "the answer has more than %u bytes of headers",
				HEADERS_MAX);
		return 0;
	}
	cleanup_free char *line = xstrndup(data, len);
	line[strcspn(line, "\r\n")] = '\0';
	if (str_starts(line, "HTTP/")) {
		reply_status(t, line);
		return len;
	}
	char *colon = strchr(line, ':');
	if (!colon)
		return len;
	*colon = '\0';
	char *value = colon + 1 + strspn(colon + 1, " \t");
	for (size_t end = strlen(value); end > 0 && strchr(" \t", value[end - 1]); end--)
		value[end - 1] = '\0';
	t->r = reply_header(t, line, value);
	return t->r < 0 ? 0 : len;
}

/* Once, when status and headers are known. */
static int reply_begin(struct transfer *t)
{
	if (t->begun)
		return 0;
	t->begun = true;
	if (t->x->accept) {
		int r = t->x->accept(t->x->arg, &t->x->reply, t->err);
		if (r < 0)
			return r;
		t->stream = r > 0;
	}
	return 0;
}

static int reply_keep(struct transfer *t, const char *data, size_t len)
{
	struct buf *body = &t->x->reply.body;
	int status = t->x->reply.status;
	size_t limit = status / 100 == 2 ? t->x->limit : HTTP_ERROR_BODY_MAX;

	if (len <= limit - body->len) {
		buf_add(body, data, len);
		return 0;
	}
	/* The beginning of an explanation is enough; the connection goes. */
	if (status / 100 != 2) {
		t->enough = true;
		return -EFBIG;
	}
	return err_fail(t->err, ERR_LIMIT, "the answer has more than %zu bytes", limit);
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;

	t->r = reply_begin(t);
	if (t->r < 0)
		return len + 1;
	t->window_bytes += len;
	if (!t->stream) {
		t->r = reply_keep(t, data, len);
	} else {
		int64_t before = time_monotonic_ns();
		t->r = t->x->data(t->x->arg, data, len, t->err);
		t->window_start += time_monotonic_ns() - before;
	}
	return t->r < 0 ? len + 1 : len;
}

/* ---- what is sent ---- */

static size_t on_read(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	uint64_t left = t->x->body_size - t->sent;
	size_t len = size * n < left ? size * n : (size_t)left;

	if (len == 0)
		return 0;
	ssize_t got =
	    NO_EINTR(pread(t->x->body_fd, data, len, (off_t)(t->x->body_offset + t->sent)));
	if (got <= 0) {
		t->r = got < 0 ? err_errno(t->err, errno, "reading what is to be uploaded")
			       : err_fail(t->err, ERR_CORRUPT, "the file to upload is too short");
		return CURL_READFUNC_ABORT;
	}
	t->sent += (uint64_t)got;
	t->window_bytes += (uint64_t)got;
	if (t->x->sent)
		t->x->sent(t->x->arg, t->sent);
	return (size_t)got;
}

/* libcurl would send all of it once more when a connection was dead: where an upload goes on is for
 * the registry to say. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct transfer *t = arg;

	return origin == SEEK_SET && (uint64_t)offset == t->sent ? CURL_SEEKFUNC_OK
								 : CURL_SEEKFUNC_FAIL;
}

/* ---- the clock ---- */

static int on_progress(void *arg, curl_off_t dl_total, curl_off_t dl, curl_off_t ul_total,
		       curl_off_t ul)
{
	struct transfer *t = arg;
	int64_t window = (int64_t)t->timeout_s * 1000000000;
	int64_t now = time_monotonic_ns();

	if (t->x->body_fd >= 0 && t->sent == t->x->body_size && !t->begun)
		window *= COMMIT_FACTOR;
	if (now - t->window_start < window)
		return 0;
	if (t->window_bytes < (uint64_t)SPEED_MIN * (uint64_t)t->timeout_s) {
		t->timed_out = true;
		return 1;
	}
	t->window_start = now;
	t->window_bytes = 0;
	return 0;
}

/* ---- who is connected to ---- */

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = arg;
	enum address_class class = address_class_of(&address->addr);

	if (!t->proxied && t->x->refused && (class & *t->x->refused)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- one exchange ---- */

struct http *http_new(const struct http_options *opts)
{
	struct http *http = xcalloc(1, sizeof(*http));

	http->opts = *opts;
	http->curl = curl_easy_init();
	if (!http->curl)
		abort();
	return http;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	free(http);
}

static void set_tls(CURL *c, const struct http *http, const struct http_exchange *x)
{
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, x->insecure ? 0L : 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, x->insecure ? 0L : 2L);
	/* The directory is read as far as needed; the file of all CAs is 40 ms of parsing. */
	curl_easy_setopt(c, CURLOPT_CAINFO, http->opts.ca_file);
	curl_easy_setopt(c, CURLOPT_CAPATH, http->opts.ca_dir);
	if (x->tls && x->tls->ca.data)
		curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &x->tls->ca);
	if (x->client_cert && x->tls && x->tls->cert.data) {
		curl_easy_setopt(c, CURLOPT_SSLCERT_BLOB, &x->tls->cert);
		curl_easy_setopt(c, CURLOPT_SSLKEY_BLOB, &x->tls->key);
	}
}

static void set_body(CURL *c, struct transfer *t)
{
	struct http_exchange *x = t->x;

	if (x->body_fd >= 0) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->body_size);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(c, CURLOPT_READDATA, t);
		curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(c, CURLOPT_SEEKDATA, t);
	} else if (x->body || str_eq(x->method, "POST") || str_eq(x->method, "PUT")) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)(x->body ? x->body_size : 0));
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, x->body ? x->body : "");
	} else if (str_eq(x->method, "HEAD")) {
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, str_eq(x->method, "HEAD") ? NULL : x->method);
}

static void set_options(CURL *c, const struct http *http, struct transfer *t)
{
	struct http_exchange *x = t->x;
	const char *proxy = proxy_for(http->opts.env, x->url);
	long connect = t->timeout_s < CONNECT_MAX_S ? t->timeout_s : CONNECT_MAX_S;

	t->proxied = proxy;
	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_SHARE, http->opts.share);
	curl_easy_setopt(c, CURLOPT_URL, x->url->text);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_PROXY, proxy ? proxy : "");
	curl_easy_setopt(c, CURLOPT_NOPROXY, "");
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "inro/" INRO_VERSION);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, connect);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->text);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
	set_tls(c, http, x);
	set_body(c, t);
}

static struct curl_slist *header_list(const struct http_exchange *x)
{
	struct curl_slist *list = NULL;

	/* Compressed bodies could grow without bound; 100-continue costs a round trip. */
	list = curl_slist_append(list, "Accept-Encoding: identity");
	list = curl_slist_append(list, "Expect:");
	if (x->body_fd < 0 && !x->body)
		list = curl_slist_append(list, "Content-Type:");
	for (char *const *h = x->headers; h && *h; h++)
		list = curl_slist_append(list, *h);
	if (x->authorization) {
		cleanup_free char *line = xasprintf("Authorization: %s", x->authorization);
		list = curl_slist_append(list, line);
	}
	return list;
}

/* Also when the connection was there already. */
static void note_address(struct http *http, struct transfer *t)
{
	char *ip = NULL;

	if (t->proxied || !t->x->seen ||
	    curl_easy_getinfo(http->curl, CURLINFO_PRIMARY_IP, &ip) != CURLE_OK || !ip)
		return;
	__atomic_fetch_or(t->x->seen, host_class_of(ip), __ATOMIC_RELAXED);
}

int http_perform(struct http *http, struct http_exchange *x, struct err *err)
{
	struct transfer t = {
		.x = x,
		.err = err,
		.timeout_s = http->opts.timeout_s,
		.window_start = time_monotonic_ns(),
	};

	http_reply_done(&x->reply);
	x->failure = HTTP_FINE;
	/* The socket callback does not see whom a proxy connects to, so names that say it count. */
	if (x->refused && (host_class_of(x->url->host) & *x->refused))
		t.refused = true;
	/* A query may have a signature in it that is as good as a password. */
	log_debug("> %s %.*s", x->method, (int)strcspn(x->url->text, "?"), x->url->text);
	CURLcode code = CURLE_COULDNT_CONNECT;
	if (!t.refused) {
		struct curl_slist *list = header_list(x);
		set_options(http->curl, http, &t);
		curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, list);
		code = curl_easy_perform(http->curl);
		curl_slist_free_all(list);
		note_address(http, &t);
	}
	/* Answers without a body are looked at, too. */
	if (code == CURLE_OK && !t.begun)
		t.r = reply_begin(&t);
	int r = http_outcome(http, &t, code);
	log_debug("< %d%s%s", x->reply.status, r < 0 ? " " : "", r < 0 && err ? err->msg : "");
	return r;
}
