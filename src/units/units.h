/* SPDX-License-Identifier: Apache-2.0 */
/*
 * podman's files for systemd (podman-systemd.unit(5), "Quadlet") turned into services that run
 * inro: no daemon is between systemd and the container. Pure: bytes in, text out. A file that says
 * what inro cannot do is an error with the line and the key, never a service that does something
 * else.
 */
#pragma once

#include "units/file.h"

#define UNITS_MAX 10000

/* .container, .volume, ...: what a file of this kind is. */
struct units_kind {
	const char *extension; /* ".volume" */
	const char *section;   /* "Volume" */
	const char *suffix;    /* of the service's name: "-volume" */
	const char *name_key;  /* the key that names what is made: "VolumeName"; or NULL */
	const char *refused;   /* why there is none of it, or NULL */
};
/* Of a file's name; NULL: it is none of ours. */
const struct units_kind *units_kind_of(const char *name);

struct units_unit {
	char *name; /* "web.container" */
	char *path;
	const struct units_kind *kind;
	struct unit_file file; /* with its drop-ins */
};

/* What the conversion asks for. */
struct units_env {
	bool user;        /* services of a user's systemd */
	const char *inro; /* path of the program */
	/* Can `inro run` do this? option: "--memory", value: NULL where it has none. */
	int (*check)(const char *option, const char *value, struct err *err);
	bool (*exists)(const char *path); /* on this machine */
};

struct units {
	const struct units_env *env;
	struct units_unit *items;
	size_t n;
};
void units_done(struct units *set);
/* Takes file over. */
void units_add(struct units *set, const char *name, const char *path, struct unit_file *file);
const struct units_unit *units_find(const struct units *set, const char *name);

/* "web.service"; the caller frees. -errno: ServiceName is none. */
int units_service(const struct units_unit *u, char **ret, struct err *err);
/* What the container, volume ... is called, with specifiers of the service's; the caller frees. */
char *units_resource(const struct units_unit *u);

/* The service. Its errors name file and line. */
int units_convert(const struct units *set, const struct units_unit *u, struct unit_file *ret,
		  struct err *err);

/* Where files are looked for, what comes first counts. foreign: podman's generator is here as well,
 * and makes services of podman's directories: then they are not looked at. runtime_dir,
 * config_home: of the user, NULL: not known. Appends. */
struct units_who {
	bool user, foreign;
	const char *runtime_dir, *config_home;
	unsigned int uid;
};
void units_dirs(const struct units_who *who, char ***dirs);
/* Names of the directories of drop-ins of a file, from those of all files of its kind to its own.
 * Appends. */
void units_dropin_dirs(const char *name, char ***dirs);

/* How [Install] enables the service: names of symlinks in the directory of units, as
 * "multi-user.target.wants/web.service", and what they lead to, by turns. Appends. */
int units_links(const struct units_unit *u, const char *service, char ***links, struct err *err);
