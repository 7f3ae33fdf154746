/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/if.h>

#include "base/fd.h"
#include "child.h"
#include "net/place.h"
#include "sys/ns.h"
#include "unit.h"

struct work {
	int result, sock;
	char *text;
	bool own_netns, die;
	int netns;
};

static int up(void *data, struct err *err)
{
	struct work *w = data;
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (w->die)
		raise(SIGKILL);
	w->own_netns = ns_is_own(w->netns, CLONE_NEWNET) == 1;
	w->text = xstrdup("made there");
	w->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* the right that makes it the place for bridges and rules */
	if (w->result == 0 && ioctl(w->sock, SIOCSIFFLAGS, &lo) < 0)
		return err_errno(err, errno, "setting lo up");
	return w->result < 0 ? err_fail(err, ERR_CONFLICT, "as it was asked to") : w->result;
}

static bool is_up(int sock)
{
	struct ifreq lo = { .ifr_name = "lo" };

	return ioctl(sock, SIOCGIFFLAGS, &lo) == 0 && (lo.ifr_flags & IFF_UP);
}

/* A user's case: a child holds both namespaces, this process is outside of them. */
static int elsewhere(const void *unused)
{
	struct err err = ERR_INIT;
	int tell[2];

	CHECK(pipe2(tell, O_CLOEXEC) == 0);
	pid_t holder = fork();
	if (holder == 0) {
		int r = child_enter_userns(CLONE_NEWNET);
		(void)!write(tell[1], &r, sizeof(r));
		pause();
		_exit(0);
	}
	int ready = -1;
	CHECK(read(tell[0], &ready, sizeof(ready)) == sizeof(ready) && ready == 0);
	struct net_place place = { ns_open_of(holder, CLONE_NEWUSER, &err),
				   ns_open_of(holder, CLONE_NEWNET, &err) };
	CHECK(place.userns >= 0 && place.netns >= 0);

	struct work w = { .result = 7, .netns = place.netns, .sock = -EBADF };
	CHECK(net_place_run(&place, up, &w, &err) == 7);
	CHECK(w.own_netns && w.text && strcmp(w.text, "made there") == 0);
	CHECK(!is_up(w.sock));
	free(w.text);
	fd_close(w.sock);
	w.result = 0;
	CHECK_OK(net_place_run(&place, up, &w, &err), &err);
	CHECK(is_up(w.sock));
	free(w.text);
	fd_close(w.sock);
	/* this process is where it was */
	CHECK(ns_is_own(place.netns, CLONE_NEWNET) == 0 &&
	      ns_is_own(place.userns, CLONE_NEWUSER) == 0);

	w.result = -1;
	CHECK(net_place_run(&place, up, &w, &err) == -EBUSY);
	CHECK(strcmp(err.msg, "as it was asked to") == 0);
	free(w.text);
	fd_close(w.sock);
	w.die = true;
	CHECK(net_place_run(&place, up, &w, &err) == -ECHILD);
	CHECK(strstr(err.msg, "working in the namespaces of networks: "));
	/* none of its children are left to be waited for */
	kill(holder, SIGKILL);
	CHECK(waitpid(-1, NULL, __WALL) == holder && waitpid(-1, NULL, __WALL) < 0);
	return 0;
}

/* Root's: nothing is joined. And a process that is in that user namespace already. */
static int here(const void *unused)
{
	struct err err = ERR_INIT;
	struct net_place place = NET_PLACE_HERE;
	struct work w = { .netns = ns_open_of(getpid(), CLONE_NEWNET, &err) };

	CHECK_OK(net_place_run(&place, up, &w, &err), &err);
	CHECK(w.own_netns && is_up(w.sock));
	free(w.text);
	fd_close(w.sock);
	place = (struct net_place){ ns_open_of(getpid(), CLONE_NEWUSER, &err), w.netns };
	CHECK_OK(net_place_run(&place, up, &w, &err), &err);
	CHECK(w.own_netns && is_up(w.sock));
	free(w.text);
	/* no way in */
	place.netns = w.sock;
	CHECK(net_place_run(&place, up, &w, &err) == -EINVAL);
	CHECK(strcmp(err.msg, "entering the namespaces of networks: joining network namespace: "
			      "Invalid argument") == 0);
	fd_close(w.sock);
	return 0;
}

static void test_elsewhere(void **state)
{
	child_run_userns(elsewhere, NULL, 0);
}

static void test_here(void **state)
{
	child_run_userns(here, NULL, CLONE_NEWNET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_here),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
