# SPDX-License-Identifier: Apache-2.0
"""Many shells that work on the same few containers at random. INRO_TEST_STRESS: for how many
seconds, instead of 3; INRO_TEST_STRESS_SEED: as which time."""

import json
import os
import pathlib
import random
import re
import subprocess

import engine
import harness

TURNS = True
SHELLS = 50
NAMES = 8
SECONDS = int(os.environ.get("INRO_TEST_STRESS", "3"))
SEED = int(os.environ.get("INRO_TEST_STRESS_SEED") or random.randrange(1 << 20))

SLEEP = ("box", "sleep", "1000")
# What a shell does with one of the names, how often (of their sum), and which refusals are right.
NONE = "No such container"
TAKEN = "is already in use by container"
OPERATIONS = [
    (4, ("create", "--name", "NAME", *SLEEP), [TAKEN]),
    (3, ("run", "-d", "--name", "NAME", *SLEEP), [TAKEN]),
    (3, ("run", "-d", "--name", "NAME", "box", "sh", "-c", "echo out; exit 3"), [TAKEN]),
    (3, ("run", "-d", "--rm", "--name", "NAME", *SLEEP), [TAKEN]),
    (2, ("run", "--rm", "--name", "NAME", "box", "true"), [TAKEN]),
    (2, ("run", "-d", "--restart", "always", "--name", "NAME", "box", "true"), [TAKEN]),
    (6, ("start", "NAME"), [NONE]),
    (5, ("stop", "-t", "0", "NAME"), [NONE]),
    (2, ("restart", "-t", "0", "NAME"), [NONE, r"removed when it ends \(--rm\)"]),
    (2, ("kill", "NAME"), [NONE, "is not running", "is restarting"]),
    (5, ("rm", "NAME"), [NONE, "container is running"]),
    (2, ("rm", "-f", "NAME"), [NONE]),
    (2, ("exec", "NAME", "true"), [NONE, "is not running", "is restarting", "has it just ended",
                                   "has the container ended", "in a stopped container",
                                   'container "[0-9a-f]{64}" does not exist']),
    (1, ("rename", "NAME", "OTHER"), [NONE, TAKEN, "same name"]),
    (2, ("ps", "-a"), []),
    (1, ("inspect", "NAME"), ["No such"]),
    (1, ("logs", "NAME"), [NONE]),
]
# Of a start that somebody else's kill, stop or rm -f came into.
ENDED_EARLY = ("was killed before it could report", NONE)

SHELL = r"""
RANDOM=$1 seconds=$2 log=$3 inro=$4 root=$5
pick() { name=s$((RANDOM % %NAMES%)); other=s$((RANDOM % %NAMES%)); }
while ((SECONDS < seconds)); do
    pick
    case $((RANDOM % %TOTAL%)) in
%CASES%
    esac
    "$inro" --root "$root" "${op[@]}" >/dev/null 2>"$log.err" </dev/null
    code=$?
    IFS= read -r -d '' text <"$log.err"
    printf '%s\0%s\0%s\0' "$n" "$code" "$text" >>"$log"
done
"""


def shell_script():
    cases, total = [], 0
    for n, (weight, words, _) in enumerate(OPERATIONS):
        op = " ".join({"NAME": "$name", "OTHER": "$other"}.get(w, f"'{w}'") for w in words)
        numbers = "|".join(str(total + i) for i in range(weight))
        cases.append(f"    {numbers}) n={n} op=({op}) ;;")
        total += weight
    return SHELL.replace("%NAMES%", str(NAMES)).replace("%TOTAL%", str(total)) \
                .replace("%CASES%", "\n".join(cases))


def outcomes(log):
    """(operation, exit status, what was said) of each command of a shell."""
    words = log.read_text().split("\0")[:-1]
    for n, code, text in zip(words[::3], words[1::3], words[2::3], strict=True):
        yield OPERATIONS[int(n)], int(code), text.strip()


def unexpected(operation, code, text):
    _, words, refusals = operation
    if words[0] in ("run", "start", "restart"):
        refusals = [*refusals, *ENDED_EARLY]
    killed = code in (137, 143) and (words[0] == "exec" or words[:2] == ("run", "--rm"))
    if not text and (code == 0 or killed):
        return False
    return not any(re.search(refusal, text) for refusal in refusals)


def monitors(who):
    """Pids of all that have this store's root as their working directory, as monitors have."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(who.state / "inro") \
                    and (entry / "comm").read_text().startswith("inro"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def stop_restless(who):
    ids = who.inro("ps", "-aq").ok().out.split()
    policies = "{{.Id}} {{.HostConfig.RestartPolicy.Name}}"
    lines = who.inro("inspect", "--format", policies, *ids).ok().out.splitlines() if ids else []
    for cid, policy in map(str.split, lines):
        if policy == "always":
            who.inro("stop", "-t", "0", cid).ok()


def check_truth(who):
    """What is said to run does, with one monitor each, and nothing else has one."""
    running = who.inro("ps", "-q", "--no-trunc", "--filter", "status=running").ok().out.split()
    for cid in running:
        state = json.loads((who.run_dir / "inro/runtime" / cid / "state.json").read_text())
        assert not harness.is_dead(state["pid"]), cid
    harness.wait_for(lambda: len(monitors(who)) == len(running), what="monitors of what has ended")


def check_nothing_left(who):
    assert who.inro("ps", "-aq").ok().out == ""
    harness.wait_for(lambda: not monitors(who), what="the monitors' end")
    for directory in (who.state / "inro/containers", who.run_dir / "inro/containers",
                      who.run_dir / "inro/runtime"):
        assert os.listdir(directory) == [], directory
    who.inro("system", "check").ok()


def test_shells(anyone):
    engine.box(anyone)
    logs = [anyone.dir / f"shell{n}" for n in range(SHELLS)]
    script = shell_script()
    shells = [anyone.popen("bash", "-c", script, "shell", SEED + n, SECONDS, log,
                           anyone.program("inro"), anyone.state / "inro")
              for n, log in enumerate(logs)]
    for shell in shells:
        assert shell.wait(SECONDS + 120) == 0

    all_of_them = [outcome for log in logs for outcome in outcomes(log)]
    wrong = [f"{' '.join(operation[1])}: [{code}] {text}"
             for operation, code, text in all_of_them if unexpected(operation, code, text)]
    assert not wrong, f"seed {SEED}, {len(wrong)} of {len(all_of_them)}:\n" + "\n".join(wrong[:40])
    done = {operation[1] for operation, code, _ in all_of_them if code == 0}
    # which of them, on a slow machine, is a matter of luck
    assert len({words[0] for words in done}) >= 4 and len(all_of_them) > SHELLS

    stop_restless(anyone)
    check_truth(anyone)
    anyone.inro("rm", "-fa").ok()
    check_nothing_left(anyone)
