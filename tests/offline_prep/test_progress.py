from __future__ import annotations

from offline_prep.progress import StagedProgress


def test_stages_and_parts_fill_their_share_and_never_go_back() -> None:
    seen: list[tuple[str, float]] = []
    progress = StagedProgress({"read": 1.0, "align": 3.0}, lambda stage, share: seen.append((stage, share)))
    progress.stage("read", 0, 2)("o.wav", 0.0)
    progress.stage("read", 1, 2)("po.wav", 0.5)
    progress.stage("align")("fine", 0.5)
    progress.stage("align")("", 0.25)
    progress.stage("align")("fine", 7.0)
    assert seen == [
        ("read: o.wav", 0.0),
        ("read: po.wav", 0.1875),
        ("align: fine", 0.625),
        ("align", 0.625),
        ("align: fine", 1.0),
    ]
