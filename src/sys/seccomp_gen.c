/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the tables of seccomp_table.h to stdout. Runs when inro is built, with the build machine's
 * libseccomp; the programs need no libseccomp.
 * usage: seccomp_gen CPU [all]
 * CPU is Meson's name of the family that inro is built for; "all" adds, for tests, all
 * architectures of the same byte order.
 */
#include <linux/audit.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NAMES_MAX     2048
#define NUMBERS_MAX   1024 /* per architecture, from its base on */
#define ARM_PRIVATE   0xf0000U
#define X32_BIT       0x40000000U
#define MUX_IPC       0x40

#ifndef SCMP_ARCH_LOONGARCH64
#define SCMP_ARCH_LOONGARCH64 0 /* libseccomp < 2.6 */
#endif

struct arch {
	const char *word;
	uint32_t token;
	bool narrow, little;
	uint32_t base;
	const char
	    *families; /* of Meson, space before and behind each; a capital: the native one */
};

static const struct arch known[] = {
	{ "X86_64", SCMP_ARCH_X86_64, false, true, 0, " X86_64 x86 " },
	{ "X86", SCMP_ARCH_X86, true, true, 0, " x86_64 X86 " },
	{ "X32", SCMP_ARCH_X32, true, true, X32_BIT, " x86_64 x86 " },
	{ "AARCH64", SCMP_ARCH_AARCH64, false, true, 0, " AARCH64 arm " },
	{ "ARM", SCMP_ARCH_ARM, true, true, 0, " aarch64 ARM " },
	{ "RISCV64", SCMP_ARCH_RISCV64, false, true, 0, " RISCV64 " },
	{ "LOONGARCH64", SCMP_ARCH_LOONGARCH64, false, true, 0, " LOONGARCH64 " },
	{ "PPC64LE", SCMP_ARCH_PPC64LE, false, true, 0, " PPC64 " },
	{ "MIPSEL64", SCMP_ARCH_MIPSEL64, false, true, 5000, " MIPS64 " },
	{ "MIPSEL64N32", SCMP_ARCH_MIPSEL64N32, true, true, 6000, " mips64 " },
	{ "MIPSEL", SCMP_ARCH_MIPSEL, true, true, 4000, " mips64 MIPS " },
	{ "S390X", SCMP_ARCH_S390X, false, false, 0, " S390X " },
	{ "S390", SCMP_ARCH_S390, true, false, 0, " s390x " },
};

/* Calls that are younger than Debian 12's libseccomp. From 424 on a call has one number on all
 * architectures (besides their base). */
static const struct newer {
	const char *name;
	uint32_t number, token; /* token 0: everywhere */
} newer[] = {
	{ "cachestat", 451, 0 },
	{ "fchmodat2", 452, 0 },
	{ "map_shadow_stack", 453, 0 },
	{ "futex_wake", 454, 0 },
	{ "futex_wait", 455, 0 },
	{ "futex_requeue", 456, 0 },
	{ "statmount", 457, 0 },
	{ "listmount", 458, 0 },
	{ "lsm_get_self_attr", 459, 0 },
	{ "lsm_set_self_attr", 460, 0 },
	{ "lsm_list_modules", 461, 0 },
	{ "mseal", 462, 0 },
	{ "setxattrat", 463, 0 },
	{ "getxattrat", 464, 0 },
	{ "listxattrat", 465, 0 },
	{ "removexattrat", 466, 0 },
	{ "open_tree_attr", 467, 0 },
	{ "file_getattr", 468, 0 },
	{ "file_setattr", 469, 0 },
	{ "listns", 470, 0 },
	{ "uretprobe", 335, SCMP_ARCH_X86_64 },
	{ "uprobe", 336, SCMP_ARCH_X86_64 },
	{ "riscv_hwprobe", 258, SCMP_ARCH_RISCV64 },
};

struct name {
	char *text;
	int mux;
	int64_t number[ARRAY_SIZE(known)]; /* -1: none */
	int rank[ARRAY_SIZE(known)];
};

static struct name names[NAMES_MAX];
static size_t n_names;
static const struct arch *arches[ARRAY_SIZE(known)];
static size_t n_arches;

