/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/why.h"

#define MIB            (1024.0 * 1024.0)
#define NOT_EXECUTABLE 126
#define NOT_FOUND      127
#define SIGNALLED      128

static char *ago(const struct why_facts *f, int64_t then_ns)
{
	char text[TIME_HUMAN_MAX];
	char *words = xstrdup(time_human(f->now_ns - then_ns, text));

	if (words[0] >= 'A' && words[0] <= 'Z') /* "Less than ...", here within a sentence */
		words[0] = (char)(words[0] - 'A' + 'a');
	return words;
}

/* ---- the end ---- */

/* What the exit status means, or NULL when the number says it all. */
static char *status_words(int code)
{
	const char *name = code > SIGNALLED ? sigabbrev_np(code - SIGNALLED) : NULL;

	if (code == 0)
		return xstrdup("its command has ended without an error");
	if (code == NOT_EXECUTABLE)
		return xstrdup("its command could not be executed");
	if (code == NOT_FOUND)
		return xstrdup("its command was not found");
	if (name)
		return xasprintf("killed by signal %d (%s)", code - SIGNALLED, name);
	return NULL;
}

static void say_memory(const struct why_facts *f, struct why *w)
{
	const struct cgroup_memory *m = &f->note->memory;
	cleanup_free char *limit = xasprintf("its limit is %.1f MiB", (double)m->limit / MIB);
	cleanup_free char *peak = xasprintf(", it used up to %.1f MiB", (double)m->peak / MIB);

	if (!m->oom_kills)
		return;
	w->oom_killed = true;
	strv_addf(&w->reasons, "memory ran out, and the kernel killed %llu of its processes: %s%s",
		  (unsigned long long)m->oom_kills,
		  m->limit ? limit : "it has no limit, so the machine's was used up",
		  m->peak ? peak : "");
	if (m->limit)
		strv_addf(&w->cures, "inro update --memory SIZE %s", f->rec->name);
}

static void say_lost(const struct why_facts *f, struct why *w)
{
	if (!f->lost)
		return;
	strv_add(&w->reasons, f->rebooted
				  ? "nobody saw its end: the machine has been started again since"
				  : "nobody saw its end: its monitor was killed");
}

static void say_policy(const struct why_facts *f, struct why *w)
{
	const struct record_options *o = &f->rec->options;
	int policy = o->restart > RESTART_NO ? o->restart : RESTART_NO;
	long long n = f->rec->restarts;

	if (policy == RESTART_NO)
		strv_add(&w->reasons, "its restart policy is no: nothing starts it again");
	else if (f->rec->status == RECORD_RESTARTING || f->rec->status == RECORD_RUNNING)
		strv_addf(&w->reasons, "its restart policy is %s; it was started again %lld times",
			  restart_policy_names[policy], n);
	else if (policy == RESTART_ON_FAILURE && f->rec->exit_code == 0)
		strv_add(&w->reasons, "its restart policy is on-failure, and this was none");
	else if (o->restart_max && n >= o->restart_max)
		strv_addf(&w->reasons,
			  "its restart policy is on-failure:%lld, and it was started again so "
			  "many times",
			  (long long)o->restart_max);
	else
		strv_addf(&w->reasons,
			  "its restart policy is %s, but it was stopped or killed, or could not be "
			  "started",
			  restart_policy_names[policy]);
}

static void say_output(const struct why_facts *f, struct why *w)
{
	const struct ending_note *note = f->note;

	if (note->lost_bytes)
		strv_addf(
		    &w->reasons, "its log lacks the last %llu lines (%llu bytes) of its output: %s",
		    (unsigned long long)note->lost_lines, (unsigned long long)note->lost_bytes,
		    f->rec->options.log_driver == LOGLINE_JOURNAL
			? "the journal did not take them"
			: "there was no room on the disk");
}

static void say_exited(const struct why_facts *f, struct why *w)
{
	const struct record *rec = f->rec;
	cleanup_free char *when = ago(f, rec->finished_ns);
	cleanup_free char *words = status_words(rec->exit_code);
	bool oom = f->note->memory.oom_kills > 0;

	if (f->note->error)
		w->summary = xasprintf("%s could not be started %s ago: %s", rec->name, when,
				       f->note->error);
	else
		w->summary = xasprintf("%s exited %s ago with status %d%s%s", rec->name, when,
				       rec->exit_code, words ? ": " : "", words ? words : "");
	say_memory(f, w);
	/* A status like a signal's, of a program that says so itself, is told apart by nobody. */
	if (rec->exit_code == SIGNALLED + SIGKILL && !oom && !f->lost && !f->note->error)
		strv_add(&w->reasons,
			 f->note->memory.limit || f->note->memory.peak
			     ? "memory had not run out: somebody killed or stopped it"
			     : "somebody killed or stopped it, or the machine's memory ran out: "
			       "nothing counts what it uses");
	say_lost(f, w);
	say_output(f, w);
	say_policy(f, w);
	if (rec->exit_code != 0)
		strv_addf(&w->cures, "inro logs %s", rec->name);
	strv_addf(&w->cures, "inro start %s", rec->name);
}

