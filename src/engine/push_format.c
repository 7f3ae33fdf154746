/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/push_format.h"

#include "base/str.h"

static const struct {
	const char *oci, *docker;
} words[] = {
	{ OCI_MEDIA_INDEX, DOCKER_MEDIA_INDEX },
	{ OCI_MEDIA_MANIFEST, DOCKER_MEDIA_MANIFEST },
	{ OCI_MEDIA_CONFIG, DOCKER_MEDIA_CONFIG },
	{ OCI_MEDIA_LAYER, DOCKER_MEDIA_LAYER },
	{ OCI_MEDIA_LAYER_GZIP, DOCKER_MEDIA_LAYER_GZIP },
	{ OCI_MEDIA_LAYER_ZSTD, DOCKER_MEDIA_LAYER_ZSTD },
	{ OCI_MEDIA_FOREIGN, DOCKER_MEDIA_FOREIGN },
	{ OCI_MEDIA_FOREIGN_GZIP, DOCKER_MEDIA_FOREIGN_GZIP },
};

int push_format_parse(const char *word, enum push_format *ret, struct err *err)
{
	if (str_eq(word, "oci"))
		*ret = PUSH_OCI;
	else if (str_eq(word, "v2s2") || str_eq(word, "docker"))
		*ret = PUSH_DOCKER;
	else
		return err_fail(err, ERR_USAGE, "--format: expected oci or v2s2, got \"%s\"", word);
	return 0;
}

static int convert_word(char **word, enum push_format format, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!str_eq(*word, words[i].oci) && !str_eq(*word, words[i].docker))
			continue;
		free(*word);
		*word = xstrdup(format == PUSH_OCI ? words[i].oci : words[i].docker);
		return 0;
	}
	return err_fail(err, ERR_UNSUPPORTED, "there is no %s word for %s",
			format == PUSH_OCI ? "OCI" : "docker", *word ? *word : "no media type");
}

int push_format_convert(struct oci_manifest *manifest, enum push_format format, struct buf *out,
			struct err *err)
{
	int r;

	if (!manifest->media_type)
		manifest->media_type = xstrdup(OCI_MEDIA_MANIFEST);
	if (format == PUSH_DOCKER && (manifest->subject || manifest->artifact_type))
		return err_fail(err, ERR_UNSUPPORTED,
				"docker's format has no place for a subject and for artifacts");
	r = convert_word(&manifest->media_type, format, err);
	if (r == 0)
		r = convert_word(&manifest->config->media_type, format, err);
	for (size_t i = 0; r == 0 && i < manifest->layers.n; i++)
		r = convert_word(&manifest->layers.items[i].media_type, format, err);
	if (r < 0)
		return r;
	if (format == PUSH_DOCKER)
		json_map_done(&manifest->annotations);
	oci_manifest_write(manifest, out);
	return 0;
}

bool push_format_has(enum push_format format, const char *media_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(media_type, format == PUSH_OCI ? words[i].oci : words[i].docker))
			return true;
	return format == PUSH_AS_IT_IS;
}

/* Docker's list has platforms, and nothing that OCI has added. */
static int check_docker_list(const struct oci_index *index, struct err *err)
{
	if (index->subject || index->artifact_type)
		return err_fail(err, ERR_UNSUPPORTED,
				"docker's format has no place for a subject and for artifacts");
	for (size_t i = 0; i < index->manifests.n; i++)
		if (!index->manifests.items[i].platform)
			return err_fail(err, ERR_UNSUPPORTED,
					"docker's format wants a platform, and member %s has none",
					index->manifests.items[i].digest);
	return 0;
}

int push_format_convert_list(struct oci_index *index, enum push_format format, struct buf *out,
			     struct err *err)
{
	int r = format == PUSH_DOCKER ? check_docker_list(index, err) : 0;

	if (!index->media_type)
		index->media_type = xstrdup(OCI_MEDIA_INDEX);
	if (r == 0)
		r = convert_word(&index->media_type, format, err);
	if (r < 0)
		return r;
	if (format == PUSH_DOCKER) {
		json_map_done(&index->annotations);
		for (size_t i = 0; i < index->manifests.n; i++)
			json_map_done(&index->manifests.items[i].annotations);
	}
	oci_index_write(index, out);
	return 0;
}
