/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/db.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"

#define BUSY_TIMEOUT_MS 10000
#define BUSY_PAUSE_MS   2
/* Pages in the log before a commit copies them back, which is five syncs: the next opener reads the
 * whole log, so a small one keeps `inro run` quick. */
#define CHECKPOINT_PAGES 96

#define OWNER_GOES                                                                                 \
	" DELETE FROM endpoints WHERE owner = OLD.id; DELETE FROM ports WHERE owner = OLD.id;"     \
	" UPDATE leases SET fixed = fixed & 2, released_ns = CASE released_ns WHEN 0 THEN"         \
	" CAST(strftime('%s') AS INTEGER) * 1000000000 ELSE released_ns END WHERE owner = OLD.id;"

/* Step n brings the schema from version n to n + 1. Never edit one that was released. */
static const char *const migrations[] = {
	"CREATE TABLE images ("
	" id TEXT PRIMARY KEY, manifest TEXT NOT NULL, created_ns INTEGER NOT NULL,"
	" size INTEGER NOT NULL, architecture TEXT, os TEXT, layers TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE image_names ("
	" name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES images(id)) WITHOUT ROWID;"
	"CREATE INDEX image_names_image ON image_names(image);"
	"CREATE TABLE containers ("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT NOT NULL,"
	" image_name TEXT NOT NULL, command TEXT NOT NULL, created_ns INTEGER NOT NULL,"
	" finished_ns INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL, exit_code INTEGER NOT NULL"
	" DEFAULT 0, auto_remove INTEGER NOT NULL, labels TEXT NOT NULL, error TEXT) WITHOUT "
	"ROWID;",
	/* Who needs which blob and layer, and what registries call an image. Images of before have
	 * no content here until somebody asks: images_fill_content(). */
	"ALTER TABLE images ADD COLUMN kind TEXT NOT NULL DEFAULT 'image';"
	"ALTER TABLE images ADD COLUMN variant TEXT;"
	"ALTER TABLE images ADD COLUMN tagged_ns INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE images ADD COLUMN last_used_ns INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE image_digests ("
	" repository TEXT NOT NULL, digest TEXT NOT NULL, image TEXT NOT NULL REFERENCES "
	"images(id),"
	" PRIMARY KEY (repository, digest)) WITHOUT ROWID;"
	"CREATE INDEX image_digests_image ON image_digests(image);"
	"CREATE TABLE content ("
	" image TEXT NOT NULL REFERENCES images(id), kind TEXT NOT NULL, digest TEXT NOT NULL,"
	" size INTEGER NOT NULL, PRIMARY KEY (image, kind, digest)) WITHOUT ROWID;"
	"CREATE INDEX content_digest ON content(kind, digest);",
	/* One config may come with several manifests: each name and each digest leads to the one
	 * that it was given with (NULL: the image's own, for a list changes). made: the image's own
	 * is of our making. */
	"ALTER TABLE images ADD COLUMN made INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE image_names ADD COLUMN manifest TEXT;"
	"ALTER TABLE image_digests ADD COLUMN manifest TEXT;"
	"UPDATE image_names SET manifest ="
	" (SELECT images.manifest FROM images WHERE id = image AND kind <> 'list');"
	"UPDATE image_digests SET manifest ="
	" (SELECT images.manifest FROM images WHERE id = image AND kind <> 'list');",
	/* Containers that are started more than once. */
	"ALTER TABLE containers ADD COLUMN started_ns INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE containers ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE containers ADD COLUMN options TEXT NOT NULL DEFAULT '';"
	"UPDATE containers SET started_ns = created_ns;",
	/* What has happened. name, image and labels are a container's, as its record has them. */
	"CREATE TABLE events ("
	" seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, type TEXT NOT NULL, action TEXT NOT"
	" NULL, actor TEXT NOT NULL, name TEXT, image TEXT, labels TEXT NOT NULL, attributes TEXT"
	" NOT NULL);",
	/* Whether somebody has stopped it since it was started. */
	"ALTER TABLE containers ADD COLUMN stopped INTEGER NOT NULL DEFAULT 0;",
	/* pending: the image's files are still to go into it. */
	"CREATE TABLE volumes ("
	" name TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, anonymous INTEGER NOT NULL,"
	" labels TEXT NOT NULL, options TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE volume_uses ("
	" container TEXT NOT NULL, volume TEXT NOT NULL, pending INTEGER NOT NULL DEFAULT 1,"
	" PRIMARY KEY (container, volume)) WITHOUT ROWID;"
	"CREATE INDEX volume_uses_volume ON volume_uses(volume);"
	"CREATE TRIGGER containers_volume_uses AFTER DELETE ON containers BEGIN"
	" DELETE FROM volume_uses WHERE container = OLD.id; END;",
	/* Which ids belong to which container: mappings_auto(). */
	"CREATE TABLE id_blocks ("
	" first INTEGER PRIMARY KEY, container TEXT NOT NULL, taken_ns INTEGER NOT NULL);",
	"CREATE TABLE secrets ("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ns INTEGER NOT NULL,"
	" updated_ns INTEGER NOT NULL, labels TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;",
	/* Whether one of its processes was killed for want of memory. */
	"ALTER TABLE containers ADD COLUMN oom_killed INTEGER NOT NULL DEFAULT 0;",
	/* The options as they were given: engine/asked.h. */
	"ALTER TABLE containers ADD COLUMN asked TEXT NOT NULL DEFAULT '';",
	/* pod: the id of the one that the container belongs to, or null. */
	"CREATE TABLE pods ("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ns INTEGER NOT NULL,"
	" options TEXT NOT NULL) WITHOUT ROWID;"
	"ALTER TABLE containers ADD COLUMN pod TEXT;"
	"CREATE INDEX containers_pod ON containers(pod);",
	/* Networks (engine/networks.h), who asked for which (endpoints.h), whose addresses are
	 * whose (leases.h), and which of the host's ports are whose. Containers and pods are
	 * owners. */
	"CREATE TABLE networks ("
	" name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, driver TEXT NOT NULL,"
	" created_ns INTEGER NOT NULL, bridge TEXT UNIQUE, ip4 TEXT NOT NULL, ip6 TEXT NOT NULL,"
	" next4 INTEGER NOT NULL DEFAULT 0, next6 INTEGER NOT NULL DEFAULT 0,"
	" labels TEXT NOT NULL, options TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE endpoints ("
	" owner TEXT NOT NULL, network TEXT NOT NULL, position INTEGER NOT NULL,"
	" ifname TEXT NOT NULL, options TEXT NOT NULL, PRIMARY KEY (owner, network)) WITHOUT "
	"ROWID;"
	"CREATE INDEX endpoints_network ON endpoints(network);"
	"CREATE TABLE leases ("
	" network TEXT NOT NULL, family INTEGER NOT NULL, host INTEGER NOT NULL,"
	" owner TEXT NOT NULL, fixed INTEGER NOT NULL DEFAULT 0,"
	" released_ns INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (network, family, host)) WITHOUT "
	"ROWID;"
	"CREATE INDEX leases_owner ON leases(owner);"
	"CREATE INDEX leases_released ON leases(network, family, released_ns)"
	" WHERE released_ns > 0 AND NOT fixed;"
	"CREATE TABLE ports ("
	" proto INTEGER NOT NULL, host TEXT NOT NULL, host_port INTEGER NOT NULL,"
	" owner TEXT NOT NULL, port INTEGER NOT NULL, PRIMARY KEY (host_port, proto, host))"
	" WITHOUT ROWID;"
	"CREATE INDEX ports_owner ON ports(owner);"
	"CREATE TRIGGER containers_networks AFTER DELETE ON containers BEGIN" OWNER_GOES " END;"
	"CREATE TRIGGER pods_networks AFTER DELETE ON pods BEGIN" OWNER_GOES " END;"
	"CREATE TRIGGER networks_leases AFTER DELETE ON networks BEGIN"
	" DELETE FROM leases WHERE network = OLD.id; END;",
	/* There may be more than one --network. */
	"UPDATE containers SET asked = json_set(asked, '$.options.network',"
	" json_array(asked ->> '$.options.network')) WHERE json_valid(asked)"
	" AND json_type(asked, '$.options.network') = 'text';"
	"UPDATE pods SET options = json_set(options, '$.member.network',"
	" json_array(options ->> '$.member.network')) WHERE json_valid(options)"
	" AND json_type(options, '$.member.network') = 'text';",
	/* Services, and which containers are their replicas (engine/services.h). */
	"CREATE TABLE services ("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ns INTEGER NOT NULL,"
	" sticky INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE replicas ("
	" container TEXT PRIMARY KEY, service TEXT NOT NULL, number INTEGER NOT NULL,"
	" leaving INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
	"CREATE INDEX replicas_service ON replicas(service);"
	"CREATE TRIGGER replicas_go AFTER DELETE ON replicas BEGIN"
	" DELETE FROM services WHERE id = OLD.service AND NOT EXISTS"
	" (SELECT 1 FROM replicas WHERE service = OLD.service); END;"
	"CREATE TRIGGER containers_replicas AFTER DELETE ON containers BEGIN"
	" DELETE FROM replicas WHERE container = OLD.id; END;"
	"CREATE TRIGGER services_networks AFTER DELETE ON services BEGIN" OWNER_GOES " END;",
};

