/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ids.h"

#include "base/str.h"
#include "base/strv.h"

static void write_map(const struct idmap *map, struct buf *out)
{
	for (size_t i = 0; i < map->n; i++)
		buf_addf(out, "%s%u:%u:%u", i ? "," : "", map->ranges[i].inside,
			 map->ranges[i].outside, map->ranges[i].count);
}

void image_ids_write(const struct idmap *uids, const struct idmap *gids, struct buf *out)
{
	write_map(uids, out);
	buf_addc(out, ';');
	write_map(gids, out);
}

static int parse_range(const char *word, struct idmap *ret)
{
	cleanup_strv char **parts = strv_split(word, ':');
	uint32_t inside, outside, count;

	if (strv_len(parts) != 3 || str_parse_u32(parts[0], &inside) < 0 ||
	    str_parse_u32(parts[1], &outside) < 0 || str_parse_u32(parts[2], &count) < 0 ||
	    ret->n >= IDMAP_RANGES_MAX)
		return -EINVAL;
	return idmap_add(ret, inside, outside, count);
}

static int parse_map(const char *text, struct idmap *ret)
{
	cleanup_strv char **words = strv_split(text, ',');
	int r = strv_len(words) ? 0 : -EINVAL;

	for (size_t i = 0; r == 0 && words[i]; i++)
		r = parse_range(words[i], ret);
	return r;
}

int image_ids_parse(const char *text, struct image_ids *ret)
{
	cleanup_strv char **parts = strv_split(text, ';');
	struct image_ids ids = { 0 };
	int r = strv_len(parts) == 2 ? parse_map(parts[0], &ids.uids) : -EINVAL;

	if (r == 0)
		r = parse_map(parts[1], &ids.gids);
	if (r < 0)
		image_ids_done(&ids);
	else
		*ret = ids;
	return r;
}

void image_ids_done(struct image_ids *ids)
{
	idmap_done(&ids->uids);
	idmap_done(&ids->gids);
}
