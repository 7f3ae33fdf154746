/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/container_words.h"
#include "cli/format.h"
#include "engine/df.h"
#include "oci/reference.h"

struct df_options {
	bool verbose;
	char *format;
};

static const struct opt opts[] = {
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct df_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "verbose",
	  .short_name = 'v',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct df_options, verbose),
	  .help = "show each image, container and volume" },
};

struct total {
	const char *type;
	size_t count, active;
	uint64_t size, reclaimable;
};
#define TOTAL(r) ((const struct total *)(r))

static char *total_type(const void *r)
{
	return xstrdup(TOTAL(r)->type);
}
static char *total_count(const void *r)
{
	return xasprintf("%zu", TOTAL(r)->count);
}
static char *total_active(const void *r)
{
	return xasprintf("%zu", TOTAL(r)->active);
}
static char *total_size(const void *r)
{
	return cli_size_room(TOTAL(r)->size);
}
static char *total_reclaimable(const void *r)
{
	cleanup_free char *size = cli_size_room(TOTAL(r)->reclaimable);

	if (!TOTAL(r)->size)
		return take_ptr(size);
	return xasprintf(
	    "%s (%u%%)", size,
	    (unsigned int)((double)TOTAL(r)->reclaimable * 100 / (double)TOTAL(r)->size));
}

static const struct cli_field total_fields[] = {
	{ "Active", "ACTIVE", total_active, 0 },
	{ "Reclaimable", "RECLAIMABLE", total_reclaimable, 0 },
	{ "Size", "SIZE", total_size, 0 },
	{ "TotalCount", "TOTAL", total_count, 0 },
	{ "Type", "TYPE", total_type, 0 },
	{ "Total", "TOTAL", total_count, CLI_ALIAS },
};
static const struct cli_table total_table = { total_fields, ARRAY_SIZE(total_fields),
					      "Type TotalCount Active Size Reclaimable" };

#define IMAGE(r) ((const struct df_image *)(r))

static void image_name(const struct image_row *row, struct reference *ret)
{
	if (row->names && row->names[0] && reference_parse(row->names[0], ret, NULL) < 0)
		*ret = (struct reference){ 0 };
}
static char *image_repository(const void *r)
{
	cleanup_reference struct reference ref = { 0 };

	image_name(&IMAGE(r)->row, &ref);
	return ref.path ? reference_familiar_repository(&ref) : xstrdup("<none>");
}
static char *image_tag(const void *r)
{
	cleanup_reference struct reference ref = { 0 };

	image_name(&IMAGE(r)->row, &ref);
	return xstrdup(ref.tag ? ref.tag : "<none>");
}
static char *image_id(const void *r)
{
	return cli_short_id(IMAGE(r)->row.id, false);
}
static char *image_created(const void *r)
{
	return cli_ago(IMAGE(r)->row.created_ns);
}
static char *image_size(const void *r)
{
	return cli_size_room(IMAGE(r)->row.size);
}
static char *image_shared(const void *r)
{
	return cli_size_room(IMAGE(r)->shared);
}
static char *image_unique(const void *r)
{
	return cli_size_room(IMAGE(r)->unique);
}
static char *image_containers(const void *r)
{
	return xasprintf("%u", IMAGE(r)->containers);
}

static const struct cli_field image_fields[] = {
	{ "Containers", "CONTAINERS", image_containers, 0 },
	{ "CreatedSince", "CREATED", image_created, 0 },
	{ "ID", "IMAGE ID", image_id, 0 },
	{ "Repository", "REPOSITORY", image_repository, 0 },
	{ "SharedSize", "SHARED SIZE", image_shared, 0 },
	{ "Size", "SIZE", image_size, 0 },
	{ "Tag", "TAG", image_tag, 0 },
	{ "UniqueSize", "UNIQUE SIZE", image_unique, 0 },
};
static const struct cli_table image_table = {
	image_fields, ARRAY_SIZE(image_fields),
	"Repository Tag ID CreatedSince Size SharedSize UniqueSize Containers"
};

#define CONTAINER(r) ((const struct df_container *)(r))

static char *container_id(const void *r)
{
	return xstrndup(CONTAINER(r)->record.id, 12);
}
static char *container_image(const void *r)
{
	return xstrdup(CONTAINER(r)->record.image_name);
}
static char *container_command(const void *r)
{
	return cli_container_command(&CONTAINER(r)->record, false);
}
static char *container_size(const void *r)
{
	return cli_size_room(CONTAINER(r)->size);
}
static char *container_created(const void *r)
{
	return cli_ago(CONTAINER(r)->record.created_ns);
}
static char *container_status(const void *r)
{
	return cli_container_status(&CONTAINER(r)->record);
}
static char *container_volumes(const void *r)
{
	return cli_container_volumes(&CONTAINER(r)->record);
}
static char *container_names(const void *r)
{
	return xstrdup(CONTAINER(r)->record.name);
}

static const struct cli_field container_fields[] = {
	{ "Command", "COMMAND", container_command, 0 },
	{ "ID", "CONTAINER ID", container_id, 0 },
	{ "Image", "IMAGE", container_image, 0 },
	{ "LocalVolumes", "LOCAL VOLUMES", container_volumes, 0 },
	{ "Names", "NAMES", container_names, 0 },
	{ "RunningFor", "CREATED", container_created, 0 },
	{ "Size", "SIZE", container_size, 0 },
	{ "Status", "STATUS", container_status, 0 },
};
static const struct cli_table container_table = {
	container_fields, ARRAY_SIZE(container_fields),
	"ID Image Command LocalVolumes Size RunningFor Status Names"
};

