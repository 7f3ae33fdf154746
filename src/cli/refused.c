/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of docker's and podman's that inro has not. */
#include "cli/refused.h"

#define NO_DAEMON  "there is no daemon, each command does its own work"
#define NO_CLUSTER "inro looks after one machine, and is no part of a cluster"
#define NO_MACHINE "inro runs on Linux itself, without a virtual machine"
#define NO_BUILD   "images can't be built yet"
#define NO_MOUNT   "nothing is mounted on the host"
#define IN_ITS_FS  "`inro cp` and `inro export` have a container's files"
#define BUILD_HINT "`inro pull`, `inro load` and `inro commit` make images"
#define CRIU_HINT  "`inro-runtime checkpoint` and `inro-runtime restore` are for bundles of your own"
#define INIT_HINT  "`inro create` makes one, and `inro start` starts it"

const struct cmd_refused cmd_refusals[] = {
	{ "build|image build|builder|buildx|bake|farm", NO_BUILD, BUILD_HINT },
	{ "checkpoint|container checkpoint|container restore",
	  "what a container does is not kept across its end yet", CRIU_HINT },
	{ "compose", "there is no compose yet",
	  "`inro pod create` and .container files of systemd "
	  "have several containers together" },
	{ "container init|init", "a container's processes and mounts are made when it starts",
	  INIT_HINT },
	{ "container mount|mount", NO_MOUNT, IN_ITS_FS },
	{ "container unmount|container umount|unmount|umount", NO_MOUNT, NULL },
	{ "container runlabel", "what an image's label says is not executed on the host",
	  "`inro inspect -f '{{.Config.Labels}}' IMAGE` shows it" },
	{ "context|system connection|system dial-stdio", "there is no other machine to speak to",
	  "`ssh HOST inro ...` works on another one" },
	{ "generate kube|kube|play", "nothing is made of Kubernetes' files yet",
	  "`inro pod create`, or .pod and .container files of systemd: man inro-systemd.unit" },
	{ "generate spec", "there is no such format of containers here",
	  "`inro inspect` shows all that one is made from, `inro container clone` makes another" },
	{ "image scp", "images travel by registries and archives",
	  "`inro save IMAGE | ssh HOST inro load`" },
	{ "image sign|trust|image trust sign|image trust inspect|image trust revoke",
	  "images are not signed here, but signatures are verified",
	  "`inro image trust set`; cosign(1) and skopeo(1) sign" },
	{ "machine", NO_MACHINE, NULL },
	{ "plugin", "there are no plug-ins: drivers of volumes and logs are built in", NULL },
	{ "quadlet", "these files are read where they lie",
	  "systemctl(1) starts what inro-generator makes of them: man inro-systemd.unit" },
	{ "swarm|stack|service|node|volume update", NO_CLUSTER, NULL },
	{ "system service", NO_DAEMON ", and docker's API is not there yet", NULL },
	{ 0 },
};
