"""Full disks, closed streams, stopped terminals, signals and kills, met by the program in a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.cli import main
from follower.errors import OutputError
from follower.files.alignments import CHECKPOINT_S, AlignmentSink
from follower.files.npy import write_npy
from follower.files.whole_file import WholeFile
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece
from follower.piece.writing import write_piece
from follower.testing import SOUND_RATE_HZ, make_piece, position
from tests.processes import WAIT_S, Stage, program, run, set_stage, until

FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return set_stage(tmp_path_factory.mktemp("stage"))


# Standard streams.


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["inspect", "CACHE"], ["--help"]])
def test_a_result_that_cannot_be_written_is_one_line(words: list[str], stage: Stage) -> None:
    with FULL.open("w") as full:
        code, _, err = run([w.replace("CACHE", str(stage.cache)) for w in words], stdout=full)
    assert (code, err.strip()) == (
        2, "error: cannot write standard output: No space left on device; the result is incomplete",
    )  # fmt: skip


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_standard_error_that_cannot_be_written_changes_nothing(stage: Stage, tmp_path: Path) -> None:
    out = tmp_path / "r.wav"
    with FULL.open("w") as full:
        code, told, _ = run(stage.replay("--orchestra", stage.orchestra, "--render", out), stderr=full)
    assert code == 0 and "positions; last" in told
    assert soundfile.info(out).duration >= 8.0


def test_closed_standard_streams_change_nothing_and_are_no_files(stage: Stage, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    code, _, _ = run(
        stage.replay("--positions", out),
        stdout=None, stderr=None, preexec_fn=lambda: os.closerange(0, 3),
    )  # fmt: skip
    assert code == 0
    assert out.read_text().startswith("audio_time_s,") and len(out.read_text().splitlines()) > 300


def test_output_nobody_reads_any_more_is_no_error(stage: Stage) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, _, err = run(["inspect", str(stage.cache)], stdout=writing)
    finally:
        os.close(writing)
    assert (code, err) == (0, "")


# Files.


class FullDisk(contextlib.AbstractContextManager["FullDisk"]):
    """Lets the program write files up to a size: beyond it a write fails, as on a full disk (EFBIG for ENOSPC)."""

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes

    def __enter__(self) -> FullDisk:
        import resource

        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self._handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._n_bytes, self._before[1]))
        return self

    def __exit__(self, *_: object) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
        signal.signal(signal.SIGXFSZ, self._handler)


@pytest.mark.parametrize("option", ["--render", "--render-mix"])
def test_a_rendering_that_does_not_fit_is_one_line_and_leaves_nothing(
    stage: Stage, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.wav"
    with FullDisk(100_000):
        code = main(stage.replay("--orchestra", stage.orchestra, option, out))
    assert code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith(f"error: cannot write {out}")
    assert not any("Traceback" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_alignments_that_do_not_fit_are_told_and_what_was_there_is_whole(tmp_path: Path) -> None:
    sink = AlignmentSink(tmp_path, MixMap([0.0, 1.0], [0.0, 1.0], [1.0, 1.0]), 0.02)
    with FullDisk(2_000), sink:
        for n in range(1, 3000):
            sink.send(position(n))
    assert sink.failure is not None
    assert np.load(tmp_path / "hyp.npy").shape[0] == 2
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("missing", [1, 700, 5000])
def test_an_array_whose_end_does_not_fit_is_told(tmp_path: Path, missing: int) -> None:
    """The end of a file may wait in a buffer until it is closed, where the failure of a full disk is easily missed."""
    array = np.arange(1000.0)
    write_npy(tmp_path / "whole.npy", array)
    size = (tmp_path / "whole.npy").stat().st_size
    with FullDisk(size - missing), pytest.raises(OSError, match="File too large"):
        write_npy(tmp_path / "cut.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "whole.npy"), array)


def test_a_half_written_file_of_an_earlier_attempt_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "f"
    (tmp_path / ".f.part").write_bytes(b"killed")
    with pytest.raises(OutputError), WholeFile(path) as file:
        file.part.write_bytes(b"half")
        raise OutputError("interrupted")
    assert list(tmp_path.iterdir()) == []
    with WholeFile(path) as file:
        file.part.write_bytes(b"whole")
        file.complete()
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"whole"]


@pytest.mark.parametrize("option", ["--render", "--render-mix"])
def test_a_name_that_promises_another_format_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "cache", "p.wav", option, "x.mp3"]) == 2
    assert "'x.mp3' does not end in .wav" in capsys.readouterr().err


def test_an_interrupted_rendering_ends_where_the_piano_was_interrupted(stage: Stage, tmp_path: Path) -> None:
    out, log = tmp_path / "r.wav", tmp_path / "p.csv"
    words = stage.replay("--orchestra", stage.orchestra, "--render", out, "--positions", log, speed="realtime")
    with program(words) as process:
        until(lambda: log.exists() and len(log.read_text().splitlines()) > 20, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WAIT_S)
        assert process.returncode == 130
    heard_s = float(log.read_text().splitlines()[-1].split(",")[0])
    assert "interrupted" in err and "Traceback" not in err
    left = soundfile.read(out)[0][:, 0]
    assert np.flatnonzero(left)[-1] / SOUND_RATE_HZ == pytest.approx(heard_s, abs=0.2)


# Kills.


def test_what_a_killed_program_had_delivered_is_in_the_files(stage: Stage, tmp_path: Path) -> None:
    log, every = tmp_path / "p.csv", tmp_path / "e.jsonl"
    words = stage.replay("--positions", log, "--jsonl", every, speed="realtime")
    with program(words) as process:
        # Long before a buffer of 8 KiB is full.
        until(lambda: log.exists() and len(log.read_text().splitlines()) > 5, process)
        until(lambda: every.exists() and len(every.read_text().splitlines()) > 5, process)
        process.kill()
        process.wait()
        assert len(log.read_text()) < 8000


def test_alignments_are_there_at_checkpoints(tmp_path: Path) -> None:
    with AlignmentSink(tmp_path, MixMap([0.0, 1.0], [0.0, 1.0], [1.0, 1.0]), 0.02) as sink:
        for n in range(1, 2500):  # 29 s
            sink.send(position(n))
        until(lambda: np.load(tmp_path / "hyp.npy").shape[1] > 0)
        last_s = np.load(tmp_path / "hyp.npy")[0, -1]
        assert last_s >= CHECKPOINT_S
    assert np.load(tmp_path / "hyp.npy").shape == (2, 2499)
    assert np.load(tmp_path / "p_po_align.npy").shape == (2, 2499)


def test_what_killed_preparations_left_is_removed_by_the_next(stage: Stage, tmp_path: Path) -> None:
    cache = tmp_path / "piece"
    holding = (
        "import sys, dataclasses; from pathlib import Path; from follower.piece import writing\n"
        "from follower.testing import make_piece\n"
        "def hang(*_):\n    print('writing', flush=True); sys.stdin.read()\n"
        "writing.encode_manifest = hang\n"
        "writing.write_piece(dataclasses.replace(make_piece(2.0), path=Path(sys.argv[1])))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holding, str(cache)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        left = list(tmp_path.iterdir())
        assert len(left) == 1 and left[0].name.startswith(".piece.")
        other = tmp_path / "other"
        write_piece(make_piece_at(other))
        assert set(tmp_path.iterdir()) == {*left, other}, "nobody else's is touched"
        write_piece(make_piece_at(cache))
        assert left[0].exists(), "one that is being written now is not touched"
        process.kill()
    write_piece(make_piece_at(cache))
    assert set(tmp_path.iterdir()) == {cache, other}


def make_piece_at(path: Path) -> Piece:
    return replace(make_piece(2.0), path=path)


# Signals.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_following_completes_the_files(stage: Stage, tmp_path: Path, number: int) -> None:
    log = tmp_path / "p.csv"
    with program(stage.replay("--positions", log, "--out", tmp_path, speed="realtime")) as process:
        until(lambda: log.exists() and len(log.read_text().splitlines()) > 3, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 128 + number
    assert "positions; " in out and err.endswith("  ended: the stream ended\n")
    assert all(line.startswith("piano ") for line in err.splitlines()), "changes of state, and nothing else"
    assert np.load(tmp_path / "hyp.npy").shape[1] == sum(
        bool(line.split(",")[1]) for line in log.read_text().splitlines()[1:]
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_server(stage: Stage, number: int) -> None:
    with program(["serve", "--caches", str(stage.cache.parent), "--ws", "127.0.0.1:0"]) as process:
        assert process.stderr is not None
        assert any("practice room" in line for line in process.stderr)
        process.send_signal(number)
        assert process.wait(WAIT_S) == 128 + number
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("number", "module"),
    [(signal.SIGINT, "numpy"), (signal.SIGINT, "numba.core.types"), (signal.SIGTERM, "soundfile")],
)
def test_a_signal_while_starting_is_no_traceback(stage: Stage, number: int, module: str) -> None:
    """The moments are told by the interpreter's log of what it has imported."""
    with program(stage.replay(), env={"PYTHONPROFILEIMPORTTIME": "1"}) as process:
        assert process.stderr is not None
        assert any(line.rstrip().endswith(f"| {module}") or f" {module}\n" in line for line in process.stderr)
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(WAIT_S) == 128 + number
    assert "Traceback" not in rest
    assert rest.splitlines()[-1] == "interrupted"


