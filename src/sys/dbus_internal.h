/* SPDX-License-Identifier: Apache-2.0 */
/* What sys/dbus.c and sys/dbus_read.c share; nobody else includes it. */
#pragma once

#include <endian.h>

#include "sys/dbus.h"

enum {
	FIELD_PATH = 1,
	FIELD_INTERFACE,
	FIELD_MEMBER,
	FIELD_ERROR,
	FIELD_REPLY_SERIAL,
	FIELD_DESTINATION,
	FIELD_SENDER,
	FIELD_SIGNATURE
};

#define DBUS_VERSION 1
#if __BYTE_ORDER == __LITTLE_ENDIAN
#define DBUS_OWN_ORDER   'l'
#define DBUS_OTHER_ORDER 'B'
#else
#define DBUS_OWN_ORDER   'B'
#define DBUS_OTHER_ORDER 'l'
#endif

/* Of a basic type; 0: of no fixed size. */
size_t dbus_fixed_size(char type);
size_t dbus_alignment(char type);
