/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/oci only: the checks that the image documents' descriptor tables call. */
#pragma once

#include "oci/image.h"

int image_check_platform(const void *object, struct err *err);
int image_check_descriptor(const void *object, struct err *err);
int image_check_manifest(const void *object, struct err *err);
int image_check_index(const void *object, struct err *err);
int image_check_healthcheck(const void *object, struct err *err);
int image_check_config(const void *object, struct err *err);
int image_check_rootfs(const void *object, struct err *err);
int image_check_image_config(const void *object, struct err *err);
int image_check_archive_entry(const void *object, struct err *err);
int image_check_archive(const void *object, struct err *err);

extern const struct json_desc docker_archive_desc;
