"""Cache folders: written, read back, and every way in which they can be damaged."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from follower.config import PrepConfig
from follower.errors import CacheCorruptError, CacheError, CacheMissingError, CacheVersionError, OutputError
from follower.piece.gmm import DiagonalGmm
from follower.piece.layout import ARRAYS, GMMS, arrays_of, gmms_of
from follower.piece.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    InputFile,
    Manifest,
    encode_manifest,
    read_manifest,
    sign_manifest,
)
from follower.piece.mix_map import MixMap
from follower.piece.piece import Mix, NotebookFeatures, Orchestra, Piece, PieceGmms, StreamFeatures
from follower.piece.reading import load_piece
from follower.piece.writing import write_piece

N_O, N_PO = 7, 9


def make_manifest() -> Manifest:
    inputs = {
        "orchestra": InputFile("o.wav", "0" * 64, 10.0, 44100),
        "mix": InputFile("po.wav", "1" * 64, 12.0, 48000),
    }
    settings: dict[str, Any] = {
        "alignment.margin": 0.07,
        "constant.EDGES": [1, 2.5, None],
        "weights.net": "ab12",
        "on": True,
    }
    return Manifest("0.1.0", PrepConfig(), inputs, {"message": "fine", "warnings": []}, settings)


def random_piece(path: Path, with_stem: bool = False) -> Piece:
    rng = np.random.default_rng(5)

    def notebook(n: int) -> NotebookFeatures:
        return NotebookFeatures(rng.random((12, n), np.float32), rng.random((20, n), np.float32))

    def stream(n: int) -> StreamFeatures:
        return StreamFeatures(
            rng.random((n, 88), np.float32), rng.random((n, 13), np.float32), rng.random(n, np.float32)
        )

    o, po = stream(N_O), stream(N_PO)
    gmms = (DiagonalGmm([0.25, 0.75], rng.random((2, 12)), np.ones((2, 12)) + k) for k in range(3))
    return Piece(
        path,
        make_manifest(),
        Orchestra(o.pitch, o.rms, notebook(N_O)),
        Mix(po.pitch, po.mfcc, po.rms, notebook(N_PO)),
        MixMap([0.0, 4.0, 10.0], [1.0, 5.0, 12.0], [1.0, 0.5, 1.0]),
        rng.random(N_PO, np.float32),
        PieceGmms(*gmms),
        rng.random((N_PO, 88), np.float32) if with_stem else None,
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "piece"
    write_piece(random_piece(path))
    return path


@pytest.mark.parametrize("with_stem", [False, True])
def test_what_was_written_comes_back(tmp_path: Path, with_stem: bool) -> None:
    written = random_piece(tmp_path / "piece", with_stem)
    write_piece(written)
    loaded = load_piece(tmp_path / "piece")
    assert loaded.manifest == make_manifest() and loaded.path == written.path
    wanted = arrays_of(written)
    for name, array in arrays_of(loaded).items():
        np.testing.assert_array_equal(array, wanted.pop(name))
    assert not wanted
    for name, gmm in gmms_of(loaded).items():
        other = gmms_of(written)[name]
        for part in ("weights", "means", "covariances"):
            np.testing.assert_array_equal(getattr(gmm, part), getattr(other, part))
    assert loaded.map.to_orchestra(3.0) == pytest.approx(2.0)
    assert (loaded.orchestra_duration_s, loaded.mix_duration_s) == (10.0, 12.0)
    assert (loaded.mix_piano is not None) == with_stem
    assert sorted(p.name for p in tmp_path.iterdir()) == ["piece"]


PARTS = {"mix_piano": b"the piano", "mix_orchestra": b"the orchestra"}


def separated_piece(path: Path, without_orchestra: bool = False) -> Piece:
    """A piece whose mix was taken apart; without an orchestra recording, or with one."""
    piece = random_piece(path)
    parts = {
        role: InputFile(f"{role}.flac", hashlib.sha256(content).hexdigest(), 12.0, 48000)
        for role, content in PARTS.items()
    }
    inputs = {r: f for r, f in piece.manifest.inputs.items() if r == "mix" or not without_orchestra}
    return replace(piece, manifest=replace(piece.manifest, inputs=inputs, separated=parts))


@pytest.fixture
def separated(tmp_path: Path) -> Path:
    path = tmp_path / "piece"
    write_piece(separated_piece(path), {role: io.BytesIO(content) for role, content in PARTS.items()})
    return path


def test_the_parts_of_the_mix_are_in_the_cache(separated: Path) -> None:
    for role, content in PARTS.items():
        assert (separated / f"{role}.flac").read_bytes() == content
    piece = load_piece(separated)
    assert piece.manifest == separated_piece(separated).manifest
    assert (piece.orchestra_file.path, piece.orchestra_duration_s) == ("o.wav", 10.0)
    assert (
        piece.manifest.rebuild_command(separated) == f"offline-prep o.wav po.wav --separate --out {separated} --force"
    )


def test_without_an_orchestra_recording_the_part_of_the_mix_is_played(tmp_path: Path) -> None:
    path = tmp_path / "piece"
    write_piece(separated_piece(path, True), {role: io.BytesIO(content) for role, content in PARTS.items()})
    moved = path.rename(tmp_path / "moved")
    piece = load_piece(moved)
    assert piece.orchestra_file.path == str(moved / "mix_orchestra.flac")
    assert piece.orchestra_duration_s == 12.0
    assert piece.manifest.rebuild_command(moved) == f"offline-prep --mix po.wav --no-orchestra --out {moved} --force"


def test_a_changed_or_missing_part_is_named(separated: Path) -> None:
    part = separated / "mix_piano.flac"
    part.write_bytes(b"another")
    with pytest.raises(CacheCorruptError, match=r"mix_piano\.flac has changed .*--separate"):
        load_piece(separated)
    part.unlink()
    with pytest.raises(CacheMissingError, match=r"lacks mix_piano\.flac"):
        load_piece(separated)
    part.mkdir()
    with pytest.raises(CacheCorruptError, match=r"mix_piano\.flac cannot be read"):
        load_piece(separated)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"mix_piano": InputFile("mix_piano.flac", "", 1.0, 1)},
        {r: InputFile(f"../{r}.flac", "", 1.0, 1) for r in PARTS},
    ],
)
def test_parts_that_are_none_are_damage(tmp_path: Path, parts: dict[str, InputFile]) -> None:
    path = tmp_path / "piece"
    manifest = replace(separated_piece(path, True).manifest, separated=parts)
    path.mkdir()
    (path / MANIFEST).write_bytes(encode_manifest(manifest, {}))
    with pytest.raises(CacheCorruptError, match="damaged"):
        read_manifest(path)


def test_the_map_is_stored_as_seconds_of_the_orchestra_then_of_the_mix(cache: Path) -> None:
    stored = np.load(cache / "o_po_align.npy", allow_pickle=False)
    assert stored.dtype == np.float64
    np.testing.assert_array_equal(stored, [[0.0, 4.0, 10.0], [1.0, 5.0, 12.0]])


def test_equal_content_gives_equal_bytes(cache: Path, tmp_path: Path) -> None:
    write_piece(random_piece(tmp_path / "again"))
    for p in cache.iterdir():
        assert p.read_bytes() == (tmp_path / "again" / p.name).read_bytes()


def test_arrays_cannot_be_changed_in_place(cache: Path) -> None:
    for array in arrays_of(replace(load_piece(cache))).values():
        if array.base is None and not array.flags.writeable:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 1.0
    assert not load_piece(cache).mix.rms.flags.writeable


@pytest.mark.parametrize("name", ["o_stream_pitch.npy", "gmm_o.npz", "o_po_align.npy"])
def test_one_changed_byte_is_found(cache: Path, name: str) -> None:
    content = bytearray((cache / name).read_bytes())
    content[-3] ^= 1
    (cache / name).write_bytes(content)
    with pytest.raises(CacheCorruptError, match=rf"{name} has changed.*offline-prep o.wav po.wav"):
        load_piece(cache)


def test_every_changed_byte_of_the_manifest_is_found(cache: Path) -> None:
    whole = (cache / MANIFEST).read_bytes()
    rng = np.random.default_rng(1)
    for at in range(len(whole)):
        content = bytearray(whole)
        content[at] ^= 1 << int(rng.integers(8))
        (cache / MANIFEST).write_bytes(content)
        with pytest.raises((CacheCorruptError, CacheVersionError)):
            read_manifest(cache)
    (cache / MANIFEST).write_bytes(whole)
    load_piece(cache)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_manifest_that_was_cut_short_is_refused(cache: Path, kept: float) -> None:
    content = (cache / MANIFEST).read_bytes()
    (cache / MANIFEST).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(CacheCorruptError):
        load_piece(cache)


@pytest.mark.parametrize("name", [f"{n}.npy" for n in ARRAYS] + [f"{n}.npz" for n in GMMS])
def test_a_missing_file_is_named(cache: Path, name: str) -> None:
    (cache / name).unlink()
    with pytest.raises(CacheMissingError, match=name):
        load_piece(cache)


def test_no_cache_at_all(tmp_path: Path) -> None:
    with pytest.raises(CacheMissingError, match="is not a cache"):
        load_piece(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheMissingError, match="is a file"):
        load_piece(tmp_path / "file")


def edit(cache: Path, **changes: object) -> None:
    """Change the manifest and make its checksum fit."""
    document = json.loads((cache / MANIFEST).read_text())
    text = json.dumps(document | changes, indent=1) + "\n"
    (cache / MANIFEST).write_bytes(sign_manifest(text.encode()))


def test_another_format_version_names_both_and_the_remedy(cache: Path) -> None:
    edit(cache, format_version=FORMAT_VERSION + 1)
    with pytest.raises(CacheVersionError, match=rf"version {FORMAT_VERSION + 1}, .* version {FORMAT_VERSION}.*--force"):
        load_piece(cache)


def test_a_cache_of_the_first_format_is_another_version(cache: Path) -> None:
    """It had no checksum; it is told that it is old, not that it is damaged."""
    document = json.loads((cache / MANIFEST).read_text())
    del document["checksum"]
    (cache / MANIFEST).write_text(json.dumps(document | {"format_version": 1}))
    with pytest.raises(CacheVersionError, match="version 1"):
        load_piece(cache)


ROLES = ("orchestra", "mix")
HUGE = float("inf")
"""Python's JSON reads it of 1e999 too."""


