/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an index's images this machine runs (image-spec image-index.md, Platform Variants). */
#include "base/str.h"
#include "base/strv.h"
#include "oci/image.h"

#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__i386__)
#define ARCHITECTURE "386"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#define VARIANT      "v8"
#elif defined(__arm__)
#define ARCHITECTURE "arm"
#if __ARM_ARCH >= 7
#define VARIANT "v7"
#elif __ARM_ARCH == 6
#define VARIANT "v6"
#else
#define VARIANT "v5"
#endif
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE "riscv64"
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE "ppc64le"
#elif defined(__s390x__)
#define ARCHITECTURE "s390x"
#elif defined(__loongarch64)
#define ARCHITECTURE "loong64"
#elif defined(__mips64) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE "mips64le"
#else
#error "name this architecture in the words of GOARCH"
#endif

struct oci_platform oci_platform_native(void)
{
	static char architecture[] = ARCHITECTURE, os[] = "linux";
	struct oci_platform native = { .architecture = architecture, .os = os };
#ifdef VARIANT
	static char variant[] = VARIANT;

	native.variant = variant;
#endif
	return native;
}

#if defined(__x86_64__)
#define CPU1_C_SSE4_2   (UINT32_C(1) << 20)
#define CPU1_C_OSXSAVE  (UINT32_C(1) << 27)
#define CPU7_B_AVX2     (UINT32_C(1) << 5)
#define CPU7_B_BMI2     (UINT32_C(1) << 8)
#define CPU7_B_AVX512F  (UINT32_C(1) << 16)
#define CPU7_B_AVX512VL (UINT32_C(1) << 31)
#define XCR0_AVX        UINT32_C(0x6)
#define XCR0_AVX512     UINT32_C(0xe6)

struct cpuid {
	uint32_t a, b, c, d;
};

/* What libgcc has for this asks at the start of each program, and cpuid is a trap in virtual
 * machines. */
static struct cpuid cpuid_of(uint32_t leaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
	return r;
}

/* Registers that the kernel does not keep can't be used. */
static bool cpu_has(uint32_t features, uint32_t kept)
{
	uint32_t low, high;

	if (cpuid_of(0).a < 7 || !(cpuid_of(1).c & CPU1_C_OSXSAVE))
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & kept) == kept && (cpuid_of(7).b & features) == features;
}

/* The levels of the x86-64 psABI, each by the feature that came last with it. */
static bool variant_runs(const char *variant)
{
	if (strcmp(variant, "v1") == 0)
		return true;
	if (strcmp(variant, "v2") == 0)
		return (cpuid_of(1).c & CPU1_C_SSE4_2) != 0;
	if (strcmp(variant, "v3") == 0)
		return cpu_has(CPU7_B_AVX2 | CPU7_B_BMI2, XCR0_AVX);
	if (strcmp(variant, "v4") == 0)
		return cpu_has(CPU7_B_AVX512F | CPU7_B_AVX512VL, XCR0_AVX512);
	return false;
}
#elif defined(__arm__)
static bool variant_runs(const char *variant)
{
	static const char *const variants[] = { "v5", "v6", "v7" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(variants); i++) {
		if (strcmp(variant, variants[i]) == 0)
			return true;
		if (strcmp(VARIANT, variants[i]) == 0)
			break;
	}
	return false;
}
#else
static bool variant_runs(const char *variant)
{
#ifdef VARIANT
	return str_eq(variant, VARIANT);
#else
	return false;
#endif
}
#endif

bool oci_platform_matches(const char *os, const char *architecture, const char *variant)
{
	if (!str_eq(os, "linux") || !str_eq(architecture, ARCHITECTURE))
		return false;
	return !variant || !*variant || variant_runs(variant);
}

const struct oci_descriptor *oci_index_select(const struct oci_index *index)
{
	const struct oci_descriptor *d, *fallback = NULL;
	enum oci_media kind;
	size_t i;

	for (i = 0; i < index->manifests.n; i++) {
		d = &index->manifests.items[i];
		kind = oci_media_kind(d->media_type);
		if (kind != OCI_IS_MANIFEST && kind != OCI_IS_INDEX)
			continue;
		if (!d->platform) {
			if (!fallback)
				fallback = d;
			continue;
		}
		if (oci_platform_matches(d->platform->os, d->platform->architecture,
					 d->platform->variant))
			return d;
	}
	return fallback;
}

/* Lower case letters, digits, dots and dashes. */
static bool is_word(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(s);
}

/* What docker takes for the names of GOARCH. */
static const char *architecture_name(const char *word)
{
	static const struct {
		const char *alias, *name;
	} aliases[] = {
		{ "x86_64", "amd64" }, { "x86-64", "amd64" }, { "aarch64", "arm64" },
		{ "i386", "386" },     { "armhf", "arm" },    { "armel", "arm" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (str_eq(word, aliases[i].alias))
			return aliases[i].name;
	return word;
}

int oci_platform_parse(const char *text, struct oci_platform *ret, struct err *err)
{
	cleanup_strv char **words = strv_split(text, '/');
	size_t n = strv_len(words), first = n > 1;

	for (size_t i = 0; i < n; i++)
		if (!is_word(words[i]) || n > 3)
			return err_fail(err, ERR_INVALID,
					"platform \"%s\": expected os/architecture[/variant]",
					text);
	*ret = (struct oci_platform){
		.os = xstrdup(first ? words[0] : "linux"),
		.architecture = xstrdup(architecture_name(words[first])),
		.variant = n == 3 ? xstrdup(words[2]) : NULL,
	};
	return 0;
}

void oci_platform_done(struct oci_platform *platform)
{
	free(platform->os);
	free(platform->architecture);
	free(platform->variant);
	*platform = (struct oci_platform){ 0 };
}

bool oci_platform_fits(const struct oci_platform *want, const char *os, const char *architecture,
		       const char *variant)
{
	if (!want)
		return oci_platform_matches(os, architecture, variant);
	return str_eq(os, want->os) && str_eq(architecture, want->architecture) &&
	       (!want->variant || str_eq(variant, want->variant));
}

char *oci_platform_text(const struct oci_platform *platform)
{
	if (!platform)
		return xstrdup("linux/" ARCHITECTURE);
	return xasprintf("%s/%s%s%s", platform->os ? platform->os : "?",
			 platform->architecture ? platform->architecture : "?",
			 platform->variant ? "/" : "", platform->variant ? platform->variant : "");
}

const struct oci_descriptor *oci_index_select_platform(const struct oci_index *index,
						       const struct oci_platform *want)
{
	for (size_t i = 0; i < index->manifests.n; i++) {
		const struct oci_descriptor *d = &index->manifests.items[i];
		const struct oci_platform *p = d->platform;
		enum oci_media kind = oci_media_kind(d->media_type);

		if ((kind == OCI_IS_MANIFEST || kind == OCI_IS_INDEX) && p &&
		    oci_platform_fits(want, p->os, p->architecture, p->variant))
			return d;
	}
	return NULL;
}
