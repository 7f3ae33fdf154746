/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/access.h"

#include "base/str.h"

int cli_parse_opt_bool(void *field, const char *value, struct err *err)
{
	struct opt_bool *to = field;
	bool on = true;

	if (*value && str_parse_bool(value, &on) < 0)
		return err_fail(err, ERR_USAGE, "expected true or false, got \"%s\"", value);
	*to = (struct opt_bool){ true, on };
	return 0;
}
