/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: several containers alike, replicas, behind one name, one address and one set of
 * published ports. A service is a row made with its first replica and gone with its last (a
 * trigger), has no process of its own, and owns rows as a container or pod does: endpoints, leases
 * (its virtual addresses) and ports.
 *
 * Each new connection is led by the kernel to a replica that is ready: it runs, nobody stops it
 * or has paused it, and it is healthy, or, without a health check, listens at the published ports
 * (or has had SERVICE_READY_MS for it). That is found out anew by each service_refresh(), which
 * whoever changes something of a replica calls: so nothing about it is stored, and whoever comes
 * next repairs what somebody who was killed has left.
 */
#pragma once

#include "engine/leases.h"
#include "engine/publish.h"
#include "engine/record.h"
#include "net/netspec.h"

#define SERVICE_REPLICAS_MAX FW_SLOTS
#define SERVICE_READY_MS     2000
#define SERVICE_LEFT         2   /* the column `leaving`, which is 1 before: replica.forgotten */
#define SERVICE_DRAIN_MS     100 /* from leaving the balance to the signal that ends it */

/* What a new container is told: which replica of which service it is to be. */
struct service_part {
	const char *id, *name; /* of the service */
	int number;
	bool sticky;
};

struct service {
	char *id, *name;
	bool sticky;
};
void service_done(struct service *s);
#define cleanup_service CLEANUP(service_done)

struct replica {
	char *id, *name; /* of the container */
	int number;
	bool leaving;   /* it gets no new connections, whatever it is like */
	bool forgotten; /* and the kernel has no flow of UDP any more that leads to it */
};
struct replicas {
	struct replica *items;
	size_t n;
};
void replicas_done(struct replicas *list);
#define cleanup_replicas CLEANUP(replicas_done)

/* By its name or id. -ENOENT: there is none, and err is not touched. */
int service_get(struct engine *eng, const char *word, struct service *ret, struct err *err);
/* The name of the one that the container is a replica of, on the heap; "": of none. */
char *service_name(struct engine *eng, const struct record *rec);
/* ERR_EXISTS: a service has the name, which a container is to have. */
int service_name_check(struct engine *eng, const char *name, struct err *err);
/* By number. */
int service_replicas(struct engine *eng, const char *id, struct replicas *ret, struct err *err);
/* Words in whose place the names of its replicas stand where one is a service's name. */
int services_expand(struct engine *eng, char ***words, struct err *err);

/* In the transaction of a new container's record: it is that replica. networks: of the container,
 * with what it asks of them. */
int service_join(struct engine *eng, const struct record *rec, const struct service_part *part,
		 const struct network *networks, const struct netspec *asked, size_t n,
		 struct err *err);
/* In the transaction of a start: the service has its addresses, and the replica takes part. */
int service_take(struct engine *eng, const struct record *rec, struct err *err);
/* The replica gets no new connections when this returns. Nothing for what is none. */
int service_leave(struct engine *eng, const char *container, struct err *err);
/* It takes part again, if it is fit for it. */
int service_return(struct engine *eng, const char *container, struct err *err);
/* The container runs: waits until it is ready or has had its time, and lets it take part. One with
 * a health check is not waited for. */
void service_started(struct engine *eng, const struct record *rec);
/* Its health, or anything of its replicas, has changed: the kernel's balance is as it should be
 * when this returns. id: of the service. */
int service_refresh(struct engine *eng, const char *id, struct err *err);
/* The same, of what the container is a replica of, if of any; warns when it can't. */
void service_note(struct engine *eng, const struct record *rec);
/* The same of all. */
int services_refresh(struct engine *eng, struct err *err);
/* 1: it gets connections now, 0: not, or -errno. */
int service_is_ready(struct engine *eng, const char *container, struct err *err);

/* For the firewall: what should be there of all of them; each slots and ports are owned. */
struct service_elements {
	struct fw_service *items;
	size_t n;
};
void service_elements_done(struct service_elements *list);
int services_want(struct engine *eng, struct service_elements *ret, struct err *err);