#define VOL(r) ((const struct df_volume *)(r))

static char *volume_name(const void *r)
{
	return xstrdup(VOL(r)->volume.name);
}
static char *volume_links(const void *r)
{
	return xasprintf("%llu", (unsigned long long)VOL(r)->volume.uses);
}
static char *volume_size_text(const void *r)
{
	return cli_size_room(VOL(r)->size);
}

static const struct cli_field volume_fields[] = {
	{ "Links", "LINKS", volume_links, 0 },
	{ "Name", "VOLUME NAME", volume_name, 0 },
	{ "Size", "SIZE", volume_size_text, 0 },
};
static const struct cli_table volume_table = { volume_fields, ARRAY_SIZE(volume_fields),
					       "Name Links Size" };

#define MAPPING(r) ((const struct df_mapping *)(r))

static char *mapping_layer(const void *r)
{
	cleanup_free char *hex = mapped_layer(MAPPING(r)->item);

	return xstrndup(hex, 12);
}
static char *mapping_text(const void *r)
{
	const struct mapped_item *item = MAPPING(r)->item;

	return item->text ? xstrdup(item->text) : xstrndup(item->hash, 12);
}
static char *mapping_containers(const void *r)
{
	return xasprintf("%u", MAPPING(r)->containers);
}
static char *mapping_size(const void *r)
{
	return cli_size_room(MAPPING(r)->item->size);
}

static const struct cli_field mapping_fields[] = {
	{ "Containers", "CONTAINERS", mapping_containers, 0 },
	{ "Layer", "LAYER ID", mapping_layer, 0 },
	{ "Mapping", "MAPPING", mapping_text, 0 },
	{ "Size", "SIZE", mapping_size, 0 },
};
static const struct cli_table mapping_table = { mapping_fields, ARRAY_SIZE(mapping_fields),
						"Layer Mapping Containers Size" };

static int add_table(const struct cli_table *table, const char *format, const void *items,
		     size_t size, size_t n, struct buf *out, struct err *err)
{
	cleanup_cli_list struct cli_list *list = NULL;
	int r = cli_list_new(table, format, true, &list, err);

	for (size_t i = 0; i < n && r == 0; i++)
		r = cli_list_row(list, (const char *)items + i * size, err);
	return r < 0 ? r : cli_list_write(list, out, err);
}

static int write_verbose(const struct engine_df *df, const char *format, struct buf *out,
			 struct err *err)
{
	int r;

	buf_adds(out, "Images space usage:\n\n");
	r = add_table(&image_table, format, df->images, sizeof(*df->images), df->n_images, out,
		      err);
	buf_adds(out, "\nContainers space usage:\n\n");
	if (r == 0)
		r = add_table(&container_table, format, df->containers, sizeof(*df->containers),
			      df->n_containers, out, err);
	buf_adds(out, "\nLocal Volumes space usage:\n\n");
	if (r == 0)
		r = add_table(&volume_table, format, df->volumes, sizeof(*df->volumes),
			      df->n_volumes, out, err);
	if (r < 0 || !df->mapped.n)
		return r;
	buf_adds(out, "\nImage Mappings space usage:\n\n");
	return add_table(&mapping_table, format, df->mapping, sizeof(*df->mapping), df->mapped.n,
			 out, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct df_options *o = options;
	cleanup_df struct engine_df df = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	int r;

	if (o->verbose && o->format)
		return err_fail(err, ERR_USAGE,
				"the format and verbose options conflict: give one of them");
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = engine_df(&eng, &df, err);
	if (r == 0 && o->verbose)
		r = write_verbose(&df, NULL, &out, err);
	if (r == 0 && !o->verbose) {
		const struct {
			struct total total;
			bool rare;
		} all[] = {
			{ { "Images", df.n_images, df.images_active, df.layers.size,
			    df.layers.reclaimable } },
			{ { "Containers", df.n_containers, df.containers_active, df.containers_size,
			    df.containers_reclaimable } },
			{ { "Local Volumes", df.n_volumes, df.volumes_active, df.volumes_size,
			    df.volumes_reclaimable } },
			{ { .type = "Build Cache" } },
			{ { "Image Blobs", df.blobs.n, df.blobs.active, df.blobs.size,
			    df.blobs.reclaimable } },
			{ { "Image Mappings", df.mappings.n, df.mappings.active, df.mappings.size,
			    df.mappings.reclaimable },
			  true },
			{ { "Partial Downloads", df.partials.n, df.partials.active,
			    df.partials.size, df.partials.size - df.partials.active_size },
			  true },
		};
		struct total totals[ARRAY_SIZE(all)];
		size_t n = 0;

		for (size_t i = 0; i < ARRAY_SIZE(all); i++)
			if (!all[i].rare || all[i].total.count)
				totals[n++] = all[i].total;
		r = add_table(&total_table, o->format, totals, sizeof(totals[0]), n, &out, err);
	}
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_system_df = {
	.name = "df",
	.args = "[OPTIONS]",
	.summary = "Show how much room images, containers and volumes take",
	.details =
	    "Images are counted by their layers as they are unpacked, each once. Their blobs, as "
	    "they are pushed and saved, are a line of their own, and so are the trees that layers "
	    "have "
	    "for --userns keep-id and nomap. RECLAIMABLE is what the prune "
	    "commands with --all would free: a layer that an image in use has, too, is not part of "
	    "it.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct df_options),
	.run = run,
};
