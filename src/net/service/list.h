/* SPDX-License-Identifier: Apache-2.0 */
/* Doubly linked lists whose links are in their members. A head and a member that is in no list
 * point at themselves. */
#pragma once

#include "base/util.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_add(struct list *head, struct list *l) /* at its end */
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}
static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

#define list_of(ptr, type, field) ((type *)(void *)((char *)(ptr)-offsetof(type, field)))
/* What is at hand may be removed. */
#define list_each(it, tmp, head)                                                                   \
	for (struct list *it = (head)->next, *tmp = it->next; it != (head);                        \
	     it = tmp, tmp = it->next)
