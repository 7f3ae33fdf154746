/* SPDX-License-Identifier: Apache-2.0 */
/* Dockerfile instructions that change an image's configuration: import --change. Pure. */
#pragma once

#include "net/portspec.h"
#include "oci/image.h"

/* "CMD [\"sh\"]", "ENV A=b", "WORKDIR /srv" ... */
int change_apply(const char *instruction, struct oci_config *config, struct err *err);
/* EXPOSE of the ports inside, as long as there are fewer than an image can have (OCI_KEYS_MAX). */
void change_expose_ports(const struct port_publish *p, struct oci_config *config);
