"""Many pieces at once: a catalogue, a library, a real scheduler with two workers of which one is killed."""

from __future__ import annotations

import contextlib
import csv
import filecmp
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from follower.errors import InputError
from follower.piece.manifest import MANIFEST
from offline_prep.build import build_cache
from offline_prep.catalog import read_catalog
from offline_prep.compute import Inputs
from offline_prep.settings import USUAL, PrepSettings
from offline_prep.stores import check_library, store_piece
from tests.paths import REPOSITORY
from tests.processes import program, run

WAIT_S = 120.0


@pytest.fixture(scope="module")
def recordings(short_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings that fit each other, and a third that is none."""
    folder = tmp_path_factory.mktemp("recordings")
    for name in ("o.wav", "po.wav"):
        shutil.copy(short_demo / name, folder / name)
    (folder / "broken.wav").write_bytes((folder / "o.wav").read_bytes()[:100])
    return folder


@pytest.fixture(scope="module")
def alone(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache that a preparation by itself makes of them."""
    out = tmp_path_factory.mktemp("alone") / "cache"
    build_cache(Inputs(recordings / "o.wav", recordings / "po.wav"), out, USUAL)
    return out


def write_catalog(path: Path, *rows: tuple[str, str, str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows([("name", "orchestra", "mix"), *rows])
    return path


def assert_same(cache: Path, alone: Path) -> None:
    names = sorted(p.name for p in alone.iterdir())
    assert sorted(p.name for p in cache.iterdir()) == names
    assert filecmp.cmpfiles(cache, alone, names, shallow=False)[0] == names


@contextlib.contextmanager
def background(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [sys.executable, "-m", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def scheduler_and_workers(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]], Any]]:
    """A scheduler, two workers without a nanny, each with one thread, and a client that looks at them."""
    from distributed import Client

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    worker = ("distributed.cli.dask_worker", address, "--nworkers", "1", "--nthreads", "1", "--no-nanny")
    place = ("--host", "127.0.0.1", "--local-directory", str(folder), "--no-dashboard")
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            background("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        )
        workers = [stack.enter_context(background(*worker, *place, "--name", f"w{k}")) for k in range(2)]
        client = stack.enter_context(Client(address, timeout=WAIT_S, set_as_default=False))
        client.wait_for_workers(2, timeout=WAIT_S)
        yield address, workers, client


def test_a_worker_killed_in_mid_run_and_a_bad_file_change_no_byte_of_the_others(
    recordings: Path, alone: Path, tmp_path: Path
) -> None:
    rows = [("one", "o.wav", "po.wav"), ("two", "o.wav", "po.wav"), ("bad", "broken.wav", "po.wav")]
    catalog = write_catalog(recordings / "catalog.csv", *rows, ("there", "o.wav", "po.wav"))
    library = tmp_path / "library"
    library.mkdir()
    shutil.copytree(alone, library / "there")  # of a run that was interrupted
    with scheduler_and_workers(tmp_path / "dask") as (address, workers, client):
        words = ["batch", str(catalog), "--out", str(library), "--scheduler", address]
        with program(words, "offline_prep") as batch:
            deadline_s = time.monotonic() + WAIT_S
            while sum(bool(tasks) for tasks in client.processing().values()) < 2:
                assert batch.poll() is None and time.monotonic() < deadline_s, batch.communicate()
            workers[0].send_signal(signal.SIGKILL)
            out, err = batch.communicate(timeout=WAIT_S)
        assert batch.returncode == 2, (out, err)
        assert len(client.scheduler_info()["workers"]) == 1, "one worker was killed"
    assert "dashboard: http://" in err
    assert "failed: bad: " in err and "broken.wav" in err
    assert "2 prepared, 1 up to date, 1 failed" in out
    assert sorted(p.name for p in library.iterdir()) == ["one", "there", "two"], "nothing else is left"
    for name in ("one", "two"):
        assert_same(library / name, alone)


def test_one_command_has_workers_of_its_own(recordings: Path, alone: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    shutil.copytree(alone, library / "there")
    catalog = write_catalog(recordings / "more.csv", ("there", "o.wav", "po.wav"), ("bad", "broken.wav", "po.wav"))
    words = ["batch", str(catalog), "--out", str(library), "--workers", "1", "--progress-lines"]
    code, out, err = run(words, "offline_prep")
    told = [json.loads(line) for line in out.splitlines()]
    assert {line["piece"]: line["outcome"] for line in told} == {"there": "up to date", "bad": "failed"}
    assert (code, told[-1]["share"]) == (2, 1.0)
    (line,) = err.splitlines()
    assert line.startswith("failed: bad: ") and "broken.wav" in line


@pytest.fixture(params=["memory", "s3"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A library at an address: in fsspec's memory, and in a bucket of a real S3 server of our own."""
    if request.param == "memory":
        import fsspec

        yield "memory://pieces/library"
        fsspec.filesystem("memory").rm("/pieces", recursive=True)
        return
    # Their botocores are pinned so tightly that pip finds them together only by luck: not in the extra `dev`.
    pytest.importorskip("s3fs", reason="s3fs (extra `s3`) is not installed: S3 is NOT tested")
    moto = pytest.importorskip("moto.server", reason="moto[s3,server] is not installed: S3 is NOT tested")
    import boto3

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:
        boto3.client("s3").create_bucket(Bucket="pieces")
        yield "s3://pieces/library"
    finally:
        server.stop()


@pytest.mark.filterwarnings("default")
def test_a_library_in_a_bucket_holds_the_same_bytes_and_is_left_when_up_to_date(
    bucket: str, recordings: Path, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    made: list[Path] = []

    def copied(inputs: Inputs, out: Path, settings: PrepSettings) -> Any:
        made.append(out)
        shutil.copytree(alone, out)
        return build_cache(inputs, out, settings)

    monkeypatch.setattr("offline_prep.stores.build_cache", copied)
    inputs = Inputs(recordings / "o.wav", recordings / "po.wav")
    check_library(bucket)
    assert not store_piece(bucket, "piece", inputs, force=False).unchanged
    files, folder = fsspec.core.url_to_fs(f"{bucket}/piece", skip_instance_cache=True)
    files.get(f"{folder}/", str(tmp_path / "fetched"), recursive=True)
    assert_same(tmp_path / "fetched", alone)
    assert store_piece(bucket, "piece", inputs, force=False).unchanged
    files.rm_file(f"{folder}/po_mfcc.npy")
    again = store_piece(bucket, "piece", inputs, force=False)
    assert not again.unchanged and again.outdated == "it lacks po_mfcc.npy"
    # A writer that died before its manifest has left no cache.
    files.rm_file(f"{folder}/{MANIFEST}")
    assert not store_piece(bucket, "piece", inputs, force=False).unchanged
    assert len(made) == 3


def test_what_cannot_be_a_library_is_said_before_the_work(recordings: Path, alone: Path) -> None:
    with pytest.raises(InputError, match="is a file"):
        check_library(str(recordings / "o.wav"))
    with pytest.raises(InputError, match="is a cache itself"):
        check_library(str(alone))
    with pytest.raises(InputError, match="an address fsspec knows"):
        check_library("nowhere://bucket/pieces")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the columns name, orchestra, mix"),
        ("name,orchestra\na,b\n", "lacks the columns mix"),
        ("name,orchestra,mix,colour\na,b,c,d\n", "unknown columns colour"),
        ("name,orchestra,mix\n", "has no pieces"),
        ("name,orchestra,mix\na,b,\n", "line 2: no mix"),
        ("name,orchestra,mix\na,b,c,d\n", "line 2: more fields than columns"),
        ("name,orchestra,mix\n../a,b,c\n", "line 2: '../a' cannot be a piece's name"),
        ("name,orchestra,mix\n.a,b,c\n", "line 2: '.a' cannot be a piece's name"),
        ("name,orchestra,mix\na,b,c\nA,b,c\n", "names 'A' twice"),
        ('name,orchestra,mix\n"a,b,c\n', "cannot read the catalogue"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_catalog(path)


def test_paths_are_from_the_catalogues_folder_and_stems_may_be_given(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text("name,mix,orchestra,mix_orchestra\nK. 466,po.wav,/abs/o.wav,s.wav\nb,x,y,\n", encoding="utf-8")
    first, second = read_catalog(path)
    assert first.name == "K. 466"
    assert first.inputs == Inputs(Path("/abs/o.wav"), tmp_path / "po.wav", None, tmp_path / "s.wav")
    assert second.inputs.mix_orchestra is None


@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_no_bytes_are_more_than_one_sentence(data: bytes) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"catalog-{os.getpid()}.csv"
    path.write_bytes(b"name,orchestra,mix\n" + data)
    try:
        assert all("/" not in entry.name for entry in read_catalog(path))
    except InputError:
        pass
    finally:
        path.unlink()
