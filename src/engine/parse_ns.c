/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "engine/parse.h"

int ns_word_parse(const char *option, const char *value, struct ns_word *ret, struct err *err)
{
	const char *arg;

	*ret = (struct ns_word){ .mode = NS_WORD_OWN };
	if (!value || !value[0] || str_eq(value, "private"))
		return 0;
	/* A network that leads nowhere; IPC without /dev/shm. */
	if ((str_eq(option, "network") || str_eq(option, "ipc")) && str_eq(value, "none"))
		return 0;
	if (str_eq(option, "ipc") &&
	    (str_eq(value, "shareable") || str_starts(value, "container:")))
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "--ipc %s: containers cannot share /dev/shm yet", value),
				"both can have this machine's: --ipc host");
	if (str_eq(value, "host")) {
		ret->mode = NS_WORD_HOST;
		return 0;
	}
	arg = str_after(value, "container:");
	if (arg && arg[0]) {
		*ret = (struct ns_word){ NS_WORD_CONTAINER, arg };
		return 0;
	}
	arg = str_after(value, "ns:");
	if (arg && arg[0] == '/') {
		*ret = (struct ns_word){ NS_WORD_PATH, arg };
		return 0;
	}
	return err_fail(err, ERR_USAGE,
			"--%s: expected host, private, container:NAME or ns:/PATH, got \"%s\"",
			option, value);
}
