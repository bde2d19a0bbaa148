"""The service and the container of examples/deploy start a command that exists, as it is written there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from follower.cli import command_parser
from follower.commands.serve import ServeOptions
from tests.paths import REPOSITORY

DEPLOY = REPOSITORY / "examples" / "deploy"


def options_of(words: list[str], token: Path) -> ServeOptions:
    program, command, *rest = words
    assert Path(program).name == "follower" and command == "serve"
    parser, module = command_parser(command)
    given = [str(token) if rest[n - 1 : n] == ["--token-file"] else word for n, word in enumerate(rest)]
    options = module.options_of(parser.parse_args(given))
    assert isinstance(options, ServeOptions)
    return options


@pytest.fixture
def token(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("a-token-that-is-long-enough")
    return tmp_path / "token"


def test_the_service_starts_a_server(token: Path) -> None:
    [line] = re.findall(r"^ExecStart=(.*)$", (DEPLOY / "follower.service").read_text(), re.M)
    options = options_of(shlex.split(line), token)
    assert options.address.host == "0.0.0.0" and options.access.token and options.blackbox is not None


def test_the_container_starts_a_server(token: Path) -> None:
    text = (DEPLOY / "Containerfile").read_text()
    [words] = re.findall(r"^CMD (\[.*\])$", text, re.M)
    options = options_of(json.loads(words), token)
    assert options.address.port == int(re.findall(r"^EXPOSE (\d+)$", text, re.M)[0])
    assert options.access.token


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_service(tmp_path: Path) -> None:
    """With a program that exists in place of the one in /opt."""
    text = (DEPLOY / "follower.service").read_text().replace("/opt/follower/bin/follower", "/bin/true")
    unit = tmp_path / "follower.service"
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "follower.service" not in done.stderr, done.stderr
