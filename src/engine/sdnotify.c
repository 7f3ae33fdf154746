/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sdnotify.h"

#include "base/log.h"
#include "base/str.h"
#include "engine/wait.h"
#include "runtime/notify.h"

#define LOOK_NS INT64_C(100000000)

const char *const sdnotify_names[] = { "conmon", "container", "healthy", NULL };

int sdnotify_parse(const char *word, struct record_options *to, struct err *err)
{
	to->notify = false;
	to->notify_when = SDNOTIFY_CONMON;
	if (!word || str_eq(word, "ignore"))
		return 0;
	for (int i = 0; sdnotify_names[i]; i++)
		if (str_eq(sdnotify_names[i], word)) {
			to->notify = true;
			to->notify_when = i;
			return 0;
		}
	return err_fail(err, ERR_USAGE,
			"--sdnotify: expected conmon, container, healthy or ignore, got \"%s\"",
			word);
}

bool sdnotify_wanted(const struct record_options *o)
{
	const char *host = getenv(NOTIFY_ENV);
	struct sockaddr_un addr;

	return o->notify && host && notify_address(host, &addr) >= 0;
}

void sdnotify_tell(struct engine *eng, const struct record *rec, pid_t monitor, bool again)
{
	const char *host = getenv(NOTIFY_ENV);
	char *states[] = { (char *)(uintptr_t)health_status_names[HEALTH_HEALTHY], NULL };
	struct err err = ERR_INIT;
	int code;

	if (!sdnotify_wanted(&rec->options))
		return;
	if (again || rec->options.notify_when <= SDNOTIFY_CONMON) {
		notify_tell_and_wait(host, monitor, -EBADF, NULL);
		return;
	}
	/* Who has started it may go: that is no end of the service. */
	notify_main_pid(host, monitor);
	if (rec->options.notify_when != SDNOTIFY_HEALTHY)
		return;
	if (engine_wait_for(eng, rec->id, states, LOOK_NS, &code, &err) == 0)
		notify_tell_and_wait(host, monitor, -EBADF, NULL);
	else
		log_warn("systemd is not told that container %s is ready: %s", rec->name, err.msg);
}
