/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t len, struct buf *out)
{
	const uint8_t *p = data;

	buf_reserve(out, len / 3 * 4 + 5);
	for (; len > 0; p += 3) {
		size_t n = len < 3 ? len : 3;
		uint32_t bits = (uint32_t)p[0] << 16;

		bits |= n > 1 ? (uint32_t)p[1] << 8 : 0;
		bits |= n > 2 ? p[2] : 0;
		for (size_t i = 0; i < 4; i++)
			buf_addc(out, i <= n ? digits[bits >> (18 - 6 * i) & 63] : '=');
		len -= n;
	}
}

static int digit_value(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

int base64_decode(const char *text, size_t len, struct buf *out)
{
	size_t start = out->len, padding = 0;
	unsigned int n_bits = 0;
	uint32_t bits = 0;

	while (padding < 2 && len > 0 && len % 4 == 0 && text[len - 1 - padding] == '=')
		padding++;
	len -= padding;
	if (len % 4 == 1 || (padding && (len + padding) % 4 != 0))
		return -EINVAL;
	buf_reserve(out, len / 4 * 3 + 3);
	for (size_t i = 0; i < len; i++) {
		int value = digit_value(text[i]);

		if (value < 0)
			goto bad;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			buf_addc(out, (char)(bits >> n_bits & 0xff));
		}
	}
	if ((bits & ((1u << n_bits) - 1)) == 0)
		return 0;
bad:
	out->len = start;
	if (out->data)
		out->data[start] = '\0';
	return -EINVAL;
}
