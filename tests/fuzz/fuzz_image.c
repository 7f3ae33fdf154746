/* SPDX-License-Identifier: Apache-2.0 */
/* The image documents, told apart by the first byte: 'c'onfig, 'm'anifest, 'i'ndex, 'd'ocker,
 * 'p'latform. */
#include "base/strv.h"
#include "oci/digest.h"
#include "oci/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void fuzz_config(const char *text, size_t len)
{
	cleanup_image_config struct oci_image_config config = { 0 }, again = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	size_t i;

	if (oci_image_config_parse(text, len, &config, &err) < 0) {
		must(err.msg[0] && !config.rootfs);
		return;
	}
	for (i = 0; config.rootfs->diff_ids && config.rootfs->diff_ids[i]; i++)
		must(digest_valid(config.rootfs->diff_ids[i]));
	for (i = 0; config.config && config.config->env && config.config->env[i]; i++)
		must(strchr(config.config->env[i], '=') > config.config->env[i]);
	oci_image_config_write(&config, &out);
	must(oci_image_config_parse(out.data, out.len, &again, &err) == 0);
}

static void fuzz_manifest(const char *text, size_t len)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_index struct oci_index index = { 0 };
	struct err err = ERR_INIT;
	size_t i;

	if (oci_manifest_parse(text, len, &manifest, &err) < 0) {
		must(err.msg[0]);
		return;
	}
	must(digest_valid(manifest.config->digest));
	for (i = 0; i < manifest.layers.n; i++)
		must(manifest.layers.items[i].size >= 0);
	/* never both */
	must(oci_index_parse(text, len, &index, &err) < 0);
	oci_manifest_write(&manifest, &out);
	oci_manifest_done(&manifest);
	must(oci_manifest_parse(out.data, out.len, &manifest, &err) == 0);
}

static void fuzz_index(const char *text, size_t len)
{
	cleanup_index struct oci_index index = { 0 }, again = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	const struct oci_descriptor *d;

	if (oci_index_parse(text, len, &index, &err) < 0) {
		must(err.msg[0]);
		return;
	}
	d = oci_index_select(&index);
	must(!d || digest_valid(d->digest));
	/* As a list that somebody changes. */
	cleanup_free char *digest = d ? xstrdup(d->digest) : NULL;
	if (digest)
		must(oci_index_find(&index, digest) && oci_index_remove(&index, digest));
	oci_index_choose_type(&index);
	oci_index_write(&index, &out);
	must(oci_index_parse(out.data, out.len, &again, &err) == 0);
	must(again.manifests.n == index.manifests.n);
}

/* A platform, a newline, and a list that has something for it, or not. */
static void fuzz_platform(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	cleanup_free char *word = xstrndup(text, end ? (size_t)(end - text) : len);
	cleanup_index struct oci_index index = { 0 };
	struct oci_platform want = { 0 }, again = { 0 };
	const struct oci_descriptor *d = NULL;

	if (oci_platform_parse(word, &want, NULL) < 0)
		return;
	cleanup_free char *shown = oci_platform_text(&want);
	must(oci_platform_parse(shown, &again, NULL) == 0);
	must(oci_platform_fits(&want, again.os, again.architecture, again.variant));
	if (end && oci_index_parse(end + 1, len - (size_t)(end + 1 - text), &index, NULL) == 0)
		d = oci_index_select_platform(&index, &want);
	must(!d || digest_valid(d->digest));
	oci_platform_done(&want);
	oci_platform_done(&again);
}

static void fuzz_docker(const char *text, size_t len)
{
	cleanup_docker_archive struct docker_archive archive = { 0 };
	struct err err = ERR_INIT;
	size_t i;

	if (docker_archive_parse(text, len, &archive, &err) < 0) {
		must(err.msg[0]);
		return;
	}
	for (i = 0; i < archive.entries.n; i++)
		must(archive.entries.items[i].config[0] != '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		char first;
		void (*fuzz)(const char *text, size_t len);
	} kinds[] = {
		{ 'c', fuzz_config },   { 'm', fuzz_manifest }, { 'i', fuzz_index },
		{ 'p', fuzz_platform }, { 'd', fuzz_docker },
	};
	size_t i;

	for (i = 0; size > 0 && i < ARRAY_SIZE(kinds); i++)
		if (data[0] == (uint8_t)kinds[i].first)
			kinds[i].fuzz((const char *)data + 1, size - 1);
	return 0;
}
