/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of sockets of nfnetlink. The kernel frees what a batch has taken out of nftables once all
 * CPUs have passed on (RCU), and whoever closes any such socket of the network namespace before
 * that, with or without a part in it, waits: 4 to 15 ms, in which nobody else's batch is done
 * either (nft_rcv_nl_event() in nf_tables_api.c). So the sockets of those for whom somebody waits
 * are handed to the watcher of inro-net, which closes them when there is nothing left to wait for.
 * Kill who you like: the kernel closes them then, and nothing else depends on it.
 */
#pragma once

/* Closes sock (negative: nothing): by the watcher of that directory (<runroot>/net), at once where
 * there is none. It keeps its network namespace alive until then, so never one of a container's. */
void net_linger(int run_dir, int sock);

/* The watcher's part. A socket that takes them, in place of one that was left there; or -errno. */
int net_linger_listen(int run_dir);
/* Takes them, and closes them when none has come for a while, until the process of pidfd ends. What
 * has come since goes with this process's own end. */
void net_linger_until(int listen, int pidfd);
