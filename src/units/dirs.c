/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "units/units.h"

/* Of two homes, inro's first. */
static const char *const homes[] = { "inro", "containers" };

static void add(const struct units_who *who, const char *before, const char *behind, char ***dirs)
{
	for (size_t i = 0; before && i < (who->foreign ? 1 : ARRAY_SIZE(homes)); i++)
		strv_addf(dirs, "%s/%s/systemd%s", before, homes[i], behind);
}

void units_dirs(const struct units_who *who, char ***dirs)
{
	cleanup_free char *own = xasprintf("/users/%u", who->uid);

	if (!who->user) {
		add(who, "/run", "", dirs);
		add(who, "/etc", "", dirs);
		add(who, "/usr/share", "", dirs);
		return;
	}
	add(who, who->runtime_dir, "", dirs);
	add(who, who->config_home, "", dirs);
	add(who, "/etc", own, dirs);
	add(who, "/etc", "/users", dirs);
	add(who, "/usr/share", own, dirs);
	add(who, "/usr/share", "/users", dirs);
}

void units_dropin_dirs(const char *name, char ***dirs)
{
	const char *dot = strrchr(name, '.');
	const char *at = strchr(name, '@');

	if (!dot || dot == name)
		return;
	strv_addf(dirs, "%s.d", dot + 1);
	for (const char *dash = name; (dash = strchr(dash, '-')) && dash < dot; dash++)
		strv_addf(dirs, "%.*s%s.d", (int)(dash + 1 - name), name, dot);
	if (at && at + 1 < dot)
		strv_addf(dirs, "%.*s%s.d", (int)(at + 1 - name), name, dot);
	strv_addf(dirs, "%s.d", name);
}
