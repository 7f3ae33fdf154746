/* SPDX-License-Identifier: Apache-2.0 */
/* What scale and the rolling update of services share. */
#pragma once

#include "engine/services.h"

/* What one that ran, or didn't, is called while another one comes in its place
 * (service_update.h). */
char *service_aside(const struct replica *old, bool ran);
/* One that has the name already is as wished. */
int service_rename(struct engine *eng, const char *id, const char *name, struct err *err);
/* What was on its way to who has just left the balance arrives. */
void service_drain(void);
/* The old one is called as it was, and runs, if start; the new one, NULL: none, is gone. */
int service_take_back(struct engine *eng, const char *old, const char *name, const char *new_id,
		      bool start, struct err *err);
/* Makes and starts a replica as that container was made, of another image, NULL: the same, and
 * under that name, NULL: "SERVICE-NUMBER". It is not waited for. One that can't be started is gone
 * again. */
int service_make_like(struct engine *eng, const char *model, const char *image, const char *name,
		      const struct service_part *part, char **ret_id, struct err *err);
