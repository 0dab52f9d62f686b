"""A headless Chromium driven over a pipe (the DevTools protocol): real keys, no network, the standard library only."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any

from attrs import define, field

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60
"""Seconds without a word after which a test fails."""
KEYS = {"ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "ArrowDown": 40}

LAUNCHER = """
import os, sys
from fcntl import F_DUPFD, fcntl
ends = [fcntl(int(end), F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, after moving two pipes to the descriptors that it wants."""

MIDDLE = """(() => {
  const found = document.querySelector(SELECTOR);
  found.scrollIntoView({ block: "center" });
  const box = found.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""


def find_browser() -> str | None:
    """Return the path of a Chromium, if one is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@define
class Page:
    """A tab of the browser. ``events`` is what the browser reported in between."""

    reader: Any
    writer: Any
    session: str = ""
    pending: bytes = b""
    number: int = 0
    events: list[dict[str, Any]] = field(factory=list)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        message |= {"sessionId": self.session} if self.session else {}
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        while (answer := self.read()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def read(self) -> dict[str, Any]:
        """Read one message, which ends with a zero byte."""
        while b"\0" not in self.pending:
            assert select([self.reader], [], [], PATIENCE)[0], "the browser is silent"
            data = os.read(self.reader.fileno(), 1 << 16)
            assert data, "the browser has ended"
            self.pending += data
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def open(self, url: str) -> None:
        """Load a page."""
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.read())

    def ask(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, as a keyboard does."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse."""
        place = self.ask(MIDDLE.replace("SELECTOR", json.dumps(selector)))
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)
        self.ask("new Promise((done) => setTimeout(() => setTimeout(done)))")  # let the page react to a new address

    def reported(self, method: str) -> list[dict[str, Any]]:
        """Return the events of a kind so far."""
        self.ask("0")
        return [event["params"] for event in self.events if event["method"] == method]


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Page]:
    """Start a browser with one empty tab. It reads commands from descriptor 3 and answers on 4."""
    (from_us, to_it), (from_it, to_us) = os.pipe(), os.pipe()
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
    switches += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    start = [sys.executable, "-c", LAUNCHER, str(from_us), str(to_us), program, *switches]
    process = subprocess.Popen(start, pass_fds=(from_us, to_us), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(from_us)
    os.close(to_us)
    with os.fdopen(from_it, "rb") as reader, os.fdopen(to_it, "wb") as writer:
        try:
            page = Page(reader, writer)
            target = page.call("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                page.call(f"{domain}.enable")
            yield page
        finally:
            process.terminate()
            process.wait(30)
