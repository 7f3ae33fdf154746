/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inro's settings: one table (config_settings) from which files are parsed and checked, `inro
 * config` lists what is set and by whom, and inro.conf(5) and the example file are written.
 *
 * Files, each may be missing, later ones win:
 *   /etc/inro/inro.conf, /etc/inro/inro.conf.d/NAME.conf in the order of their names
 *   as a user also $XDG_CONFIG_HOME/inro/inro.conf (~/.config/inro) and its inro.conf.d
 * A file named by --config or INRO_CONFIG is read instead of all of these. root's HOME may be a
 * user's (sudo), so that root has the files in /etc alone.
 *
 * A setting that may be given several times adds up within one file; a later file that has it
 * replaces what earlier ones said. They are read when first asked for: `run` of an image that is
 * there does so for the log alone.
 */
#pragma once

#include "base/json.h"

struct engine;

enum config_kind {
	CONFIG_BOOL,     /* bool */
	CONFIG_COUNT,    /* int64_t */
	CONFIG_BYTES,    /* uint64_t, docker's units */
	CONFIG_DURATION, /* int64_t, seconds; "90s", "2m", or a number */
	CONFIG_STR,      /* char * */
	CONFIG_LIST,     /* char **: words with commas or blanks between, or given several times */
	CONFIG_MAP       /* struct json_map; the setting's name ends in ".", any name may follow */
};

struct config_setting {
	const char *section, *key;
	enum config_kind kind;
	size_t offset; /* in struct config, or of [registry "..."] in struct config_registry */
	const char *initial; /* the default as text, NULL: not set */
	const char *arg;     /* what the value is called in the manual */
	int64_t min, max;    /* CONFIG_COUNT, CONFIG_DURATION */
	int (*check)(const char *word, struct err *err); /* each word of a list; or NULL */
	const char *help;                                /* sentences */
};
extern const struct config_setting config_settings[];
extern const size_t config_n_settings;
#define CONFIG_REGISTRY "registry" /* the section that has a subject */

struct config_registry {
	char *name; /* "docker.io", "reg.example:5000/team", "*.example.org"; as
		       reference_registry_key() spells it */
	char **mirrors;
	char *location, *tls_dir;
	bool insecure, blocked;
};

/* Who said what. */
struct config_value {
	const struct config_setting *setting;
	char *subject; /* of [registry "..."], or NULL */
	char *name;    /* "image.max_size", "registry.docker.io.mirror" */
	char *text;
	char *file; /* NULL: the default */
	size_t line;
	size_t file_no;
};

#define CONFIG_RETRIES_MAX        100
#define CONFIG_RETRY_DELAY_MAX_MS (3600 * 1000)

struct config {
	struct {
		char **short_names;
		struct json_map aliases;
		char *policy;
		uint64_t max_size; /* 0: no limit */
	} image;
	struct {
		int64_t parallel, retries, timeout_s;
		int64_t retry_delay_ms; /* negative: longer each time */
		char *http_proxy, *https_proxy, *no_proxy;
	} transfer;
	struct {
		char *fallback; /* "default": the word of --network of who says none */
	} network;
	struct {
		char *driver;
		uint64_t max_size; /* 0: no limit */
		int64_t max_files;
	} log;
	JSON_LIST(struct config_registry) registries;
	JSON_LIST(struct config_value) values; /* in the table's order once finished */
	size_t n_files;
};

/* Pure. Adds what a file says; then, once, config_finish() fills the struct. Errors name the file
 * and the line. On failure the caller still calls config_done(). */
int config_add(struct config *config, const char *text, size_t len, const char *file,
	       struct err *err);
void config_finish(struct config *config);
void config_done(struct config *config);
#define cleanup_config CLEANUP(config_done)

/* The registry section that fits best: the longest name that is "host[:port][/path]" or a beginning
 * of it at a slash, else the longest "*.domain" that its host is in; or NULL. However the name is
 * written: "REG.example:443" is "reg.example". */
const struct config_registry *config_registry_find(const struct config *config, const char *given);
/* Did somebody set this key of it? */
bool config_registry_has(const struct config *config, const struct config_registry *reg,
			 const char *key);
/* "file:line" of the setting, or NULL when nobody set it; the caller frees. */
char *config_origin(const struct config *config, const char *subject, const char *key);
/* Fails unless there can be a setting of that name; says what may be meant. */
int config_check_name(const char *name, struct err *err);

/* The settings of this machine and user, read once; they belong to the engine. */
int config_get(struct engine *eng, const struct config **ret, struct err *err);
/* What the command line says, instead of the setting. */
int config_set_retries(struct engine *eng, int64_t retries, struct err *err);
int config_set_retry_delay(struct engine *eng, int64_t ms, struct err *err);
/* For engine_done(). */
void config_free(struct config *config);

/* inro.conf(5)'s list of settings as scdoc(5) source; the example file. */
void config_write_man(struct buf *out);
void config_write_example(struct buf *out);
