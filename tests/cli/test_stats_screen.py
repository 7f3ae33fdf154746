# SPDX-License-Identifier: Apache-2.0
"""inro stats on a terminal: the screen, its keys, and the terminal afterwards."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest

import engine

SEQUENCE = re.compile(rb"\x1b\[(\??)([0-9;]*)([A-Za-z])")
HOSTILE = r"\033]0;pwned\007\033[2J\033[1;1Howned\tby\n\302\2332J\342\200\256end\nlast\n"


class Screen:
    """A terminal of few words: anything but what `inro stats` means to send is an error."""

    def __init__(self, who, *args, rows=20, cols=150, shell=None, **env):
        self.rows, self.cols = rows, cols
        self.alternate = False
        self.modes, self.pending = {}, b""
        self.clear()
        self.fd, theirs = pty.openpty()
        self.resize(rows, cols, tell=False)
        self.before = termios.tcgetattr(theirs)
        argv = ["bash", "-c", shell, "bash", *who.inro_argv(*args)] if shell else who.inro_argv(*args)
        self.process = who.popen("setsid", "--ctty", *argv, stdin=theirs, stdout=theirs, stderr=theirs,
                                 env={"TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
        self.theirs = theirs
        self.bytes = b""

    def clear(self):
        self.cells = [[" "] * self.cols for _ in range(self.rows)]
        self.reversed = [False] * self.rows
        self.row = self.col = 0
        self.reverse = False

    def resize(self, rows, cols, tell=True):
        self.rows, self.cols = rows, cols
        if tell:
            self.clear()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def sequence(self, private, words, final):
        numbers = [int(n or 0) for n in words.split(";")] if words else []
        if private:
            assert final in "hl" and numbers in ([1049], [25], [7]), (words, final)
            self.modes[numbers[0]] = final == "h"
            if numbers == [1049]:
                self.alternate = final == "h"
                self.clear()
        elif final == "H":
            self.row, self.col = numbers[0] - 1, numbers[1] - 1
            assert 0 <= self.row < self.rows or not self.alternate
            self.reverse = False
        elif final == "K":
            if self.row < self.rows:
                self.cells[self.row][self.col:] = [" "] * (self.cols - self.col)
                if self.col == 0:
                    self.reversed[self.row] = False
        elif final == "J":
            assert numbers == [2]
            self.clear()
        else:
            assert final == "m" and numbers[0] in (0, 1, 2, 7), (words, final)
            self.reverse = numbers == [7]

    def character(self, text):
        assert text.isprintable() or not self.alternate, repr(text)
        if self.row < self.rows and self.col < self.cols:
            self.cells[self.row][self.col] = text
            self.reversed[self.row] = self.reverse
        self.col += 1

    def feed(self, data):
        self.bytes += data
        data = self.pending + data
        at = 0
        while at < len(data):
            found = SEQUENCE.match(data, at)
            if found:
                self.sequence(found[1] == b"?", found[2].decode(), found[3].decode())
                at = found.end()
                continue
            if data[at] == 0x1b:
                assert re.fullmatch(rb"\x1b(\[\??[0-9;]*)?", data[at:]), data[at:at + 20]
                break
            length = 1 if data[at] < 0x80 else 2 if data[at] < 0xe0 else 3 if data[at] < 0xf0 else 4
            if at + length > len(data):
                break
            if data[at] not in b"\r\n\t\b\a" or self.alternate:
                self.character(data[at:at + length].decode())
            at += length
        self.pending = data[at:]

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def until(self, condition, what="the screen"):
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, f"{what}\n{self.text()}"
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.feed(os.read(self.fd, 65536))
                except OSError:
                    break
        assert condition(), f"{what}\n{self.text()}"

    def shows(self, *words):
        self.until(lambda: all(word in self.text() for word in words), words)

    def shows_not(self, word):
        self.until(lambda: word not in self.text(), "no " + word)

    def names(self):
        return [line.split()[1] for line in self.lines()[2:-1] if line]

    def selected(self):
        rows = [line.split()[1] for line, on in zip(self.lines(), self.reversed) if on and line]
        return rows[0] if len(rows) == 1 else rows

    def keys(self, text):
        os.write(self.fd, text.encode())

    def ends(self, code):
        """With the terminal as it was."""
        assert self.process.wait(20) == code
        while select.select([self.fd], [], [], 0)[0]:
            self.feed(os.read(self.fd, 65536))
        assert termios.tcgetattr(self.theirs) == self.before
        assert self.modes == {1049: False, 25: True, 7: True}
        os.close(self.theirs)
        os.close(self.fd)


@pytest.fixture
def web(root):
    with engine.running(root, "web"):
        yield root


def test_screen(web):
    web.inro("run", "-d", "--name", "loud", "box", "sh", "-c",
             f"printf '{HOSTILE}'; exec sleep 1000").ok()
    screen = Screen(web, "stats")
    screen.shows("2 containers", "0 paused", "CPU %+", "PIDS", "MEM USAGE / LIMIT")
    screen.keys("2")  # the second column
    screen.shows("NAME+")
    assert screen.names() == ["loud", "web"]
    screen.keys("r")
    screen.until(lambda: screen.names() == ["web", "loud"])
    screen.keys(">")
    screen.shows("CPU %+")
    screen.keys("<\x1b[D\x1b[Cr")  # left to names, to ids and back
    screen.shows("NAME-")
    screen.keys("g")
    screen.until(lambda: screen.selected() == "web")
    screen.keys("j")
    screen.until(lambda: screen.selected() == "loud")
    # the graphs: a block for each look, of memory never empty
    screen.until(lambda: all(line[-1] in "▁▂▃▄▅▆▇█" for line in screen.lines()[2:4]), "graphs")

    screen.keys("l")
    screen.shows("logs of loud", "last")
    assert screen.lines()[1:4] == ["?]0;pwned??[2J?[1;1Howned       by", "?2J?end", "last"]
    screen.keys("\x1b")
    screen.shows("2 containers", "loud")
    screen.resize(5, 60)
    screen.shows("web", "q quit")
    screen.resize(20, 150)
    screen.shows("web", "loud", "PIDS")

    screen.keys("sn")
    screen.shows("q quit")
    assert web.inro("ps", "-q").ok().out.count("\n") == 2
    screen.keys("K")
    screen.shows("kill loud? (y/n)")
    screen.keys("y")
    screen.shows("loud is killed", "1 container,")
    screen.until(lambda: screen.names() == ["web"] and screen.selected() == "web")
    screen.keys("s")
    screen.shows("stop web? (y/n)")
    screen.keys("q")
    screen.shows("q quit")
    screen.keys("q")
    screen.ends(0)


def test_pause_and_stop(web):
    screen = Screen(web, "monitor", "web", LC_ALL="C")
    screen.shows("1 container", "web")
    screen.keys("p")
    screen.shows("web is paused", "1 paused")
    assert web.inro("ps", "-q", "--filter", "status=paused").ok().out
    screen.keys("p")
    screen.shows("web is unpaused", "0 paused")
    web.inro("update", "--restart", "no", "web").ok()
    screen.keys("sy")
    screen.shows("stopping web")
    web.inro("kill", "web").ok()
    screen.shows("web is stopped")
    assert all(byte < 0x80 for byte in screen.bytes)
    screen.keys("K")
    screen.keys("y")
    screen.shows("container web is not running")
    screen.keys("\x03")
    screen.ends(-signal.SIGINT)


def test_suspended(web):
    screen = Screen(web, "stats", shell='set -m; "$@"; echo stopped $?; stty -a; fg; echo done $?')
    screen.shows("1 container")
    screen.keys("\x1a")
    screen.until(lambda: b"stopped 148" in screen.bytes and b" icanon" in screen.bytes)
    assert b"\x1b[?1049l" in screen.bytes.partition(b"stopped 148")[0]
    screen.until(lambda: screen.alternate and "1 container" in screen.text())
    screen.keys("q")
    screen.until(lambda: b"done 0" in screen.bytes)
    assert not screen.alternate
    screen.ends(0)


def test_no_terminal(anyone):
    anyone.inro("monitor").fails("needs a terminal", "inro stats", code=125)
