/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/lsm.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/io.h"

#define ENABLED_MAX 16

bool lsm_apparmor_enabled(void)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;

	return io_read_file(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", &text, ENABLED_MAX,
			    NULL) >= 0 &&
	       text.len > 0 && text.data[0] == 'Y';
}

bool lsm_selinux_enabled(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && (uint32_t)fs.f_type == SELINUX_MAGIC;
}

struct lsm_state lsm_read(void)
{
	return (struct lsm_state){
		.known = true,
		.apparmor = lsm_apparmor_enabled(),
		.selinux = lsm_selinux_enabled(),
	};
}
