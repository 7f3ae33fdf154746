/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside src/oci only: the checks that the descriptor tables of config.json call, and the small
 * tests they are made of. Each check sees one object whose fields have been parsed; it names the
 * member that is wrong relative to that object (json_fail).
 */
#pragma once

#include "oci/spec.h"

/* Tables that others build on (spec_tables.c, spec_tables_linux.c). */
extern const struct json_desc spec_id_map_desc;
extern const struct json_desc spec_linux_desc;
extern const struct json_desc spec_hooks_desc;

/* spec_check.c */
int spec_check_spec(const void *object, struct err *err);
int spec_check_root(const void *object, struct err *err);
int spec_check_mount(const void *object, struct err *err);
int spec_check_hook(const void *object, struct err *err);
int spec_check_id_map(const void *object, struct err *err);

/* spec_check_process.c */
int spec_check_process(const void *object, struct err *err);
int spec_check_user(const void *object, struct err *err);
int spec_check_box(const void *object, struct err *err);
int spec_check_rlimit(const void *object, struct err *err);
int spec_check_caps(const void *object, struct err *err);
int spec_check_scheduler(const void *object, struct err *err);
int spec_check_io_priority(const void *object, struct err *err);
int spec_check_cpu_affinity(const void *object, struct err *err);

/* spec_check_linux.c */
int spec_check_linux(const void *object, struct err *err);
int spec_check_namespace(const void *object, struct err *err);
int spec_check_device(const void *object, struct err *err);
int spec_check_time_offset(const void *object, struct err *err);
int spec_check_net_device(const void *object, struct err *err);
int spec_check_personality(const void *object, struct err *err);
int spec_check_intel_rdt(const void *object, struct err *err);
int spec_check_memory_policy(const void *object, struct err *err);

/* spec_check_resources.c */
int spec_check_resources(const void *object, struct err *err);
int spec_check_device_rule(const void *object, struct err *err);
int spec_check_memory(const void *object, struct err *err);
int spec_check_cpu(const void *object, struct err *err);
int spec_check_pids(const void *object, struct err *err);
int spec_check_block_io(const void *object, struct err *err);
int spec_check_weight_device(const void *object, struct err *err);
int spec_check_throttle_device(const void *object, struct err *err);
int spec_check_hugepage_limit(const void *object, struct err *err);
int spec_check_net_priority(const void *object, struct err *err);
int spec_check_rdma(const void *object, struct err *err);

/* spec_check_seccomp.c */
int spec_check_seccomp(const void *object, struct err *err);
int spec_check_seccomp_rule(const void *object, struct err *err);
int spec_check_seccomp_arg(const void *object, struct err *err);

/* spec_words.c: tests on one value. 0, or json_fail() for member. */

/* "<member>: expected <expected>, got "<value>"", the value escaped and cut. */
int spec_fail_value(struct err *err, const char *member, const char *value, const char *expected);
/* value is one of words (NULL-terminated); the error lists them. */
int spec_check_word(struct err *err, const char *member, const char *value,
		    const char *const *words);
int spec_check_words(struct err *err, const char *member, char *const *values,
		     const char *const *words);
int spec_check_absolute(struct err *err, const char *member, const char *path);
int spec_check_absolutes(struct err *err, const char *member, char *const *paths);
int spec_check_env(struct err *err, const char *member, char *const *env);
int spec_check_range(struct err *err, const char *member, int64_t value, int64_t min, int64_t max);
/* "0-3,7" */
int spec_check_cpu_list(struct err *err, const char *member, const char *list);
int spec_check_id(struct err *err, const char *member, uint32_t id);
int spec_check_id_maps(struct err *err, const char *member, const spec_id_maps *maps);
/* A name that the kernel takes for a network interface. */
int spec_check_ifname(struct err *err, const char *member, const char *name);
int spec_check_device_number(struct err *err, int64_t major, int64_t minor, int64_t min);
bool spec_word_in(const char *word, const char *const *words);

#define ID_MAPS_MAX   340 /* user_namespaces(7) */
#define DEV_MAJOR_MAX 4095
#define DEV_MINOR_MAX 1048575
