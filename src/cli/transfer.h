/* SPDX-License-Identifier: Apache-2.0 */
/* Options that the commands have which move images: each is written once, for pull, push, image
 * copy, manifest push and artifacts. T is the command's option struct, member a field of it. */
#pragma once

#include "cli/access.h"
#include "cli/progress.h"

/* ---- progress ---- */

struct cli_progress {
	char *mode;
	bool quiet;
};
#define CLI_PROGRESS_OPTS(T, member, quiet_help)                                                   \
	{ .name = "progress",                                                                      \
	  .kind = OPT_STR,                                                                         \
	  OPT_FIELD(T, member.mode),                                                               \
	  .arg = "MODE",                                                                           \
	  .help = "how progress is shown; auto: tty on a terminal, else plain",                    \
	  .choices = progress_modes },                                                             \
	{                                                                                          \
		.name = "quiet", .short_name = 'q', .kind = OPT_FLAG, OPT_FIELD(T, member.quiet),  \
		.help = quiet_help                                                                 \
	}
static inline enum progress_mode cli_progress(const struct cli_progress *o)
{
	return progress_mode_of(o->mode, o->quiet);
}

/* ---- what is written of it ---- */

#define CLI_DIGESTFILE_OPT(T, member, what)                                                        \
	{                                                                                          \
		.name = "digestfile", .kind = OPT_STR, OPT_FIELD(T, member), .arg = "FILE",        \
		.help = "write the digest of what was " what " to this file"                       \
	}
#define CLI_FOREIGN_OPT(T, member)                                                                 \
	{                                                                                          \
		.name = "allow-nondistributable-artifacts", .kind = OPT_FLAG,                      \
		OPT_FIELD(T, member),                                                              \
		.help = "push layers, too, that their owner wants nobody to hand on"               \
	}
/* push_format_parse() reads it. letter: a short name, or 0. */
#define CLI_MANIFEST_FORMAT_OPT(T, member, letter, what)                                           \
	{                                                                                          \
		.name = "format", .short_name = letter, .kind = OPT_STR, OPT_FIELD(T, member),     \
		.arg = "FORMAT", .help = what                                                      \
	}

/* ---- which image ---- */

/* --platform, and podman's three for its parts. */
struct cli_platform {
	char *platform, *arch, *os, *variant;
};
#define CLI_PLATFORM_OPT(T, member, what)                                                          \
	{                                                                                          \
		.name = "platform", .kind = OPT_STR, OPT_FIELD(T, member),                         \
		.arg = "OS/ARCH[/VARIANT]", .help = what                                           \
	}
#define CLI_PLATFORM_OPTS(T, member, what)                                                         \
	CLI_PLATFORM_OPT(T, member.platform, what),                                                \
	    { .name = "arch",                                                                      \
	      .kind = OPT_STR,                                                                     \
	      OPT_FIELD(T, member.arch),                                                           \
	      .arg = "ARCH",                                                                       \
	      .help = "the architecture of --platform" },                                          \
	    { .name = "os",                                                                        \
	      .kind = OPT_STR,                                                                     \
	      OPT_FIELD(T, member.os),                                                             \
	      .arg = "OS",                                                                         \
	      .help = "the operating system of --platform" },                                      \
	{                                                                                          \
		.name = "variant", .kind = OPT_STR, OPT_FIELD(T, member.variant),                  \
		.arg = "VARIANT", .help = "the variant of --platform"                              \
	}
/* *ret: as --platform has it, heap, or NULL: none was given. */
int cli_platform(const struct cli_platform *o, char **ret, struct err *err);

/* ---- trying again ---- */

struct cli_retry {
	struct opt_i64 times;
	char *delay;
};
/* word: what the first is called, "retry" as of podman, "retry-times" as of skopeo. */
#define CLI_RETRY_OPTS(T, member, word)                                                            \
	{ .name = word,                                                                            \
	  .kind = OPT_I64,                                                                         \
	  OPT_FIELD(T, member.times),                                                              \
	  .arg = "N",                                                                              \
	  .help = "tries after the first one that fails (default: the setting "                    \
		  "transfer.retries)" },                                                           \
	{                                                                                          \
		.name = "retry-delay", .kind = OPT_STR, OPT_FIELD(T, member.delay),                \
		.arg = "DURATION",                                                                 \
		.help = "time between tries, like 2s (default: from 250ms on, doubled each time)"  \
	}
/* Makes them the settings of this command. */
int cli_retry(struct engine *eng, const struct cli_retry *o, struct err *err);

/* ---- what others have ---- */

#define CLI_REFUSE_SIGNING                                                                         \
	OPT_REFUSE("sign-by", "inro makes no signatures; sign what was pushed with cosign"),       \
	    OPT_REFUSE("sign-by-sigstore",                                                         \
		       "inro makes no signatures; sign what was pushed with cosign"),              \
	    OPT_REFUSE("sign-by-sigstore-private-key",                                             \
		       "inro makes no signatures; sign what was pushed with cosign"),              \
	    OPT_REFUSE("sign-by-sq-fingerprint",                                                   \
		       "inro makes no signatures; sign what was pushed with cosign"),              \
	    OPT_REFUSE("sign-passphrase-file",                                                     \
		       "inro makes no signatures; sign what was pushed with cosign")
#define CLI_REFUSE_ENCRYPTION                                                                      \
	OPT_REFUSE("encryption-key", "layers are not encrypted"),                                  \
	    OPT_REFUSE("encrypt-layer", "layers are not encrypted")
#define CLI_REFUSE_DECRYPTION OPT_REFUSE("decryption-key", "encrypted layers can't be read")
#define CLI_NO_SIGNATURES_OPT(T, member)                                                           \
	{                                                                                          \
		.name = "remove-signatures", .kind = OPT_FLAG, OPT_FIELD(T, member),               \
		.help = "has no effect, as signatures are not copied; for the sake of scripts"     \
	}
#define CLI_CONTENT_TRUST_OPT(T, member)                                                           \
	{                                                                                          \
		.name = "disable-content-trust", .kind = OPT_FLAG, OPT_FIELD(T, member),           \
		.help = "has no effect; for the sake of scripts"                                   \
	}
