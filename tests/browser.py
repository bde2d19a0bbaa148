"""A headless Chromium, driven over its DevTools protocol with the websockets library the project has anyway."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

WAIT_S = 60.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
    "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)  # fmt: skip


def chromium() -> str | None:
    """Path of the browser, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One page in a browser of its own; ends with the context, and at the latest after `wait_s`."""

    def __init__(self, url: str, folder: Path, *flags: str, wait_s: float = WAIT_S) -> None:
        program = chromium()
        assert program is not None
        self._process = subprocess.Popen(
            [program, *FLAGS, *flags, f"--user-data-dir={folder / 'browser'}", "about:blank"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
        self._watchdog = threading.Timer(wait_s, self._process.kill)
        self._watchdog.start()
        assert self._process.stderr is not None
        address = next(
            (line.split()[-1] for line in self._process.stderr if line.startswith("DevTools listening on ")), None
        )
        assert address is not None, "the browser ended early"
        # The browser goes on writing; nobody reads it then, so it must not fill the pipe.
        self._drain = threading.Thread(target=lambda: [None for _ in self._process.stderr or ()], daemon=True)
        self._drain.start()
        self._context = connect(address, compression=None, proxy=None, max_size=None)
        self._socket = self._context.__enter__()
        self._numbers = itertools.count(1)
        self.faults: list[str] = []
        self.requests: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    @property
    def pid(self) -> int:
        """Of the browser's process, which has started the others."""
        return self._process.pid

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self._context.__exit__(None, None, None)
        self._process.kill()
        self._process.wait()
        self._drain.join()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        found = self._answer(method, session, **parameters)
        assert "error" not in found, found
        result: dict[str, Any] = found["result"]
        return result

    def answer(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers to a DevTools command for the page: `result`, or `error`."""
        return self._answer(method, self._session, **parameters)

    def _answer(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        content = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(content if session is None else {**content, "sessionId": session}))
        while True:
            message = json.loads(self._socket.recv(timeout=WAIT_S))
            self._note(message)
            if message.get("id") == number:
                found: dict[str, Any] = message
                return found

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A DevTools command for the page."""
        return self._call(method, self._session, **parameters)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.faults.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.faults.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(parameters["url"])

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is in the page."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_until(self, condition: str) -> None:
        """Wait, frame by frame, until a JavaScript expression is true."""
        look = (
            f"new Promise((done) => {{ const look = () => ({condition}) ? done(true) : requestAnimationFrame(look);"
            " look(); })"
        )
        while True:
            found = self.answer("Runtime.evaluate", expression=look, awaitPromise=True, returnByValue=True)
            if "navigated" not in str(found.get("error")):  # else the page was only just being loaded
                assert "error" not in found and "exceptionDetails" not in found["result"], found
                return

    def click(self, identity: str) -> None:
        """Press a button."""
        self.value(f"document.getElementById({json.dumps(identity)}).click()")

    def text(self, identity: str) -> str:
        """An element's text."""
        return str(self.value(f"document.getElementById({json.dumps(identity)}).textContent"))
