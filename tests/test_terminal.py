"""Tables and bars: drawn on a terminal, plain lines or nothing elsewhere."""

from __future__ import annotations

import io

import pytest

from follower.terminal import make_table, plain_text, print_table, progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal()


def test_plain_tables_are_never_broken_or_interpreted() -> None:
    table = make_table(["name"], ["n"])
    table.add_row("x" * 5000, "1")
    table.add_row("[bold]:smile:", "22")
    lines = plain_text(table).splitlines()
    assert len(lines) == 3
    assert lines[2].split() == ["[bold]:smile:", "22"]
    assert {len(line) for line in lines} == {5000 + 2 + 2}, "numbers end in one column"


def test_a_pipe_gets_plain_lines(terminal: Terminal) -> None:
    table = make_table(["name"])
    table.add_row("x")
    pipe = io.StringIO()
    print_table(table, pipe)
    assert pipe.getvalue() == "name\nx\n"
    print_table(table, terminal)
    assert "name" in terminal.getvalue()


def test_a_bar_moves_on_a_terminal_only(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, hidden, shown in ((terminal, False, True), (Terminal(), True, False), (io.StringIO(), False, False)):
        monkeypatch.setattr("sys.stderr", stream)
        with progress_bar(hidden) as progress:
            progress("reading [o.wav]", 0.25)
        assert ("reading [o.wav]" in stream.getvalue() and "25%" in stream.getvalue()) == shown
        assert bool(stream.getvalue()) == shown