static void say_restarting(const struct why_facts *f, struct why *w)
{
	cleanup_free char *when = ago(f, f->rec->finished_ns);
	cleanup_free char *words = status_words(f->rec->exit_code);
	int64_t left = f->note->next_start_ns - f->now_ns;

	w->summary =
	    xasprintf("%s exited %s ago with status %d%s%s, and is about to be started "
		      "again",
		      f->rec->name, when, f->rec->exit_code, words ? ": " : "", words ? words : "");
	say_memory(f, w);
	say_output(f, w);
	say_policy(f, w);
	if (left > 0)
		strv_addf(&w->reasons, "the next start is in %.1f seconds", (double)left / 1e9);
	strv_addf(&w->cures, "inro stop %s", f->rec->name);
}

/* ---- health ---- */

static void say_probe(const struct why_facts *f, struct why *w)
{
	const struct health_state *h = f->health;
	const struct health_entry *last = h->log.n ? &h->log.items[h->log.n - 1] : NULL;
	cleanup_free char *test = strv_join(f->rec->options.health->probe.test, " ");
	cleanup_free char *output = NULL;

	strv_addf(&w->reasons, "its health check is: %s", test);
	if (!last) {
		strv_add(&w->reasons, "no probe has been made yet");
		return;
	}
	output = xstrdup(last->output ? last->output : "");
	while (output[0] && output[strlen(output) - 1] == '\n')
		output[strlen(output) - 1] = '\0';
	strv_addf(&w->reasons, "the last probe ended with %lld, and said: %s",
		  (long long)last->exit_code, output[0] ? output : "nothing");
}

static void say_running(const struct why_facts *f, struct why *w)
{
	const struct record *rec = f->rec;
	cleanup_free char *when = ago(f, rec->started_ns);

	if (rec->paused) {
		w->summary = xasprintf("%s is paused", rec->name);
		strv_addf(&w->cures, "inro unpause %s", rec->name);
		return;
	}
	if (!f->health || f->health->status == HEALTH_HEALTHY) {
		w->summary = xasprintf("%s is running since %s%s", rec->name, when,
				       f->health ? ", and healthy" : "");
		return;
	}
	if (f->health->status == HEALTH_STARTING)
		w->summary = xasprintf("%s is running since %s, and has not been healthy yet",
				       rec->name, when);
	else
		w->summary = xasprintf("%s is running since %s, and unhealthy: %lld probes in a "
				       "row have failed",
				       rec->name, when, (long long)f->health->failing_streak);
	say_probe(f, w);
	strv_addf(&w->cures, "inro healthcheck run %s", rec->name);
}

static void say_created(const struct why_facts *f, struct why *w)
{
	if (f->note->error)
		w->summary = xasprintf("%s could not be started: %s", f->rec->name, f->note->error);
	else
		w->summary = xasprintf("%s was created, and has never been started", f->rec->name);
	strv_addf(&w->cures, "inro start %s", f->rec->name);
}

/* What comes from containers and images goes to a terminal. */
static void mask(struct why *w)
{
	str_mask_controls(w->summary, "");
	for (size_t i = 0; w->reasons && w->reasons[i]; i++)
		str_mask_controls(w->reasons[i], "");
}

void why_say(const struct why_facts *f, struct why *ret)
{
	static void (*const say[])(const struct why_facts *f, struct why *w) = {
		[RECORD_CREATED] = say_created,
		[RECORD_RUNNING] = say_running,
		[RECORD_RESTARTING] = say_restarting,
		[RECORD_EXITED] = say_exited,
	};

	ret->id = xstrdup(f->rec->id);
	ret->name = xstrdup(f->rec->name);
	ret->status = xstrdup(record_state(f->rec));
	ret->exit_code = f->rec->exit_code;
	say[f->rec->status](f, ret);
	mask(ret);
}
