# SPDX-License-Identifier: Apache-2.0
"""Tests that drive the real programs. How to run and how to write one:

    make check                                                 all of it
    scripts/test-env pytest-3 tests/cli -k hostname            some of it, as root

Root needs scripts/test-env around it: private namespaces, a cgroup of its own, an unprivileged user
with subordinate ids. Another user may run pytest directly: then the tests that need root skip.

    def test_hostname(anyone):                  # runs twice: as root and as an unprivileged user
        b = anyone.bundle("hostname")           # busybox root filesystem, config.json with args
        b.config["hostname"] = "db1"            # a dict; b.process, b.linux are parts of it
        assert b.run().ok().out == "db1\\n"      # saves config.json, `inro-runtime run`

    def test_no_such_container(root):           # as root only; `user`: unprivileged only
        root.runtime("state", "x").fails("does not exist", code=1)

    def test_status(root):                      # the engine, with a store of this test
        assert root.inro("run", "--rm", "host", "sh", "-c", "exit 3").code == 3

root, user, anyone: a harness.Who: run(), popen(), runtime(), inro(), bundle(), dir (a scratch
directory of the user), rootless. run() returns a harness.Result: code, out, err, ok(), fails().
machine: a network namespace of the test's own that inro runs in, with a LAN: see netmachine.py.
After each test its containers are deleted; a process, mount, cgroup, interface or file in /run/inro
or /var/lib/inro that is then still there fails the test. In CI (CI=true) a skip is a failure unless
it comes from harness.machine_cannot(reason).
"""

import os
import pathlib
import shutil
import signal
import tempfile
import zlib

import pytest

import harness
import netmachine
import registries as registries_module

BUILD = pathlib.Path(os.environ.get("INRO_BUILD")
                     or pathlib.Path(__file__).resolve().parents[2] / "build")


def pytest_configure():
    # A shell's background job ignores SIGINT, and so would all that it starts.
    for signo in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(signo) == signal.SIG_IGN:
            signal.signal(signo, signal.SIG_DFL)
    if os.geteuid() == 0 and not os.environ.get("INRO_TEST_ENV"):
        pytest.exit("as root, run the tests by `make check` or `scripts/test-env pytest-3 ...`", 2)
    if not (BUILD / "inro-runtime").exists():
        pytest.exit(f"{BUILD} holds no built programs: run make first", 2)


def is_other_turn(item):
    """TURNS = True: what a module tests is the same for root and for a user but for who owns the
    files. Each of its tests runs as one of them then, in `make check`, half of them as root;
    INRO_TEST_LONG=1 runs all as both."""
    who = getattr(item, "callspec", None) and item.callspec.params.get("anyone")
    if who not in ("root", "user") or not getattr(item.module, "TURNS", False):
        return False
    name = item.nodeid.replace("root", "").replace("user", "")
    return who != ("root", "user")[zlib.crc32(name.encode()) % 2]


def pytest_collection_modifyitems(config, items):
    if os.geteuid() != 0 or not os.environ.get("INRO_TEST_SHARE") \
            or os.environ.get("INRO_TEST_LONG") == "1":
        return
    gone = [item for item in items if is_other_turn(item)]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in set(gone)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2]
        if "this machine cannot: " not in reason:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: an unexpected skip is a failure in CI: {reason}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call():
    """A test that hangs fails, and the others run. At full length some take an hour."""
    if os.environ.get("INRO_TEST_LONG") == "1":
        yield
        return
    with harness.limit(harness.TEST_SECONDS):
        yield


pytest_runtest_setup = pytest_runtest_teardown = pytest_runtest_call


@pytest.fixture(scope="session")
def build():
    """The directory of the built programs (INRO_BUILD)."""
    return BUILD


@pytest.fixture(autouse=True)
def nothing_left():
    """Set up first and torn down last: fails a test that leaves something on the machine."""
    leftovers = harness.Leftovers()
    yield
    leftovers.check()


def _who(name):
    # Short: a path with a Unix socket in it has to stay under 108 bytes.
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="t"))
    scratch.chmod(0o755)
    who = harness.Who(BUILD, name, scratch)
    yield who
    who.clean()
    shutil.rmtree(scratch, ignore_errors=True)


def _root_name():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return "root"


def _user_name():
    if os.geteuid() == 0:
        return os.environ["INRO_TEST_USER"].split(":", maxsplit=1)[0]
    return harness.pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def root(nothing_left):
    """The superuser."""
    yield from _who(_root_name())


@pytest.fixture
def user(nothing_left):
    """An unprivileged user with subordinate ids."""
    yield from _who(_user_name())


@pytest.fixture(params=["root", "user"])
def anyone(request, nothing_left):
    """Each of the two, one after the other."""
    yield from _who(_root_name() if request.param == "root" else _user_name())


def _machine(who):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = netmachine.Machine(who)
    yield made
    made.close()


@pytest.fixture
def machine(anyone):
    """A machine of the test's own for networks, inro run by root, then by the user: netmachine.py."""
    yield from _machine(anyone)


@pytest.fixture
def machine_root(root):
    """The same, for root alone."""
    yield from _machine(root)


@pytest.fixture
def machine_user(user):
    """The same, for the user alone."""
    yield from _machine(user)


@pytest.fixture(scope="session")
def registry_keys():
    """Certificates are made once for a run of the tests."""
    yield
    registries_module.pki_forget()


@pytest.fixture
def registries(nothing_left, registry_keys):
    """Registries on loopback: see registries.py."""
    made = registries_module.Registries(tempfile.mkdtemp(prefix="r"))
    yield made
    made.stop()
