/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/pack_sparse.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/tar_header.h"

#define HOLES_MIN  (16u << 20) /* bytes in the holes of a file, for the trouble to be worth it */
#define HOLE_MIN   (1u << 20)  /* bytes of a hole that is told */
#define PARTS_MAX  10000       /* readers take a map of 1 MiB at most */
#define ZEROS_FREE (1024ull << 20)
#define ZEROS_MAX  4 /* bytes of holes in the archive, beyond that, to one of data */

void sparse_map_done(struct sparse_map *map)
{
	free(take_ptr(map->parts));
	map->n = 0;
}

static void part_add(struct sparse_map *map, uint64_t from, uint64_t to)
{
	if (map->n % 64 == 0)
		map->parts = xrealloc(map->parts, (map->n + 64) * sizeof(*map->parts));
	map->parts[map->n++] = (struct sparse_part){ from, to - from };
	map->data += to - from;
}

/* The data, with holes below min taken for data. 1: there are too many parts. */
static int parts_read(int fd, uint64_t size, uint64_t min, struct sparse_map *map,
		      uint64_t *ret_zeros)
{
	uint64_t at = 0, from = 0, to = 0, real = 0;

	while (at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (data < 0 && errno == ENXIO)
			break; /* nothing but a hole is left */
		if (data < 0 || hole <= data)
			return -errno;
		if ((uint64_t)data >= size)
			break; /* it grows */
		at = (uint64_t)hole < size ? (uint64_t)hole : size;
		real += at - (uint64_t)data;
		if ((uint64_t)data - to < min) {
			to = at;
			continue;
		}
		if (to > from)
			part_add(map, from, to);
		from = (uint64_t)data;
		to = at;
		if (map->n > PARTS_MAX)
			return 1;
	}
	if (size - to < min)
		to = size;
	if (to > from)
		part_add(map, from, to);
	part_add(map, size, size);
	*ret_zeros = map->data - real;
	return 0;
}

int sparse_map_read(int fd, uint64_t size, struct sparse_map *ret, struct err *err)
{
	cleanup_sparse_map struct sparse_map map = { 0 };
	uint64_t zeros = 0;
	struct stat st;
	int r = 1;

	if (size < HOLES_MIN || fstat(fd, &st) < 0 ||
	    (uint64_t)st.st_blocks * 512 + HOLES_MIN > size)
		return 0;
	for (uint64_t min = HOLE_MIN; r == 1; min *= 4) {
		sparse_map_done(&map);
		map.data = 0;
		r = parts_read(fd, size, min, &map, &zeros);
	}
	/* A file system that can't tell. */
	if (r < 0)
		return 0;
	if (zeros > ZEROS_FREE && zeros / ZEROS_MAX > map.data - zeros)
		return err_fail(err, ERR_LIMIT,
				"the file has more holes than an archive can tell, and would take "
				"%" PRIu64 " bytes in it",
				map.data);
	if (map.data + HOLES_MIN > size)
		return 0;
	*ret = map;
	map = (struct sparse_map){ 0 };
	return 1;
}

void sparse_map_text(const struct sparse_map *map, struct buf *out)
{
	buf_addf(out, "%zu\n", map->n);
	for (size_t i = 0; i < map->n; i++)
		buf_addf(out, "%" PRIu64 "\n%" PRIu64 "\n", map->parts[i].offset,
			 map->parts[i].len);
	tar_zeros_add(out, tar_padding(out->len));
}
