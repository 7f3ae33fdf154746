/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/info.h"

#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/cdi.h"
#include "engine/config.h"
#include "engine/images.h"
#include "engine/life.h"
#include "sys/cgroup.h"

#define INFO(member, key, kind)                                                                    \
	JSON_FIELD(struct engine_info, member, key, kind, .flags = JSON_KEEP)

static const struct json_field device_fields[] = {
	JSON_FIELD(struct info_device, source, "Source", JSON_STR),
	JSON_FIELD(struct info_device, id, "ID", JSON_STR),
};
static const struct json_desc device_desc = JSON_DESC(struct info_device, device_fields);

static const struct json_field fields[] = {
	INFO(version, "ServerVersion", JSON_STR),
	INFO(containers, "Containers", JSON_I64),
	INFO(running, "ContainersRunning", JSON_I64),
	INFO(stopped, "ContainersStopped", JSON_I64),
	INFO(images, "Images", JSON_I64),
	INFO(storage_driver, "Driver", JSON_STR),
	INFO(cgroup_version, "CgroupVersion", JSON_STR),
	INFO(kernel, "KernelVersion", JSON_STR),
	INFO(os, "OperatingSystem", JSON_STR),
	INFO(architecture, "Architecture", JSON_STR),
	INFO(cpus, "NCPU", JSON_I64),
	INFO(memory, "MemTotal", JSON_I64),
	INFO(name, "Name", JSON_STR),
	INFO(root, "DockerRootDir", JSON_STR),
	INFO(runroot, "RunRoot", JSON_STR),
	INFO(network, "DefaultNetwork", JSON_STR),
	INFO(rootless, "Rootless", JSON_BOOL),
	INFO(cdi_dirs, "CDISpecDirs", JSON_STRV),
	JSON_FIELD(struct engine_info, devices, "DiscoveredDevices", JSON_ARRAY,
		   .desc = &device_desc),
};
const struct json_desc engine_info_desc = JSON_DESC(struct engine_info, fields);

static char *os_name(void)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **lines = NULL;
	size_t i;

	if (io_read_file(AT_FDCWD, "/etc/os-release", &text, 1u << 16, NULL) < 0)
		return xstrdup("Linux");
	lines = strv_split(buf_str(&text), '\n');
	for (i = 0; lines[i]; i++) {
		const char *value = str_after(lines[i], "PRETTY_NAME=");
		size_t len = value ? strlen(value) : 0;

		if (len >= 2 && value[0] == '"')
			return xstrndup(value + 1, len - 2);
		if (len)
			return xstrdup(value);
	}
	return xstrdup("Linux");
}

static const char *cgroup_word(void)
{
	struct cgroup_system sys = { 0 };
	const char *word = "none";

	if (cgroup_system_read(&sys, NULL) < 0)
		return word;
	if (sys.layout == CGROUP_V1)
		word = "1";
	else if (sys.layout == CGROUP_HYBRID)
		word = "1 (hybrid)";
	else if (sys.layout == CGROUP_V2)
		word = "2";
	cgroup_system_done(&sys);
	return word;
}

static int count(struct engine *eng, struct engine_info *info, struct err *err)
{
	cleanup_record_list struct record_list records = { 0 };
	cleanup_image_rows struct image_rows images = { 0 };
	size_t i;
	int r;

	r = record_list(eng, NULL, &records, err);
	if (r == 0)
		r = images_list_brief(eng, NULL, false, &images, err);
	if (r < 0)
		return r;
	info->images = (int64_t)images.n;
	info->containers = (int64_t)records.n;
	for (i = 0; i < records.n; i++)
		if (records.items[i].running && life_alive(eng, records.items[i].id))
			info->running++;
	info->stopped = info->containers - info->running;
	return 0;
}

static void list_devices(struct engine *eng, struct engine_info *info)
{
	static const char *const dirs[] = { CDI_DIRS };
	cleanup_strv char **names = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		strv_add(&info->cdi_dirs, dirs[i]);
	cdi_list(eng, &names);
	info->devices.items = xcalloc(strv_len(names) + 1, sizeof(*info->devices.items));
	for (; names && names[info->devices.n]; info->devices.n++)
		info->devices.items[info->devices.n] =
		    (struct info_device){ xstrdup("cdi"), xstrdup(names[info->devices.n]) };
}

int engine_info(struct engine *eng, struct engine_info *ret, struct err *err)
{
	const struct config *config;
	struct engine_info info = { .rootless = eng->rootless };
	struct utsname uts = { 0 };
	struct sysinfo si = { 0 };
	int r;

	r = config_get(eng, &config, err);
	if (r == 0)
		r = count(eng, &info, err);
	if (r < 0)
		return r;
	uname(&uts);
	sysinfo(&si);
	info.version = xstrdup(INRO_VERSION);
	info.storage_driver = xstrdup("overlay");
	info.cgroup_version = xstrdup(cgroup_word());
	info.kernel = xstrdup(uts.release);
	info.os = os_name();
	info.architecture = xstrdup(uts.machine);
	info.cpus = sysconf(_SC_NPROCESSORS_ONLN);
	info.memory = (int64_t)si.totalram * si.mem_unit;
	info.name = xstrdup(uts.nodename);
	info.root = xstrdup(eng->root);
	info.runroot = xstrdup(eng->runroot);
	info.network = xstrdup(config->network.fallback);
	list_devices(eng, &info);
	*ret = info;
	return 0;
}

void engine_info_done(struct engine_info *info)
{
	json_free(&engine_info_desc, info);
}

void engine_info_json(const struct engine_info *info, struct buf *out)
{
	json_write(&engine_info_desc, info, JSON_NEWLINE, out);
}

void engine_info_text(const struct engine_info *info, struct buf *out)
{
	buf_addf(out, "Containers: %lld\n Running: %lld\n Stopped: %lld\nImages: %lld\n",
		 (long long)info->containers, (long long)info->running, (long long)info->stopped,
		 (long long)info->images);
	buf_addf(out, "Version: %s\nStorage Driver: %s\nCgroup Version: %s\n", info->version,
		 info->storage_driver, info->cgroup_version);
	buf_addf(out, "Kernel Version: %s\nOperating System: %s\nArchitecture: %s\n", info->kernel,
		 info->os, info->architecture);
	buf_addf(out, "CPUs: %lld\nTotal Memory: %.2fGiB\nName: %s\n", (long long)info->cpus,
		 (double)info->memory / (1024.0 * 1024.0 * 1024.0), info->name);
	buf_addf(out, "Inro Root Dir: %s\nInro Run Dir: %s\nDefault Network: %s\nRootless: %s\n",
		 info->root, info->runroot, info->network, info->rootless ? "true" : "false");
	if (info->devices.n)
		buf_adds(out, "Discovered Devices:\n");
	for (size_t i = 0; i < info->devices.n; i++)
		buf_addf(out, " %s: %s\n", info->devices.items[i].source,
			 info->devices.items[i].id);
}
