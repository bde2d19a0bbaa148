"""Make every table of README.md, benchmarks/README.md and pages of docs/ from `benchmarks/results/*.json`.

python -m benchmarks.report            rewrite the tables between `<!-- table: NAME -->` and `<!-- end of table -->`
python -m benchmarks.report --check    write nothing; fail when a table is not what the results give, or when
README.md has a measured figure outside a table
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from benchmarks.history import history
from benchmarks.results import ROOT, Result, Row, load

DOCUMENTS: Final = (
    ROOT / "README.md",
    ROOT / "benchmarks" / "README.md",
    ROOT / "docs" / "playback.md",
    ROOT / "docs" / "scaling.md",
    ROOT / "docs" / "separation.md",
)
TABLE: Final = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.S)
CODE: Final = re.compile(r"```.*?```|`[^`\n]*`", re.S)
FIGURE: Final = re.compile(r"\d+(?:\.\d+)?\s?(?:ms|%|GB|MB|times real time|cents|dB)(?!\w)")
DEFINITIONS: Final = ("100 / 200 / 500 ms", "within 200 ms")
"""Tolerances that README.md explains; no measurements."""
GROUPS: Final[Mapping[str, str]] = {
    "pub0*,pub1*,rt_*": "13 concerto passages: clean, pause, repeat, noise",
    "pub2_*": "7 with tuttis, cut cadenzas or stems",
    "long_*": "a whole movement",
    "perf*": "11 with other pianists' performances on each side",
    "realsound*": "3 with a recorded real piano",
    "pf*": "7 performances never tuned on",
}
"""Groups of scenarios in README.md's table, in order, in words."""
EVALUATION: Final[Mapping[str, str]] = {
    "beats": "beats", "median_ms": "median ms", "bias_ms": "bias ms", "over_50_ms_pct": ">50",
    "over_100_ms_pct": ">100", "over_200_ms_pct": ">200", "over_500_ms_pct": ">500", "over_1000_ms_pct": ">1000",
    "over_2000_ms_pct": ">2000 ms, %", "lock_s": "lock s", "jumps": "jumps", "false_jumps": "false",
    "rate_error_pct": "rate error %",
}  # fmt: skip
SPEED: Final[Mapping[str, str]] = {
    "method": "method", "reference_s": "full mix s", "cpu_p50_ms": "p50 ms", "cpu_p99_ms": "p99 ms",
    "cpu_max_ms": "max ms", "wall_p99_ms": "wall p99 ms", "times_real_time": "times real time",
    "loaded_mb": "loaded MB", "peak_mb": "peak MB", "grown_after_first_tenth_mb": "growth MB",
}  # fmt: skip


