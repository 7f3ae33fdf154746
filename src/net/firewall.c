/* SPDX-License-Identifier: Apache-2.0 */
#include "net/firewall.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/fd.h"
#include "net/firewall_internal.h"
#include "net/linger.h"
#include "net/nft_load.h"
#include "sys/nft_rules.h"

#define LOCK_FILE "lock"
/* Others may change the table between two tries of a change. */
#define TRIES 5
/* A user's socket takes a batch of 8,000 elements (twice net.core.wmem_max). */
#define BATCH_MAX 4000

int firewall_lock(const struct firewall *fw, bool alone, struct err *err)
{
	cleanup_fd int fd =
	    openat(fw->dir, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(err, errno, "opening the lock of the firewall");
	if (NO_EINTR(flock(fd, alone ? LOCK_EX : LOCK_SH)) < 0)
		return err_errno(err, errno, "locking the firewall");
	return take_fd(fd);
}

/* ---- changes ---- */

static int change_once(const struct firewall *fw, int sock, const struct fw_elements *add,
		       const struct fw_elements *remove, struct err *err)
{
	const struct nft_element mark = fw_complete();
	cleanup_nft_batch struct nft_batch b;

	nft_batch_begin(&b, fw->table);
	/* Nothing where it is so; where it is not, it leads elsewhere: EEXIST. (Taking something
	 * away would do as well, but then each start had something freed: net/linger.h.) */
	nft_batch_add(&b, FW_COMPLETE, &mark, 1);
	for (size_t i = 0; i < FW_SETS; i++)
		nft_batch_remove(&b, fw_set_names[i], remove->of[i].items, remove->of[i].n);
	for (size_t i = 0; i < FW_SETS; i++)
		nft_batch_add(&b, fw_set_names[i], add->of[i].items, add->of[i].n);
	return nft_batch_send(&b, sock, err);
}

/* What makes the mark of what there is. -ENOENT: there is no such table. */
static int read_mark(const struct firewall *fw, int sock, struct fw_difference *ret,
		     struct err *err)
{
	cleanup_nft_elements struct nft_elements have = { 0 };
	struct nft_element mark = fw_complete();
	struct nft_elements want = { .items = &mark, .n = 1 };
	int r = nft_elements_read(sock, fw->table, FW_COMPLETE, &have, err);

	if (r == 0)
		fw_compare(&have, &want, ret);
	return r;
}

/* 1, or 0: it is not complete; -ENOENT: there is no such table. */
static int is_complete(const struct firewall *fw, int sock, struct err *err)
{
	cleanup_fw_difference struct fw_difference mark = { .wrong = 0 };
	int r = read_mark(fw, sock, &mark, err);

	return r < 0 ? r : mark.add.n == 0;
}

/* Only what is there can be taken away, and what is there has to be before it changes. */
static int settle(const struct firewall *fw, int sock, struct fw_elements *add,
		  struct fw_elements *remove, struct err *err)
{
	int r = is_complete(fw, sock, err);

	if (r == 0 || r == -ENOENT)
		return -EAGAIN;
	for (size_t i = 0; r >= 0 && i < FW_SETS; i++) {
		cleanup_nft_elements struct nft_elements have = { 0 };

		if (!add->of[i].n && !remove->of[i].n)
			continue;
		r = nft_elements_read(sock, fw->table, fw_set_names[i], &have, err);
		if (r == 0)
			fw_settle(&have, &add->of[i], &remove->of[i]);
	}
	return r == -ENOENT ? -EAGAIN : r < 0 ? r : 0;
}

int firewall_change(const struct firewall *fw, const struct fw_change *c, struct err *err)
{
	cleanup_fw_elements struct fw_elements add, remove;
	cleanup_fd int lock = firewall_lock(fw, false, err);
	int sock, r;

	fw_pack(&c->add, &add);
	fw_pack(&c->remove, &remove);
	if (lock < 0)
		return lock;
	sock = nft_open(err);
	r = sock < 0 ? sock : change_once(fw, sock, &add, &remove, err);
	for (int i = 1; i < TRIES && (r == -ENOENT || r == -EEXIST); i++) {
		cleanup_fw_elements struct fw_elements left;
		struct err ignored = ERR_INIT;

		fw_pack(&c->remove, &left);
		r = settle(fw, sock, &add, &left, &ignored);
		if (r < 0 && r != -EAGAIN)
			*err = ignored;
		if (r == 0)
			r = change_once(fw, sock, &add, &left, err);
	}
	net_linger(fw->dir, sock);
	if ((r == -EAGAIN || r == 0) && err)
		*err = (struct err)ERR_INIT;
	return r == -EAGAIN || r == 0 ? r : err_wrap(err, r, "changing the firewall of networks");
}

/* ---- reconcile ---- */

/* 1: the text is there, whole; 0: it is to be loaded. */
static int is_loaded(const struct firewall *fw, int sock, struct err *err)
{
	cleanup_nft_rules struct nft_rules rules = { 0 };
	int r = is_complete(fw, sock, err);

	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = nft_rules_read(sock, fw->table, &rules, err);
	return r < 0 ? r : rules.n == FW_RULES;
}

static int load(const struct firewall *fw, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	fw_text(fw->table, &text);
	return nft_replace(fw->table, &text, err);
}

/* Sends what has gathered when there is enough of it. */
static int flush(struct nft_batch *b, const struct firewall *fw, int sock, size_t *n, size_t more,
		 struct err *err)
{
	int r;

	*n += more;
	if (*n < BATCH_MAX)
		return 0;
	r = nft_batch_send(b, sock, err);
	nft_batch_done(b);
	nft_batch_begin(b, fw->table);
	*n = 0;
	return r;
}

static int put_in_parts(struct nft_batch *b, const struct firewall *fw, int sock, size_t *n,
			void (*put)(struct nft_batch *b, const char *set,
				    const struct nft_element *e, size_t n),
			enum fw_set set, const struct nft_elements *e, struct err *err)
{
	int r = 0;

	for (size_t at = 0, part; r == 0 && at < e->n; at += part) {
		part = e->n - at < BATCH_MAX - *n ? e->n - at : BATCH_MAX - *n;
		put(b, fw_set_names[set], e->items + at, part);
		r = flush(b, fw, sock, n, part, err);
	}
	return r;
}

static int apply(const struct firewall *fw, int sock, const struct fw_difference *d,
		 struct err *err)
{
	cleanup_fw_difference struct fw_difference mark = { .wrong = 0 };
	cleanup_nft_batch struct nft_batch b;
	size_t n = 0;
	int r = read_mark(fw, sock, &mark, err);

	nft_batch_begin(&b, fw->table);
	for (enum fw_set i = 0; r == 0 && i < FW_SETS; i++) {
		r = put_in_parts(&b, fw, sock, &n, nft_batch_remove, i, &d[i].remove, err);
		if (r == 0)
			r = put_in_parts(&b, fw, sock, &n, nft_batch_add, i, &d[i].add, err);
	}
	nft_batch_remove(&b, FW_COMPLETE, mark.remove.items, mark.remove.n);
	nft_batch_add(&b, FW_COMPLETE, mark.add.items, mark.add.n);
	return r < 0 ? r : nft_batch_send(&b, sock, err);
}

static int compare(const struct firewall *fw, int sock, const struct fw_state *want,
		   struct fw_difference *d, struct fw_report *ret, struct err *err)
{
	cleanup_fw_elements struct fw_elements elements;
	int r = 0;

	fw_pack(want, &elements);
	for (size_t i = 0; r >= 0 && i < FW_SETS; i++) {
		cleanup_nft_elements struct nft_elements have = { 0 };

		if (!ret->no_table)
			r = nft_elements_read(sock, fw->table, fw_set_names[i], &have, err);
		fw_compare(&have, &elements.of[i], &d[i]);
		ret->missing += d[i].add.n - d[i].wrong;
		ret->excess += d[i].remove.n - d[i].wrong;
		ret->wrong += d[i].wrong;
	}
	return r;
}

int firewall_reconcile(const struct firewall *fw, const struct fw_state *want, bool dry,
		       struct fw_report *ret, struct err *err)
{
	struct fw_difference d[FW_SETS] = { { .wrong = 0 } };
	struct fw_report report = { .no_table = false };
	int sock = nft_open(err);
	int r = sock < 0 ? sock : is_loaded(fw, sock, err);

	report.no_table = r == 0;
	if (report.no_table && !dry)
		r = load(fw, err);
	if (r >= 0)
		r = compare(fw, sock, want, d, &report, err);
	if (r >= 0 && !dry)
		r = apply(fw, sock, d, err);
	net_linger(fw->dir, sock);
	for (size_t i = 0; i < FW_SETS; i++)
		fw_difference_done(&d[i]);
	if (r < 0)
		return err_wrap(err, r, "%s the firewall of networks",
				dry ? "looking at" : "restoring");
	*ret = report;
	return 0;
}

int firewall_remove(const struct firewall *fw, struct err *err)
{
	int sock = nft_open(err);
	int r = sock < 0 ? sock : nft_table_delete(sock, fw->table, err);

	net_linger(fw->dir, sock);
	return r;
}
