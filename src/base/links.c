/* SPDX-License-Identifier: Apache-2.0 */
#include "base/links.h"

#include <stdint.h>
#include <stdlib.h>

struct links_slot {
	dev_t dev;
	ino_t ino;
	char *name; /* NULL: it is free */
};

static struct links_slot *find(struct links_slot *slots, size_t cap, dev_t dev, ino_t ino)
{
	uint64_t hash = ((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15ull;
	size_t i = (size_t)(hash >> 20) & (cap - 1);

	while (slots[i].name && (slots[i].dev != dev || slots[i].ino != ino))
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

static void grow(struct links *links)
{
	size_t cap = links->cap ? 2 * links->cap : 256;
	struct links_slot *slots = xcalloc(cap, sizeof(*slots));

	for (size_t i = 0; i < links->cap; i++) {
		const struct links_slot *old = &links->slots[i];

		if (old->name)
			*find(slots, cap, old->dev, old->ino) = *old;
	}
	free(links->slots);
	links->slots = slots;
	links->cap = cap;
}

const char *links_find(struct links *links, dev_t dev, ino_t ino, const char *name)
{
	struct links_slot *slot;

	if (2 * (links->n + 1) > links->cap)
		grow(links);
	slot = find(links->slots, links->cap, dev, ino);
	if (slot->name)
		return slot->name;
	*slot = (struct links_slot){ dev, ino, xstrdup(name) };
	links->n++;
	return NULL;
}

void links_done(struct links *links)
{
	for (size_t i = 0; i < links->cap; i++)
		free(links->slots[i].name);
	free(links->slots);
	*links = (struct links){ 0 };
}
