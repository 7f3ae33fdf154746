/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nft_load.h"

#include <string.h>

#include "base/fd.h"
#include "net/program.h"
#include "sys/nft.h"

static const char *const paths[] = { "/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft",
				     "/usr/bin/nft", NULL };
static const struct net_program nft = { "nft", "nftables", paths };

/* Its first line, which names the rule's place in the text and the reason. */
static int fail(const struct buf *said, int status, struct err *err)
{
	int len = (int)strcspn(buf_str(said), "\n");

	return len ? err_fail(err, ERR_SYSTEM, "nft: %.*s", len, buf_str(said))
		   : err_fail(err, ERR_SYSTEM, "nft: it ended with status %d", status);
}

int nft_load(const struct buf *text, struct err *err)
{
	char *const argv[] = { (char[]){ "nft" }, (char[]){ "-f" }, (char[]){ "-" }, NULL };
	cleanup_buf struct buf said = BUF_INIT;
	int r = net_program_run(&nft, argv, text, &said, err);

	return r > 0 ? fail(&said, r, err) : r;
}

int nft_replace(const char *table, const struct buf *text, struct err *err)
{
	cleanup_fd int sock = nft_open(err);
	cleanup_buf struct buf whole = BUF_INIT;
	int r = sock < 0 ? sock : nft_table_exists(sock, table, err);

	if (r < 0 || (r == 0 && !text->len))
		return r;
	if (!text->len)
		return nft_table_delete(sock, table, err);
	/* "create" fails where somebody was faster: his rules would stay beside these. */
	if (r == 0)
		buf_addf(&whole, "create table inet %s\n", table);
	else
		buf_addf(&whole, "table inet %s\ndelete table inet %s\n", table, table);
	buf_adds(&whole, buf_str(text));
	return nft_load(&whole, err);
}
