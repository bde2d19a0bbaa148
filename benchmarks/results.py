"""Results of benchmarks as files: `benchmarks/results/NAME.json`, with the commit, the machine and the date.

    follower evaluate SCENARIO... --json F.json && python -m benchmarks.results accuracy F.json

Benchmarks write theirs when they are given `--record`. `python -m benchmarks.report` makes the tables of the documents
from them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from follower.terminal import make_table, print_table

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "benchmarks" / "results"
FIGURES: Final = (
    "beats", "median_ms", "bias_ms", "over_50_ms_pct", "over_100_ms_pct", "over_200_ms_pct", "over_500_ms_pct",
    "over_1000_ms_pct", "over_2000_ms_pct",
)  # fmt: skip
"""What is kept of a system's figures in `follower evaluate --json`."""
BEHAVIOUR: Final = ("lock_s", "jumps", "false_jumps", "rate_error_pct")
"""And of its behaviour over time."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What one benchmark measured.

    Attributes:
        name: of the benchmark; its file is `benchmarks/results/NAME.json`.
        commit: abbreviated commit of the repository, with "+" where files were changed since.
        machine: processor and number of cores.
        date: day, ISO 8601.
        command: how it was measured.
        tables: rows of each table, by the table's name.
    """

    name: str
    commit: str
    machine: str
    date: str
    command: str
    tables: Mapping[str, Sequence[Row]]

    @property
    def origin(self) -> str:
        """Commit, date and machine in words."""
        day = datetime.fromisoformat(self.date)
        return f"commit {self.commit}, {day.day} {day:%B %Y}, {self.machine}"


def load(name: str) -> Result:
    """Read `benchmarks/results/NAME.json`.

    Raises:
        SystemExit: there is none.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        raise SystemExit(f"{path} is missing; benchmarks/README.md says how to measure it")
    return Result(**json.loads(path.read_text(encoding="utf-8")))


def record(name: str, measured: Any, command: str | None = None) -> None:
    """Write `benchmarks/results/NAME.json`.

    Args:
        name: of the benchmark.
        measured: in one of the shapes `tables_of` understands.
        command: how it was measured; None takes this program's command line, of files and folders only the names.
    """
    said = command or shlex.join(["python", *(_without_folders(word) for word in sys.orig_argv[1:])])
    result = Result(name, _commit(), _machine(), datetime.now(UTC).date().isoformat(), said, tables_of(measured))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")


def tables_of(measured: Any) -> dict[str, list[Row]]:
    """Rows of what a benchmark gives.

    Args:
        measured: a list of rows; or rows by name; or tables of rows by name; or what `follower evaluate --json` writes,
            of which the stable part is kept (see `FIGURES`, `BEHAVIOUR`), and what the peers' run adds: costs.

    >>> tables_of([{"method": "tempo", "p50_ms": 0.9}])
    {'rows': [{'method': 'tempo', 'p50_ms': 0.9}]}
    >>> tables_of({"a": {"x": 1}})
    {'rows': [{'name': 'a', 'x': 1}]}
    >>> tables_of({"a": [{"x": 1}], "b": []})
    {'a': [{'x': 1}], 'b': []}
    """
    if isinstance(measured, list):
        return {"rows": measured}
    if all(isinstance(rows, list) for rows in measured.values()):
        return dict(measured)
    if "pooled" not in measured:
        return {"rows": [{"name": name, **row} for name, row in measured.items()]}
    tables: dict[str, list[Row]] = {"pooled": [], "scenarios": [], "coverage": [], "calibration": []}
    for table in ("pooled", "scenarios"):
        for group, systems in measured[table].items():
            for system, found in systems.items():
                head = {"group": group, "scenarios": found["scenarios"], "system": system}
                behaviour = found.get("behaviour", {})
                tables[table].append(
                    head | {k: found[k] for k in FIGURES} | {k: behaviour[k] for k in BEHAVIOUR if k in behaviour}
                )
                if table == "pooled":
                    for part in ("coverage", "calibration"):
                        tables[part] += [head | row for row in found.get(part, ())]
    if costs := measured.get("settings", {}).get("costs"):
        tables["costs"] = costs
    return tables


def print_rows(rows: Sequence[Row]) -> None:
    """Print rows as a table, words on the left, numbers on the right; what a row lacks stays empty."""
    first = {key: value for row in rows for key, value in row.items()}
    words = [key for key, value in first.items() if isinstance(value, str)]
    numbers = [key for key in first if key not in words]
    table = make_table([w.replace("_", " ") for w in words], [n.replace("_", " ") for n in numbers])
    for row in rows:
        table.add_row(*(str(row.get(key, "")) for key in (*words, *numbers)))
    print_table(table)


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add `--record`, which asks a benchmark to `record` its result."""
    parser.add_argument("--record", action="store_true", help="write the result into benchmarks/results")


def _without_folders(word: str) -> str:
    return Path(word).name if Path(word).is_absolute() or Path(word).exists() else word


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = [line for line in git("status", "--porcelain").splitlines() if not line.endswith((".md", ".json"))]
    return (git("rev-parse", "--short=7", "HEAD") or "unknown") + ("+" if changed else "")


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"


def main() -> int:
    """Record the JSON file of a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("file", type=Path, metavar="F.json")
    parser.add_argument("--command", help="how it was measured")
    args = parser.parse_args()
    command = args.command or f"see benchmarks/README.md, {args.name}"
    record(args.name, json.loads(args.file.read_text(encoding="utf-8")), command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
