/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --log-driver and --log-opt: where a container's output goes (runtime/logline.h).
 *
 *   k8s-file    records of CRI's format, which hold any byte; the default
 *   json-file   docker's
 *   none        nowhere but to who is attached
 *
 *   max-size=SIZE         of one file: 10m, or -1 for no limit
 *   max-file=NUMBER       of files, 3
 *   mode=blocking|non-blocking   when the disk is full, the container waits, or lines are dropped
 *   labels=NAME,...       json-file: labels of the container that each record gets
 */
#pragma once

#include "engine/record.h"

#define LOG_SIZE_DEFAULT  (10u << 20)
#define LOG_FILES_DEFAULT 3

/* driver NULL: the default; words NULL: none. labels: of the container. */
int log_options_parse(const char *driver, char *const *words, const struct json_map *labels,
		      struct record_options *ret, struct err *err);
