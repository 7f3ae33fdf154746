/* SPDX-License-Identifier: Apache-2.0 */
/* Name servers of a resolv.conf(5). */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "net/service/helper.h"

#define WORD "nameserver"
#define PORT 53

static bool parse_address(char *word, union address *ret)
{
	char *scope = strchr(word, '%');

	memset(ret, 0, sizeof(*ret));
	if (!scope && inet_pton(AF_INET, word, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons(PORT);
		return true;
	}
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, word, &ret->in6.sin6_addr) != 1)
		return false;
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = htons(PORT);
	if (scope && str_parse_u32(scope, &ret->in6.sin6_scope_id) < 0)
		ret->in6.sin6_scope_id = if_nametoindex(scope);
	return true;
}

unsigned int resolv_parse(const char *text, union address *ret)
{
	char line[256];
	unsigned int n = 0;

	for (; *text && n < SERVICE_SERVERS; text += strcspn(text, "\n"), text += *text == '\n') {
		const size_t len = strcspn(text, "\n");

		if (len >= sizeof(line))
			continue;
		memcpy(line, text, len);
		line[len] = '\0';
		char *word = line + strspn(line, " \t");
		if (!str_starts(word, WORD))
			continue;
		word += sizeof(WORD) - 1;
		const size_t gap = strspn(word, " \t");
		if (gap == 0)
			continue;
		word += gap;
		word[strcspn(word, " \t\r")] = '\0';
		if (parse_address(word, &ret[n]))
			n++;
	}
	return n;
}
