"""A headless Firefox, driven over WebDriver BiDi with the websockets library the project has anyway."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

WAIT_S = 60.0
PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.cubeb.sandbox": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "remote.active-protocols": 1,
}


def firefox() -> str | None:
    """Path of the browser, or None."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class FirefoxPage:
    """One page in a browser of its own, with Firefox's fake microphone (a tone); ends with the context.

    Args:
        url: what it opens.
        folder: for its profile.
        env: its environment; it needs a sound server, or its audio clock stands still.
    """

    def __init__(self, url: str, folder: Path, env: Mapping[str, str]) -> None:
        program = firefox()
        assert program is not None
        profile = folder / "firefox"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
        self._process = subprocess.Popen(
            [program, "--headless", "--remote-debugging-port=0", "--profile", str(profile), "--no-remote"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**env, "HOME": str(folder)},
        )  # fmt: skip
        self._watchdog = threading.Timer(WAIT_S, self._process.kill)
        self._watchdog.start()
        assert self._process.stderr is not None
        address = next((line.split()[-1] for line in self._process.stderr if "BiDi listening on " in line), None)
        assert address is not None, "the browser ended early"
        self._drain = threading.Thread(target=lambda: [None for _ in self._process.stderr or ()], daemon=True)
        self._drain.start()
        self._connection = connect(f"{address}/session", compression=None, proxy=None, max_size=None)
        self._socket = self._connection.__enter__()
        self._numbers = itertools.count(1)
        self.faults: list[str] = []
        self._call("session.new", capabilities={})
        self._call("session.subscribe", events=["log.entryAdded"])
        self._context = self._call("browsingContext.getTree")["contexts"][0]["context"]
        self._call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def __enter__(self) -> FirefoxPage:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self._connection.__exit__(None, None, None)
        self._process.kill()
        self._process.wait()
        self._drain.join()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=WAIT_S))
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.faults.append(str(message["params"]["text"]))
            if message.get("id") == number:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is in the page."""
        found = self._call(
            "script.evaluate", expression=expression, awaitPromise=True, target={"context": self._context}
        )
        assert found["type"] == "success", found
        return found["result"].get("value")

    def wait_until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        self.value(
            f"new Promise((done) => {{ const look = () => ({condition}) ? done(true) : requestAnimationFrame(look);"
            " look(); })"
        )

    def click(self, identity: str) -> None:
        """Press a button."""
        self.value(f"document.getElementById({json.dumps(identity)}).click()")

    def picture(self) -> str:
        """The page as a PNG in base64."""
        return str(self._call("browsingContext.captureScreenshot", context=self._context)["data"])