def test_what_nohup_had_ignored_stays_ignored(stage: Stage, tmp_path: Path) -> None:
    log = tmp_path / "p.csv"
    words = stage.replay("--positions", log, speed="realtime")
    with program(words, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        until(lambda: log.exists() and len(log.read_text().splitlines()) > 3, process)
        process.send_signal(signal.SIGHUP)
        seen = len(log.read_text().splitlines())
        until(lambda: len(log.read_text().splitlines()) > seen + 10, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 143


# Terminals.


class Terminal:
    """A terminal whose user can stop it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, b"\x18\x00\x50\x00\0\0\0\0")
        self.shown = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self.master, 4096):
                self.shown += data

    def stop(self) -> None:
        termios.tcflow(self.slave, termios.TCOOFF)

    def close(self) -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcflow(self.slave, termios.TCOON)
        os.close(self.slave)
        self._reader.join(WAIT_S)
        os.close(self.master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.close()


def test_a_stopped_terminal_delays_nothing_and_does_not_keep_the_program(
    stage: Stage, tmp_path: Path, terminal: Terminal
) -> None:
    log = tmp_path / "p.csv"
    words = stage.replay("--positions", log, speed="realtime")
    with program(words, stdout=terminal.slave, stderr=terminal.slave, env={"TERM": "xterm"}) as process:
        until(lambda: b"orchestra" in terminal.shown, process)
        terminal.stop()
        seen = len(log.read_text().splitlines())
        until(lambda: len(log.read_text().splitlines()) > seen + 20, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 143
    assert b"Traceback" not in terminal.shown and b"Fatal" not in terminal.shown