static void add_name(const char *text)
{
	for (size_t i = 0; i < n_names; i++)
		if (strcmp(names[i].text, text) == 0)
			return;
	if (n_names == NAMES_MAX) {
		fprintf(stderr, "seccomp_gen: more than %d names\n", NAMES_MAX);
		exit(1);
	}
	names[n_names].text = strdup(text);
	for (size_t a = 0; a < ARRAY_SIZE(known); a++)
		names[n_names].number[a] = -1;
	n_names++;
}

static void add_names_of(uint32_t token, int from, int to)
{
	for (int nr = from; nr < to; nr++) {
		char *text = seccomp_syscall_resolve_num_arch(token, nr);
		if (text)
			add_name(text);
		free(text);
	}
}

/* libseccomp can list no names, but knows each by some number on some architecture, and those that
 * an architecture lacks by negative numbers. */
static void find_names(void)
{
	for (size_t a = 0; a < ARRAY_SIZE(known); a++) {
		int base = (int)known[a].base;
		if (known[a].token == 0)
			continue;
		add_names_of(known[a].token, base, base + NUMBERS_MAX);
		add_names_of(known[a].token, -10500, -99);
		if (known[a].token == SCMP_ARCH_ARM)
			add_names_of(SCMP_ARCH_ARM, (int)ARM_PRIVATE, (int)ARM_PRIVATE + 16);
	}
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		add_name(newer[i].name);
}

/* The direct call beside one that is multiplexed: by name libseccomp gives the latter alone. */
static int64_t find_direct(const struct arch *arch, const char *name)
{
	int64_t found = -1;

	for (int nr = 0; found < 0 && nr < NUMBERS_MAX; nr++) {
		char *text = seccomp_syscall_resolve_num_arch(arch->token, nr + (int)arch->base);
		if (text && strcmp(text, name) == 0)
			found = nr + (int)arch->base;
		free(text);
	}
	return found;
}

static void find_number(struct name *name, size_t a)
{
	const struct arch *arch = arches[a];
	int nr = seccomp_syscall_resolve_name_arch(arch->token, name->text);

	if (nr >= 0) {
		name->number[a] = nr;
		return;
	}
	if (nr <= -100 && nr >= -120)
		name->mux = -nr % 100;
	else if (nr <= -200 && nr >= -224)
		name->mux = MUX_IPC | (-nr % 200);
	if (name->mux)
		name->number[a] = find_direct(arch, name->text);
	/* Where it knows the name, it knows who has it. */
	for (size_t i = 0; nr == __NR_SCMP_ERROR && i < ARRAY_SIZE(newer); i++)
		if (strcmp(newer[i].name, name->text) == 0 &&
		    (newer[i].token == 0 || newer[i].token == arch->token))
			name->number[a] = arch->base + newer[i].number;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Leaves out what no architecture of the table has; sorts. */
static void finish_names(void)
{
	size_t n = 0;

	for (size_t i = 0; i < n_names; i++) {
		bool found = false;
		for (size_t a = 0; a < n_arches; a++) {
			find_number(&names[i], a);
			found |= names[i].number[a] >= 0 || names[i].mux;
		}
		if (found)
			names[n++] = names[i];
		else
			free(names[i].text);
	}
	n_names = n;
	qsort(names, n_names, sizeof(names[0]), by_text);
}

static int rank_of(size_t a, const char *name)
{
	for (size_t i = 0; i < n_names; i++)
		if (strcmp(names[i].text, name) == 0)
			return names[i].rank[a];
	return -1;
}

/* Writes the numbers of one architecture and notes every name's rank. */
static size_t write_numbers(size_t a)
{
	static uint32_t numbers[NAMES_MAX];
	size_t n = 0, unique = 0;

	for (size_t i = 0; i < n_names; i++)
		if (names[i].number[a] >= 0)
			numbers[n++] = (uint32_t)names[i].number[a];
	qsort(numbers, n, sizeof(numbers[0]), by_number);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || numbers[i] != numbers[unique - 1])
			numbers[unique++] = numbers[i];
	printf("static const uint32_t numbers_%s[] = {", arches[a]->word);
	for (size_t i = 0; i < unique; i++)
		printf("%s%u,", i % 12 ? " " : "\n\t", numbers[i]);
	printf("\n};\n\n");
	for (size_t i = 0; i < n_names; i++) {
		names[i].rank[a] = -1;
		for (size_t k = 0; k < unique; k++)
			if (names[i].number[a] == numbers[k])
				names[i].rank[a] = (int)k;
	}
	return unique;
}

