/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stats_keys.h"

#include "base/util.h"

#define ESCAPE     0x1b
#define NUMBER_MAX 1000

struct final {
	char byte;
	unsigned int number; /* for '~' */
	int key;
};
static const struct final finals[] = {
	{ 'A', 0, STATS_KEY_UP },        { 'B', 0, STATS_KEY_DOWN }, { 'C', 0, STATS_KEY_RIGHT },
	{ 'D', 0, STATS_KEY_LEFT },      { 'H', 0, STATS_KEY_HOME }, { 'F', 0, STATS_KEY_END },
	{ '~', 1, STATS_KEY_HOME },      { '~', 4, STATS_KEY_END },  { '~', 5, STATS_KEY_PAGE_UP },
	{ '~', 6, STATS_KEY_PAGE_DOWN }, { '~', 7, STATS_KEY_HOME }, { '~', 8, STATS_KEY_END },
};

static int find(char byte, unsigned int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(finals); i++)
		if (finals[i].byte == byte && (byte != '~' || finals[i].number == number))
			return finals[i].key;
	return 0;
}

/* ESC [ 5 ; 2 ~ */
static int feed_sequence(struct stats_keys *k, unsigned char byte)
{
	if (byte >= '0' && byte <= '9') {
		if (!k->parameters && k->number < NUMBER_MAX)
			k->number = k->number * 10 + (unsigned int)(byte - '0');
		return 0;
	}
	if (byte >= 0x20 && byte < 0x40) {
		k->parameters += byte == ';';
		return 0;
	}
	k->state = STATS_KEYS_NONE;
	return find((char)byte, k->number);
}

int stats_keys_feed(struct stats_keys *k, unsigned char byte)
{
	if (byte == ESCAPE) {
		*k = (struct stats_keys){ .state = STATS_KEYS_ESCAPE };
		return 0;
	}
	if (k->state == STATS_KEYS_SEQUENCE)
		return feed_sequence(k, byte);
	if (k->state == STATS_KEYS_ESCAPE && (byte == '[' || byte == 'O')) {
		k->state = STATS_KEYS_SEQUENCE;
		return 0;
	}
	/* ESC and a letter is Alt with it: nothing here. */
	if (k->state == STATS_KEYS_ESCAPE) {
		k->state = STATS_KEYS_NONE;
		return 0;
	}
	return byte;
}

int stats_keys_pause(struct stats_keys *k)
{
	int key = k->state == STATS_KEYS_ESCAPE ? STATS_KEY_ESCAPE : 0;

	k->state = STATS_KEYS_NONE;
	return key;
}
