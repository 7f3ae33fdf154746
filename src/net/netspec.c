/* SPDX-License-Identifier: Apache-2.0 */
#include "net/netspec.h"

#include <sys/socket.h>

#include "base/csv.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/netspec_internal.h"

#define WORD_MAX 4096

enum wants { WANTS_NOTHING, WANTS_TARGET, WANTS_ANY };

static const struct mode {
	const char *name;
	enum netspec_kind kind;
	enum wants wants; /* behind a colon */
	bool options;     /* behind that, and another colon */
} modes[] = {
	{ "private", NETSPEC_PRIVATE, WANTS_NOTHING, false },
	{ "none", NETSPEC_NONE, WANTS_NOTHING, false },
	{ "host", NETSPEC_HOST, WANTS_NOTHING, false },
	{ "container", NETSPEC_CONTAINER, WANTS_TARGET, false },
	{ "ns", NETSPEC_PATH, WANTS_TARGET, false },
	{ "pasta", NETSPEC_PASTA, WANTS_ANY, false },
	{ "cni", NETSPEC_CNI, WANTS_TARGET, true },
	{ "macvlan", NETSPEC_MACVLAN, WANTS_TARGET, true },
	{ "vlan", NETSPEC_VLAN, WANTS_TARGET, true },
	{ "host-device", NETSPEC_HOST_DEVICE, WANTS_TARGET, true },
};

static const struct mode *find_mode(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strlen(modes[i].name) == len && strncmp(name, modes[i].name, len) == 0)
			return &modes[i];
	return NULL;
}

bool netspec_is_default(const char *name)
{
	return str_eq(name, NETSPEC_DEFAULT) || str_eq(name, "default") || str_eq(name, "podman");
}

bool netspec_is_reserved(const char *name)
{
	return netspec_is_default(name) || find_mode(name, strlen(name));
}

bool netspec_is_adhoc(const struct netspec *s)
{
	return s->kind >= NETSPEC_MACVLAN;
}

bool netspec_is_link(const struct netspec *s)
{
	return s->kind == NETSPEC_NETWORK || netspec_is_adhoc(s);
}

void netspec_done(struct netspec *s)
{
	free(s->target);
	free(s->link_local);
	strv_free(s->aliases);
	free(s->interface);
	free(s->host_interface);
	strv_free(s->sysctls);
	*s = (struct netspec){ 0 };
}

bool netspec_is_name(const char *s)
{
	size_t len = strspn(s, NETSPEC_NAME_CHARS);

	return len > 0 && !s[len] && !strchr("_.-", s[0]);
}

/* PARENT.ID; *parent loses its end. */
static int split_vlan(char *parent, uint16_t *ret, struct err *err)
{
	char *dot = strrchr(parent, '.');
	uint32_t id;

	if (!dot || str_parse_u32(dot + 1, &id) < 0 || id < 1 || id > 4094)
		return err_fail(err, ERR_USAGE,
				"--network vlan:%s: expected vlan:PARENT.ID, ID from 1 to 4094",
				parent);
	*dot = '\0';
	*ret = (uint16_t)id;
	return 0;
}

static int check_target(struct netspec *s, const struct mode *mode, struct err *err)
{
	int r = 0;

	if (s->kind == NETSPEC_PATH && s->target[0] != '/')
		return err_fail(err, ERR_USAGE, "--network ns:%s: expected an absolute path",
				s->target);
	if (s->kind == NETSPEC_VLAN)
		r = split_vlan(s->target, &s->vlan, err);
	if (r < 0)
		return r;
	if (netspec_is_adhoc(s) && !str_is_ifname(s->target))
		return err_fail(err, ERR_USAGE,
				"--network %s:%s: that is no name of a network interface",
				mode->name, s->target);
	if (s->kind == NETSPEC_CNI && !netspec_is_name(s->target))
		return err_fail(err, ERR_USAGE, "--network cni:%s: expected the name of a list",
				s->target);
	return 0;
}

