/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nft_load.h"

#include <string.h>

#include "net/program.h"

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
