/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/session.h"

#include <dirent.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"

#define ORIGINS_MAX 1000

/* ---- libcurl's shared part ---- */

static pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];

static void share_lock(CURL *c, curl_lock_data data, curl_lock_access access, void *arg)
{
	pthread_mutex_lock(&share_locks[data]);
}

static void share_unlock(CURL *c, curl_lock_data data, void *arg)
{
	pthread_mutex_unlock(&share_locks[data]);
}

/* Names and TLS sessions are for all handles; connections can't be, between threads. */
static CURLSH *share_make(void)
{
	CURLSH *share = curl_share_init();

	if (!share)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(share_locks); i++)
		pthread_mutex_init(&share_locks[i], NULL);
	curl_share_setopt(share, CURLSHOPT_LOCKFUNC, share_lock);
	curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, share_unlock);
	curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	return share;
}

/* ---- the system's certificates ---- */

/* Has it files named by the hash of a certificate's subject, as openssl-rehash(1) makes them? */
static bool is_hashed(const char *dir)
{
	DIR *d = opendir(dir);
	bool found = false;

	if (!d)
		return false;
	for (struct dirent *e; !found && (e = readdir(d));)
		found = strspn(e->d_name, "0123456789abcdef") == 8 && e->d_name[8] == '.';
	closedir(d);
	return found;
}

static const char *const ca_dirs[] = { "/etc/ssl/certs",
				       "/etc/pki/ca-trust/extracted/pem/directory-hash",
				       "/etc/pki/tls/certs", "/system/etc/security/cacerts" };
static const char *const ca_files[] = { "/etc/ssl/certs/ca-certificates.crt",
					"/etc/pki/tls/certs/ca-bundle.crt",
					"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };

/* A variable that just names what is the system's anyway need not cost the reading of all of it. */
static const char *env_ca(char *const *env, const char *name, const char *const *usual, size_t n)
{
	const char *value = strv_env_get(env, name);

	for (size_t i = 0; value && i < n; i++)
		if (str_eq(value, usual[i]))
			return NULL;
	return value && value[0] ? value : NULL;
}

static void find_certificates(struct http_options *opts)
{
	/* As OpenSSL and Go have it: they take the place of what is built in. */
	opts->ca_dir = env_ca(opts->env, "SSL_CERT_DIR", ca_dirs, ARRAY_SIZE(ca_dirs));
	opts->ca_file = env_ca(opts->env, "SSL_CERT_FILE", ca_files, ARRAY_SIZE(ca_files));
	if (opts->ca_dir || opts->ca_file)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ca_dirs) && !opts->ca_dir; i++)
		if (is_hashed(ca_dirs[i]))
			opts->ca_dir = ca_dirs[i];
	for (size_t i = 0; i < ARRAY_SIZE(ca_files) && !opts->ca_dir && !opts->ca_file; i++)
		if (access(ca_files[i], R_OK) == 0)
			opts->ca_file = ca_files[i];
}

void session_init(struct session *s, int sock, int retries, int timeout_s, char *const *env)
{
	memset(s, 0, sizeof(*s));
	s->sock = sock;
	s->retries = retries;
	s->retry_delay_ms = -1;
	s->http = (struct http_options){ .env = env, .timeout_s = timeout_s };
	s->http.share = share_make();
	s->queue_end = &s->queue;
	find_certificates(&s->http);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
}

/* ---- certificates of registries ---- */

static struct curl_blob blob_of(char *pem)
{
	return (struct curl_blob){ .data = pem,
				   .len = pem ? strlen(pem) : 0,
				   .flags = CURL_BLOB_NOCOPY };
}

