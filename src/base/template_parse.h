/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing, inside base/template_p*.c only. After a failure all functions do nothing more. */
#pragma once

#include "base/template_internal.h"

#define TPARSE_VARS_MAX 256

struct tparser {
	struct template *t;
	struct tlexer l;
	struct ttoken tok; /* the one being looked at */
	struct err *err;
	const char *p; /* outside of actions: the text that is next */
	bool trim_next, escapes;
	uint32_t depth, loops;
	const char *vars[TPARSE_VARS_MAX]; /* that are declared here */
	uint32_t n_vars;
	bool failed;
};

/* Only the first failure is told. */
void tparse_fail(struct tparser *ps, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void tparse_unexpected(struct tparser *ps, const char *where);
struct tnode *tparse_node(struct tparser *ps, enum tnode_kind kind, size_t at);
/* To the next token that is no space. */
void tparse_next(struct tparser *ps);
void tparse_skip_space(struct tparser *ps);
bool tparse_is_word(const struct ttoken *tok, const char *word);
/* Up to the token end, which stays in ps->tok. what: for messages; "range" has two variables. */
struct tnode *tparse_pipeline(struct tparser *ps, const char *what, enum ttoken_kind end);
