/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"
#include "net/portspec.h"

int ns_word_parse(const char *option, const char *value, struct ns_word *ret, struct err *err)
{
	const char *arg;

	*ret = (struct ns_word){ .mode = NS_WORD_OWN };
	if (!value || !value[0] || str_eq(value, "private"))
		return 0;
	/* A network that leads nowhere; IPC without /dev/shm, and such that others may join. */
	if ((str_eq(option, "network") || str_eq(option, "ipc")) && str_eq(value, "none"))
		return 0;
	if (str_eq(option, "ipc") && str_eq(value, "shareable"))
		return 0;
	if (str_eq(value, "host")) {
		ret->mode = NS_WORD_HOST;
		return 0;
	}
	arg = str_after(value, "container:");
	if (arg && arg[0]) {
		*ret = (struct ns_word){ NS_WORD_CONTAINER, arg };
		return 0;
	}
	arg = str_after(value, "ns:");
	if (arg && arg[0] == '/') {
		*ret = (struct ns_word){ NS_WORD_PATH, arg };
		return 0;
	}
	return err_fail(err, ERR_USAGE,
			"--%s: expected host, private, container:NAME or ns:/PATH, got \"%s\"",
			option, value);
}

int id_map_parse(const char *option, const char *text, struct idmap *map, struct err *err)
{
	cleanup_strv char **parts = strv_split(text, ':');
	size_t n = strv_len(parts);
	uint32_t inside, outside, count = 1;

	if (n < 2 || n > 3 || str_parse_u32(parts[0], &inside) < 0 ||
	    str_parse_u32(parts[1], &outside) < 0 ||
	    (n == 3 && str_parse_u32(parts[2], &count) < 0))
		return err_fail(err, ERR_USAGE, "--%s: expected INSIDE:OUTSIDE:COUNT, got \"%s\"",
				option, text);
	if (map->n >= IDMAP_RANGES_MAX || idmap_add(map, inside, outside, count) < 0)
		return err_fail(err, ERR_USAGE,
				"--%s %s: overlaps another one, or goes beyond the last id", option,
				text);
	return 0;
}

int userns_auto_parse(const char *text, uint32_t ids_max, uint32_t *ret_size, struct err *err)
{
	const char *rest = text ? str_after(text, "auto") : NULL;
	const char *size;

	*ret_size = ids_max;
	if (!rest || (rest[0] && rest[0] != ':'))
		return 0;
	if (!rest[0])
		return 1;
	size = str_after(rest, ":size=");
	if (!size || strchr(size, ','))
		return err_fail(err, ERR_UNSUPPORTED,
				"--userns %s: only auto:size=COUNT is supported; --uidmap and "
				"--gidmap say which ids are mapped",
				text);
	if (str_parse_u32(size, ret_size) < 0 || !*ret_size || *ret_size > ids_max)
		return err_fail(err, ERR_USAGE, "--userns %s: expected a size from 1 to %u", text,
				ids_max);
	return 1;
}

static int keep_id_word(const char *text, const char *word, struct keep_id *ret, struct err *err)
{
	const char *value = strchr(word, '=');
	uint32_t n;

	if (!value || str_parse_u32(value + 1, &n) < 0 || n == UINT32_MAX)
		return err_fail(err, ERR_USAGE,
				"--userns %s: expected keep-id[:uid=UID,gid=GID,size=COUNT]", text);
	if (str_starts(word, "uid="))
		ret->uid = (struct opt_u64){ .set = true, .value = n };
	else if (str_starts(word, "gid="))
		ret->gid = (struct opt_u64){ .set = true, .value = n };
	else if (str_starts(word, "size=") && n > 0)
		ret->size = n;
	else
		return err_fail(err, ERR_USAGE, "--userns %s: unknown option specified: \"%s\"",
				text, word);
	return 0;
}

int keep_id_parse(const char *text, struct keep_id *ret, struct err *err)
{
	const char *rest = text ? str_after(text, "keep-id") : NULL;
	cleanup_strv char **words = NULL;
	int r = 0;

	*ret = (struct keep_id){ 0 };
	if (!rest || (rest[0] && rest[0] != ':'))
		return 0;
	words = rest[0] ? strv_split(rest + 1, ',') : NULL;
	for (size_t i = 0; r == 0 && words && words[i]; i++)
		r = keep_id_word(text, words[i], ret, err);
	return r < 0 ? r : 1;
}

int expose_parse(const char *text, struct json_map *ports, struct err *err)
{
	struct port_publish p = { 0 };
	int r = port_expose_parse(text, &p, err);

	for (uint32_t n = p.ports.first; r == 0 && n <= p.ports.last; n++) {
		cleanup_free char *key = xasprintf("%u/%s", n, port_proto_name(p.proto));

		json_map_set(ports, key, "{}");
	}
	return r;
}
