/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

#define DEVICE_NUMBER_MAX ((UINT64_C(1) << 32) - 1)

/* "10" or "*". */
static int rule_number(const char *text, struct opt_i64 *ret)
{
	uint64_t n;

	*ret = (struct opt_i64){ 0 };
	if (str_eq(text, "*"))
		return 0;
	if (str_parse_u64(text, &n) < 0 || n > DEVICE_NUMBER_MAX)
		return -EINVAL;
	*ret = (struct opt_i64){ true, (int64_t)n };
	return 0;
}

int device_rule_parse(const char *text, struct spec_device_rule *ret, struct err *err)
{
	cleanup_strv char **words = strv_split(text, ' ');
	cleanup_strv char **numbers = NULL;
	struct spec_device_rule rule = { .allow = true };
	size_t len;

	if (strv_len(words) != 3)
		goto bad;
	numbers = strv_split(words[1], ':');
	len = strlen(words[2]);
	if (strlen(words[0]) != 1 || !strchr("acb", words[0][0]) || strv_len(numbers) != 2 ||
	    rule_number(numbers[0], &rule.major) < 0 || rule_number(numbers[1], &rule.minor) < 0 ||
	    len < 1 || len > 3 || strspn(words[2], "rwm") != len)
		goto bad;
	rule.type = xstrdup(words[0]);
	rule.access = xstrdup(words[2]);
	*ret = rule;
	return 0;
bad:
	return err_hint(err, err_fail(err, ERR_USAGE, "invalid device cgroup format '%s'", text),
			"write TYPE MAJOR:MINOR ACCESS, as 'c 10:229 rwm' or 'b 8:* r'");
}

int device_number_parse(const char *option, const char *text, bool bytes, char **ret_path,
			uint64_t *ret, struct err *err)
{
	const char *colon = strrchr(text, ':');
	cleanup_free char *path = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;

	if (!path || !colon[1])
		return err_fail(err, ERR_USAGE, "--%s: bad format: %s", option, text);
	if (!str_starts(path, "/dev/"))
		return err_fail(err, ERR_USAGE, "--%s: bad format for device path: %s", option,
				text);
	if (bytes ? str_parse_bytes(colon + 1, ret) < 0 : str_parse_u64(colon + 1, ret) < 0)
		return err_fail(err, ERR_USAGE,
				"--%s: invalid rate for device: %s: expected DEVICE:NUMBER%s",
				option, text, bytes ? "[kb|mb|gb]" : "");
	*ret_path = take_ptr(path);
	return 0;
}
