"""The installed commands on the demo piece, start to finish, and everything a user can get wrong."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from follower.cli import main as follower_main
from follower.evaluation.beat_errors import live_errors
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import load_scenario
from follower.events import State
from follower.piece.manifest import FORMAT_VERSION, MANIFEST
from follower.piece.reading import load_piece
from offline_prep.audio import load_recording, resample
from offline_prep.cli import main as prep_main

HEADER = "audio_time_s,orchestra_time_s,mix_time_s,rate,confidence,state"
CACHE_FILES = {
    "manifest.json", "o_chroma.npy", "o_mfcc.npy", "po_chroma.npy", "po_mfcc.npy", "gmm_o.npz", "o_po_align.npy",
}  # fmt: skip
"""What every cache holds; there may be more."""
BIN = Path(sys.executable).parent


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run an installed console script in a process of its own."""
    name, *rest = map(str, arguments)
    return subprocess.run([BIN / name, *rest], capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def prepared(short_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that the installed command made."""
    cache = tmp_path_factory.mktemp("end_to_end") / "made/by/prep"
    done = command("offline-prep", short_demo / "o.wav", short_demo / "po.wav", "--out", cache)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return cache


@pytest.fixture(scope="module")
def replayed(short_demo: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything `follower replay` writes about the short demo, made by the installed command."""
    out = tmp_path_factory.mktemp("replayed")
    done = command(
        "follower", "replay", prepared, short_demo / "p.wav", "--speed", "max", "--out", out / "out",
        "--positions", out / "positions.csv", "--jsonl", out / "events.jsonl",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "positions; last:" in done.stdout
    return out


def read_positions(path: Path) -> tuple[NDArray[np.float64], list[State]]:
    """The five numeric columns (5, n), NaN where empty, and the states."""
    with path.open(newline="") as f:
        rows = list(csv.DictReader(f))
    names = HEADER.split(",")[:-1]
    return np.array([[float(r[n] or "nan") for r in rows] for n in names]), [State(r["state"]) for r in rows]


class TestPrep:
    def test_writes_the_files_of_a_cache(self, prepared: Path) -> None:
        assert {f.name for f in prepared.iterdir()} >= CACHE_FILES
        document = json.loads((prepared / MANIFEST).read_text())
        assert document["format_version"] == FORMAT_VERSION
        for role in ("orchestra", "mix"):
            assert {"sha256", "duration_s", "sample_rate_hz"} <= set(document["inputs"][role])
        orchestra_s, mix_s = np.load(prepared / "o_po_align.npy", allow_pickle=False)
        assert orchestra_s.dtype == np.float64
        assert (np.diff(orchestra_s) >= 0).all() and (np.diff(mix_s) >= 0).all()
        assert not [f for f in prepared.parent.iterdir() if f != prepared], "temporary folders are left behind"

    def test_the_map_is_right(self, prepared: Path, short_demo: Path) -> None:
        truth = load_scenario(short_demo).truth
        error = load_piece(prepared).map.to_orchestra(truth.beat_mix_s) - truth.beat_orchestra_s
        assert np.median(np.abs(error)) < 0.1

    def test_a_second_run_does_nothing(self, prepared: Path, short_demo: Path) -> None:
        before = {f.name: (f.stat().st_mtime_ns, f.stat().st_ino) for f in prepared.iterdir()}
        done = command("offline-prep", short_demo / "o.wav", short_demo / "po.wav", "--out", prepared)
        assert done.returncode == 0 and "up to date" in done.stdout
        assert before == {f.name: (f.stat().st_mtime_ns, f.stat().st_ino) for f in prepared.iterdir()}

    def test_another_input_builds_again(self, prepared: Path, short_demo: Path, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        shutil.copytree(prepared, cache)
        samples, rate = soundfile.read(short_demo / "po.wav")
        soundfile.write(tmp_path / "po.flac", 0.5 * samples, rate)
        assert prep_main([str(short_demo / "o.wav"), str(tmp_path / "po.flac"), "--out", str(cache), "--quiet"]) == 0
        assert load_piece(cache).manifest.inputs["mix"].path.endswith("po.flac")


class TestReplay:
    def test_positions(self, replayed: Path, short_demo: Path, prepared: Path) -> None:
        path = replayed / "positions.csv"
        assert path.read_text().splitlines()[0] == HEADER
        (at, orchestra, mix, rate, confidence), states = read_positions(path)
        assert (np.diff(at) >= 0).all() and at[0] > 0
        assert at[-1] == pytest.approx(soundfile.info(short_demo / "p.wav").duration, abs=0.1)
        assert np.diff(at).max() < 0.1, "one position per hop of 23 ms, or nearly"
        assert ((confidence >= 0) & (confidence <= 1)).all()
        assert np.isfinite(rate).all() and (rate >= 0).all()
        cache = load_piece(prepared)
        known = np.isfinite(orchestra)
        assert (np.isfinite(mix) == known).all() and known.any()
        assert (orchestra[known] >= 0).all() and (orchestra[known] <= cache.orchestra_duration_s + 0.1).all()
        assert (mix[known] >= 0).all() and (mix[known] <= cache.mix_duration_s + 0.1).all()
        waiting = np.array([s is State.WAITING for s in states])
        assert waiting[0] and not known[waiting].any(), "no position is given before the piano begins"
        assert not waiting[at > 3.0].any()

    def test_out_has_the_notebooks_results(self, replayed: Path, prepared: Path) -> None:
        out = replayed / "out"
        assert {f.name for f in out.iterdir()} == {"hyp.npy", "p_po_align.npy", "o_po_align.npy", "positions.csv"}
        assert (out / "positions.csv").read_bytes() == (replayed / "positions.csv").read_bytes()
        hyp, p_po, o_po = (np.load(out / f"{n}.npy", allow_pickle=False) for n in ("hyp", "p_po_align", "o_po_align"))
        for path in (hyp, p_po, o_po):
            assert path.ndim == 2 and path.shape[0] == 2 and path.shape[1] > 100
            assert np.isfinite(path).all() and (path >= 0).all()
        assert (np.diff(hyp[0]) >= 0).all() and (np.diff(p_po[0]) >= 0).all()
        assert (np.diff(o_po) >= 0).all(), "the offline map never goes back"
        assert hyp[1].max() <= load_piece(prepared).orchestra_duration_s + 0.1

    def test_jsonl_has_the_same_positions(self, replayed: Path) -> None:
        events = [json.loads(line) for line in (replayed / "events.jsonl").read_text().splitlines()]
        positions = [e for e in events if e["type"] == "position"]
        (at, orchestra, *_), _ = read_positions(replayed / "positions.csv")
        assert [e["seq"] for e in positions] == list(range(len(at)))
        found = [np.nan if e["orchestra_time"] is None else e["orchestra_time"] for e in positions]
        np.testing.assert_allclose(found, orchestra, atol=1e-3)
        assert any(e["type"] == "state" for e in events)

    def test_follows(self, replayed: Path, short_demo: Path) -> None:
        (at, orchestra, _, rate, _), _ = read_positions(replayed / "positions.csv")
        truth = load_scenario(short_demo).truth
        error = live_errors(Estimates.build(at, orchestra, rate), truth.beat_s, truth.beat_orchestra_s)
        assert np.median(np.abs(error)) < 0.1
        assert np.mean(np.abs(error) > 0.5) < 0.25, "the start is unknown for a second or two, not for longer"

    @pytest.mark.parametrize("block", [1000, 4096])
    def test_any_block_size_gives_the_same_estimates(
        self, replayed: Path, prepared: Path, short_demo: Path, tmp_path: Path, block: int
    ) -> None:
        arguments = [str(prepared), str(short_demo / "p.wav"), "--speed", "max", "--block", str(block)]
        assert follower_main(["replay", *arguments, "--positions", str(tmp_path / "p.csv")]) == 0
        assert (tmp_path / "p.csv").read_bytes() == (replayed / "positions.csv").read_bytes()

    @pytest.mark.parametrize(("name", "rate_hz"), [("p.flac", 96000), ("p.ogg", 48000), ("p.mp3", 32000)])
    def test_any_format_rate_and_channel_count(
        self, prepared: Path, short_demo: Path, tmp_path: Path, name: str, rate_hz: int
    ) -> None:
        recording = load_recording(short_demo / "p.wav")
        mono = resample(recording.samples, recording.sample_rate_hz, rate_hz)
        soundfile.write(tmp_path / name, np.stack([0.9 * mono, 0.5 * mono], axis=1), rate_hz)
        arguments = ["replay", str(prepared), str(tmp_path / name), "--speed", "max"]
        assert follower_main([*arguments, "--positions", str(tmp_path / "p.csv")]) == 0
        (at, orchestra, _, rate, _), _ = read_positions(tmp_path / "p.csv")
        truth = load_scenario(short_demo).truth
        error = live_errors(Estimates.build(at, orchestra, rate), truth.beat_s, truth.beat_orchestra_s)
        assert np.median(np.abs(error)) < 0.1

    def test_a_known_start_gives_positions_from_the_first_note(
        self, prepared: Path, short_demo: Path, tmp_path: Path
    ) -> None:
        truth = load_scenario(short_demo).truth
        arguments = [str(prepared), str(short_demo / "p.wav"), "--speed", "max", "--start", f"{truth.orchestra_s[0]}"]
        assert follower_main(["replay", *arguments, "--positions", str(tmp_path / "p.csv")]) == 0
        (at, orchestra, _, rate, _), _ = read_positions(tmp_path / "p.csv")
        error = live_errors(Estimates.build(at, orchestra, rate), truth.beat_s[1:], truth.beat_orchestra_s[1:])
        assert np.abs(error).max() < 0.5

    def test_silence_waits(self, prepared: Path, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "silent.wav", np.zeros(3 * 22050), 22050)
        arguments = ["replay", str(prepared), str(tmp_path / "silent.wav"), "--speed", "max"]
        assert follower_main([*arguments, "--positions", str(tmp_path / "p.csv")]) == 0
        (_, orchestra, *_), states = read_positions(tmp_path / "p.csv")
        assert not np.isfinite(orchestra).any() and set(states) <= {State.WAITING, State.ENDED}

    def test_clipped_piano_is_followed(self, prepared: Path, short_demo: Path, tmp_path: Path) -> None:
        samples, rate = soundfile.read(short_demo / "p.wav")
        soundfile.write(tmp_path / "p.wav", np.clip(20 * samples, -1, 1), rate)
        arguments = ["replay", str(prepared), str(tmp_path / "p.wav"), "--speed", "max"]
        assert follower_main([*arguments, "--positions", str(tmp_path / "p.csv")]) == 0
        (_, orchestra, *_), _ = read_positions(tmp_path / "p.csv")
        assert np.isfinite(orchestra).any()

    @pytest.mark.skipif(os.name == "nt", reason="named pipes and SIGINT as Unix has them")
    def test_ctrl_c_completes_every_file(self, prepared: Path, short_demo: Path, tmp_path: Path) -> None:
        pipe, out = tmp_path / "events.jsonl", tmp_path / "out"
        os.mkfifo(pipe)
        arguments: list[str | Path] = [
            "replay",
            prepared,
            short_demo / "p.wav",
            "--speed",
            "2",
            "--jsonl",
            pipe,
            "--out",
            out,
        ]
        with subprocess.Popen(
            [BIN / "follower", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            with pipe.open() as events:
                lines = [events.readline()]
                while '"position"' not in lines[-1]:  # comes when the replay is under way
                    lines.append(events.readline())
                process.send_signal(signal.SIGINT)
                lines += events.readlines()
            stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 130, stderr
        assert "positions" in stdout and "Traceback" not in stderr
        last = [json.loads(line) for line in lines if line.strip()][-1]
        (at, *_), _ = read_positions(out / "positions.csv")
        assert last["audio_time"] == pytest.approx(at[-1], abs=0.1)
        assert at[-1] < 0.9 * soundfile.info(short_demo / "p.wav").duration, "it stopped before the end"
        for name in ("hyp", "p_po_align", "o_po_align"):
            assert np.load(out / f"{name}.npy", allow_pickle=False).shape[0] == 2


class TestRender:
    def test_the_orchestra_sounds_with_the_piano(self, prepared: Path, short_demo: Path, tmp_path: Path) -> None:
        out, report = tmp_path / "both.wav", tmp_path / "report.png"
        done = command("follower", "replay", prepared, short_demo / "p.wav", "--render", out, "--render-report", report)
        assert done.returncode == 0, done.stderr
        assert "accompaniment error: median" in done.stderr
        assert ", audible steps 0" in done.stderr
        assert report.read_bytes().startswith(b"\x89PNG")
        piano, orchestra = load_recording(short_demo / "p.wav"), soundfile.info(short_demo / "o.wav")
        sound, rate = soundfile.read(out)
        assert rate == orchestra.samplerate and soundfile.info(out).subtype == "PCM_24"
        assert len(sound) / rate >= piano.duration_s
        left = resample(sound[:, 0].astype(np.float32), rate, piano.sample_rate_hz)
        n = min(len(left), len(piano.samples))
        assert np.corrcoef(left[:n], piano.samples[:n])[0, 1] > 0.99
        last_second = sound[round((piano.duration_s - 2) * rate) : round((piano.duration_s - 1) * rate), 1]
        assert np.sqrt(np.mean(last_second**2)) > 1e-3


class TestEvaluate:
    def test_table_json_and_plot(self, short_demo: Path, tmp_path: Path) -> None:
        done = command(
            "follower", "evaluate", short_demo, "--system", "live", "--system", "naive", "--json", tmp_path / "e.json",
            "--plot", tmp_path / "e.png", "--cache-dir", tmp_path / "caches",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert short_demo.name in done.stdout and "naive" in done.stdout
        figures = json.loads((tmp_path / "e.json").read_text())["scenarios"][short_demo.name]
        assert figures["live:tempo"]["median_ms"] < 100
        assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")


def text_named_wav(folder: Path, good: Path) -> Path:
    path = folder / "text.wav"
    path.write_text("this is not audio\n" * 100)
    return path


def written(samples: NDArray[np.float64], subtype: str = "PCM_16") -> Callable[[Path, Path], Path]:
    def write(folder: Path, good: Path) -> Path:
        path = folder / "bad.wav"
        soundfile.write(path, samples, 22050, subtype=subtype)
        return path

    return write


def truncated(folder: Path, good: Path) -> Path:
    path = folder / "truncated.wav"
    path.write_bytes(good.read_bytes()[:30])
    return path


NOISE = np.random.default_rng(1).standard_normal(5 * 22050) * 0.1
BAD_RECORDINGS: dict[str, Callable[[Path, Path], Path]] = {
    "missing": lambda folder, _: folder / "nowhere.wav",
    "folder": lambda folder, _: folder,
    "text": text_named_wav,
    "truncated": truncated,
    "empty": written(np.zeros(0)),
    "one-sample": written(np.array([0.5])),
    "not-a-number": written(np.where(np.arange(len(NOISE)) == 40000, np.nan, NOISE), "FLOAT"),
    "infinite": written(np.where(np.arange(len(NOISE)) == 40000, np.inf, NOISE), "FLOAT"),
}
BAD_FOR_PREP = BAD_RECORDINGS | {
    "silent": written(np.zeros(5 * 22050)),
    "clipped": written(np.sign(NOISE)),
}


def check_refusal(capfd: pytest.CaptureFixture[str], code: int, *expected: str) -> None:
    """Exit code 2, and one line on stderr that begins with "error:" and names what was wrong."""
    stderr = capfd.readouterr().err
    lines = [line.rpartition("\r")[2] for line in stderr.strip().splitlines()]
    errors = [line for line in lines if line.startswith("error: ")]
    assert code == 2 and len(errors) == 1 and lines[-1] == errors[0], stderr
    assert "Traceback" not in stderr
    for text in expected:
        assert text in errors[0]


class TestBadInput:
    @pytest.mark.parametrize("role", ["orchestra", "mix"])
    @pytest.mark.parametrize("kind", BAD_FOR_PREP)
    def test_prep_refuses_a_bad_recording(
        self, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, role: str
    ) -> None:
        inputs = tmp_path / "inputs"
        inputs.mkdir()
        bad = BAD_FOR_PREP[kind](inputs, short_demo / "o.wav")
        files = [bad, short_demo / "po.wav"] if role == "orchestra" else [short_demo / "o.wav", bad]
        code = prep_main([*map(str, files), "--out", str(tmp_path / "cache")])
        check_refusal(capfd, code, bad.name)
        assert [f.name for f in tmp_path.iterdir()] == ["inputs"], "nothing half-written"

    @pytest.mark.parametrize("kind", BAD_RECORDINGS)
    def test_replay_refuses_a_bad_recording(
        self, prepared: Path, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str
    ) -> None:
        inputs = tmp_path / "inputs"
        inputs.mkdir()
        bad = BAD_RECORDINGS[kind](inputs, short_demo / "p.wav")
        outputs = ["--positions", str(tmp_path / "p.csv"), "--out", str(tmp_path / "out")]
        code = follower_main(["replay", str(prepared), str(bad), "--speed", "max", *outputs])
        check_refusal(capfd, code, bad.name)
        assert [f.name for f in tmp_path.iterdir()] == ["inputs"], "nothing half-written"

    def test_prep_leaves_an_old_cache_alone_when_it_fails(
        self, prepared: Path, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        cache = tmp_path / "cache"
        shutil.copytree(prepared, cache)
        before = {f.name: f.read_bytes() for f in cache.iterdir()}
        bad = text_named_wav(tmp_path, short_demo)
        check_refusal(capfd, prep_main([str(short_demo / "o.wav"), str(bad), "--out", str(cache)]), "text.wav")
        assert before == {f.name: f.read_bytes() for f in cache.iterdir()}

    @pytest.mark.parametrize("place", ["under-a-file", "proc"])
    def test_prep_refuses_a_folder_it_cannot_write(
        self, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], place: str
    ) -> None:
        (tmp_path / "file").write_text("")
        out = {"under-a-file": tmp_path / "file" / "cache", "proc": Path("/proc/cache")}[place]
        code = prep_main([str(short_demo / "o.wav"), str(short_demo / "po.wav"), "--out", str(out)])
        check_refusal(capfd, code, str(out))
        assert [f.name for f in tmp_path.iterdir()] == ["file"]

    def test_prep_refuses_to_overwrite_a_folder_that_is_no_cache(
        self, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "letters").mkdir()
        (tmp_path / "letters" / "dear.txt").write_text("important")
        code = prep_main([str(short_demo / "o.wav"), str(short_demo / "po.wav"), "--out", str(tmp_path / "letters")])
        check_refusal(capfd, code, "letters")
        assert (tmp_path / "letters" / "dear.txt").read_text() == "important"

    @pytest.mark.parametrize("option", ["--positions", "--jsonl", "--out"])
    def test_replay_refuses_a_folder_it_cannot_write(
        self, prepared: Path, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], option: str
    ) -> None:
        (tmp_path / "file").write_text("")
        target = tmp_path / "file" / "result"
        code = follower_main(
            ["replay", str(prepared), str(short_demo / "p.wav"), "--speed", "max", option, str(target)]
        )
        check_refusal(capfd, code, str(target))
        assert [f.name for f in tmp_path.iterdir()] == ["file"]

    @pytest.mark.parametrize("damage", ["version", "changed-byte", "missing-file", "no-manifest", "not-a-folder"])
    def test_replay_refuses_a_damaged_cache(
        self, prepared: Path, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: str
    ) -> None:
        cache = tmp_path / "cache"
        shutil.copytree(prepared, cache)
        expected = str(cache)
        match damage:
            case "version":
                document = json.loads((cache / MANIFEST).read_text())
                (cache / MANIFEST).write_text(json.dumps(document | {"format_version": FORMAT_VERSION + 1}))
                expected = str(FORMAT_VERSION + 1)
            case "changed-byte":
                content = bytearray((cache / "po_mfcc.npy").read_bytes())
                content[-100] ^= 1
                (cache / "po_mfcc.npy").write_bytes(content)
                expected = "po_mfcc.npy"
            case "missing-file":
                (cache / "gmm_o.npz").unlink()
                expected = "gmm_o.npz"
            case "no-manifest":
                (cache / MANIFEST).unlink()
            case "not-a-folder":
                cache = tmp_path / "cache" / MANIFEST
                expected = MANIFEST
        outputs = ["--positions", str(tmp_path / "p.csv")]
        code = follower_main(["replay", str(cache), str(short_demo / "p.wav"), "--speed", "max", *outputs])
        check_refusal(capfd, code, expected)
        assert not (tmp_path / "p.csv").exists()

    @pytest.mark.parametrize("start", ["1000", "-1", "nan", "inf"])
    def test_replay_refuses_a_start_outside_the_recording(
        self, prepared: Path, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], start: str
    ) -> None:
        outputs = ["--positions", str(tmp_path / "p.csv")]
        code = follower_main(
            ["replay", str(prepared), str(short_demo / "p.wav"), "--speed", "max", f"--start={start}", *outputs]
        )
        check_refusal(capfd, code, "start")
        assert not (tmp_path / "p.csv").exists()

    def test_different_works_are_prepared_with_a_warning(
        self, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        samples, rate = soundfile.read(short_demo / "po.wav")
        soundfile.write(tmp_path / "other.wav", samples[::-1], rate)
        code = prep_main([str(short_demo / "o.wav"), str(tmp_path / "other.wav"), "--out", str(tmp_path / "cache")])
        assert code == 0 and "warning: " in capfd.readouterr().err

    def test_swapped_recordings_are_prepared_with_a_warning(
        self, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        code = prep_main([str(short_demo / "po.wav"), str(short_demo / "o.wav"), "--out", str(tmp_path / "cache")])
        assert code == 0 and "warning: " in capfd.readouterr().err

    def test_the_installed_command_says_it_in_one_line(self, tmp_path: Path) -> None:
        done = command("follower", "replay", tmp_path / "no", tmp_path / "no.wav")
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")

    @pytest.mark.parametrize("missing", ["p.wav", "o.wav", "po.wav", "p.beats", "everything"])
    def test_evaluate_refuses_a_broken_scenario(
        self, short_demo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], missing: str
    ) -> None:
        folder = tmp_path / "scenario"
        if missing != "everything":
            shutil.copytree(short_demo, folder)
            (folder / missing).unlink()
        code = follower_main(
            ["evaluate", str(folder), "--json", str(tmp_path / "e.json"), "--cache-dir", str(tmp_path)]
        )
        check_refusal(capfd, code, missing.removesuffix(".wav") if missing != "everything" else "scenario")
        assert not (tmp_path / "e.json").exists()
