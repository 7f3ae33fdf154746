/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics: warnings and debug lines, and in inro-runtime the log file that containerd and
 * podman parse. One process-wide sink, set once by main(). Formats: text and json as runc writes
 * them: time="2026-01-02T15:04:05Z" level=warning msg="..."
 *   {"level":"warning","msg":"...","time":"2026-01-02T15:04:05Z"}
 */
#pragma once

#include "base/util.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_PLAIN /* "prog: message" */, LOG_TEXT, LOG_JSON };

/* fd is borrowed for the life of the process. prog is a static string. */
void log_setup(const char *prog, int fd, enum log_format format, enum log_level level);
int log_fd(void);
/* At most so many warnings; one more says that the rest is left out. For a program whose input
 * decides how many there are. */
void log_limit_warnings(unsigned int max);
void log_msg(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