/* What a mode's word has behind it. *options: behind the target, if it takes any. */
static int read_mode(const char *text, const struct mode *mode, struct netspec *s,
		     const char **options, struct err *err)
{
	const char *target = text + strlen(mode->name);
	const char *end;

	s->kind = mode->kind;
	if (*target == ':')
		target++;
	else
		target = NULL;
	if (mode->wants == WANTS_NOTHING && target)
		return err_hint(err,
				err_fail(err, ERR_USAGE, "invalid option for network %s: %s",
					 mode->name, target),
				"--network %s takes no options", mode->name);
	if (mode->wants == WANTS_TARGET && (!target || !*target))
		return err_fail(err, ERR_USAGE, "--network %s: expected %s:%s", text, mode->name,
				mode->kind == NETSPEC_CONTAINER     ? "NAME"
				: mode->kind == NETSPEC_PATH        ? "/PATH"
				: mode->kind == NETSPEC_CNI         ? "NAME"
				: mode->kind == NETSPEC_HOST_DEVICE ? "INTERFACE"
								    : "PARENT");
	if (!target || !*target)
		return 0;
	end = mode->options ? strchr(target, ':') : NULL;
	s->target = end ? xstrndup(target, (size_t)(end - target)) : xstrdup(target);
	if (end)
		*options = end + 1;
	return check_target(s, mode, err);
}

static int read_network(const char *text, struct netspec *s, const char **options, struct err *err)
{
	const char *colon = strchr(text, ':');
	cleanup_free char *name = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));

	if (colon)
		*options = colon + 1;
	if (!*name)
		return err_fail(err, ERR_USAGE, "network name cannot be empty");
	if (strchr(name, ','))
		return err_hint(err,
				err_fail(err, ERR_USAGE, "invalid name of a network: \"%s\"", name),
				"several networks take one --network each");
	if (!netspec_is_name(name))
		return err_hint(err,
				err_fail(err, ERR_USAGE, "invalid name of a network: \"%s\"", name),
				"a name has letters, digits, \"_\", \".\" and \"-\", the first a "
				"letter or digit");
	s->target = netspec_is_default(name) ? xstrdup(NETSPEC_DEFAULT) : take_ptr(name);
	return 0;
}

/* A word before its options: *options is behind them, NULL where none are allowed, "" where none
 * are there. */
static int read_word(const char *text, struct netspec *s, const char **options, struct err *err)
{
	const struct mode *mode = find_mode(text, strcspn(text, ":"));

	*options = mode && !mode->options ? NULL : "";
	return mode ? read_mode(text, mode, s, options, err) : read_network(text, s, options, err);
}

static int read_options(struct netspec *s, char *const *words, struct err *err)
{
	unsigned int seen = 0;
	int r = 0;

	for (; r == 0 && words && *words; words++)
		r = netspec_option(s, *words, &seen, err);
	return r;
}

/* The gateway has to be a neighbour. */
static int check_address(const struct net_addr *ip, uint8_t prefix, const struct net_addr *gateway,
			 const char *key, struct err *err)
{
	const struct subnet own = { .base = *ip, .prefix = prefix };
	const struct subnet at = { .base = *gateway, .prefix = prefix };
	char text[NET_ADDR_TEXT];

	if (ip->family && !prefix)
		return err_fail(err, ERR_USAGE,
				"%s=%s: expected ADDRESS/PREFIX: there is no network that says how "
				"long its prefix is",
				key, net_addr_format(ip, text));
	if (gateway->family && (!ip->family || !subnet_overlaps(&own, &at)))
		return err_fail(err, ERR_USAGE,
				"gateway=%s: expected a neighbour of the address of %s=",
				net_addr_format(gateway, text), key);
	return 0;
}

/* What there is to be said of each kind. */
static int check_whole(const struct netspec *s, struct err *err)
{
	int r;

	if (s->bandwidth && s->kind != NETSPEC_CNI)
		return err_fail(err, ERR_USAGE, "bandwidth: only plugins of cni: have that");
	if (!netspec_is_adhoc(s)) {
		if ((s->kind == NETSPEC_CNI || (!s->prefix && !s->prefix6)) && !s->gateway.family &&
		    !s->gateway6.family)
			return 0;
		return err_fail(err, ERR_USAGE,
				"an address with its prefix, and gateway=, go with macvlan:, vlan: "
				"and host-device: alone");
	}
	if (s->aliases || s->host_interface)
		return err_fail(err, ERR_USAGE, "%s: only networks have that",
				s->aliases ? "alias" : "host_interface_name");
	if (s->kind == NETSPEC_HOST_DEVICE && (s->has_mac || s->mtu))
		return err_fail(err, ERR_USAGE,
				"%s: the interface is the host's, and keeps its own",
				s->has_mac ? "mac" : "mtu");
	r = check_address(&s->ip, s->prefix, &s->gateway, "ip", err);
	return r < 0 ? r : check_address(&s->ip6, s->prefix6, &s->gateway6, "ip6", err);
}

