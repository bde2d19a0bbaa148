"""A cache is outdated as soon as anything that shaped it changes; each setting and constant is changed in turn."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from follower.config import PrepConfig
from follower.errors import ConfigError
from follower.piece.manifest import InputFile, Manifest
from follower.piece.mix_map import MixMap
from follower.piece.writing import write_piece
from follower.testing import assemble_piece
from follower.version import program_version
from offline_prep import settings as prep
from offline_prep.audio import file_sha256
from offline_prep.build import differences, is_up_to_date, why_outdated
from offline_prep.compute import Inputs
from offline_prep.separation.config import SeparationConfig
from offline_prep.settings import PrepSettings, constants, plain, shaping_modules

DEFAULT = PrepSettings()


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of the fields of nested dataclasses."""
    if dataclasses.is_dataclass(value):
        for f in dataclasses.fields(value):
            yield from leaves(getattr(value, f.name), (*path, f.name))
    else:
        yield path


def others(value: Any) -> list[Any]:
    """Values of the same type, one of which is in range."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1, 2 * value, value // 2]
        case float():
            return [value * 1.01 + 1e-9, value * 0.99, value - 1.0]
        case str():
            return [value + "x"]
        case tuple():
            return [(*value[:-1], others(value[-1])[0]), (*value[1:],)]
        case None:
            return [1]
    raise AssertionError(f"no rule for {value!r}")


def changed(whole: Any, path: tuple[str, ...]) -> Any:
    """The same with one field changed to a value that is in range."""
    if not path:
        return others(whole)[0]
    inner = getattr(whole, path[0])
    candidates = others(inner) if len(path) == 1 else [changed(inner, path[1:])]
    for candidate in candidates:
        try:
            return replace(whole, **{path[0]: candidate})
        except ConfigError:
            continue
    raise AssertionError(f"no other value of {path} is in range")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("recordings")
    for name in ("o", "po"):
        (folder / f"{name}.wav").write_bytes(name.encode())
    return Inputs(folder / "o.wav", folder / "po.wav")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, inputs: Inputs) -> Path:
    """A cache that says it was made of the inputs with the default settings."""
    path = tmp_path_factory.mktemp("cache") / "piece"
    files = {r: InputFile(str(p), file_sha256(p), 9.0, 22050) for r, p in inputs.by_role().items()}
    manifest = Manifest(program_version(), PrepConfig(), files, {"warnings": []}, DEFAULT.recorded())
    write_piece(replace(assemble_piece(MixMap([0.0, 9.0], [0.0, 9.0], [1.0, 1.0]), path=path), manifest=manifest))
    return path


def test_nothing_changed(cache: Path, inputs: Inputs) -> None:
    assert is_up_to_date(cache, inputs, DEFAULT)


@pytest.mark.parametrize("path", list(leaves(DEFAULT)), ids=".".join)
def test_every_setting_counts(cache: Path, inputs: Inputs, path: tuple[str, ...]) -> None:
    other = changed(DEFAULT, path)
    assert not is_up_to_date(cache, inputs, other)
    why = why_outdated(cache, inputs, other) or ""
    assert path[-1] in why and "was" in why and "--force" in why


@pytest.mark.parametrize("name", [name for name, _ in constants()])
def test_every_constant_counts(cache: Path, inputs: Inputs, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module_name = next(m for m in reversed(shaping_modules()) if name.startswith(f"{m}."))
    module, constant = importlib.import_module(module_name), name.removeprefix(f"{module_name}.").partition(".")[0]
    value = getattr(module, constant)
    other = changed(value, next(leaves(value))) if dataclasses.is_dataclass(value) else others_of(value)
    monkeypatch.setattr(module, constant, other)
    why = why_outdated(cache, inputs, DEFAULT)
    assert why is not None and constant in why


def others_of(value: Any) -> Any:
    recorded = plain(value, "a constant")
    return [*recorded, 1] if isinstance(recorded, list) else others(recorded)[0]


def test_both_values_and_the_command_are_named(cache: Path, inputs: Inputs) -> None:
    coarse = replace(DEFAULT.alignment.coarse, margin=0.08)
    why = why_outdated(cache, inputs, replace(DEFAULT, alignment=replace(DEFAULT.alignment, coarse=coarse)))
    assert why is not None
    assert "alignment.coarse.margin was 0.07, is 0.08" in why
    assert f"offline-prep {inputs.orchestra} {inputs.mix} --out {cache} --force" in why


def test_other_weights_other_code_and_another_version_count(
    cache: Path, inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = prep.digests()
    assert any(name.startswith("weights.") for name in known)
    for name in known:
        with monkeypatch.context() as patch:
            patch.setattr(prep, "digests", lambda name=name: known | {name: "0123"})
            assert name in (why_outdated(cache, inputs, DEFAULT) or "")
    monkeypatch.setattr("offline_prep.build.program_version", lambda: "9.9")
    assert "program version" in (why_outdated(cache, inputs, DEFAULT) or "")


def test_another_recording_counts(cache: Path, inputs: Inputs, tmp_path: Path) -> None:
    (tmp_path / "o.wav").write_bytes(b"another")
    assert not is_up_to_date(cache, replace(inputs, orchestra=tmp_path / "o.wav"), DEFAULT)
    assert not is_up_to_date(cache, replace(inputs, mix_orchestra=inputs.mix), DEFAULT)


def test_separation_counts_where_it_was_asked_for_and_only_there(cache: Path, inputs: Inputs) -> None:
    separating = replace(DEFAULT, separation=SeparationConfig())
    why = why_outdated(cache, inputs, separating)
    assert why is not None and "separation" in why
    recorded = separating.recorded()
    files = {r: InputFile(str(p), file_sha256(p), 9.0, 22050) for r, p in inputs.by_role().items()}
    manifest = Manifest(program_version(), PrepConfig(), files, {}, recorded)
    digests = {role: file.sha256 for role, file in files.items()}
    assert not differences(manifest, separating, digests)
    other = replace(separating, separation=SeparationConfig(rounds=7))
    assert differences(manifest, other, digests) == [f"separation.rounds was {SeparationConfig().rounds}, is 7"]
    of_the_room = {
        name for name in recorded if "offline_prep.separation." in name or name == "weights.piano_templates.npz"
    }
    assert "code.offline_prep.separation.factorise" in of_the_room and "weights.piano_templates.npz" in of_the_room
    assert not of_the_room & set(DEFAULT.recorded())


def test_a_setting_that_is_new_or_gone_counts() -> None:
    one = InputFile("", "", 1.0, 1)
    settings = DEFAULT.recorded()
    gone = settings.popitem()
    manifest = Manifest(program_version(), PrepConfig(), {"mix": one}, {}, settings | {"alignment.old": 3})
    found = differences(manifest, DEFAULT, {"mix": ""})
    assert found == ["alignment.old was 3, is not there", f"{gone[0]} was not there, is {gone[1]!r}"]


def test_no_cache_is_not_up_to_date(inputs: Inputs, tmp_path: Path) -> None:
    assert not is_up_to_date(tmp_path / "none", inputs, DEFAULT)


def test_weights_are_hashed_by_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert prep._digest(b"1") != prep._digest(b"2")


def test_comments_and_docstrings_are_no_code() -> None:
    plain_code = "def f(x):\n    return 0.5 * x\n"
    documented = '"""Doc."""\ndef f(x):\n    """Half."""\n    # half\n    return 0.5 * (x)\n'
    assert prep.code_of(documented).strip() == prep.code_of(plain_code)
    assert prep.code_of('class E(Exception):\n    "Doc."\n') == prep.code_of("class E(Exception):\n    pass\n")
    assert prep.code_of(plain_code) != prep.code_of(plain_code.replace("0.5", "0.6"))


def test_the_modules_that_compute_are_found_by_their_imports() -> None:
    found = set(shaping_modules())
    assert {"offline_prep.alignment.path", "follower.kernels.align", "follower.signal.filterbanks"} <= found
    assert not found & prep.NOT_SHAPING
    for name in prep.NOT_SHAPING:
        assert prep._file(name) is not None, f"{name} is gone; take it out of NOT_SHAPING"


def test_a_constant_without_a_rule_is_refused() -> None:
    with pytest.raises(TypeError, match="say in"):
        plain(object(), "X")
