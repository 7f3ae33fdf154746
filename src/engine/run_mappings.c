/* SPDX-License-Identifier: Apache-2.0 */
/* The ids that a container's user namespace maps: --userns, --uidmap, its pod's, another's. */
#include "base/str.h"
#include "engine/mapped.h"
#include "engine/mappings.h"
#include "engine/run_internal.h"

static void take_joined_mappings(struct run *run)
{
	run->uids = run->joins.uids;
	run->gids = run->joins.gids;
	run->joins.uids = run->joins.gids = (struct idmap){ 0 };
}

static int refuse_mappings(const struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	const char *word = o->userns;

	if (run->eng->rootless && (o->uidmap || o->gidmap || o->subuidname || o->subgidname ||
				   (word && str_starts(word, "auto"))))
		return err_fail(err, ERR_UNSUPPORTED,
				"%s: only root can give containers other ids than its user has",
				word ? "--userns auto" : "mapping ids");
	return 0;
}

static int keep_id(struct run *run, const struct keep_id *keep, struct err *err)
{
	uint32_t uid, gid;
	int r = mappings_keep_id(keep, &run->uids, &run->gids, &uid, &gid, err);

	if (r == 0)
		run->keep_user = xasprintf("%u:%u", uid, gid);
	return r;
}

static int find_mappings(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	struct keep_id keep;
	struct ns_word word;
	uint32_t size;
	int r = refuse_mappings(run, err);

	if (r == 0)
		r = mappings_asked(o, &run->uids, &run->gids, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = userns_auto_parse(o->userns, MAPPINGS_BLOCK, &size, err);
	if (r > 0)
		return mappings_auto(run->eng, run->rec.id, size, &run->uids, &run->gids, err);
	if (r == 0)
		r = keep_id_parse(o->userns, &keep, err);
	if (r > 0)
		return keep_id(run, &keep, err);
	if (r == 0 && str_eq(o->userns, "nomap"))
		return mappings_nomap(&run->uids, &run->gids, err);
	if (r == 0)
		r = ns_word_parse("userns", o->userns, &word, err);
	if (r < 0)
		return r;
	if (word.mode == NS_WORD_PATH)
		return err_fail(err, ERR_UNSUPPORTED,
				"--userns %s: whose ids are mapped there is not known; use "
				"container:NAME",
				o->userns);
	if (run->joins.user) {
		take_joined_mappings(run);
		return 0;
	}
	/* "host" is the user's own mapping here, as podman has it: an unprivileged container
	 * without a user namespace can't be. */
	if (run->eng->rootless)
		return mappings_rootless(&run->uids, &run->gids, err);
	if (!o->userns || word.mode == NS_WORD_HOST)
		return 0;
	return mappings_auto(run->eng, run->rec.id, MAPPINGS_BLOCK, &run->uids, &run->gids, err);
}

int run_mappings(struct run *run, struct err *err)
{
	int r = find_mappings(run, err);

	/* Those of nobody else can be the store's own, and looking costs something. */
	if (r == 0 && (run->keep_user || run->joins.user || str_eq(run->opts->userns, "nomap")))
		r = mapped_text(run->eng, &run->uids, &run->gids, &run->rec.options.mapping, err);
	return r;
}
