"""A headless Chromium that is asked by its debugging protocol, over two pipes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe"),
)
KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35, "Tab": 9, "Enter": 13, "+": 187}


class Page:
    """One page.

    Attributes
    ----------
    complaints
        What it wrote to its console as a warning or an error, and exceptions.
    asked
        Addresses that it has asked for.
    """

    def __init__(self, to: int, come: int) -> None:
        self._to, self._from = os.fdopen(to, "wb", buffering=0), os.fdopen(come, "rb")
        self._held, self._number, self._session = b"", 0, ""
        self.complaints: list[str] = []
        self.asked: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        words = {"id": self._number, "method": method, "params": params}
        if self._session:
            words["sessionId"] = self._session
        self._to.write(json.dumps(words).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            more = self._from.read1(1 << 20)
            assert more, "the browser has ended"
            self._held += more
        message, _, self._held = self._held.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        self._listen(told.get("method", ""), told.get("params", {}))
        return told

    def _listen(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("warning", "error"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
            self.complaints.append(str(params["entry"]))

    def size(self, width: int, height: int = 900) -> None:
        """Let the window have so many pixels."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def prefer(self, scheme: str) -> None:
        """Let the system be ``dark`` or ``light``."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._ask("Emulation.setEmulatedMedia", features=[feature])

    def open(self, path: Path) -> None:
        """Open a file and wait until it is there."""
        self._ask("Page.navigate", url=path.absolute().as_uri())
        self.value("new Promise(go => document.readyState === 'complete' ? go() : onload = go)")

    def value(self, script: str) -> Any:
        """What a piece of JavaScript gives; of a promise what it keeps."""
        answer = self._ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        what = {"key": key, "windowsVirtualKeyCode": KEYS[key], "code": key}
        for kind in ("rawKeyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, **what)

    def drag(self, selector: str, across: int) -> None:
        """Press the mouse in the middle of an element, move it, and let it go."""
        box = self.value(
            f"(b => [b.x + b.width / 2, b.y + b.height / 2])"
            f"(document.querySelector('{selector}').getBoundingClientRect())"
        )
        for kind, moved in (("mousePressed", 0), ("mouseMoved", across), ("mouseReleased", across)):
            where = {"x": box[0] + moved, "y": box[1], "button": "left", "buttons": 1}
            self._ask("Input.dispatchMouseEvent", type=kind, clickCount=1, **where)


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Page]:
    """A browser with one page, ended afterwards."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    shell = f'exec "$@" 3<&{to_read} 4>&{from_write}'
    words = ["bash", "-c", shell, "bash", program, *FLAGS, f"--user-data-dir={profile}"]
    with (profile.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            words, pass_fds=(to_read, from_write), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    os.close(to_read)
    os.close(from_write)
    try:
        yield Page(to_write, from_read)
    finally:
        process.terminate()
        process.wait(30)
