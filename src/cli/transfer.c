/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/transfer.h"

#include "base/str.h"
#include "base/timeutil.h"
#include "engine/config.h"
#include "oci/image.h"

int cli_platform(const struct cli_platform *o, char **ret, struct err *err)
{
	const struct oci_platform native = oci_platform_native();
	const struct oci_platform chosen = {
		.os = o->os ? o->os : native.os,
		.architecture = o->arch ? o->arch : native.architecture,
		.variant = o->variant,
	};
	bool parts = o->arch || o->os || o->variant;

	*ret = NULL;
	if (o->platform && parts)
		return err_fail(err, ERR_USAGE,
				"--platform says it all: give it, or --arch, --os and --variant");
	if (o->platform)
		*ret = xstrdup(o->platform);
	else if (parts)
		*ret = oci_platform_text(&chosen);
	return 0;
}

int cli_retry(struct engine *eng, const struct cli_retry *o, struct err *err)
{
	int64_t delay_ns = 0;
	int r = 0;

	if (o->delay && time_parse_duration(o->delay, &delay_ns) < 0)
		return err_fail(err, ERR_USAGE,
				"--retry-delay: expected a duration like 2s, got \"%s\"", o->delay);
	if (o->times.set)
		r = config_set_retries(eng, o->times.value, err);
	if (r == 0 && o->delay)
		r = config_set_retry_delay(eng, delay_ns / 1000000, err);
	return r;
}
