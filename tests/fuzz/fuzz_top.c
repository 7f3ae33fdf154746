/* SPDX-License-Identifier: Apache-2.0 */
/* What ps(1) writes, with command lines that containers choose, and /proc/net/dev. */
#include "base/strv.h"
#include "engine/stats.h"
#include "engine/top_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	cleanup_top struct top top = { 0 };
	struct top_stat stat;
	uint64_t in, out;

	top_parse(text, &top);
	/* What the printer of a table relies on. */
	for (size_t i = 0; i < top.n_rows; i++)
		if (strv_len(top.rows[i]) != strv_len(top.titles))
			abort();
	top_stat_parse(text, &stat);
	free(top_status_value(text, "Name"));
	free(top_id_name(text, 0));
	stats_parse_net_dev(text, &in, &out);
	return 0;
}