@pytest.mark.parametrize(
    "change",
    [
        {"config": {}},
        {"settings": None},
        {"inputs": {}},
        {"inputs": []},
        {"inputs": {role: {"path": "", "sha256": "", "duration_s": 1.0, "sample_rate_hz": HUGE} for role in ROLES}},
        {"inputs": {role: {"path": "", "sha256": "", "duration_s": HUGE, "sample_rate_hz": 1} for role in ROLES}},
        {"files": None},
        {"files": {}},
        {"alignment": 3},
    ],
)  # fmt: skip
def test_a_manifest_that_says_something_else_is_refused(cache: Path, change: dict[str, object]) -> None:
    edit(cache, **change)
    with pytest.raises(CacheCorruptError, match=r"manifest\.json"):
        load_piece(cache)


def test_a_manifest_cannot_name_files_elsewhere(cache: Path) -> None:
    files = json.loads((cache / MANIFEST).read_text())["files"]
    edit(cache, files=files | {"../secret.npy": "0" * 64})
    with pytest.raises(CacheCorruptError, match="outside the cache"):
        load_piece(cache)


@pytest.mark.parametrize("n_hops", [N_PO - 1, N_PO + 1])
def test_a_piano_stem_is_as_long_as_the_mix(tmp_path: Path, n_hops: int) -> None:
    piece = random_piece(tmp_path / "piece")
    with pytest.raises(CacheCorruptError, match=rf"piano_stem_stream_pitch has shape \({n_hops}, 88\), expected"):
        write_piece(replace(piece, mix_piano=np.zeros((n_hops, 88), np.float32)))