static int db_fail(struct db *db, struct err *err, const char *what)
{
	int code = sqlite3_extended_errcode(db->handle), primary = code & 0xff;
	int sys = sqlite3_system_errno(db->handle);

	if (primary == SQLITE_FULL)
		return err_errno(err, ENOSPC, "%s in database %s", what, db->path);
	if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && sys > 0)
		return err_errno(err, sys, "%s in database %s", what, db->path);
	if (primary == SQLITE_BUSY)
		return err_errno(err, EBUSY, "%s in database %s", what, db->path);
	if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
		return err_fail(err, ERR_CORRUPT, "%s in database %s: %s", what, db->path,
				sqlite3_errmsg(db->handle));
	return err_fail(err, ERR_SYSTEM, "%s in database %s: %s", what, db->path,
			sqlite3_errmsg(db->handle));
}

static int user_version(struct db *db, int *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r;

	r = db_query(db, &stmt, err, "PRAGMA user_version", "");
	if (r < 0)
		return r;
	r = db_step(db, stmt, err);
	if (r < 0)
		return r;
	*ret = sqlite3_column_int(stmt, 0);
	return 0;
}

/* Two processes that make a database at the same time get in each other's way here, where SQLite
 * does not wait by itself. */
static int choose_journal(struct db *db, struct err *err)
{
	const struct timespec pause = { .tv_nsec = BUSY_PAUSE_MS * 1000000L };
	int rc = SQLITE_BUSY;

	for (int ms = 0; ms < BUSY_TIMEOUT_MS && (rc & 0xff) == SQLITE_BUSY; ms += BUSY_PAUSE_MS) {
		if (ms)
			nanosleep(&pause, NULL);
		rc = sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
	}
	return rc == SQLITE_OK ? 0 : db_fail(db, err, "choosing the journal");
}

