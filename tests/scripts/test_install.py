# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts where, from the build directory INRO_BUILD."""

import os
import pathlib
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INRO_BUILD") or TOP / "build")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The tree that an installation with DESTDIR makes."""
    dest = tmp_path_factory.mktemp("dest")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--strip"],
                   env={**os.environ, "DESTDIR": str(dest)}, check=True)
    return dest / "usr/local"


def test_programs_run_from_where_they_are_installed(installed):
    for program in ("inro", "inro-runtime"):
        done = subprocess.run([installed / "bin" / program, "--version"], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0 and done.stdout, done
    for program in ("inro-monitor", "inro-net", "inro-layer", "inro-registry", "inro-generator"):
        assert os.access(installed / "libexec/inro" / program, os.X_OK)
    for whose in ("system", "user"):
        generator = installed / f"lib/systemd/{whose}-generators/inro-{whose}-generator"
        assert os.readlink(generator) == "/usr/local/libexec/inro/inro-generator"


def test_programs_are_stripped_and_hardened(installed):
    for program in [*(installed / "bin").iterdir(), *(installed / "libexec/inro").iterdir()]:
        sections = subprocess.run(["readelf", "-SlhdW", program], capture_output=True, text=True,
                                  check=True).stdout
        assert ".debug_info" not in sections, program
        assert "Type:                              DYN" in sections, f"{program} is not PIE"
        assert "GNU_RELRO" in sections and "BIND_NOW" in sections or "NOW" in sections, program
        assert "GNU_STACK" in sections and " RWE " not in sections, program


def test_static_programs_need_no_loader(installed):
    for program in (installed / "bin/inro", installed / "bin/inro-runtime",
                    installed / "libexec/inro/inro-monitor", installed / "libexec/inro/inro-net"):
        headers = subprocess.run(["readelf", "-ldW", program], capture_output=True, text=True,
                                 check=True).stdout
        assert "INTERP" not in headers and "(NEEDED)" not in headers, program


def test_what_is_linked_asks_neither_the_cpu_nor_nss():
    """libgcc's, which costs each start 0.16 ms in a virtual machine: oci/image_platform.c."""
    symbols = subprocess.run(["nm", os.path.join(BUILD, "inro")], capture_output=True, text=True, check=True).stdout
    assert "engine_exec" in symbols and "__cpu_indicator_init" not in symbols
    # The name services would load shared libraries of just this glibc into a static program.
    assert "__nss_" not in symbols


def test_static_programs_are_small(installed):
    """With musl, which scripts/deps installs: an empty program with glibc is larger than that."""
    for program, limit in (("bin/inro-runtime", 700_000), ("libexec/inro/inro-monitor", 600_000),
                           ("libexec/inro/inro-net", 200_000),
                           ("libexec/inro/inro-init", 60_000)):
        assert (installed / program).stat().st_size < limit, program


def test_relocated_data_is_read_only(installed, tmp_path):
    """glibc's start sees to it, musl's does not: src/musl/musl.c does."""
    program = installed / "bin/inro-runtime"
    headers = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True,
                             check=True).stdout
    relro = next(int(line.split()[5], 16) for line in headers.splitlines() if "GNU_RELRO" in line)
    os.mkfifo(tmp_path / "log")  # nobody reads: the program waits there
    with subprocess.Popen([program, "--log", tmp_path / "log", "list"]) as waiting:
        try:
            time.sleep(0.3)
            maps = pathlib.Path(f"/proc/{waiting.pid}/maps").read_text().splitlines()
        finally:
            waiting.kill()
    sizes = [[int(x, 16) for x in line.split()[0].split("-")] for line in maps
             if str(program) in line and line.split()[1] == "rw-p"]
    assert maps and sum(end - start for start, end in sizes) < relro


@pytest.mark.parametrize("file", [
    "share/man/man1/inro.1", "share/man/man1/inro-run.1", "share/man/man1/inro-runtime.1",
    "share/bash-completion/completions/inro", "share/zsh/site-functions/_inro",
    "share/fish/vendor_completions.d/inro.fish", "lib/systemd/system/inro-restart.service",
    "lib/systemd/user/inro-restart.service", "lib/systemd/system/inro-auto-update.timer",
    "lib/systemd/user/inro-auto-update.service", "share/man/man5/inro-systemd.unit.5",
])
def test_documentation_is_installed(installed, file):
    assert (installed / file).stat().st_size > 200
