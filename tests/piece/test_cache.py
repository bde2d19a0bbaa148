from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from follower.config import PrepConfig
from follower.errors import CacheCorruptError, CacheMissingError, CacheVersionError, OutputError
from follower.piece.cache import (
    FORMAT_VERSION,
    GMMS,
    REQUIRED_ARRAYS,
    InputFile,
    Manifest,
    load_cache,
    write_cache,
)
from follower.piece.gmm import DiagonalGmm

N_O, N_PO = 7, 9


def manifest() -> Manifest:
    inputs = {
        "orchestra": InputFile("o.wav", "0" * 64, 10.0, 44100),
        "mix": InputFile("po.wav", "1" * 64, 12.0, 48000),
    }
    return Manifest("0.1.0", PrepConfig(), inputs, {"message": "fine", "warnings": []})


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    out: dict[str, np.ndarray] = {}
    for role, n in (("o", N_O), ("po", N_PO)):
        out[f"{role}_chroma"] = rng.random((12, n), np.float32)
        out[f"{role}_mfcc"] = rng.random((20, n), np.float32)
        out[f"{role}_stream_pitch"] = rng.random((n, 88), np.float32)
        out[f"{role}_stream_mfcc"] = rng.random((n, 13), np.float32)
        out[f"{role}_stream_rms"] = rng.random(n, np.float32)
    out["o_po_align"] = np.array([[0.0, 4.0, 10.0], [1.0, 5.0, 12.0]])
    out["map_confidence"] = np.ones(3)
    out["po_piano_activity"] = rng.random(N_PO, np.float32)
    return out


def gmms() -> dict[str, DiagonalGmm]:
    return {n: DiagonalGmm(np.array([0.25, 0.75]), np.zeros((2, 12)), np.ones((2, 12))) for n in GMMS}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "piece"
    write_cache(path, manifest(), arrays(), gmms())
    return path


def test_what_was_written_comes_back(cache: Path) -> None:
    loaded = load_cache(cache)
    assert loaded.manifest == manifest()
    for name, array in arrays().items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
        assert loaded.arrays[name].dtype == array.dtype
    np.testing.assert_array_equal(loaded.gmms["gmm_o"].weights, [0.25, 0.75])
    assert loaded.mix_map.to_orchestra(3.0) == pytest.approx(2.0)
    assert (loaded.orchestra_duration_s, loaded.mix_duration_s) == (10.0, 12.0)
    assert sorted(p.name for p in cache.parent.iterdir()) == ["piece"]


def test_equal_content_gives_equal_bytes(cache: Path, tmp_path: Path) -> None:
    write_cache(tmp_path / "again", manifest(), arrays(), gmms())
    for p in cache.iterdir():
        assert p.read_bytes() == (tmp_path / "again" / p.name).read_bytes()


def test_arrays_cannot_be_changed_in_place(cache: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_cache(cache).arrays["po_stream_rms"][0] = 1.0


@pytest.mark.parametrize("name", ["o_stream_pitch.npy", "gmm_o.npz", "o_po_align.npy"])
def test_one_changed_byte_is_found(cache: Path, name: str) -> None:
    content = bytearray((cache / name).read_bytes())
    content[-3] ^= 1
    (cache / name).write_bytes(content)
    with pytest.raises(CacheCorruptError, match=rf"{name} has changed.*offline-prep o.wav po.wav"):
        load_cache(cache)


@pytest.mark.parametrize("name", [f"{n}.npy" for n in REQUIRED_ARRAYS] + [f"{n}.npz" for n in GMMS])
def test_a_missing_file_is_named(cache: Path, name: str) -> None:
    (cache / name).unlink()
    with pytest.raises(CacheMissingError, match=name):
        load_cache(cache)


def test_no_cache_at_all(tmp_path: Path) -> None:
    with pytest.raises(CacheMissingError, match="is not a cache"):
        load_cache(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheMissingError, match="is a file"):
        load_cache(tmp_path / "file")


def edit(cache: Path, **changes: object) -> None:
    document = json.loads((cache / "manifest.json").read_text())
    (cache / "manifest.json").write_text(json.dumps(document | changes))


def test_another_format_version_names_both_and_the_remedy(cache: Path) -> None:
    edit(cache, format_version=FORMAT_VERSION + 1)
    with pytest.raises(CacheVersionError, match=rf"version {FORMAT_VERSION + 1}, .* version {FORMAT_VERSION}.*--force"):
        load_cache(cache)


@pytest.mark.parametrize(
    "change",
    [
        {"config": {}},
        {"inputs": {}},
        {"inputs": []},
        {"files": None},
        {"files": {}},
        {"alignment": 3},
    ],
)
def test_a_damaged_manifest_is_refused(cache: Path, change: dict[str, object]) -> None:
    edit(cache, **change)
    with pytest.raises(CacheCorruptError):
        load_cache(cache)


def test_a_manifest_cannot_name_files_elsewhere(cache: Path) -> None:
    files = json.loads((cache / "manifest.json").read_text())["files"]
    edit(cache, files=files | {"../secret.npy": "0" * 64})
    with pytest.raises(CacheCorruptError, match="outside the cache"):
        load_cache(cache)


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for name, wrong in (
        ("po_stream_pitch", np.zeros((N_PO, 80), np.float32)),
        ("po_piano_activity", np.zeros(N_PO + 1, np.float32)),
        ("map_confidence", np.ones(5)),
    ):
        write_cache(tmp_path / name, manifest(), arrays() | {name: wrong}, gmms())
        with pytest.raises(CacheCorruptError, match=name):
            load_cache(tmp_path / name)


def test_replacing_keeps_the_old_cache_until_the_new_one_is_whole(cache: Path) -> None:
    before = {p.name: p.read_bytes() for p in cache.iterdir()}
    bad = arrays() | {"po_chroma": np.array([object()])}
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        write_cache(cache, manifest(), bad, gmms())
    assert {p.name: p.read_bytes() for p in cache.iterdir()} == before
    write_cache(cache, manifest(), arrays() | {"map_confidence": np.full(3, 0.5)}, gmms())
    assert load_cache(cache).arrays["map_confidence"][0] == 0.5
    assert [p.name for p in cache.parent.iterdir()] == ["piece"]


def test_an_unwritable_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write the cache"):
        write_cache(tmp_path / "file" / "cache", manifest(), arrays(), gmms())


def test_a_missing_array_is_the_callers_fault(tmp_path: Path) -> None:
    some = arrays()
    del some["o_mfcc"]
    with pytest.raises(CacheCorruptError, match="o_mfcc"):
        write_cache(tmp_path / "c", manifest(), some, gmms())
    assert list(tmp_path.iterdir()) == []