/* Another process may migrate at the same time: the version is read again under the lock. */
static int migrate(struct db *db, struct err *err)
{
	const int target = (int)ARRAY_SIZE(migrations);
	char sql[64];
	int version, r;

	r = choose_journal(db, err);
	if (r == 0)
		r = db_begin(db, err);
	if (r < 0)
		return r;
	r = user_version(db, &version, err);
	while (r >= 0 && version < target) {
		if (sqlite3_exec(db->handle, migrations[version], NULL, NULL, NULL) != SQLITE_OK)
			r = db_fail(db, err, "updating tables");
		version++;
	}
	snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", target);
	if (r >= 0 && sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		r = db_fail(db, err, "updating the version");
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	return db_commit(db, err);
}

/* Rows name files, whose marks (image/sync.h) should be on the disk before the rows are: syncing
 * the database's files alone leaves the file system's journal in memory. */
static int marks_sync(struct db *db, struct err *err)
{
	cleanup_fd int fd = open(db->marks, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	return fd < 0 || fsync(fd) < 0 ? err_errno(err, errno, "writing %s to the disk", db->marks)
				       : 0;
}

/* After each commit, in the place of SQLite's own. The log is emptied when nobody else uses it now:
 * that all of it was copied is known in shared memory only, which goes with its last process. A
 * command that has no more to write would leave the next one a log that seems to be needed. */
static int checkpoint(void *data, sqlite3 *handle, const char *name, int pages)
{
	struct db *db = data;
	int n = 0, copied = 0;

	if (pages < CHECKPOINT_PAGES || marks_sync(db, NULL) < 0)
		return SQLITE_OK;
	/* Others go on writing while this one waits for the disk. What they commit in between is
	 * copied along, and may come to the disk before its marks do: as in the log, which nobody
	 * syncs. Its names are not there either then, by which check_boot.c knows such rows. */
	if (sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, &n, &copied) !=
		SQLITE_OK ||
	    copied < n)
		return SQLITE_OK;
	sqlite3_busy_timeout(handle, 0);
	sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(handle, BUSY_TIMEOUT_MS);
	return SQLITE_OK;
}

static int db_setup(struct db *db, struct err *err)
{
	int version, r;

	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	sqlite3_extended_result_codes(db->handle, 1);
	/* No checkpoint, which waits for the disk, because this happened to be the last process. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (sqlite3_exec(db->handle, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, err, "setting up");
	sqlite3_wal_hook(db->handle, checkpoint, db);
	r = user_version(db, &version, err);
	if (r < 0)
		return r;
	if (version > (int)ARRAY_SIZE(migrations))
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "database %s was written by a newer inro (schema %d, this one knows %zu)",
		    db->path, version, ARRAY_SIZE(migrations));
	if (version < (int)ARRAY_SIZE(migrations))
		return migrate(db, err);
	return 0;
}

static int open_as(struct db *db, const char *name, int flags, struct err *err)
{
	int r = sqlite3_open_v2(name, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (r != SQLITE_OK && !db->handle)
		return err_errno(err, ENOMEM, "opening database %s", db->path);
	return r != SQLITE_OK ? db_fail(db, err, "opening") : db_setup(db, err);
}

/* On a file system that is read-only SQLite can't make the log that it wants to have. Without one
 * all there is is in the file, which nobody changes. */
static bool is_still(const char *path)
{
	cleanup_free char *log = xasprintf("%s-wal", path);

	return access(path, W_OK) < 0 && errno == EROFS && access(log, F_OK) < 0 && errno == ENOENT;
}

static int open_still(struct db *db, struct err *err)
{
	cleanup_buf struct buf uri = BUF_INIT;

	buf_adds(&uri, "file:");
	for (const char *c = db->path; *c; c++) {
		if (strchr("%?#", *c))
			buf_addf(&uri, "%%%02x", (unsigned char)*c);
		else
			buf_addc(&uri, *c);
	}
	buf_adds(&uri, "?immutable=1");
	sqlite3_close(take_ptr(db->handle));
	return open_as(db, buf_str(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
}

int db_open(const char *path, struct db **ret, struct err *err)
{
	struct db *db = xcalloc(1, sizeof(*db));
	mode_t mask;
	int r;

	db->path = xstrdup(path);
	const char *slash = strrchr(path, '/');
	db->marks = xasprintf("%.*sunsynced", slash ? (int)(slash + 1 - path) : 0, path);
	mask = umask(0077);
	r = open_as(db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
	if (r < 0 && db->handle && is_still(path))
		r = open_still(db, err);
	umask(mask);
	if (r < 0) {
		db_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	sqlite3_close(db->handle);
	free(db->path);
	free(db->marks);
	free(db);
}

int db_begin(struct db *db, struct err *err)
{
	if (sqlite3_exec(db->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, err, "starting a transaction");
	return 0;
}

int db_commit(struct db *db, struct err *err)
{
	int r;

	if (sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	r = db_fail(db, err, "committing");
	db_rollback(db);
	return r;
}

void db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int db_end(struct db *db, int r, struct err *err)
{
	if (r >= 0)
		return db_commit(db, err);
	db_rollback(db);
	return r;
}

int db_sync(struct db *db, struct err *err)
{
	int r = marks_sync(db, err);
	if (r < 0)
		return r;
	cleanup_free char *log = xasprintf("%s-wal", db->path);
	/* SQLite's locks are on its other files: closing this one gives none away. */
	cleanup_fd int fd = open(log, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fdatasync(fd) < 0)
		return err_errno(err, errno, "writing %s to the disk", log);
	return 0;
}

int db_wipe_begin(struct db *db, struct err *err)
{
	if (sqlite3_exec(db->handle, "PRAGMA secure_delete=ON", NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, err, "setting up");
	return 0;
}

int db_wipe_end(struct db *db, struct err *err)
{
	int r = db_sync(db, err);

	if (r == 0)
		sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return r;
}

static int query_va(struct db *db, sqlite3_stmt **ret, struct err *err, const char *sql,
		    const char *types, va_list ap)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int i, r = SQLITE_OK;

	if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) != SQLITE_OK)
		return db_fail(db, err, "preparing a statement");
	for (i = 0; types[i] && r == SQLITE_OK; i++) {
		switch (types[i]) {
		case 's':
			r = sqlite3_bind_text(stmt, i + 1, va_arg(ap, const char *), -1,
					      SQLITE_TRANSIENT);
			break;
		case 'i':
			r = sqlite3_bind_int(stmt, i + 1, va_arg(ap, int));
			break;
		case 'I':
			r = sqlite3_bind_int64(stmt, i + 1, va_arg(ap, int64_t));
			break;
		default:
			r = SQLITE_MISUSE;
		}
	}
	if (r != SQLITE_OK)
		return db_fail(db, err, "binding a parameter");
	*ret = take_ptr(stmt);
	return 0;
}

int db_query(struct db *db, sqlite3_stmt **ret, struct err *err, const char *sql, const char *types,
	     ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = query_va(db, ret, err, sql, types, ap);
	va_end(ap);
	return r;
}

int db_step(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return db_fail(db, err, sqlite3_stmt_readonly(stmt) ? "reading" : "writing");
	}
}

int db_rows(struct db *db, sqlite3_stmt *stmt, void (*from_row)(sqlite3_stmt *stmt, void *ret),
	    size_t size, void *ret_items, size_t *ret_n, struct err *err)
{
	char **items = ret_items;
	size_t cap = *ret_n;
	int r;

	while ((r = db_step(db, stmt, err)) > 0) {
		if (*ret_n == cap) {
			cap = cap ? cap * 2 : 16;
			*items = xrealloc(*items, cap * size);
		}
		memset(*items + *ret_n * size, 0, size);
		from_row(stmt, *items + (*ret_n)++ * size);
	}
	return r;
}

int db_exec(struct db *db, struct err *err, const char *sql, const char *types, ...)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = query_va(db, &stmt, err, sql, types, ap);
	va_end(ap);
	if (r < 0)
		return r;
	r = db_step(db, stmt, err);
	return r < 0 ? r : sqlite3_changes(db->handle);
}

char *db_column_str(sqlite3_stmt *stmt, int column)
{
	const unsigned char *s = sqlite3_column_text(stmt, column);

	return s ? xstrdup((const char *)s) : NULL;
}

int64_t db_column_i64(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt, column);
}

bool db_is_unique_error(const struct db *db)
{
	int code = sqlite3_extended_errcode(db->handle);

	return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY;
}
