/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of a terminal, of the bytes that it sends (xterm's sequences, as others send them). Pure. */
#pragma once

enum stats_key {
	/* below: characters */
	STATS_KEY_UP = 256,
	STATS_KEY_DOWN,
	STATS_KEY_LEFT,
	STATS_KEY_RIGHT,
	STATS_KEY_PAGE_UP,
	STATS_KEY_PAGE_DOWN,
	STATS_KEY_HOME,
	STATS_KEY_END,
	STATS_KEY_ESCAPE,
};

struct stats_keys {
	enum { STATS_KEYS_NONE, STATS_KEYS_ESCAPE, STATS_KEYS_SEQUENCE } state;
	unsigned int number; /* the first parameter */
	unsigned int parameters;
};

/* A character, an enum stats_key, or 0: nothing yet, or a key that means nothing here. */
int stats_keys_feed(struct stats_keys *k, unsigned char byte);
/* Nothing more has come for a while: STATS_KEY_ESCAPE when it was that key, or 0. */
int stats_keys_pause(struct stats_keys *k);