def test_a_manifest_cannot_name_other_files(cache: Path) -> None:
    files = json.loads((cache / MANIFEST).read_text())["files"]
    edit(cache, files=files | {"more.npy": "0" * 64})
    with pytest.raises(CacheCorruptError, match="exactly the files"):
        load_piece(cache)


def put(cache: Path, name: str, content: bytes) -> None:
    """Replace a file and make its checksum fit, as a program that writes nonsense would."""
    (cache / name).write_bytes(content)
    files = json.loads((cache / MANIFEST).read_text())["files"]
    edit(cache, files=files | {name: hashlib.sha256(content).hexdigest()})


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def header_unbalanced(content: bytes) -> bytes:
    return content.replace(b"{'descr'", b"{{{descr'", 1)


def header_of_a_huge_array(content: bytes) -> bytes:
    at = content.index(b"'shape': (")
    wanted = b"'shape': (99999999999999,), }"
    end = content.index(b"\n", at)
    return content[:at] + wanted.ljust(end - at) + content[end:] if end - at >= len(wanted) else content[:at]


@pytest.mark.parametrize("name", ["o_po_align.npy", "po_stream_rms.npy", "gmm_o.npz", "gmm_mix_piano.npz"])
@pytest.mark.parametrize(
    "damage", [cut_short, header_unbalanced, header_of_a_huge_array, bytes.swapcase, lambda _: b""]
)
def test_files_of_nonsense_are_named(cache: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    put(cache, name, damage((cache / name).read_bytes()))
    with pytest.raises(CacheCorruptError, match=name.removesuffix(".npz").removesuffix(".npy")):
        load_piece(cache)


def test_no_flipped_byte_of_a_file_escapes_as_another_error(cache: Path) -> None:
    """With fitting checksums: the reader itself must not fail in an unexpected way."""
    rng = np.random.default_rng(2)
    for name in ("o_po_align.npy", "gmm_o.npz"):
        whole = (cache / name).read_bytes()
        for at in rng.choice(len(whole), 150, replace=False):
            content = bytearray(whole)
            content[at] ^= 1 << int(rng.integers(8))
            put(cache, name, bytes(content))
            with contextlib.suppress(CacheError):
                load_piece(cache)
        put(cache, name, whole)


def wrong(piece: Piece, **arrays: np.ndarray) -> Piece:
    mix = {name: array for name, array in arrays.items() if name != "piano_activity"}
    return replace(
        piece,
        mix=replace(piece.mix, **mix),  # type: ignore[arg-type]
        piano_activity=arrays.get("piano_activity", piece.piano_activity),
    )


@pytest.mark.parametrize(
    ("field", "array", "file"),
    [
        ("pitch", np.zeros((N_PO, 80), np.float32), "po_stream_pitch"),
        ("rms", np.zeros((N_PO, 1), np.float32), "po_stream_rms"),
        ("piano_activity", np.zeros(N_PO + 1, np.float32), "po_piano_activity"),
        ("mfcc", np.zeros((N_PO, 13), np.int16), "po_stream_mfcc"),
        ("mfcc", np.full((N_PO, 13), None), "po_stream_mfcc"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(cache: Path, field: str, array: np.ndarray, file: str) -> None:
    """By the writer, which leaves the old cache, and by the reader."""
    before = {p.name: p.read_bytes() for p in cache.iterdir()}
    with pytest.raises(CacheCorruptError, match=file):
        write_piece(wrong(random_piece(cache), **{field: array}))
    assert {p.name: p.read_bytes() for p in cache.iterdir()} == before
    if array.dtype != object:
        np.save(cache / "other.npy", array)
        put(cache, f"{file}.npy", (cache / "other.npy").read_bytes())
        with pytest.raises(CacheCorruptError, match=f"{file}.*offline-prep"):
            load_piece(cache)


def test_a_map_that_goes_back_is_refused(cache: Path) -> None:
    np.save(cache / "other.npy", np.array([[0.0, 4.0, 3.0], [1.0, 5.0, 12.0]]))
    put(cache, "o_po_align.npy", (cache / "other.npy").read_bytes())
    with pytest.raises(CacheCorruptError, match="goes back"):
        load_piece(cache)


def test_a_new_cache_takes_the_place_of_the_old_one(cache: Path) -> None:
    (cache / "left over").write_text("x")
    write_piece(replace(random_piece(cache), map=MixMap([0.0, 1.0], [0.0, 1.0], [0.5, 0.5])))
    assert load_piece(cache).map.confidence[0] == 0.5
    assert not (cache / "left over").exists()
    assert [p.name for p in cache.parent.iterdir()] == ["piece"]


def test_an_unwritable_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write the cache"):
        write_piece(random_piece(tmp_path / "file" / "cache"))
