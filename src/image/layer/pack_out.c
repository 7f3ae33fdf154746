/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/pack_out.h"

#include <isa-l/igzip_lib.h>
#include <string.h>

#include "base/io.h"

#define IN_SIZE  (256u << 10)
#define OUT_SIZE (256u << 10)
#define LEVEL    2 /* of 3: smaller than 1 by a tenth, and still five times as fast as zlib's 6 */

struct pack_out {
	int fd;
	bool gzip;
	size_t len;
	uint8_t in[IN_SIZE], out[OUT_SIZE], level[ISAL_DEF_LVL2_DEFAULT];
	struct isal_zstream stream;
};

struct pack_out *pack_out_new(int fd, bool gzip)
{
	struct pack_out *out = xcalloc(1, sizeof(*out));

	out->fd = fd;
	out->gzip = gzip;
	isal_deflate_init(&out->stream);
	out->stream.level = LEVEL;
	out->stream.level_buf = out->level;
	out->stream.level_buf_size = sizeof(out->level);
	out->stream.gzip_flag = IGZIP_GZIP;
	return out;
}

void pack_out_free(struct pack_out *out)
{
	free(out);
}

static int write_all(struct pack_out *out, const void *data, size_t len, struct err *err)
{
	int r = io_write(out->fd, data, len);

	return r < 0 ? err_errno(err, -r, "writing the archive") : 0;
}

static int flush(struct pack_out *out, bool end, struct err *err)
{
	struct isal_zstream *s = &out->stream;
	int r = 0;

	if (!out->gzip) {
		r = write_all(out, out->in, out->len, err);
		out->len = 0;
		return r;
	}
	s->next_in = out->in;
	s->avail_in = (uint32_t)out->len;
	s->end_of_stream = end;
	do {
		s->next_out = out->out;
		s->avail_out = OUT_SIZE;
		if (isal_deflate(s) != COMP_OK)
			return err_fail(err, ERR_SYSTEM, "compressing the archive");
		r = write_all(out, out->out, OUT_SIZE - s->avail_out, err);
	} while (r == 0 && (s->avail_in > 0 || s->avail_out == 0 ||
			    (end && s->internal_state.state != ZSTATE_END)));
	out->len = 0;
	return r;
}

int pack_out_add(struct pack_out *out, const void *data, size_t len, struct err *err)
{
	const uint8_t *p = data;

	while (len > 0) {
		size_t n = IN_SIZE - out->len < len ? IN_SIZE - out->len : len;
		memcpy(out->in + out->len, p, n);
		out->len += n;
		p += n;
		len -= n;
		int r = out->len == IN_SIZE ? flush(out, false, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

int pack_out_end(struct pack_out *out, struct err *err)
{
	return flush(out, true, err);
}
