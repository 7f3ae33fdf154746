/* SPDX-License-Identifier: Apache-2.0 */
/* Options that all commands have which speak to a registry. */
#pragma once

#include "base/opt.h"
#include "engine/registries.h"

struct cli_access {
	char *authfile, *creds, *cert_dir;
	bool no_creds;
	struct opt_bool tls_verify;
};

/* "--tls-verify" is true, "--tls-verify=false" is not; not given it is unset. */
int cli_parse_opt_bool(void *field, const char *value, struct err *err);

/* The rows of a command's table; member is the struct cli_access in its option struct T. */
#define CLI_ACCESS_FILE_OPTS(T, member)                                                            \
	{ .name = "authfile",                                                                      \
	  .kind = OPT_STR,                                                                         \
	  OPT_FIELD(T, member.authfile),                                                           \
	  .arg = "FILE",                                                                           \
	  .help = "file of credentials (REGISTRY_AUTH_FILE)" },                                    \
	    { .name = "cert-dir",                                                                  \
	      .kind = OPT_STR,                                                                     \
	      OPT_FIELD(T, member.cert_dir),                                                       \
	      .arg = "DIR",                                                                        \
	      .help =                                                                              \
		  "certificates for the registry: *.crt of authorities, *.cert with *.key for "    \
		  "this machine to show" },                                                        \
	{                                                                                          \
		.name = "tls-verify", .kind = OPT_FN, OPT_FIELD(T, member.tls_verify),             \
		.arg = "true|false", .parse = cli_parse_opt_bool, .flags = OPT_OPTIONAL_ARG,       \
		.help =                                                                            \
		    "require https and check the registry's certificate (default true, but for "   \
		    "registries of this machine and those that the settings say are insecure)"     \
	}
#define CLI_ACCESS_OPTS(T, member)                                                                 \
	CLI_ACCESS_FILE_OPTS(T, member),                                                           \
	{                                                                                          \
		.name = "creds", .kind = OPT_STR, OPT_FIELD(T, member.creds),                      \
		.arg = "USER:PASSWORD", .help = "credentials instead of those that are kept"       \
	}

static inline struct registry_access cli_access(const struct cli_access *o)
{
	return (struct registry_access){ .authfile = o->authfile,
					 .creds = o->creds,
					 .anonymous = o->no_creds,
					 .cert_dir = o->cert_dir,
					 .tls_verify = o->tls_verify };
}
