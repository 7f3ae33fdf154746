/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of engine_check(). */
#pragma once

#include "engine/check.h"

enum check_verdict {
	CHECK_DAMAGED,
	CHECK_CURED,  /* it was, and has been made good */
	CHECK_KEPT,   /* it is, and can be made good another time: nothing is removed for that */
	CHECK_UNSURE, /* it could not be looked at: the same */
};
/* Adds the problem to the item of that id, made when it is not there. Takes problem over. */
struct check_item *check_add(struct check_report *report, bool image, const char *id, char *problem,
			     enum check_verdict verdict);

/* To all images that need the content: kind "blob" or "layer". */
int check_tell_images(struct engine *eng, const char *kind, const char *digest, const char *problem,
		      enum check_verdict verdict, struct check_report *report, struct err *err);
/* Is a container running on an image that has the layer? 1, 0, or -errno. */
int check_is_running(struct engine *eng, const char *layer, struct err *err);
/* check_mapped.c: layers with the owners of other mappings. */
int check_mapped(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err);

/* Has each image its contents in the table that says what is needed? */
int check_counts(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err);
int check_images(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err);
int check_containers(struct engine *eng, const struct check_options *opts,
		     struct check_report *report, struct err *err);
int check_pods(struct engine *eng, const struct check_options *opts, struct check_report *report,
	       struct err *err);
int check_volumes(struct engine *eng, const struct check_options *opts, struct check_report *report,
		  struct err *err);
int check_networks(struct engine *eng, const struct check_options *opts,
		   struct check_report *report, struct err *err);
int check_network_machine(struct engine *eng, const struct check_options *opts,
			  struct check_report *report, struct err *err);
int check_leftovers(struct engine *eng, const struct check_options *opts,
		    struct check_report *report, struct err *err);
/* Removes what the report says is damaged, as far as the options allow. */
int check_repair(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err);
