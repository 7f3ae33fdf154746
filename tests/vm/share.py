# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest for runs side by side, and for the VM.

Several runs of pytest share one list of tests: INRO_TEST_SHARE is a directory of theirs; each run
collects the same tests, claims a few at a time by making a file there, and runs these. With
INRO_VM_LEFT_OUT, what tests/vm/left-out names is not collected, and counted; the VM, where that
would take its time, gets the names of the rest in the file INRO_VM_TESTS.

An unprivileged run leaves out what needs root, one with INRO_VM_ROOT_ONLY what needs a user.
"""

import itertools
import os
import pathlib
import re

import pytest

CHUNK = 8  # tests: few enough that the runs end at about the same time
LEFT_OUT = pathlib.Path(__file__).with_name("left-out")


def read_left_out():
    """[(pattern, reason)]: a regular expression for the beginning of a test's name."""
    entries = []
    for line in LEFT_OUT.read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, reason = line.split(None, 1)
            entries.append((pattern, reason))
    return entries


def needs(who, item):
    callspec = getattr(item, "callspec", None)
    return who in item.fixturenames or (callspec and callspec.params.get("anyone") == who)


def deselect(config, items, gone):
    config.hook.pytest_deselected(items=list(gone))
    gone = set(gone)
    items[:] = [item for item in items if item not in gone]


@pytest.hookimpl(tryfirst=True)  # before the conftest.py takes some of those in the file
def pytest_collection_modifyitems(config, items):
    if os.environ.get("INRO_VM_TESTS"):
        wanted = set(pathlib.Path(os.environ["INRO_VM_TESTS"]).read_text().splitlines())
        deselect(config, items, [item for item in items if item.nodeid not in wanted])
        if len(items) != len(wanted):
            raise pytest.UsageError(f"{len(items)} of the {len(wanted)} tests were found")
    if os.geteuid() != 0:
        deselect(config, items, [item for item in items if needs("root", item)])
    if os.environ.get("INRO_VM_ROOT_ONLY"):
        deselect(config, items, [item for item in items if needs("user", item)])
    if not os.environ.get("INRO_VM_LEFT_OUT"):
        return
    gone = {}
    for pattern, reason in read_left_out():
        found = [item for item in items if re.match(pattern, item.nodeid)]
        if not found:
            raise pytest.UsageError(f"{LEFT_OUT}: no test is called {pattern}")
        for item in found:
            gone.setdefault(item, reason)
    deselect(config, items, gone)
    config.stash_left_out = gone


def pytest_runtest_logreport(report):
    """A run that hangs or is cut off has said what failed before."""
    if report.failed:
        print(f"\n{report.nodeid} ({report.when}): {str(report.longrepr).splitlines()[-1]}", flush=True)


def pytest_terminal_summary(terminalreporter, config):
    gone = getattr(config, "stash_left_out", {})
    if gone:
        terminalreporter.section("left out: nothing of them depends on the kernel, or it can't be here")
        for reason in dict.fromkeys(gone.values()):
            count = sum(r == reason for r in gone.values())
            terminalreporter.write_line(f"{count:4} {reason}")


def claim(name):
    try:
        path = os.path.join(os.environ["INRO_TEST_SHARE"], name)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
        return True
    except FileExistsError:
        return False


def chunks(items):
    """Of neighbours in one file, for the sake of its fixtures; [(name, [item])]. A file that says
    SHARE_WHOLE = True makes its tests' things once, at length, or things that are the machine's:
    one run takes it whole."""
    for path, group in itertools.groupby(items, lambda item: item.nodeid.split("::")[0]):
        group = list(group)
        size = len(group) if getattr(group[0].module, "SHARE_WHOLE", False) else CHUNK
        for i in range(0, len(group), size):
            yield f"{path.replace('/', '_')}.{i}", group[i:i + size]


def mine(items):
    for name, group in chunks(items):
        if claim(name):
            yield from group


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    if not os.environ.get("INRO_TEST_SHARE") or session.config.option.collectonly:
        return None
    if session.testsfailed:
        raise session.Interrupted(f"{session.testsfailed} errors during collection")
    items = mine(session.items)
    item = next(items, None)
    while item is not None:
        following = next(items, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        item = following
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
    return True
