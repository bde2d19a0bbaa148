"""The pieces of a folder: names, what comes in, preparations in processes of their own, renaming and removing."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.errors import AudioFileError, InputError, OutputError
from follower.library import incoming as incoming_files
from follower.library.jobs import PrepJobs
from follower.library.library import Library
from follower.library.names import piece_name
from follower.practice.companion import companion_of, kept_recording
from follower.protocol.codec import RefusedError
from follower.protocol.room_messages import JobEntry
from tests.processes import until
from tests.websocket.practice_pieces import put_piece

WAIT_S = 60.0
PREPARES = (
    "import json, pathlib, shutil, sys\n"
    "out = sys.argv[sys.argv.index('--out') + 1]\n"
    "print(json.dumps({'stage': 'alignment: fine', 'share': 0.5}), flush=True)\n"
    "print('not progress', flush=True)\n"
)
"""A program that says how far it is; what it does then is added."""


def program(folder: Path, then: str) -> tuple[str, str]:
    path = folder / "prep.py"
    path.write_text(PREPARES + then)
    return (sys.executable, str(path))


def sound(path: Path, seconds: float = 2.0) -> Path:
    rng = np.random.default_rng(len(path.name))
    soundfile.write(path, 0.1 * rng.standard_normal(round(22050 * seconds)), 22050)
    return path


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    (tmp_path / "pieces").mkdir()
    opened = Library(tmp_path / "pieces")
    yield opened
    opened.close()


def bring(library: Library, path: Path) -> str:
    content = path.read_bytes()
    incoming = library.receive(path.name, len(content))
    incoming.write(content[:100])
    incoming.write(content[100:])
    incoming.finish()
    return library.received(incoming)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        ".hidden",
        "a/b",
        "a\\b",
        "..\\b",
        "con",
        "LPT1.x",
        "a:b",
        "x" * 101,
        "tab\x00",
        "x.practice",
        "end.",
    ],
)
def test_a_name_that_could_lead_elsewhere_is_none(name: str) -> None:
    with pytest.raises(InputError):
        piece_name(name)


@pytest.mark.parametrize("name", ["Mozart K 466, I", "Dvořák – op. 33", "協奏曲", "a" * 100])
def test_names_of_pieces(name: str) -> None:
    assert piece_name(f" {name}  ") == name


def test_a_recording_that_comes_is_looked_at(library: Library, tmp_path: Path) -> None:
    content = sound(tmp_path / "o.flac").read_bytes()
    good = library.receive("../../o.flac", len(content))
    assert good.path.parent == tmp_path / "pieces" / ".incoming", "the sender's name is no path"
    good.write(content)
    assert good.missing_bytes == 0 and good.finish() == pytest.approx(2.0)
    bad = library.receive("song.mp3", 12)
    bad.write(b"no music....")
    with pytest.raises(AudioFileError, match=r"^song\.mp3 is not an audio file"):
        bad.finish()
    bad.remove()
    with pytest.raises(InputError, match="no recording that can be read"):
        library.receive("song.exe", 12)
    with pytest.raises(InputError, match="more than the"):
        library.receive("song.wav", incoming_files.MAX_BYTES + 1)
    much = library.receive("song.wav", 4)
    with pytest.raises(InputError, match=r"more of 'song\.wav' comes"):
        much.write(b"12345")
    much.remove()
    assert not much.path.exists()


def test_a_full_disk_is_said(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming_files, "FREE_BYTES", 1 << 60)
    with pytest.raises(OutputError, match="no room for 1 MB"):
        library.receive("song.wav", 10**6)


def test_what_an_earlier_server_left_is_cleared(library: Library, tmp_path: Path) -> None:
    half = library.receive("o.wav", 1000)
    half.write(b"half")
    library.open()
    assert not half.path.exists()
    half.remove()


def test_a_piece_is_prepared_from_what_was_brought(library: Library, tmp_path: Path) -> None:
    names = [bring(library, sound(tmp_path / f)) for f in ("o.wav", "po.wav")]
    template = put_piece(tmp_path / "made", "any", 4.0).path
    library.jobs._program = program(tmp_path, f"shutil.copytree({str(template)!r}, out)\n")
    changes = threading.Semaphore(0)
    library.add_listener(changes.release)
    library.prepare("Bach", names[0], names[1], None)
    until(lambda: library.names() == ["Bach"] and not library.message().jobs)
    assert changes.acquire(timeout=WAIT_S)
    (entry,) = library.message().pieces
    assert (entry.name, entry.problem, entry.again) == ("Bach", "", True)
    assert entry.orchestra_duration_s == pytest.approx(4.0)
    kept = kept_recording(tmp_path / "pieces" / "Bach", "orchestra")
    assert kept is not None and kept.parent == companion_of(tmp_path / "pieces" / "Bach")
    with pytest.raises(RefusedError, match="already"):
        library.prepare("bach", names[0], names[1], None)
    library.rename("Bach", "BWV 1052")
    assert library.names() == ["BWV 1052"] and kept_recording(tmp_path / "pieces" / "BWV 1052", "mix") is not None
    with pytest.raises(RefusedError, match="no piece 'Bach'"):
        library.rename("Bach", "x")
    with pytest.raises(InputError):
        library.rename("BWV 1052", "../x")
    library.delete("BWV 1052")
    assert library.names() == [] and not companion_of(tmp_path / "pieces" / "BWV 1052").exists()


def test_recordings_in_the_folder_can_be_prepared_and_nothing_outside(library: Library, tmp_path: Path) -> None:
    for name in ("o.wav", "po.wav"):
        sound(tmp_path / "pieces" / name)
    sound(tmp_path / "secret.wav")
    (tmp_path / "pieces" / "link.wav").symlink_to(tmp_path / "secret.wav")
    assert library.message().files == ["o.wav", "po.wav"]
    library.jobs._program = program(tmp_path, "sys.exit(2)\n")
    for outside in ("../secret.wav", str(tmp_path / "secret.wav"), "link.wav", "none.wav"):
        with pytest.raises(RefusedError, match="no recording"):
            library.prepare("x", "o.wav", outside, None)
    for mix in (None, "o.wav"):
        with pytest.raises(RefusedError):
            library.prepare("x", "o.wav", mix, None)
    library.prepare("x", "o.wav", "po.wav", None)
    until(lambda: library.message().jobs[0].state == "failed")
    assert (tmp_path / "pieces" / "o.wav").exists(), "what lies in the folder stays there"


def test_a_preparation_that_fails_says_why_and_can_be_dismissed(library: Library, tmp_path: Path) -> None:
    names = [bring(library, sound(tmp_path / f)) for f in ("o.wav", "po.wav")]
    library.jobs._program = program(tmp_path, "print('error: nothing in them matches', file=sys.stderr); sys.exit(2)\n")
    library.prepare("x", names[0], names[1], None)
    until(lambda: library.message().jobs[0].state == "failed")
    (job,) = library.message().jobs
    assert job.message == "nothing in them matches"
    library.cancel("x")
    assert library.message().jobs == [] and not companion_of(tmp_path / "pieces" / "x").exists()
    with pytest.raises(RefusedError, match="no piece 'x' is being prepared"):
        library.cancel("x")


def test_a_preparation_can_be_cancelled_and_another_waits_for_its_turn(tmp_path: Path) -> None:
    jobs = PrepJobs(lambda: None, program=program(tmp_path, "import time; time.sleep(600)\n"))
    recording = tmp_path / "o.wav"
    jobs.add("first", recording, recording, tmp_path / "first", None)
    jobs.add("second", recording, recording, tmp_path / "second", recording)

    def entry(n: int) -> JobEntry:
        return jobs.entries()[n]

    until(lambda: entry(0).share == 0.5)
    assert (entry(0).stage, entry(1).state) == ("alignment: fine", "waiting")
    assert entry(0).remaining_s is not None and jobs.busy("second")
    process = jobs._jobs["first"].process
    assert process is not None and jobs.cancel("first") and process.wait(WAIT_S) != 0
    until(lambda: entry(0).share == 0.5)
    assert entry(0).piece == "second"
    jobs.close()
    assert jobs.entries() == [] and not jobs.cancel("second")


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    jobs = PrepJobs(lambda: None, program=(str(tmp_path / "none"),))
    jobs.add("x", tmp_path, tmp_path, tmp_path / "x", None)
    until(lambda: jobs.entries()[0].state == "failed")
    assert "cannot be started" in jobs.entries()[0].message
    jobs.close()


def test_a_damaged_piece_is_listed_with_what_is_wrong(library: Library, tmp_path: Path) -> None:
    put_piece(tmp_path / "pieces", "good", 4.0)
    (tmp_path / "pieces" / "bad").mkdir()
    (tmp_path / "pieces" / "bad" / "manifest.json").write_text("{}")
    bad, good = library.message().pieces
    assert (bad.name, good.problem) == ("bad", "") and "must be built again" in bad.problem
    with pytest.raises(RefusedError, match="not there any more"):
        library.prepare("bad", None, None, None)


def test_it_must_be_a_folder_of_pieces(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        Library(tmp_path / "none")
    with pytest.raises(InputError, match="is a cache itself"):
        Library(put_piece(tmp_path, "piece", 4.0).path)
