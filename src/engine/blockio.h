/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of block devices, whose numbers are looked up: options to the spec's blockIO. */
#pragma once

#include "engine/runopts.h"
#include "oci/spec.h"

/* ret->block_io, NULL when nothing is asked for. */
int block_io_parse(const struct run_options *opts, struct spec_resources *ret, struct err *err);
