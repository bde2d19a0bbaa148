"""The page: what is on it, that it needs nothing else, and that it is what a browser shows."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from follower.errors import AlignmentError, OutputError
from follower.evaluation.estimates import Estimates
from follower.evaluation.report import build
from follower.evaluation.report.build import write_report
from follower.evaluation.report.excerpts import Excerpts, encoded
from follower.evaluation.report.page import STYLE, table_html
from follower.evaluation.report.passages import PASSAGE_S, Passage, worst_passages
from follower.evaluation.scenario import Scenario, load_scenario
from follower.evaluation.systems.outcome import Outcome, nothing_found, outcome_of
from follower.evaluation.table import pools
from follower.terminal import make_table
from tests.browser import Page, chromium

NAME = 'demo & <b>"bold"</b>'


@pytest.fixture(scope="module")
def scenario(short_demo: Path) -> Scenario:
    return replace(load_scenario(short_demo), name=NAME)


def followed(scenario: Scenario, late_s: float, states: bool) -> Outcome:
    """What a follower would have said that is late by so much."""
    truth = scenario.truth
    at = np.arange(truth.piano_s[0], truth.piano_s[-1], 0.02)
    position = np.interp(at - late_s, truth.piano_s, truth.orchestra_s)
    state = np.where(at < at[100], "lost", "following") if states else np.full(len(at), "")
    confidence = np.full(len(at), 0.9 if states else np.nan)
    estimates = Estimates.build(at, position, np.gradient(position, at), confidence, state)
    target, heard = (truth.piano_s, truth.orchestra_s), np.ones(len(truth.beat_s), np.bool_)
    return outcome_of(estimates, truth.beat_s, truth.beat_orchestra_s, target, 0.1, heard=heard)


@pytest.fixture(scope="module")
def written(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    truth = scenario.truth
    heard = np.ones(len(truth.beat_s), np.bool_)
    outcomes = {
        "live:<i>": followed(scenario, 0.3, states=True),
        "naive": followed(scenario, -0.05, states=False),
        "map": Outcome(np.full(3, 0.1), np.full(3, np.nan), None, 0.0),
        "none": nothing_found(truth.beat_orchestra_s, AlignmentError("nothing <fits>"), heard),
    }
    done: list[str] = []
    results = {NAME: outcomes}
    folder = tmp_path_factory.mktemp("report") / "deeper"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PASSAGES", 1)  # rendering takes the time
        path = write_report(folder, [scenario], results, pools(results, ()), "made <now>", done.append)
    assert done == [NAME]
    assert [p.name for p in folder.iterdir()] == ["index.html"]
    return path


class Reader(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def reader(written: Path) -> Reader:
    return Reader(written.read_text(encoding="utf-8"))


def test_the_page_asks_for_nothing_and_runs_nothing(reader: Reader) -> None:
    assert reader.open == []
    allowed = [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "nav",
        "section",
        "h1",
        "h2",
        "h3",
        "p",
        "a",
        "div",
        "span",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "img",
        "audio",
        "details",
        "summary",
    ]
    assert {tag for tag, _ in reader.tags} <= set(allowed)
    for tag, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "href"):
            assert name not in attributes or attributes[name].startswith("data:" if name == "src" else "#")
    (policy,) = [m["content"] for m in reader.attributes("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:; ") and f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_everything_is_on_it(reader: Reader) -> None:
    """Names with markup in them are text; every link leads somewhere."""
    for text in (NAME, "live:<i>", "made <now>", "none: no alignment: nothing <fits>", "Alignment as mir_eval"):
        assert text in reader.text
    anchors = {a["id"] for _, a in reader.tags if "id" in a}
    assert {a["href"][1:] for a in reader.attributes("a")} <= anchors
    pictures = reader.attributes("img")
    assert len(pictures) == 3 and all(p["alt"] for p in pictures)
    for picture in pictures:
        svg = base64.b64decode(picture["src"].partition(",")[2]).decode()
        assert svg.startswith("<?xml") and "<script" not in svg
        assert not re.search(r'(href|src)="(?!#|data:)', svg)
    assert "There is none" not in reader.text
    # One passage of each of the two that were somewhere over time, followed and true.
    sounds = reader.attributes("audio")
    assert len(sounds) == 4
    for sound in sounds:
        samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(sound["src"].partition(",")[2])))
        assert samples.shape[1] == 2 and len(samples) / rate_hz >= PASSAGE_S


@pytest.mark.skipif(chromium() is None, reason="not installed: chromium")
def test_a_browser_shows_and_plays_it_without_a_complaint(written: Path, tmp_path: Path) -> None:
    with Page(written.as_uri(), tmp_path) as page:
        page.wait_until("document.readyState === 'complete'")
        page.value("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.wait_until("[...document.images].every((i) => i.complete)")
        assert page.value("[...document.images].map((i) => i.naturalWidth > 300)") == [True] * 3
        assert page.value("getComputedStyle(document.body).maxWidth") != "none", "the style was refused"
        page.value("document.querySelectorAll('audio').forEach((a) => a.load() || (a.preload = 'metadata'))")
        page.wait_until("[...document.querySelectorAll('audio')].every((a) => a.readyState > 0 || a.error)")
        assert page.value("[...document.querySelectorAll('audio')].every((a) => a.duration >= 8)") is True
        assert page.faults == []
        assert [r for r in page.requests if not r.startswith(("data:", "file:"))] == []


def test_the_system_is_heard_as_late_as_it_is(scenario: Scenario) -> None:
    """The same passage, rendered from the truth and from a follower half a second late: the orchestra is that late."""
    truth = scenario.truth
    passage = Passage(NAME, float(truth.piano_s[0]) + 2, float(truth.piano_s[0]) + 2 + PASSAGE_S, 0.5)
    estimates = followed(scenario, 0.5, states=False).estimates
    assert estimates is not None
    excerpts = Excerpts(scenario)
    sounds = [excerpts.of_system(passage, estimates), excerpts.of_truth(passage, (truth.piano_s, truth.orchestra_s))]
    (late, rate_hz), (right, _) = (soundfile.read(io.BytesIO(s.content)) for s in sounds)
    assert abs(len(late) / rate_hz - (PASSAGE_S + 2)) < 0.1
    assert np.allclose(late[:, 0], right[:, 0], atol=0.02), "the piano is the same"
    hop = rate_hz // 100

    def loudness(samples: NDArray[np.float64]) -> NDArray[np.float64]:
        level = np.sqrt(np.add.reduceat(samples**2, np.arange(0, len(samples) - hop, hop)))
        rise: NDArray[np.float64] = np.maximum(np.diff(np.convolve(level, np.ones(5) / 5, "same")), 0)
        return np.asarray(rise - rise.mean(), np.float64)

    late_at, right_at = loudness(late[:, 1]), loudness(right[:, 1])
    shifts = np.arange(0, 100)
    match = [float(late_at[s:] @ right_at[: len(right_at) - s]) for s in shifts]
    assert abs(int(np.argmax(match)) / 100 - 0.5) < 0.12


def test_sound_is_compressed_at_a_rate_that_browsers_play() -> None:
    tone = 3.0 * np.sin(np.arange(12000) / 10)[:, np.newaxis].repeat(2, axis=1)
    sound = encoded(tone.astype(np.float32), 12000)
    samples, rate_hz = soundfile.read(io.BytesIO(sound.content))
    assert rate_hz == 44100 and 0.9 < len(samples) / rate_hz < 1.2
    assert 0.8 < np.abs(samples).max() < 1.1, "not clipped"
    assert sound.media_type in ("audio/mpeg", "audio/ogg")


@st.composite
def runs(draw: Any) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    out: Any = []
    for name in "ab"[: draw(st.integers(1, 2))]:
        steps = draw(st.lists(st.floats(0.2, 4.0), min_size=1, max_size=40))
        error = draw(st.lists(st.sampled_from([0.0, 0.1, -0.7, 3.0, np.inf]), min_size=len(steps), max_size=len(steps)))
        out.append((name, np.cumsum(steps), np.array(error)))
    return out  # type: ignore[no-any-return]


@given(runs(), st.integers(1, 4))
def test_worst_passages_are_the_worst_and_apart(
    given_runs: list[tuple[str, NDArray[np.float64], NDArray[np.float64]]], count: int
) -> None:
    found = worst_passages(given_runs, count)
    assert len(found) <= count
    assert [p.error_s for p in found] == sorted((p.error_s for p in found), reverse=True)
    for k, p in enumerate(found):
        assert 0 < p.error_s <= 2.0
        assert all(q.scenario != p.scenario or abs(q.begin_s - p.begin_s) >= PASSAGE_S for q in found[:k])
        beat_s, error_s = next((b, e) for name, b, e in given_runs if name == p.scenario)
        inside = (beat_s >= p.begin_s) & (beat_s < p.end_s)
        assert inside.sum() >= 3
        assert p.error_s == pytest.approx(np.minimum(np.abs(error_s[inside]), 2.0).mean())


def test_tables_are_escaped_and_their_units_lie_under_the_names() -> None:
    table = make_table(["system\n "], ["median\nms"])
    table.add_row("<script>", "1.5")
    table.add_row()
    text = table_html(table)
    assert "&lt;script&gt;" in text and '<th scope="col" class="n">median<span>ms</span></th>' in text
    assert text.count("<tr>") == 2 and "system<span>" not in text


def test_a_map_alone_has_neither_pictures_over_time_nor_passages(scenario: Scenario, tmp_path: Path) -> None:
    results = {NAME: {"map": Outcome(np.zeros(3), np.full(3, np.nan), None, 0.0)}}
    path = write_report(tmp_path, [scenario], results, pools(results, ()), "", lambda _: None)
    reader = Reader(path.read_text(encoding="utf-8"))
    assert "There is none: no system had a position" in reader.text
    assert len(reader.attributes("img")) == 1 and not reader.attributes("audio")


def test_a_page_that_cannot_be_written(scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    results = {NAME: {"map": Outcome(np.zeros(3), np.full(3, np.nan), None, 0.0)}}
    with pytest.raises(OutputError, match="choose a folder you may write"):
        write_report(tmp_path / "file" / "in", [scenario], results, pools(results, ()), "", lambda _: None)
