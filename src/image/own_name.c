/* SPDX-License-Identifier: Apache-2.0 */
#include "image/own_name.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "base/str.h"
#include "oci/user.h"

#define FILE_MAX (4u << 20)

char *own_name(uid_t uid)
{
	cleanup_buf struct buf passwd = BUF_INIT;
	struct user_result user = { 0 };
	struct user_files files;
	char word[16], *name = NULL;

	if (io_read_file(AT_FDCWD, "/etc/passwd", &passwd, FILE_MAX, NULL) < 0)
		return NULL;
	files = (struct user_files){ .passwd = passwd.data, .passwd_len = passwd.len };
	snprintf(word, sizeof(word), "%u", (unsigned int)uid);
	if (user_resolve(word, &files, &user, NULL) < 0)
		return NULL;
	name = take_ptr(user.name);
	user_result_done(&user);
	return name;
}
