"""The documents: every file they name exists, every room is described, README.md's shell lines are understood."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

import dev
from follower.cli import command_parser
from offline_prep.cli import build_parser as prep_parser
from tests.paths import REPOSITORY

DOCUMENTS = [
    path for folder in (".", "docs", "benchmarks", "examples") for path in sorted((REPOSITORY / folder).glob("*.md"))
]
PRESENT = [path for path in DOCUMENTS if path.name not in ("CHANGELOG.md", "research-log.md")]
"""The documents that speak of the present."""
ARCHITECTURE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
TEXTS = (".py", ".md", ".js", ".toml", ".json", ".jsonl", ".html", ".css", ".yaml", ".pd", ".scd")
OUTSIDE = re.compile(r"\bdesign (section )?\d|\bissue \d|the judge|shared scenario|/shared\b", re.I)
"""References to documents, numbers and people that are not in the repository."""


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
    paths = [REPOSITORY / name for name in listed.splitlines()]
    return [path for path in paths if path.suffix in TEXTS and path.is_file()]


@pytest.mark.parametrize("path", PRESENT, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_file_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:follower|offline_prep|tests|benchmarks|examples|docs)/[\w./-]*)`", text)) - {
        "benchmarks/results/NAME.json"
    }
    named |= {m for m in re.findall(r"\]\(([\w./-]+)\)", text) if "://" not in m}
    missing = [n for n in named if not ((REPOSITORY / n).exists() or (path.parent / n).exists())]
    assert not missing


def test_every_room_is_described() -> None:
    rooms = [*(REPOSITORY / "follower").glob("*/__init__.py"), *(REPOSITORY / "offline_prep").glob("*/__init__.py")]
    assert len(rooms) > 10
    for room in rooms:
        assert f"`{room.parent.relative_to(REPOSITORY)}/`" in ARCHITECTURE, f"{room.parent.name} is not described"
    for room in (REPOSITORY / "follower").glob("*/__init__.py"):
        assert f"`{room.parent.name}/`" in README


def test_every_example_is_described() -> None:
    described = (REPOSITORY / "examples" / "README.md").read_text(encoding="utf-8")
    for path in (REPOSITORY / "examples").glob("*.*"):
        assert path.name == "README.md" or f"`{path.name}`" in described, f"{path.name} is not described"


def test_nothing_refers_to_what_is_not_in_the_repository() -> None:
    own = Path(__file__)
    found = [
        f"{path.relative_to(REPOSITORY)}: {match[0]}"
        for path in files()
        if path != own and (match := OUTSIDE.search(path.read_text(encoding="utf-8")))
    ]
    assert not found


def test_a_reference_outside_is_found() -> None:
    for text in ("(design 3.2)", "design section 2", "Issue 5", "../shared/bench", "the judge's"):
        assert OUTSIDE.search(text), text


def test_the_command_lines_of_the_readme_are_understood() -> None:
    """Those with hardware too; `python3 dev.py readme` runs the others."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith(("follower ", "offline-prep "))]
    assert len(commands) >= 6
    for program, *arguments in commands:
        if program == "follower":
            parser, module = command_parser(arguments[0])
            module.options_of(parser.parse_args(arguments[1:]))
        else:
            prep_parser().parse_args(arguments)
    needy = [line for line in README.splitlines() if line.startswith("follower live")]
    assert needy and all(dev.NEEDS in line for line in needy)
    assert not set(needy) & set(dev.readme_lines(README))
