/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNI: networks that other people's programs make, as lists in /etc/cni/net.d say which. The
 * specification: containernetworking/cni, SPEC.md, versions 0.3.1 to 1.1.0 but GC. Plugins run as
 * root on the host, so what they say is parsed strictly, but what they do is trusted.
 *
 * What an ADD was asked for is written down before it runs, in <runroot>/net/cni, and its result
 * when it has ended; so a DEL needs nothing but that file, and repairs an ADD that was killed.
 */
#pragma once

#include "base/json.h"
#include "net/ipam.h"

#define CNI_CONF_DIR    "/etc/cni/net.d"
#define CNI_PLUGIN_DIRS "/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"
#define CNI_BYTES_MAX   (1 << 20) /* of a list, a result */

/* ---- lists ---- */

/* One that does its part: its configuration, word for word. */
struct cni_plugin {
	struct json_map members;
};
struct cni_list {
	char *version, *name;
	char **versions; /* in a file; NULL here: the newest of them is the version */
	bool disable_check;
	JSON_LIST(struct cni_plugin) plugins;
};
extern const struct json_desc cni_list_desc;
void cni_list_done(struct cni_list *list);
#define cleanup_cni_list CLEANUP(cni_list_done)
/* single: of a .conf or .json, with one plugin in the place of a list. Pure. ERR_INVALID,
 * ERR_UNSUPPORTED: another version. what: its path, for errors. */
int cni_list_parse(const char *text, size_t len, bool single, const char *what,
		   struct cni_list *ret, struct err *err);
/* The first one of that name in the directory, by the names of files. ERR_NOT_FOUND. Files that
 * can't be read or parsed are skipped; when there is no other, they are the error. */
int cni_list_find(const char *dir, const char *name, struct cni_list *ret, struct err *err);
/* Has a plugin that takes this capability ("portMappings")? */
bool cni_list_takes(const struct cni_list *list, const char *capability);

/* ---- results ---- */

struct cni_interface {
	char *name, *mac, *sandbox; /* sandbox: "" or NULL on the host */
};
struct cni_ip {
	char *address, *gateway; /* "10.0.0.5/24" */
	struct opt_i64 interface;
};
struct cni_route {
	char *dst, *gw;
};
struct cni_dns {
	char **nameservers, *domain, **search, **options;
};
struct cni_result {
	char *version;
	JSON_LIST(struct cni_interface) interfaces;
	JSON_LIST(struct cni_ip) ips;
	JSON_LIST(struct cni_route) routes;
	struct cni_dns dns;
};
void cni_result_done(struct cni_result *r);
#define cleanup_cni_result CLEANUP(cni_result_done)
/* What ADD says. Pure. ERR_INVALID. */
int cni_result_parse(const char *text, size_t len, struct cni_result *ret, struct err *err);
/* What a plugin says that fails: "code 7: invalid configuration: no bridge name". Always an error;
 * of what is none of the specification's, the exit status alone. */
int cni_failure(const char *text, size_t len, int status, struct err *err);
/* Number i of the container's addresses, and its gateway (family 0: none): its prefix's length, or
 * -ENOENT: there are no more. */
int cni_result_address(const struct cni_result *r, size_t i, struct net_addr *ret,
		       struct net_addr *ret_gateway);

/* ---- the verbs ---- */

struct cni_call {
	int dir;               /* <runroot>/net/cni */
	const char *container; /* its id */
	const char *ifname;
	const char *netns;                   /* path of the namespace; NULL: it is gone */
	const char *args;                    /* CNI_ARGS, or NULL */
	const struct json_map *capabilities; /* "portMappings" -> JSON; or NULL */
	int cancel_fd;                       /* <= 0: none */
};
/* Asks them before whether they can (STATUS, since 1.1.0). All plugins in their order. When one
 * fails, what the others have done is undone. */
int cni_add(const struct cni_call *c, const struct cni_list *list, struct cni_result *ret,
	    struct err *err);
/* ERR_UNSUPPORTED: the list's version has no CHECK. 0 also where the list says not to. */
int cni_check(const struct cni_call *c, struct err *err);
/* All of a container, from last to first, in the order that the specification has; with nothing to
 * do, nothing. All are tried; what failed stays to be tried again, unless `forget`. */
int cni_del(int dir, const char *container, const char *netns, bool forget, struct err *err);
/* The result that was written down. -ENOENT without an error record: there is none. */
int cni_result_read(int dir, const char *container, const char *ifname, struct cni_result *ret,
		    struct err *err);
