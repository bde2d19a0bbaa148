"""What SECURITY.md claims about the program as a whole; the rest is tested where it lives."""

from __future__ import annotations

import json
import re
import socket
import struct
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.paths import REPOSITORY
from tests.processes import WAIT_S, program, set_stage, until

TOKEN = "a-token-that-is-long-enough"


def test_the_token_is_never_on_the_command_line_and_is_asked_for(tmp_path: Path) -> None:
    """A second process, its command line as every user of the machine can read it."""
    (tmp_path / "caches").mkdir()
    (tmp_path / "token").write_text(TOKEN + "\n")
    words = [
        "serve",
        "--caches",
        str(tmp_path / "caches"),
        "--ws",
        "0.0.0.0:0",
        "--token-file",
        str(tmp_path / "token"),
    ]
    with program(words, env={"NUMBA_DISABLE_JIT": "1"}) as process:
        assert process.stderr is not None
        port = next(int(f[1]) for line in process.stderr if (f := re.search(r"http://0.0.0.0:(\d+)/", line)))
        command_line = Path(f"/proc/{process.pid}/cmdline")
        if command_line.exists():
            assert TOKEN.encode() not in command_line.read_bytes()
        with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None):
            pass
        with connect(f"ws://127.0.0.1:{port}/ws?token={TOKEN}", compression=None, proxy=None) as client:
            assert json.loads(client.recv(timeout=WAIT_S))["type"] == "hello"
        process.terminate()
        rest = process.communicate(timeout=WAIT_S)
    assert not any(TOKEN in text for text in rest if text)


def listening(pid: int) -> set[tuple[str, str]]:
    """Addresses, as the kernel writes them, on which a process listens for TCP or takes UDP."""
    inodes = {
        found[1]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if (found := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())))
    }
    found_at = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == state and fields[9] in inodes:
                found_at.add((table, fields[1].partition(":")[0]))
    return found_at


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="this system has no /proc")
def test_without_being_told_otherwise_it_listens_on_loopback_only(tmp_path: Path) -> None:
    stage = set_stage(tmp_path, 4.0)
    log = tmp_path / "p.csv"
    words = stage.replay("--ws", "0", "--osc-in", "0", "--osc", "127.0.0.1:9", "--positions", log, speed="realtime")
    with program(words) as process:
        until(lambda: log.exists() and len(log.read_text().splitlines()) > 1, process)
        found = listening(process.pid)
    loopback = struct.unpack("<I", socket.inet_aton("127.0.0.1"))[0]
    assert ("tcp", f"{loopback:08X}") in found and ("udp", f"{loopback:08X}") in found
    # The socket that sends OSC has no address of its own until it sends, and takes from nobody.
    assert {where for kind, where in found if kind.startswith("tcp")} == {f"{loopback:08X}"}


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="this system has no /proc")
def test_files_are_written_only_where_they_were_asked_for(tmp_path: Path) -> None:
    stage = set_stage(tmp_path / "stage", 4.0)
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    with program(stage.replay("--positions", work / "p.csv"), env=environment, cwd=work) as process:
        process.communicate(timeout=WAIT_S)
    assert [p.name for p in work.iterdir()] == ["p.csv"]
    assert [p for p in home.rglob("*") if p.is_file()] == []


RUNS_CODE = re.compile(r"\bimport pickle\b|\bjoblib\b|allow_pickle=True|\beval\(|\bexec\(|shell=True|\byaml\b")
"""What would let a file or a message run code."""


def test_nothing_is_unpickled() -> None:
    """Pickles run code; the cache, and everything else that is read, is npy, npz and JSON."""
    for folder in ("follower", "offline_prep"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not RUNS_CODE.search(text), path


CLAIM = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/reliability.md"])
def test_every_test_that_a_promise_names_exists(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    named = CLAIM.findall(text)
    assert len(named) >= 12
    for path, name in named:
        source = (REPOSITORY / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", source, re.M), f"{path}::{name}"


def test_every_promise_names_a_test() -> None:
    text = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8").partition("## Promises")[2].partition("\nLimits")[0]
    promises = re.split(r"^- ", text, flags=re.M)[1:]
    assert len(promises) >= 12
    assert [p for p in promises if not CLAIM.search(p)] == []


def test_every_row_of_the_fault_table_names_a_test_and_says_a_promise() -> None:
    text = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8").partition("## Faults")[2]
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    assert len(rows) >= 30
    for row in rows:
        fault, promise, test = (cell.strip() for cell in row.strip("|").split("|"))
        assert fault and len(promise.split()) >= 4 and CLAIM.search(test), row
