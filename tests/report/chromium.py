"""A real browser without a window, spoken to over a pipe in its own debugging protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)  # fmt: skip
_KEYS = {
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9, "Home": 36,
    "End": 35, "+": 187, "-": 189, "0": 48,
}  # fmt: skip
_PATIENCE_S = 60.0


def installed() -> str | None:
    """The program, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One browser with one page.

    Attributes
    ----------
    complaints : list of str
        What was written to the console, and what the page's policy refused.
    """

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()

        def inherit() -> None:
            """The browser reads from 3 and writes to 4."""
            reads, writes = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        self._process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=inherit, close_fds=False,  # noqa: PLW1509
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._write, self._read = ours, theirs
        self._buffer = b""
        self._session: str | None = None
        self._last = 0
        self._requested: dict[str, str] = {}
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has gone"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        about = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self._requested[about["requestId"]] = about["request"]["url"]
            case "Network.loadingFailed" if about.get("blockedReason") == "csp":
                del self._requested[about["requestId"]]
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(about["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(about["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(about["entry"]["text"])
            case "Page.javascriptDialogOpening":
                self.complaints.append(f"dialog: {about['message']}")

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for, but for those in the page itself and refused ones."""
        return [url for url in self._requested.values() if not url.startswith("data:")]

    def open(self, path: Path) -> None:
        """Show a file, and wait until it is all there."""
        self._requested.clear()
        self.complaints.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait(
            "document.readyState === 'complete' && [...document.images].every(i => i.complete)"
        )

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + _PATIENCE_S
        while not self.run(condition):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.02)

    def settle(self) -> None:
        """Until what was changed is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def size(self, width: int, height: int, *, dots: float = 1.0) -> None:
        """Of the window, in pixels of style sheets; ``dots`` on the screen for each."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=dots, mobile=False,
        )  # fmt: skip

    def media(self, *, scheme: str = "light", medium: str = "") -> None:
        """Light or dark, screen or print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=medium, features=features)

    def press(self, key: str) -> None:
        """A key, on what has the focus."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)
        self.settle()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """With the left button of the mouse."""
        self._mouse("mouseMoved", start, buttons=0)
        self._mouse("mousePressed", start, buttons=1)
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        for place in (middle, end):
            self._mouse("mouseMoved", place, buttons=1)
        self._mouse("mouseReleased", end, buttons=0)
        self.settle()

    def _mouse(self, kind: str, place: tuple[float, float], *, buttons: int) -> None:
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], buttons=buttons,
            button="none" if kind == "mouseMoved" and not buttons else "left", clickCount=1,
        )  # fmt: skip

    def wheel(self, place: tuple[float, float], down: float, *, control: bool) -> None:
        """Turn the wheel."""
        self.call(
            "Input.dispatchMouseEvent", type="mouseWheel", x=place[0], y=place[1], deltaX=0,
            deltaY=down, modifiers=2 if control else 0,
        )  # fmt: skip
        self.settle()

    def picture(self, *, whole: bool = False) -> bytes:
        """A PNG of what is seen, or of the whole page."""
        self.settle()
        options: dict[str, Any] = {"captureBeyondViewport": whole}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {**size, "scale": 1}
        return b64decode(self.call("Page.captureScreenshot", format="png", **options)["data"])

    def pdf(self) -> bytes:
        """The page as it is printed."""
        found = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        return b64decode(found["data"])

    def close(self) -> None:
        """End the browser."""
        self._session = None
        try:
            self.call("Browser.close")
        except (AssertionError, OSError):
            self._process.kill()
        self._process.wait(timeout=_PATIENCE_S)
        os.close(self._write)
        os.close(self._read)