static void write_arches(void)
{
	size_t counts[ARRAY_SIZE(known)];

	for (size_t a = 0; a < n_arches; a++)
		counts[a] = write_numbers(a);
	printf("const struct seccomp_arch seccomp_arches[] = {\n");
	for (size_t a = 0; a < n_arches; a++) {
		const struct arch *arch = arches[a];
		bool x32 = arch->token == SCMP_ARCH_X32;
		bool mux = seccomp_syscall_resolve_name_arch(arch->token, "socket") == -101;

		printf("\t{ \"%s\", %#xU, %d, %#xU, numbers_%s, %zu, %d, %d },\n", arch->word,
		       x32 ? AUDIT_ARCH_X86_64 : arch->token, arch->narrow,
		       arch->token == SCMP_ARCH_ARM ? ARM_PRIVATE : UINT32_MAX, arch->word,
		       counts[a], mux ? rank_of(a, "socketcall") : -1,
		       mux ? rank_of(a, "ipc") : -1);
	}
	printf("};\nconst size_t seccomp_n_arches = %zu;\n\n", n_arches);
}

static void write_names(void)
{
	size_t offset = 0;

	printf("const struct seccomp_name seccomp_names[] = {\n");
	for (size_t i = 0; i < n_names; i++) {
		printf("\t{ %zu, %d },\n", offset, names[i].mux);
		offset += strlen(names[i].text) + 1;
	}
	printf("};\nconst size_t seccomp_n_names = %zu;\n\nconst char seccomp_text[] =", n_names);
	for (size_t i = 0; i < n_names; i++)
		printf("\n\t\"%s\\0\"", names[i].text);
	printf(";\n\nconst int16_t seccomp_ranks[] = {");
	for (size_t i = 0; i < n_names; i++)
		for (size_t a = 0; a < n_arches; a++)
			printf("%s%d,", a ? " " : "\n\t", names[i].rank[a]);
	printf("\n};\n");
}

/* True for the family's architectures; *ret_native for its own. */
static bool is_of_family(const struct arch *arch, const char *family, bool *ret_native)
{
	char lower[32], upper[32];
	size_t n;

	n = (size_t)snprintf(lower, sizeof(lower), " %s ", family);
	memcpy(upper, lower, sizeof(upper));
	for (size_t i = 0; i < n && i < sizeof(upper); i++)
		if (upper[i] >= 'a' && upper[i] <= 'z')
			upper[i] = (char)(upper[i] - 'a' + 'A');
	*ret_native = strstr(arch->families, upper) != NULL;
	return *ret_native || strstr(arch->families, lower);
}

static bool choose_arches(const char *family, bool all)
{
	const struct arch *native = NULL;
	bool is_native;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (is_of_family(&known[i], family, &is_native) && is_native && known[i].token)
			native = &known[i];
	if (!native)
		return false;
	arches[n_arches++] = native;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct arch *arch = &known[i];
		if (arch == native || arch->token == 0 || arch->little != native->little)
			continue;
		if (all || is_of_family(arch, family, &is_native))
			arches[n_arches++] = arch;
	}
	return true;
}

int main(int argc, char **argv)
{
	const struct scmp_version *v = seccomp_version();

	if (argc < 2 || !choose_arches(argv[1], argc > 2 && strcmp(argv[2], "all") == 0)) {
		fprintf(stderr, "usage: seccomp_gen CPU [all]\n"
				"known:");
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			fprintf(stderr, "%s", known[i].families);
		fprintf(stderr, "\n");
		return 2;
	}
	find_names();
	finish_names();
	printf("/* Made from libseccomp %u.%u.%u. */\n#include \"sys/seccomp_table.h\"\n\n",
	       v->major, v->minor, v->micro);
	write_arches();
	write_names();
	return 0;
}
