/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#include <sys/random.h>

void hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int hex_decode(const char *s, void *data, size_t len)
{
	unsigned char *p = data;

	if (strnlen(s, 2 * len + 1) != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < 2 * len; i++) {
		if (digit(s[i]) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)(digit(s[2 * i]) << 4 | digit(s[2 * i + 1]));
	return 0;
}

int hex_random_id(char out[HEX_ID_LEN + 1])
{
	unsigned char raw[HEX_ID_LEN / 2];

	/* up to 256 bytes come whole once the pool is ready */
	if (NO_EINTR(getrandom(raw, sizeof(raw), 0)) != (ssize_t)sizeof(raw))
		return -errno;
	hex_encode(raw, sizeof(raw), out);
	return 0;
}

bool hex_is_id_prefix(const char *word)
{
	size_t len = strlen(word);

	return len >= 1 && len <= HEX_ID_LEN && strspn(word, "0123456789abcdef") == len;
}
