/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/infra.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life.h"
#include "engine/pod_join.h"
#include "engine/run.h"
#include "engine/spec.h"
#include "engine/start.h"
#include "engine/stop.h"

bool infra_holds(int type)
{
	return type == NS_PID || type == NS_CGROUP;
}

bool pod_has_infra(const struct pod *pod)
{
	return pod_shares(pod, spec_ns_names[NS_PID]) || pod_shares(pod, spec_ns_names[NS_CGROUP]);
}

int infra_create(struct engine *eng, const struct pod *pod, struct err *err)
{
	static char none[] = "none", all[] = "ALL", init[] = SPEC_INIT, pause[] = "--pause",
		    image[] = "inro-init", quiet[] = "no-new-privileges";
	char *drop[] = { all, NULL }, *security[] = { quiet, NULL };
	char *args[] = { image, pause, NULL };
	cleanup_free char *own = xasprintf("%.12s-infra", pod->id), *id = NULL;
	const struct run_options o = {
		.infra = true,
		.pod = pod->id,
		.name = pod->options.infra_name ? pod->options.infra_name : own,
		.conmon_pidfile = pod->options.infra_pid_file,
		.init = true,
		.entrypoint = init,
		.cap_drop = drop,
		.security_opt = security,
		.read_only = true,
		.log_driver = none,
	};

	return engine_create(eng, &o, args, &id, err);
}

/* Of these. */
static struct record *find(const struct record_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].options.infra)
			return &list->items[i];
	return NULL;
}

int infra_start(struct engine *eng, const struct pod *pod, int lock, struct err *err)
{
	const struct start_options opts = { .pod_lock = &lock };
	cleanup_record_list struct record_list list = { 0 };
	int r = record_list_pod(eng, pod->id, &list, err);

	if (r == 0 && !find(&list)) {
		record_list_done(&list);
		r = infra_create(eng, pod, err);
		if (r == 0)
			r = record_list_pod(eng, pod->id, &list, err);
	}
	struct record *infra = r == 0 ? find(&list) : NULL;
	if (r < 0 || !infra)
		return r;
	r = life_repair(eng, infra, err);
	/* A paused one runs. */
	if (r == 0 && !infra->running)
		r = engine_start(eng, infra->id, &opts, err);
	return r < 0 ? err_wrap(err, r, "starting the infra container of pod %s", pod->name) : 0;
}

static bool is_last(struct engine *eng, struct record_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct record *rec = &list->items[i];

		if (rec->options.infra)
			continue;
		/* One that is between two runs is still wanted. */
		if (life_repair(eng, rec, NULL) == 0 && rec->running)
			return false;
	}
	return true;
}

static int end(struct engine *eng, const char *id, struct err *err)
{
	const struct stop_options how = { 0 };
	cleanup_record_list struct record_list list = { 0 };
	cleanup_stop struct stop stop = STOP_INIT;
	int r = record_list_pod(eng, id, &list, err);
	struct record *infra = r == 0 ? find(&list) : NULL;

	if (!infra || !infra->running || !is_last(eng, &list))
		return r;
	r = stop_begin(eng, infra->id, &how, &stop, err);
	return r < 0 ? r : stop_finish(eng, &stop, err);
}

void infra_release(struct engine *eng, const struct record *rec, bool wait)
{
	cleanup_fd int lock = -EBADF;
	cleanup_pod struct pod pod = { 0 };
	struct err err = ERR_INIT;
	int r;

	if (!rec->pod || rec->options.infra || pod_find(eng, rec->pod, &pod, NULL) < 0 ||
	    !pod_has_infra(&pod) || pod.options.exit_policy != POD_EXIT_STOP)
		return;
	r = lock = wait ? pod_lock(eng, pod.id, &err) : pod_try_lock(eng, pod.id);
	if (r >= 0)
		r = end(eng, pod.id, &err);
	if (r < 0)
		log_debug("ending pod %s: %s", pod.name, err.msg);
}
