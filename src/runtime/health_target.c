/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "base/str.h"
#include "base/timeutil.h"
#include "runtime/health.h"

#define HTTP_PORT 80

static int parse_port(const char *text, size_t len, uint16_t *ret)
{
	char digits[6];
	uint32_t port;

	if (len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (str_parse_u32(digits, &port) < 0 || port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

/* An IPv4 address, one of IPv6 without its brackets, or "localhost". */
static int parse_address(const char *text, size_t len, bool ipv6, struct health_target *ret)
{
	unsigned char binary[sizeof(struct in6_addr)];

	if (!ipv6 && len == strlen("localhost") && strncmp(text, "localhost", len) == 0)
		return 0;
	if (len == 0 || len >= sizeof(ret->address))
		return -EINVAL;
	memcpy(ret->address, text, len);
	ret->address[len] = '\0';
	ret->ipv6 = ipv6;
	return inet_pton(ipv6 ? AF_INET6 : AF_INET, ret->address, binary) == 1 ? 0 : -EINVAL;
}

/* "[ADDRESS][:PORT]" of len bytes; -ENOENT: it has no port. */
static int parse_authority(const char *text, size_t len, struct health_target *ret)
{
	const char *end = text + len, *colon, *close;
	int r = 0;

	if (len && text[0] == '[') {
		close = memchr(text, ']', len);
		if (!close)
			return -EINVAL;
		r = parse_address(text + 1, (size_t)(close - text - 1), true, ret);
		colon = close + 1;
		if (r == 0 && colon < end && *colon != ':')
			r = -EINVAL;
	} else {
		colon = memchr(text, ':', len);
		colon = colon ? colon : end;
		if (colon > text)
			r = parse_address(text, (size_t)(colon - text), false, ret);
	}
	if (r < 0)
		return r;
	if (colon == end)
		return -ENOENT;
	return parse_port(colon + 1, (size_t)(end - colon - 1), &ret->port);
}

int health_parse_tcp(const char *text, struct health_target *ret)
{
	struct health_target t = { .path = "" };
	size_t len = strlen(text);
	int r;

	r = parse_port(text, len, &t.port);
	if (r < 0)
		r = parse_authority(text, len, &t);
	if (r < 0)
		return -EINVAL;
	*ret = t;
	return 0;
}

/* What would end the line that is sent, or begin another header, is refused. */
static bool is_path(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f || *text == '#')
			return false;
	return true;
}

int health_parse_http(const char *text, struct health_target *ret)
{
	struct health_target t = { .port = HTTP_PORT, .path = "/" };
	const char *rest = str_after(text, "http://");
	size_t len;
	int r;

	if (str_starts(text, "https://"))
		return -EPROTONOSUPPORT;
	rest = rest ? rest : text;
	len = strcspn(rest, "/?");
	if (rest[len] == '?' || !is_path(rest + len) || !text[0])
		return -EINVAL;
	if (rest[len])
		t.path = rest + len;
	/* "8080/path" is not an address */
	r = parse_port(rest, len, &t.port);
	if (r < 0)
		r = parse_authority(rest, len, &t);
	if (r < 0 && r != -ENOENT)
		return -EINVAL;
	*ret = t;
	return 0;
}

int health_parse_file(const char *text, char **ret_path, int64_t *ret_age_ns)
{
	const char *colon = strrchr(text, ':');
	int64_t age_ns = 0;
	size_t len;

	if (colon && time_parse_duration(colon + 1, &age_ns) < 0)
		colon = NULL; /* a part of the name */
	len = colon ? (size_t)(colon - text) : strlen(text);
	if (text[0] != '/' || len < 2 || (colon && age_ns <= 0))
		return -EINVAL;
	*ret_path = xstrndup(text, len);
	*ret_age_ns = age_ns;
	return 0;
}

int health_http_status(const char *text, size_t len, int *ret_status)
{
	static const char start[] = "HTTP/1.";
	const size_t n = sizeof(start) - 1;
	const char *end = memchr(text, '\n', len);
	const char *digits;

	if (strncmp(text, start, len < n ? len : n) != 0)
		return -EINVAL;
	if (!end)
		return len < HEALTH_HTTP_LINE_MAX ? -EAGAIN : -EINVAL;
	/* "HTTP/1.x NNN", and then a space or the line's end */
	digits = text + n + 2;
	if (end - text < (ptrdiff_t)n + 5 || (text[n] != '0' && text[n] != '1') ||
	    text[n + 1] != ' ' || digits[0] < '1' || digits[0] > '9' || digits[1] < '0' ||
	    digits[1] > '9' || digits[2] < '0' || digits[2] > '9' ||
	    (digits[3] != ' ' && digits[3] != '\r' && digits[3] != '\n'))
		return -EINVAL;
	*ret_status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + digits[2] - '0';
	return 0;
}