MAP: Final[Mapping[str, str]] = {
    "pool": "scenarios", "variant": "variant", "points": "beats", "median_ms": "median ms", "over_50_ms_pct": ">50",
    "over_100_ms_pct": ">100", "over_200_ms_pct": ">200", "over_500_ms_pct": ">500 ms, %",
}  # fmt: skip
CONSISTENCY: Final[Mapping[str, str]] = {
    key: {"variant": "maps compared", "points": "instants"}.get(key, head) for key, head in MAP.items() if key != "pool"
}
ATTACK_DELAY: Final[Mapping[str, str]] = {
    "fitted_on": "fitted on", "orchestra": "orchestra", "mix": "mix", "corrected": "corrected pairs",
    "bias_before_ms": "bias before, ms", "bias_after_ms": "after", "median_before_ms": "median before, ms",
    "median_after_ms": "after", "over_100_ms_before_pct": ">100 ms before, %", "over_100_ms_after_pct": "after",
}  # fmt: skip
HEARD: Final[Mapping[str, str]] = {
    "what": "what", "beats": "beats", "median_ms": "median ms", "over_50_ms_pct": ">50", "over_100_ms_pct": ">100",
    "over_200_ms_pct": ">200", "over_500_ms_pct": ">500 ms, %", "silent_pct": "silent %", "entries": "entries",
    "jumps": "jumps", "audible_steps": "audible steps", "times_real_time": "times real time",
}  # fmt: skip
PLAYER_CPU: Final[Mapping[str, str]] = {
    "minutes": "minutes", "sample_rate_hz": "orchestra Hz", "channels": "channels", "follower_pct": "follower %",
    "player_pct": "player %", "both_pct": "both, % of a core",
}  # fmt: skip
DRIFT: Final[Mapping[str, str]] = {
    "minutes": "minutes", "ppm": "ppm", "found_ppm": "found ppm", "drop_outs": "drop-outs",
    "largest_error_ms": "largest error ms", "jumps": "jumps",
}  # fmt: skip
GRID: Final[Mapping[str, str]] = {
    "pool": "recordings", "constant": "constant", "value": "value", "beats": "beats", "median_ms": "median ms",
    "over_100_ms_pct": ">100", "over_200_ms_pct": ">200", "over_500_ms_pct": ">500 ms, %", "jumps": "jumps",
    "false_jumps": "false",
}  # fmt: skip
FOLDS: Final[Mapping[str, str]] = {
    "constant": "constant", "values": "others tried", "works": "works", "near_best": "present near the best",
    "present_pct": "present: >500 ms, %", "best_pct": "best of all", "chosen_pct": "chosen on other works",
}  # fmt: skip
RESTS: Final[Mapping[str, str]] = {
    "rule": "rule", "threshold": "nats above which it is a stop", "rests": "rests",
    "rests_called_stops_pct": "called stops, %", "stops": "stops", "stops_called_at_once_pct": "called at once, %",
    "stops_called_soon_pct": "called soon, %", "stops_called_late_pct": "called late, %",
}  # fmt: skip
ACTIVITY: Final[Mapping[str, str]] = {
    "rule": "rule", "frames": "frames", "area_under_roc": "area under the ROC curve",
    "rests_called_piano_pct": "rests called piano, %", "piano_called_rest_pct": "piano called a rest, %",
}  # fmt: skip
UNDER_LOAD: Final[Mapping[str, str]] = {
    "what": "what happened", "silent_s": "silent s", "back_s": "back after s",
    "largest_error_after_ms": "largest error from .5 s after it on, ms", "told_after": "told after",
}  # fmt: skip
STEM: Final[Mapping[str, str]] = {
    "scenario": "scenario", "start": "start", "share": "share of the stem", "beats": "beats",
    "mix_median_ms": "in the mix: median ms", "mix_over_100_ms_pct": ">100", "mix_over_200_ms_pct": ">200",
    "mix_over_500_ms_pct": ">500 ms, %", "orchestra_median_ms": "in the orchestra: median ms",
    "orchestra_over_100_ms_pct": ">100", "orchestra_over_200_ms_pct": ">200",
    "orchestra_over_500_ms_pct": ">500 ms, %",
}  # fmt: skip
MUSIC: Final[Mapping[str, str]] = {
    "music": "music", "rate": "rate", "what": "what", "spectrum_db": "spectrum dB", "attacks_db": "attacks dB",
    "roughness_db": "roughness dB", "dips_pct": "dips %",
}  # fmt: skip


def number(value: object, digits: int | None = None) -> str:
    """A cell: nothing for None; a float with so many digits, or fewer the larger it is.

    >>> number(None), number(31.87), number(2.62), number(-0.04), number("a | b"), number(7)
    ('', '32', '2.6', '0.0', 'a | b', '7')
    """
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    decimals = (0 if abs(value) >= 20 else 1) if digits is None else digits
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # + 0.0: no "-0.0"


