/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry or a token server says: each parser gets the same bytes. */
#include <string.h>

#include "base/str.h"
#include "image/registry/auth.h"
#include "image/registry/failure.h"
#include "image/registry/proto.h"
#include "image/registry/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void headers(const char *text)
{
	struct challenges c = { .n = 0 };
	struct content_range range;
	uint64_t number = 0;
	char *next = NULL;

	if (challenges_parse(text, &c) < 0 && c.n > 0)
		abort();
	if (c.n > CHALLENGES_MAX)
		abort();
	for (size_t i = 0; i < c.n; i++)
		if (c.items[i].realm && strpbrk(c.items[i].realm, "\r\n"))
			abort();
	challenges_done(&c);
	if (content_range_parse(text, &range) == 0 && range.has_range &&
	    (range.last < range.first || (range.has_total && range.last >= range.total)))
		abort();
	if (upload_range_parse(text, &number) == 0 && number == 1)
		abort();
	if (retry_after_parse(text, 1234567890, &number) == 0 && number > 365 * 86400)
		abort();
	if (link_next(text, &next) == 1 && !header_value_valid(next))
		abort();
	free(next);
	cleanup_free char *warning = warning_parse(text);
	if (warning && strpbrk(warning, "\x1b\r\n"))
		abort();
	cleanup_free char *type = media_type_parse(text);
	if (type && (!strchr(type, '/') || strlen(type) > 255))
		abort();
}

/* What is accepted is http or https, and means the same when it is read again. */
static void address(const char *text)
{
	char https[] = "https_proxy=http://p:1";
	cleanup_free char *no_proxy = xasprintf("no_proxy=%s", text);
	cleanup_url struct url base = { NULL }, url = { NULL }, again = { NULL };
	struct err err;

	if (url_parse("https://reg.example/v2/a/", &base, &err) < 0)
		abort();
	char *env[] = { https, no_proxy, NULL };
	proxy_for(env, &base);
	if (url_resolve(&base, text, &url, &err) < 0)
		return;
	if (!str_starts(url.text, url.https ? "https://" : "http://") || !url.host[0])
		abort();
	if (url_parse(url.text, &again, &err) < 0 || !url_same_origin(&url, &again))
		abort();
	host_class_of(url.host);
}

static void documents(const char *text, size_t size)
{
	struct registry_request req = { 0 };
	struct registry_answer answer = { 0 };
	char *code, *message, *token = NULL;
	int64_t seconds;
	struct err err;

	failure_parse(text, size, &code, &message);
	if ((code && strlen(code) > 310) || (message && strpbrk(message, "\x1b\n\r\x07")))
		abort();
	free(code);
	free(message);
	if (token_parse(text, size, &token, &seconds, &err) == 0 &&
	    (!header_value_valid(token) || seconds <= 0))
		abort();
	free(token);
	if (json_parse(&registry_request_desc, &req, text, size, "request", &err) == 0)
		json_free(&registry_request_desc, &req);
	if (json_parse(&registry_answer_desc, &answer, text, size, "answer", &err) == 0)
		json_free(&registry_answer_desc, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);

	headers(text);
	address(text);
	documents(text, strlen(text));
	return 0;
}
