"""`follower inspect`: the summary and the picture of a cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from follower.cli import main
from follower.commands.inspect import summary, weak_passages
from follower.commands.inspect_plot import plot_cache
from follower.config import PrepConfig
from follower.errors import OutputError
from follower.evaluation.chroma_cost import chroma_cost
from follower.piece.manifest import InputFile, Manifest
from follower.piece.mix_map import MixMap
from follower.piece.piece import NotebookFeatures, Piece
from follower.terminal import plain_text
from follower.testing import assemble_piece

ALIGNMENT = {
    "fit": "doubtful",
    "distinctness": 3.26,
    "orchestra_tuning_semitones": -0.05,
    "mix_tuning_semitones": 0.1,
    "transposition_semitones": 0,
    "warnings": ["the recordings match only loosely"],
}


@pytest.fixture
def piece(tmp_path: Path) -> Piece:
    """60 s of mix; O (40 s) waits from 20 s to 30 s, jumps by 10 s at 40 s; weak from 44 s to 50 s."""
    rng = np.random.default_rng(0)
    mix_s = np.array([0.0, 20.0, 30.0, 40.0, 40.0, 44.0, 44.1, 50.0, 50.1, 60.0])
    orchestra_s = np.array([0.0, 10.0, 10.0, 15.0, 25.0, 28.0, 28.1, 33.0, 33.1, 40.0])
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9])
    files = {
        role: InputFile(f"/music/{role}.wav", "a" * 64, seconds, 44100)
        for role, seconds in (("orchestra", 40.0), ("mix", 60.0))
    }
    o, po = (
        NotebookFeatures(rng.random((12, n)).astype(np.float32), np.zeros((20, n), np.float32)) for n in (1723, 2584)
    )
    silent = assemble_piece(MixMap(orchestra_s, mix_s, confidence), path=tmp_path / "my-cache")
    return replace(
        silent,
        manifest=Manifest("0.1.0", PrepConfig(), files, ALIGNMENT),
        orchestra=replace(silent.orchestra, rms=rng.random(1723).astype(np.float32), notebook=o),
        mix=replace(silent.mix, rms=rng.random(2584).astype(np.float32), notebook=po),
        piano_activity=rng.random(2584).astype(np.float32),
    )


def test_summary(piece: Piece) -> None:
    text = plain_text(summary(piece))
    assert "/music/orchestra.wav  0:40.0, 44100 Hz" in text
    assert "doubtful (they match 3.3 times as well" in text
    assert "orchestra -5 cents, mix +10 cents, transposed by +0" in text
    assert "orchestra waits  mix 0:20.0 to 0:30.0 (10.0 s) at 0:10.0" in text
    assert "orchestra jumps  mix 0:40.0: 0:15.0 to 0:25.0" in text
    assert "weak             mix 0:44.1 to 0:50.0" in text
    assert "warning          the recordings match only loosely" in text


def test_what_was_taken_out_of_the_mix_is_said(piece: Piece) -> None:
    parts = {role: InputFile(f"{role}.flac", "b" * 64, 60.0, 44100) for role in ("mix_piano", "mix_orchestra")}
    with_orchestra = replace(piece, manifest=replace(piece.manifest, separated=parts))
    assert f"{piece.path / 'mix_piano.flac'}  taken out of the mix" in plain_text(summary(with_orchestra))
    assert "played as the orchestra" not in plain_text(summary(with_orchestra))
    inputs = {"mix": piece.manifest.inputs["mix"]}
    alone = replace(piece, manifest=replace(piece.manifest, inputs=inputs, separated=parts))
    text = plain_text(summary(alone))
    assert "mix_orchestra.flac  taken out of the mix; played as the orchestra" in text
    assert "wrong key" not in text and "tuning" not in text, "nothing was matched"


def test_short_weak_passages_and_cuts_are_left_out(piece: Piece) -> None:
    assert weak_passages(piece) == [(44.1, 50.0)]


def test_plot_is_written(piece: Piece, tmp_path: Path) -> None:
    plot_cache(piece, tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_plot_to_a_missing_folder_is_an_expected_error(piece: Piece, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the plot"):
        plot_cache(piece, tmp_path / "nowhere" / "map.png")


def test_chroma_cost_is_small_where_frames_agree() -> None:
    chroma = np.eye(12, dtype=np.float32)
    cost = chroma_cost(chroma, chroma)
    np.testing.assert_allclose(cost, 1.0 - np.eye(12), atol=1e-6)
    assert chroma_cost(np.ones((12, 5000), np.float32), chroma).shape[0] <= 700


def test_a_missing_cache_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