/* docker's: the first field called name is the word, all others are options. */
static int parse_fields(const char *word, struct netspec *s, struct err *err)
{
	cleanup_strv char **fields = NULL, **others = NULL;
	const char *name = NULL, *value, *options;
	int r = csv_parse(word, &fields, err);

	for (size_t i = 0; r == 0 && fields[i]; i++) {
		value = str_after(fields[i], "name=");
		if (value && name)
			r = err_fail(err, ERR_USAGE, "--network %s: two names", word);
		else if (value)
			name = value;
		else
			strv_add(&others, fields[i]);
	}
	/* What each of them is comes before what is missing: as docker says it. */
	if (r == 0)
		r = read_options(s, others, err);
	if (r == 0 && (!name || !*name))
		return err_hint(err, err_fail(err, ERR_USAGE, "network name/id is not specified"),
				"--network name=NAME,... or NAME:...");
	if (r == 0)
		r = read_word(name, s, &options, err);
	if (r < 0)
		return r;
	if (options && *options)
		return err_fail(err, ERR_USAGE, "--network %s: options go behind commas here: %s",
				word, options);
	if (!options && others)
		return err_hint(
		    err,
		    err_fail(err, ERR_USAGE, "invalid option for network %s: %s", name, others[0]),
		    "only networks have options");
	r = check_whole(s, err);
	return r < 0 ? err_wrap(err, r, "invalid option for network %s", s->target) : 0;
}

static int read_whole(struct netspec *s, char *const *words, struct err *err)
{
	int r = read_options(s, words, err);

	return r < 0 ? r : check_whole(s, err);
}

static int parse_word(const char *word, struct netspec *s, struct err *err)
{
	cleanup_strv char **words = NULL;
	const char *options;
	int r = read_word(word, s, &options, err);

	if (r < 0 || !options || !*options)
		return r;
	r = csv_parse(options, &words, err);
	if (r == 0)
		r = read_whole(s, words, err);
	return r < 0 ? err_wrap(err, r, "invalid option for network %s", s->target) : 0;
}

int netspec_parse(const char *word, struct netspec *ret, struct err *err)
{
	struct netspec s = { 0 };
	int r;

	if (strlen(word) > WORD_MAX)
		return err_fail(err, ERR_USAGE, "--network: more than %u bytes in one word",
				WORD_MAX);
	/* No name has a colon or an equals sign. */
	r = word[strcspn(word, ":=")] == '=' ? parse_fields(word, &s, err)
					     : parse_word(word, &s, err);
	if (r < 0) {
		netspec_done(&s);
		return r;
	}
	*ret = s;
	return 0;
}

static bool has_options(const struct netspec *s)
{
	return s->kind == NETSPEC_NETWORK || s->kind >= NETSPEC_CNI;
}

/* Do these two of one container go together? */
static int check_pair(const struct netspec *a, const char *a_word, const struct netspec *b,
		      const char *b_word, struct err *err)
{
	if (!has_options(a) || !has_options(b))
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "can only set extra network names, selected mode %s "
					 "conflicts with %s",
					 has_options(a) ? b_word : a_word,
					 has_options(a) ? a_word : b_word),
				"several --network name networks that the container is a member "
				"of");
	if (a->kind == b->kind && str_eq(a->target, b->target) && a->vlan == b->vlan)
		return err_fail(err, ERR_USAGE, "network \"%s\" is specified multiple times",
				a->target);
	if (a->interface && str_eq(a->interface, b->interface))
		return err_fail(err, ERR_USAGE, "networks %s and %s: both interfaces are called %s",
				a_word, b_word, a->interface);
	return 0;
}

int netspec_list_parse(char *const *words, struct netspec **ret, size_t *ret_n, struct err *err)
{
	size_t n = strv_len(words), done = 0;
	struct netspec *list = xcalloc(n ? n : 1, sizeof(*list));
	int r = 0;

	if (n > NETSPEC_NETWORKS_MAX)
		r = err_fail(err, ERR_USAGE, "more than %u networks for one container",
			     NETSPEC_NETWORKS_MAX);
	while (r == 0 && done < n) {
		r = netspec_parse(words[done], &list[done], err);
		for (size_t i = 0; r == 0 && i < done; i++)
			r = check_pair(&list[i], words[i], &list[done], words[done], err);
		done++;
	}
	if (r < 0) {
		netspec_list_free(list, n);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

void netspec_list_free(struct netspec *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		netspec_done(&list[i]);
	free(list);
}

char *net_mac_text(const uint8_t mac[6])
{
	return xasprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			 mac[5]);
}
