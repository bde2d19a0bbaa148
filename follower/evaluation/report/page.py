"""The page: one HTML file with everything in it, without a script, that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

    from follower.evaluation.report.excerpts import Sound

STYLE: Final = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto; max-width: 86rem;
  padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; } p { max-width: 50rem; margin: .4rem 0; }
nav a { margin-right: 1.2rem; } a { color: #0b57a4; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .15rem .5rem; text-align: left; white-space: nowrap; }
th.n, td.n { text-align: right; } th { border-bottom: 1px solid #888; font-weight: 600; vertical-align: bottom; }
th span { display: block; color: #555; font-weight: 400; }
tbody tr:nth-child(even) { background: #f5f5f5; }
img { max-width: 100%; height: auto; } audio { width: 20rem; max-width: 100%; vertical-align: middle; }
details { border-top: 1px solid #ccc; padding: .5rem 0; } summary { cursor: pointer; font-weight: 600; }
.pictures { display: flex; flex-wrap: wrap; gap: .5rem; align-items: flex-start; }
.pictures img:first-child { flex: 1 1 34rem; min-width: 0; } .pictures img:last-child { flex: 1 1 20rem; min-width: 0; }
@media print { details { break-inside: avoid; } audio { display: none; } }
"""

MAX_OPEN: Final = 3
"""Of more scenarios than this none is shown in full before it is asked for."""


@dataclass(frozen=True)
class Heard:
    """A passage to listen to.

    Attributes:
        place: where it is, in words.
        anchor: of the scenario's section.
        error_ms: mean absolute error at its beats.
        followed: as the system would have had it played.
        true: as it should have been.
    """

    place: str
    anchor: str
    error_ms: float
    followed: Sound
    true: Sound


@dataclass(frozen=True)
class Section:
    """A scenario on the page.

    Attributes:
        name: of the scenario.
        anchor: of the section.
        summary: its figures in a line.
        pictures: what they show, and data URIs.
        notes: what a person should know.
    """

    name: str
    anchor: str
    summary: str
    pictures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """Everything the page shows.

    Attributes:
        made: when, by which version, from which words.
        pooled: titles and tables over all scenarios.
        curves: picture of the tolerance curves, the calibration and the coverage, as a data URI.
        behaviour: lines about pauses, jumps and states.
        passages: the worst passages of each system.
        scenarios: a section for each.
        by_scenario: figures of every scenario.
    """

    made: str
    pooled: tuple[tuple[str, Table], ...]
    curves: str
    behaviour: tuple[str, ...]
    passages: Mapping[str, Sequence[Heard]]
    scenarios: tuple[Section, ...]
    by_scenario: Table


def page(contents: Contents) -> str:
    """Return the whole page."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    body = "\n".join(_body(contents))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Evaluation</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def table_html(table: Table) -> str:
    """A table of `follower.terminal.make_table`; the second line of a heading is its unit."""
    columns = list(table.columns)
    kinds = [' class="n"' if column.justify == "right" else "" for column in columns]
    heads = []
    for kind, column in zip(kinds, columns, strict=True):
        name, _, unit = str(column.header).partition("\n")
        under = f"<span>{html.escape(unit)}</span>" if unit.strip() else ""
        heads.append(f'<th scope="col"{kind}>{html.escape(name)}{under}</th>')
    cells = [[html.escape(str(cell)) for cell in column.cells] for column in columns]
    rows = [
        "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True))
        for row in zip(*cells, strict=True)
        if any(row)
    ]
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{"".join(heads)}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _body(contents: Contents) -> Iterable[str]:
    yield f"<header><h1>Evaluation</h1><p>{html.escape(contents.made)}</p>"
    yield (
        '<nav><a href="#pooled">All scenarios</a><a href="#passages">Worst passages</a>'
        '<a href="#scenarios">Each scenario</a></nav></header>\n<main>\n<section id="pooled"><h2>All scenarios</h2>'
    )
    yield (
        "<p>Errors are distances from where the annotations say the orchestra should be, at annotated beats, of the "
        "newest estimate made from audio up to the beat.</p>"
    )
    for title, table in contents.pooled:
        yield f"<h3>{html.escape(title)}</h3>\n{table_html(table)}"
    shown = "Share of beats with a larger error against tolerance; calibration and coverage of confidences"
    yield _picture(shown, contents.curves)
    yield from (f"<p>{html.escape(line)}</p>" for line in contents.behaviour)
    yield '</section>\n<section id="passages"><h2>Worst passages</h2>'
    yield (
        "<p>Piano left, orchestra right: played as the system&rsquo;s positions would have had it played, and as the "
        "annotations say it should have been.</p>"
    )
    heard = {system: passages for system, passages in contents.passages.items() if passages}
    if not heard:
        yield "<p>There is none: no system had a position in the orchestra recording over time that was off.</p>"
    for system, passages in heard.items():
        yield f"<h3>{html.escape(system)}</h3>"
        rows = "\n".join(_passage(p) for p in passages)
        yield (
            '<div class="wide"><table><thead><tr><th scope="col">passage</th><th scope="col" class="n">mean error'
            f'<span>ms</span></th><th scope="col">followed</th><th scope="col">as it should be</th></tr></thead>\n'
            f"<tbody>\n{rows}\n</tbody></table></div>"
        )
    yield '</section>\n<section id="scenarios"><h2>Each scenario</h2>'
    yield table_html(contents.by_scenario)
    yield (
        "<p>Dots are evaluation beats, the grey band is 100 ms. Triangles are jumps of an estimate, filled where they "
        "led away; dotted lines are jumps of the pianist. Tempo is how far a position came in two seconds, the true "
        "one in grey. Dark in the cost is alike.</p>"
    )
    opened = " open" if len(contents.scenarios) <= MAX_OPEN else ""
    for section in contents.scenarios:
        pictures = "".join(_picture(*p) for p in section.pictures)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in section.notes)
        # The anchor is inside: a browser that follows a link to it opens what it lies in.
        yield (
            f"<details{opened}><summary>{html.escape(section.name)}: {html.escape(section.summary)}</summary>\n"
            f'<div id="{section.anchor}">{notes}<div class="pictures">{pictures}</div></div></details>'
        )
    yield "</section>\n</main>"


def _picture(shown: str, uri: str) -> str:
    return f'<img src="{uri}" alt="{html.escape(shown)}">'


def _passage(passage: Heard) -> str:
    sounds = "".join(
        f'<td><audio controls preload="none" src="{_uri(s)}"></audio></td>' for s in (passage.followed, passage.true)
    )
    link = f'<a href="#{passage.anchor}">{html.escape(passage.place)}</a>'
    return f'<tr><td>{link}</td><td class="n">{passage.error_ms:.0f}</td>{sounds}</tr>'


def _uri(sound: Sound) -> str:
    return f"data:{sound.media_type};base64,{base64.b64encode(sound.content).decode('ascii')}"
