/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containers need of this machine, looked at one thing after the other: what was found, and
 * the command that mends it. Nothing is changed. Files of the system are read below a root, and
 * system calls asked for by a function, so that tests can have a machine with any fault.
 */
#pragma once

#include "base/json.h"

struct engine;
struct nft_chains;

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };
extern const char *const doctor_verdict_names[];

struct doctor_finding {
	char *check; /* its name */
	int verdict; /* enum doctor_verdict */
	char *text;  /* what was found */
	char *cure;  /* command lines; NULL: nothing to do */
};
struct doctor_report {
	JSON_LIST(struct doctor_finding) items;
};
extern const struct json_desc doctor_report_desc; /* an array */
void doctor_report_done(struct doctor_report *r);
#define cleanup_doctor_report CLEANUP(doctor_report_done)

struct doctor_space {
	const char *path;
	uint64_t free_bytes, bytes, free_inodes, inodes; /* inodes 0: not counted */
};

/* What containers' networks meet. Problems are messages; NULL: none. */
struct doctor_net {
	char *links_problem;           /* no interfaces can be made */
	char *nft_problem;             /* the rules of networks can't be loaded */
	char *slots_problem;           /* nor those that share connections out */
	char *rules_problem;           /* what is there can't be looked at */
	bool in_use, no_table;         /* a container is on a network; and its rules are gone */
	size_t missing, excess, wrong; /* as struct fw_report has it */
	struct nft_chains *chains;     /* of the machine; NULL: can't be seen */
	bool names_killed;             /* who answers names was killed, and who repairs that */
	char *overlap;                 /* of a network with a route */
	char *pasta;                   /* what it says of its version */
};

/* The machine, and for whom. */
struct doctor {
	int root; /* directory that is "/" */
	bool rootless;
	uint32_t uid;
	const char *user;          /* NULL: it has no name */
	bool (*has_call)(long nr); /* is there this system call? */
	int landlock_abi;
	int64_t now_ns; /* realtime */
	struct doctor_space store;
	const char *store_problem;   /* it can't be written; NULL: it can */
	const char *runtime_dir;     /* $XDG_RUNTIME_DIR, or NULL */
	const char *home;            /* $HOME, or NULL */
	size_t n_policies;           /* containers that are to be there again after a boot */
	const char *missing_program; /* of inro's own; NULL: all are there */
	struct doctor_net net;
};

void doctor_examine(const struct doctor *d, struct doctor_report *ret);
/* The same of this machine for this user. */
void engine_doctor(struct engine *eng, struct doctor_report *ret);
/* Its part for networks; doctor_net_done() frees it. */
void doctor_net_look(struct engine *eng, struct doctor_net *ret);
void doctor_net_done(struct doctor_net *net);
