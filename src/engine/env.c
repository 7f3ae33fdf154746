/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/env.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/strv.h"
#include "engine/parse.h"

#define ENV_FILE_MAX (4u << 20)

extern char **environ;

int env_gather(char *const *files, char *const *words, char ***ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; files && files[i]; i++) {
		cleanup_buf struct buf text = BUF_INIT;

		r = io_read_file(AT_FDCWD, files[i], &text, ENV_FILE_MAX, err);
		if (r == 0)
			r = env_file_parse(buf_str(&text), text.len, files[i], environ, ret, err);
		if (r < 0)
			return err_wrap(err, r, "--env-file");
	}
	for (size_t i = 0; r == 0 && words && words[i]; i++)
		r = env_word_parse(words[i], environ, ret, err);
	return r;
}

char **env_own(bool all, bool proxies)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
					     "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY" };
	char **env = NULL;

	if (all)
		return strv_copy(environ);
	for (size_t i = 0; proxies && i < ARRAY_SIZE(names); i++)
		if (getenv(names[i]))
			strv_addf(&env, "%s=%s", names[i], getenv(names[i]));
	return env;
}
