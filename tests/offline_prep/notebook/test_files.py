from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from follower.errors import CacheMissingError, OutputError, ScenarioError
from offline_prep.notebook import files
from offline_prep.notebook.system import FrameClasses, NotebookResult


def _result() -> NotebookResult:
    path = np.array([[0, 1, 2], [4, 5, 7]])
    scores = np.zeros(4, dtype=np.float32)
    classes = FrameClasses(scores, scores, np.array([0, 1]), np.array([2, 3]))
    return NotebookResult(path, (4, 8), classes, path, path + 1, path * 0.5, ())


def test_results_are_the_notebooks_files_and_the_plot(tmp_path: Path) -> None:
    files.save_notebook_result(_result(), tmp_path / "out")
    files.verify_result_folder(tmp_path / "out")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "hyp.npy"), _result().hyp)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "p_po_align.npy"), _result().p_po)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "o_po_align.npy"), _result().o_po)
    assert (tmp_path / "out" / "warping_paths.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        files.save_notebook_result(_result(), tmp_path / "file" / "out")


def test_scenario_folders_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="is not a folder"):
        files.verify_scenario_folder(tmp_path / "nowhere")
    (tmp_path / "o.flac").touch()
    for name, message in (("p.wav", r"has no p\.wav"), ("po.ogg", r"has no po\.wav")):
        with pytest.raises(ScenarioError, match=message):
            files.verify_scenario_folder(tmp_path)
        (tmp_path / name).touch()
    files.verify_scenario_folder(tmp_path)


def test_cache_folders_are_checked(tmp_path: Path) -> None:
    for name in files.CACHE_FILES[1:]:
        (tmp_path / name).touch()
    with pytest.raises(CacheMissingError, match=r"lacks o_chroma\.npy; run: offline-prep"):
        files.verify_cache_folder(tmp_path)
    (tmp_path / "o_chroma.npy").touch()
    files.verify_cache_folder(tmp_path)


def test_result_folders_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"lacks hyp\.npy"):
        files.verify_result_folder(tmp_path)
