/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/wait.h"

#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/control.h"
#include "engine/life.h"

#define AGAIN_MS 5

/* -EAGAIN: nobody has told; the record may say more. */
static int ask_monitor(struct engine *eng, const char *id, int *ret_code)
{
	cleanup_fd int sock = control_open(eng, id);
	int64_t ns;

	if (sock < 0 || control_want_exit(sock) < 0 || control_wait(sock, -1, ret_code, &ns) < 0)
		return -EAGAIN;
	return 0;
}

int engine_wait(struct engine *eng, const char *word, int *ret_code, struct err *err)
{
	const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };
	cleanup_free char *id = xstrdup(word);
	int r;

	for (;;) {
		cleanup_record struct record rec = { 0 };

		r = life_find(eng, id, &rec, err);
		if (r < 0)
			return r;
		if (!rec.running) {
			*ret_code = rec.exit_code;
			return 0;
		}
		/* whatever name it has later */
		free(id);
		id = xstrdup(rec.id);
		if (ask_monitor(eng, id, ret_code) == 0)
			return 0;
		/* It is just starting, or its monitor was killed. */
		nanosleep(&pause, NULL);
	}
}
