# SPDX-License-Identifier: Apache-2.0
# A thin front door to Meson: the real build is meson.build.
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 60
NINJA = ninja -C
export FUZZ_SECONDS

# The last one is for podman: debootstrap knows no package that another provides.
ENGINES = podman crun runc containerd docker.io conmon slirp4netns fuse-overlayfs catatonit \
	containernetworking-plugins
COMMAND ?= bash -c 'uname -a; systemctl --version'
.PHONY: all help demo check check-vm check-vm-engines check-power vm bench lint format fuzz faults asan install clean

all: build/build.ninja ## build the programs into build/
	$(NINJA) build

build/build.ninja:
	scripts/deps --check build
	meson setup build --prefix=$(PREFIX)

demo: ## install what is missing, build, run a first container (as root)
	scripts/deps build run
	scripts/build build programs
	scripts/demo

check: ## install what is missing, build, run all tests (as root)
	scripts/deps build test
	scripts/check

check-vm: ## tests in a VM: Debian's kernel, systemd, cgroup v2 (TESTS="tests/cli/test_x.py -k y": some)
	scripts/deps build test vm
	scripts/build build
	tests/vm/vm test $(TESTS)

check-vm-engines: ## podman, docker and containerd on inro-runtime in a VM: systemd, AppArmor
	scripts/deps build test vm
	scripts/build build
	INRO_VM_PACKAGES="$(ENGINES)" tests/vm/vm run tests/vm/engines $(TESTS)

check-power: ## kill a VM in mid-pull, PULLS (50) times, 10 more with a user's store: 45 minutes
	scripts/deps build test vm
	scripts/build build
	tests/vm/power $(PULLS)
	tests/vm/power --user 10

vm: ## run COMMAND in such a VM, in a copy of the built tree
	@scripts/deps build test vm
	@scripts/build build
	@tests/vm/vm run $(COMMAND)

lint: ## formatting, static analysis, spelling, layering, sizes
	scripts/deps build lint
	scripts/lint

format: ## reformat the C sources
	git ls-files '*.[ch]' | xargs clang-format -i

fuzz: ## run every fuzz target for FUZZ_SECONDS (60)
	scripts/deps build fuzz
	scripts/fuzz

faults: ## the tests of races and failures at full length: about an hour, as root
	scripts/deps build test
	scripts/build build
	INRO_TEST_LONG=1 scripts/test-env /usr/bin/python3 -m pytest -q -s -p no:cacheprovider \
		tests/cli/test_swapper.py tests/cli/test_faults_points.py tests/cli/test_faults_limits.py

asan: ## all tests on an ASan+UBSan build in build-sanitized/
	scripts/deps build test fuzz
	scripts/check --asan

bench: ## measure against other runtimes, write docs/benchmarks.md
	scripts/deps build bench
	scripts/build build
	bench/run

install: build/build.ninja ## install to PREFIX (/usr/local), below DESTDIR
	meson configure build --prefix=$(PREFIX)
	$(NINJA) build
	DESTDIR=$(DESTDIR) meson install -C build --no-rebuild --strip --quiet

clean: ## remove all that was built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' Makefile | column -t -s@
