from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from follower.errors import OutputError
from follower.events import Event, Gap, Jump, Notice, Position, Session, State, StateChange
from follower.files.alignments import AlignmentSink
from follower.files.csv_positions import HEADER, CsvSink
from follower.files.jsonl import JsonlSink
from follower.piece.mix_map import MixMap

SESSION = Session("0.1.0", "tempo", 22050, 60.0, 70.0)
EVENTS: list[Event] = [
    Position(0, 512, 22050, None, None, 1.0, 0.0, State.WAITING),
    StateChange(1024, 22050, State.FOLLOWING, State.WAITING, "the piano was found"),
    Position(1, 1024, 22050, 10.5, 11.25, 0.98, 0.87654, State.FOLLOWING, 7.5, 3.25),
    Gap(2048, 22050, 512),
    Notice(2048, 22050, "the microphone is gone"),
    Jump(2048, 22050, 10.6, 30.0),
    Position(2, 2048, 22050, 30.0, 32.5, 1.02, 0.9, State.FOLLOWING),
]


def run(sink: CsvSink | JsonlSink | AlignmentSink) -> None:
    with sink:
        sink.begin(SESSION)
        for event in EVENTS:
            sink.send(event)
    assert sink.dropped == 0


def test_csv_has_the_contracts_columns_and_empty_fields_while_unknown(tmp_path: Path) -> None:
    run(CsvSink(tmp_path / "p.csv"))
    with (tmp_path / "p.csv").open(newline="") as f:
        rows = list(csv.reader(f))
    assert ",".join(rows[0]) == "audio_time_s,orchestra_time_s,mix_time_s,rate,confidence,state"
    assert tuple(rows[0]) == HEADER
    assert rows[1] == ["0.023220", "", "", "1.000000", "0.0000", "waiting"]
    assert rows[2] == ["0.046440", "10.500000", "11.250000", "0.980000", "0.8765", "following"]
    assert len(rows) == 4


def test_jsonl_holds_every_event_in_order_and_no_nan(tmp_path: Path) -> None:
    run(JsonlSink(tmp_path / "e.jsonl"))
    lines = (tmp_path / "e.jsonl").read_text().splitlines()
    messages = [json.loads(line, parse_constant=lambda s: pytest.fail(f"{s} is not JSON")) for line in lines]
    assert [m["type"] for m in messages] == [
        "hello",
        "position",
        "state",
        "position",
        "gap",
        "notice",
        "jump",
        "position",
    ]
    assert messages[1]["orchestra_time"] is None
    assert messages[1]["capture_time"] is None
    assert messages[3]["latency_ms"] == 3.25
    assert messages[6] == {"type": "jump", "audio_time": 2048 / 22050, "from": 10.6, "to": 30.0}


def test_alignments_are_the_notebooks_arrays(tmp_path: Path) -> None:
    mix_map = MixMap([0.0, 30.0, 60.0], [1.0, 32.5, 70.0], [1.0, 1.0, 1.0])
    run(AlignmentSink(tmp_path, mix_map, 512 / 22050))
    hyp = np.load(tmp_path / "hyp.npy", allow_pickle=False)
    np.testing.assert_allclose(hyp, [[1024 / 22050, 2048 / 22050], [10.5, 30.0]])
    p_po = np.load(tmp_path / "p_po_align.npy", allow_pickle=False)
    np.testing.assert_array_equal(p_po, [[2, 4], [round(11.25 * 22050 / 512), round(32.5 * 22050 / 512)]])
    o_po = np.load(tmp_path / "o_po_align.npy", allow_pickle=False)
    assert o_po.dtype == np.int64
    np.testing.assert_array_equal(o_po, np.round(np.array([[0, 30, 60], [1, 32.5, 70]]) * 22050 / 512))


def test_a_run_without_a_claim_writes_empty_alignments(tmp_path: Path) -> None:
    with AlignmentSink(tmp_path, MixMap([0.0, 1.0], [0.0, 1.0], [1.0, 1.0]), 0.02) as sink:
        sink.begin(SESSION)
    assert np.load(tmp_path / "hyp.npy").shape == (2, 0)


@pytest.mark.parametrize("kind", [CsvSink, JsonlSink])
def test_an_unwritable_file_is_an_output_error(tmp_path: Path, kind: type[CsvSink] | type[JsonlSink]) -> None:
    with pytest.raises(OutputError, match="cannot write"), kind(tmp_path / "no" / "such" / "folder.x"):
        pass
    with (
        pytest.raises(OutputError, match="cannot write"),
        AlignmentSink(tmp_path / "nowhere", MixMap([0.0, 1.0], [0.0, 1.0], [1.0, 1.0]), 0.02),
    ):
        pass
