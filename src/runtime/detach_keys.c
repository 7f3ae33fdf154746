/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/detach_keys.h"

#include "base/str.h"
#include "base/strv.h"

static int key_parse(const char *word, char *ret)
{
	const char *control = str_after(word, "ctrl-");

	if (control && control[0] && !control[1]) {
		if (control[0] >= 'a' && control[0] <= 'z')
			*ret = (char)(control[0] - 'a' + 1);
		else if (control[0] >= '@' && control[0] <= '_' &&
			 !(control[0] >= 'A' && control[0] <= 'Z'))
			*ret = (char)(control[0] - '@');
		else
			return -EINVAL;
		return 0;
	}
	if (!word[0] || word[1])
		return -EINVAL;
	*ret = word[0];
	return 0;
}

int detach_keys_parse(const char *text, struct detach_keys *ret, struct err *err)
{
	struct detach_keys k = { 0 };
	cleanup_strv char **words = NULL;

	text = text ? text : DETACH_KEYS_DEFAULT;
	words = text[0] ? strv_split(text, ',') : NULL;
	for (size_t i = 0; words && words[i]; i++)
		if (k.n == DETACH_KEYS_MAX || key_parse(words[i], &k.keys[k.n++]) < 0)
			return err_fail(err, ERR_USAGE, "invalid detach keys (%s): %s", text,
					k.n == DETACH_KEYS_MAX ? "too many"
							       : "expected ctrl-a, or a character");
	*ret = k;
	return 0;
}

bool detach_keys_filter(struct detach_keys *k, const char *in, size_t len, char *out,
			size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		/* What was held back, but for what may be the beginning again. */
		while (k->n && k->matched && in[i] != k->keys[k->matched]) {
			size_t keep = k->matched - 1;

			while (keep && memcmp(k->keys, k->keys + k->matched - keep, keep) != 0)
				keep--;
			memcpy(out + n, k->keys, k->matched - keep);
			n += k->matched - keep;
			k->matched = keep;
		}
		if (k->n && in[i] == k->keys[k->matched])
			k->matched++;
		else
			out[n++] = in[i];
		if (k->n && k->matched == k->n) {
			k->matched = 0;
			*ret_len = n;
			return true;
		}
	}
	*ret_len = n;
	return false;
}
