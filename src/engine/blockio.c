/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/blockio.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "engine/parse.h"
#include "engine/spec.h"

#define WEIGHT_MIN 10
#define WEIGHT_MAX 1000

static int look_up(const char *option, const char *text, bool bytes, dev_t *ret, uint64_t *number,
		   struct err *err)
{
	cleanup_free char *path = NULL;
	struct stat st;
	int r = device_number_parse(option, text, bytes, &path, number, err);

	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return err_errno(err, errno, "--%s: looking at %s", option, path);
	if (!S_ISBLK(st.st_mode))
		return err_fail(err, ERR_INVALID, "--%s: %s is not a block device", option, path);
	*ret = st.st_rdev;
	return 0;
}

static int weight_check(uint64_t weight, struct err *err)
{
	if (weight && (weight < WEIGHT_MIN || weight > WEIGHT_MAX))
		return err_fail(err, ERR_USAGE, "Range of blkio weight is from %d to %d",
				WEIGHT_MIN, WEIGHT_MAX);
	return 0;
}

static int add_weights(char *const *words, struct spec_block_io *io, struct err *err)
{
	for (size_t i = 0; words && words[i]; i++) {
		struct spec_weight_device *d;
		uint64_t weight = 0;
		dev_t dev = 0;
		int r = look_up("blkio-weight-device", words[i], false, &dev, &weight, err);

		if (r == 0)
			r = weight_check(weight, err);
		if (r < 0)
			return r;
		d = LIST_ADD(io->weight_device);
		d->major = major(dev);
		d->minor = minor(dev);
		d->weight = (struct opt_u32){ true, (uint32_t)weight };
	}
	return 0;
}

static int add_rates(const char *option, char *const *words, bool bytes, spec_throttle_list *list,
		     struct err *err)
{
	for (size_t i = 0; words && words[i]; i++) {
		struct spec_throttle_device *d;
		uint64_t rate = 0;
		dev_t dev = 0;
		int r = look_up(option, words[i], bytes, &dev, &rate, err);

		if (r < 0)
			return r;
		d = LIST_ADD(*list);
		d->major = major(dev);
		d->minor = minor(dev);
		d->rate = rate;
	}
	return 0;
}

int block_io_parse(const struct run_options *o, struct spec_resources *ret, struct err *err)
{
	struct spec_block_io *io;
	size_t i;
	int r;

	if (!o->blkio_weight.value && !o->blkio_weight_device && !o->device_read_bps &&
	    !o->device_write_bps && !o->device_read_iops && !o->device_write_iops)
		return 0;
	io = ret->block_io = xcalloc(1, sizeof(*io));
	const struct {
		const char *option;
		char *const *words;
		bool bytes;
		spec_throttle_list *list;
	} rates[] = {
		{ "device-read-bps", o->device_read_bps, true, &io->read_bps },
		{ "device-write-bps", o->device_write_bps, true, &io->write_bps },
		{ "device-read-iops", o->device_read_iops, false, &io->read_iops },
		{ "device-write-iops", o->device_write_iops, false, &io->write_iops },
	};

	r = weight_check(o->blkio_weight.value, err);
	if (r == 0 && o->blkio_weight.value)
		io->weight = (struct opt_u32){ true, (uint32_t)o->blkio_weight.value };
	if (r == 0)
		r = add_weights(o->blkio_weight_device, io, err);
	for (i = 0; r == 0 && i < ARRAY_SIZE(rates); i++)
		r = add_rates(rates[i].option, rates[i].words, rates[i].bytes, rates[i].list, err);
	return r;
}