def markdown(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown.

    >>> print(markdown(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def with_origin(table: str, *results: Result) -> str:
    """A table and, below it, where its figures come from."""
    origins = dict.fromkeys(f"`benchmarks/results/{r.name}.json`: {r.origin}" for r in results)
    return f"{table}\n\n{'; '.join(origins)}."


def evaluation(*names: str, table: str = "pooled", leave_out: Sequence[str] = ("all",)) -> str:
    """The table of systems and groups of scenarios of evaluations."""
    results = [load(name) for name in names]
    rows = [row for r in results for row in r.tables[table] if row["group"] not in leave_out]
    known = list(GROUPS)
    rows.sort(key=lambda row: known.index(row["group"]) if row["group"] in known else len(known))
    columns = {key: head for key, head in EVALUATION.items() if any(row.get(key) is not None for row in rows)}
    return with_origin(
        markdown(
            ["system", "scenarios", *columns.values()],
            (
                [row["system"], f"`{row['group']}` ({row['scenarios']})", *(_cell(row, key) for key in columns)]
                for row in rows
            ),
        ),
        *results,
    )


def _cell(row: Row, key: str) -> str:
    if key.endswith("_pct") or key == "lock_s":
        return number(row.get(key), 1)
    value = row.get(key)
    return number(value, 0) if key.endswith("_ms") and isinstance(value, float) else number(value)


def plain(name: str, table: str = "rows", columns: Mapping[str, str] | None = None) -> str:
    """A table as it was recorded, or some of its columns under other names; of an evaluation its pooled figures."""
    result = load(name)
    if "pooled" in result.tables and table == "rows":
        return evaluation(name, leave_out=())
    rows = result.tables[table]
    shown = columns or {key: key.replace("_", " ") for key in rows[0]}
    return with_origin(
        markdown(list(shown.values()), ([number(row.get(key)) for key in shown] for row in rows)), result
    )


def stretch_quality() -> str:
    """Tones and clicks through the stretchers: the worst of all rate curves at each sample rate."""
    result = load("playback_quality")
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in result.tables["rows"]:
        groups.setdefault((row["stretcher"], row["sample_rate_hz"]), []).append(row)
    table = markdown(
        ["stretcher", "sample rate, Hz", "rate curves", "amplitude modulation, dB", "detuning, cents", "clicks, ms"],
        (
            [name, str(rate_hz), str(len(rows))]
            + [number(max(row[key] for row in rows), 2) for key in ("modulation_db", "detuning_cents", "clicks_ms")]
            for (name, rate_hz), rows in groups.items()
        ),
    )
    return with_origin(table, result)


def scenarios(name: str) -> str:
    """The live system, scenario by scenario."""
    result = load(name)
    rows = [row for row in result.tables["scenarios"] if row["system"] == "live:tempo"]
    table = markdown(
        ["`live:tempo`", *EVALUATION.values()],
        ([row["group"], *(_cell(row, key) for key in EVALUATION)] for row in rows),
    )
    return with_origin(table, result)


def confidence() -> str:
    """Error against coverage, and how often a confidence is right."""
    result = load("accuracy")
    covered = [r for r in result.tables["coverage"] if r["group"] == "all" and r["system"] == "live:tempo"]
    bins = [r for r in result.tables["calibration"] if r["group"] == "all" and r["system"] == "live:tempo"]
    left = markdown(
        ["at least", "covered %", "median ms", ">200", ">500", ">2000 ms, %"],
        (
            [number(r["confidence"], 2), number(r["coverage_pct"], 1), number(r["median_ms"], 0)]
            + [number(r[f"over_{t}_pct"], 1) for t in (200, 500, 2000)]
            for r in covered
        ),
    )
    right = markdown(
        ["confidence", "beats", "mean", "within 200 ms"],
        (
            [
                f"{r['low']:.1f}-{r['high']:.1f}", number(r["beats"]),
                number(r["mean_confidence"], 2), number(r["within_share"], 2),
            ]
            for r in bins
        ),
    )  # fmt: skip
    return with_origin(f"{left}\n\n{right}", result)


def confidence_fit() -> str:
    """How often a confidence is right on works it was not fitted to."""
    result = load("confidence_fit")
    table = markdown(
        ["confidence", "beats", "mean", "within 200 ms", "over 1 s"],
        (
            [f"{row['from']:.2f}-{row['to']:.2f}", number(row["beats"])]
            + [number(row[key], 3) for key in ("mean", "within_200_ms", "over_1_s")]
            for row in result.tables["reliability"]
        ),
    )
    return with_origin(table, result)


def filter_grid() -> str:
    """The filter with other values of its constants, and how its own do on works that others are chosen without."""
    result = load("filter_grid_unknown")
    values = markdown(list(GRID.values()), ([_cell(row, key) for key in GRID] for row in result.tables["rows"]))
    folds = markdown(list(FOLDS.values()), ([number(row[key], 2) for key in FOLDS] for row in result.tables["folds"]))
    return with_origin(f"{values}\n\n{folds}", result)


def summary() -> str:
    """README.md: the live system beside the offline ones."""
    results = [load(name) for name in ("accuracy", "untouched", "offline", "offline_performances")]
    found = {(row["group"], row["system"]): row for r in results for row in r.tables["pooled"]}

    def cell(group: str, system: str) -> str:
        row = found.get((group, system))
        if row is None:
            return ""
        shares = " / ".join(number(row[f"over_{t}_ms_pct"]) for t in (100, 200, 500))
        return f"{number(row['median_ms'])} ms \\| {shares} %"

    head = ["scenarios", "live", "naive chroma DTW, offline", "research notebook, offline"]
    rows = [
        [words, *(cell(group, system) for system in ("live:tempo", "naive", "notebook"))]
        for group, words in GROUPS.items()
    ]
    return with_origin(markdown(head, rows), *results)


def costs() -> str:
    """README.md: the mix alone, processor time and memory, in a few sentences."""
    speed, prep, untouched = load("speed"), load("prep"), load("untouched")
    hop = next(r for r in speed.tables["rows"] if r["method"] == "tempo")
    made = prep.tables["rows"][0]
    mix = next(r for r in untouched.tables["pooled"] if r["system"] == "mix:tempo")
    text = (
        f"On the last row the position in the full mix is found to {number(mix['median_ms'])} ms (median); the rest is "
        f"the map to the orchestra recording. A hop of 23 ms takes {hop['cpu_p50_ms']:.1f} ms of processor time "
        f"(median; {hop['cpu_p99_ms']:.1f} ms at the 99th percentile) on {hop['reference_s'] / 60:.0f} minutes of "
        f"music; preparing {made['mix_s'] / 60:.0f} + {made['orchestra_s'] / 60:.0f} minutes takes "
        f"{made['cpu_s']:.0f} s on one core and {made['peak_mb'] / 1000:.1f} GB."
    )
    return with_origin(text, speed, prep, untouched)


def many() -> str:
    """docs/scaling.md: what very many works and pianists cost, from what one costs."""
    prep, session = load("prep"), load("session_cost")
    made, one = prep.tables["rows"][0], session.tables["rows"][0]
    works, pianists, busy = 10_000, 10_000, 0.8
    text = (
        f"{works} works of {made['mix_s'] / 60:.0f} minutes are {works * made['cpu_s'] / 3600:.0f} core hours, with "
        f"{made['peak_mb'] / 1000:.1f} GB for each worker. {pianists} pianists who play at the same time are "
        f"{pianists * one['cores']:.0f} cores' work, that is {pianists * one['cores'] / busy:.0f} cores, since a "
        f"server admits pianists up to {busy:.0%} of its cores."
    )
    return with_origin(text, prep, session)


def release_history() -> str:
    """What each version recorded costs."""
    entries = history()
    names = dict.fromkeys(name for entry in entries for name in entry.work)
    table = markdown(
        ["work", *(entry.version for entry in entries)],
        ([name, *(number(entry.work.get(name)) for entry in entries)] for name in names),
    )
    origins = "; ".join(f"{e.version}: commit {e.commit}, {e.date}" for e in entries)
    return f"{table}\n\n`benchmarks/results/history/releases.json`: {origins}."


SEPARATION: Final[Mapping[str, str]] = {
    "scenario": "passage",
    "system": "system",
    "piano_sdr_db": "piano SDR dB",
    "piano_sir_db": "SIR",
    "piano_sar_db": "SAR",
    "piano_simple_sdr_db": "without a filter",
    "orchestra_sdr_db": "orchestra SDR dB",
    "orchestra_sir_db": "SIR ",
    "orchestra_sar_db": "SAR ",
    "orchestra_simple_sdr_db": "without a filter ",
    "cpu_s_per_min": "s per minute",
}
TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "summary": summary,
    "costs": costs,
    "conditions": lambda: plain("conditions"),
    "speed": lambda: plain("speed", columns=SPEED),
    "prep": lambda: plain("prep"),
    "session_cost": lambda: plain("session_cost"),
    "history": release_history,
    "many": many,
    "dense_sparse_time": lambda: plain("dense_sparse_time", "compared"),
    "dense_sparse_memory": lambda: plain("dense_sparse_time", "long"),
    "accuracy": lambda: evaluation("accuracy", "dense_sparse"),
    "untouched": lambda: evaluation("untouched"),
    "untouched_scenarios": lambda: scenarios("untouched"),
    "known_start": lambda: evaluation("known_start"),
    "separation": lambda: plain("separation"),
    "offline": lambda: evaluation("offline", "offline_performances"),
    "scenarios": lambda: scenarios("accuracy"),
    "confidence": confidence,
    "confidence_fit": confidence_fit,
    "peers": lambda: plain("peers"),
    "peers_cost": lambda: plain("peers", "costs"),
    "peers_pub2": lambda: plain("peers_pub2"),
    "classification": lambda: plain("classification"),
    "filter_grid": filter_grid,
    "rests": lambda: plain("rests", columns=RESTS),
    "piano_activity": lambda: plain("piano_activity", columns=ACTIVITY),
    "bleed": lambda: plain("bleed"),
    "map_ablation": lambda: plain("map_ablation", columns=MAP),
    "map_consistency": lambda: plain("map_consistency", columns=CONSISTENCY),
    "attack_delay_fit": lambda: plain("attack_delay_fit", columns=ATTACK_DELAY),
    "playback_heard": lambda: plain("playback_heard", columns=HEARD),
    "playback_cpu": lambda: plain("playback_cpu", columns=PLAYER_CPU),
    "playback_drift": lambda: plain("playback_drift", columns=DRIFT),
    "playback_under_load": lambda: plain("playback_under_load", columns=UNDER_LOAD),
    "stretch_quality": stretch_quality,
    "parts_in_use": lambda: plain("parts_in_use"),
    "piano_stem": lambda: plain("piano_stem", columns=STEM),
    "piano_stem_own": lambda: plain("piano_stem_own", columns=STEM),
    "separated_parts": lambda: plain("separated_parts", columns=SEPARATION),
    "stretch_music": lambda: plain("stretch_music", columns=MUSIC),
}
"""What may stand between the markers, by name."""


def regenerate(text: str) -> str:
    """Fill every marked table of a document.

    Raises:
        SystemExit: a table that nobody makes, or a result that is missing.
    """

    def fill(match: re.Match[str]) -> str:
        if match[2] not in TABLES:
            raise SystemExit(f"no table {match[2]!r}; there are: {', '.join(TABLES)}")
        return f"{match[1]}\n{TABLES[match[2]]()}\n\n{match[3]}"

    return TABLE.sub(fill, text)


def unbacked(text: str) -> list[str]:
    """Figures of a document that stand outside its tables.

    >>> unbacked("It takes 12 ms. `--width 3 dB`")
    ['12 ms']
    """
    rest = CODE.sub("", TABLE.sub("", text))
    for definition in DEFINITIONS:
        rest = rest.replace(definition, "")
    return FIGURE.findall(rest)


def main() -> int:
    """Rewrite the documents, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    problems = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        new = regenerate(text)
        if not args.check:
            path.write_text(new, encoding="utf-8")
        elif new != text:
            problems.append(f"{path.relative_to(ROOT)}: a table is not what benchmarks/results give")
    figures = unbacked(DOCUMENTS[0].read_text(encoding="utf-8"))
    if figures:
        problems.append(
            f"README.md: no result backs {', '.join(figures)}; write them in a table of benchmarks/report.py"
        )
    for problem in problems:
        print(f"error: {problem} (python -m benchmarks.report)", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