int session_add_tls(struct session *s, const char *name, int fd, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct tls_dir *dir = xcalloc(1, sizeof(*dir));

	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : io_read_all(fd, &text, REGISTRY_TLS_MAX);
	if (r < 0)
		r = err_errno(err, -r, "reading certificates of %s", name);
	else
		r = json_parse(&registry_tls_desc, &dir->pem, buf_str(&text), text.len,
			       "certificates", err);
	if (r < 0) {
		free(dir);
		return r;
	}
	dir->name = xstrdup(name);
	dir->tls.ca = blob_of(dir->pem.ca);
	dir->tls.cert = blob_of(dir->pem.cert);
	dir->tls.key = blob_of(dir->pem.key);
	pthread_mutex_lock(&s->lock);
	dir->next = s->tls_dirs;
	s->tls_dirs = dir;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static const struct tls_dir *find_tls(const struct session *s, const char *name)
{
	for (const struct tls_dir *dir = s->tls_dirs; dir; dir = dir->next)
		if (str_eq(dir->name, name))
			return dir;
	return NULL;
}

/* ---- origins ---- */

static char *origin_key(const struct registry_endpoint *ep)
{
	const struct registry_auth none = { NULL }, *auth = ep->auth ? ep->auth : &none;
	const char *const parts[] = { ep->url,
				      ep->tls_dir,
				      ep->insecure ? "insecure" : "",
				      auth->username,
				      auth->password,
				      auth->identity_token,
				      auth->registry_token };
	struct buf key = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		buf_adds(&key, parts[i] ? parts[i] : "");
		buf_addc(&key, '\n');
	}
	return buf_take(&key);
}

static struct origin *origin_make(struct session *s, const struct registry_endpoint *ep,
				  struct err *err)
{
	struct origin *o = xcalloc(1, sizeof(*o));

	if (url_parse(ep->url, &o->url, err) < 0) {
		err_wrap(err, -EINVAL, "reading the address %s", ep->url);
		free(o);
		return NULL;
	}
	o->insecure = ep->insecure;
	o->tls = ep->tls_dir ? find_tls(s, ep->tls_dir) : NULL;
	o->classes = host_class_of(o->url.host);
	o->plain = o->settled = !o->url.https;
	pthread_mutex_init(&o->lock, NULL);
	pthread_mutex_init(&o->auth_lock, NULL);
	return o;
}

struct origin *session_origin(struct session *s, const struct registry_endpoint *ep,
			      struct err *err)
{
	cleanup_free char *key = origin_key(ep);
	struct origin *o;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (o = s->origins; o && !str_eq(o->key, key); o = o->next)
		n++;
	if (!o && n >= ORIGINS_MAX) {
		err_fail(err, ERR_LIMIT, "more than %d registries in one command", ORIGINS_MAX);
	} else if (!o) {
		o = origin_make(s, ep, err);
		if (o) {
			o->key = take_ptr(key);
			o->next = s->origins;
			s->origins = o;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return o;
}

void origin_base(struct origin *o, struct url *ret)
{
	struct err err;

	pthread_mutex_lock(&o->lock);
	bool plain = o->plain;
	pthread_mutex_unlock(&o->lock);
	if (plain == !o->url.https) {
		url_copy(&o->url, ret);
		return;
	}
	cleanup_free char *host = url_host_port(&o->url);
	cleanup_free char *text = xasprintf("http://%s/", host);
	if (url_parse(text, ret, &err) < 0)
		abort(); /* it was well-formed with the other scheme */
}

/* ---- handles ---- */

struct http *session_take_http(struct session *s, const struct origin *origin)
{
	struct http *http = NULL;

	pthread_mutex_lock(&s->lock);
	size_t at = s->n_idle;
	for (size_t i = 0; i < s->n_idle; i++)
		if (s->idle[i].last == origin)
			at = i;
	if (at == s->n_idle && at > 0)
		at--;
	if (s->n_idle > 0) {
		http = s->idle[at].http;
		s->idle[at] = s->idle[--s->n_idle];
	}
	pthread_mutex_unlock(&s->lock);
	return http ? http : http_new(&s->http);
}

void session_give_http(struct session *s, struct http *http, const struct origin *last)
{
	pthread_mutex_lock(&s->lock);
	s->idle = xrealloc(s->idle, (s->n_idle + 1) * sizeof(*s->idle));
	s->idle[s->n_idle++] = (struct idle){ .http = http, .last = last };
	pthread_mutex_unlock(&s->lock);
}

/* ---- answers ---- */

void session_answer(struct session *s, const struct registry_answer *answer)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_write(&registry_answer_desc, answer, 0, &text);
	/* Who does not read any more has closed its end; session_serve() sees that. */
	ssize_t r UNUSED = fd_send(s->sock, text.data, text.len, NULL, 0);
}
