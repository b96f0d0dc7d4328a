"""A real Chromium without a screen, driven over the DevTools protocol through a pipe: no port, no driver.

https://chromedevtools.github.io/devtools-protocol/.  Messages are JSON, each ended by a NUL; Chromium reads
them from its descriptor 3 and answers on 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.tools import require
from tests.waiting import until

PATIENCE = 45.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # containers run as root, and give no user namespaces
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing leaves the machine
    "--remote-debugging-pipe",
)


_PLAYER = """(() => {
    const { buffered, currentTime, error, networkState, paused, readyState, seeking } = video;
    const runs = [...Array(buffered.length).keys()].map(i => [buffered.start(i), buffered.end(i)]);
    return { currentTime, error: error?.message, networkState, paused, readyState, runs, seeking };
})()"""  # what to know of a player that does not


class Browser:
    """A context manager.  `autoplay`: pages may play without a person's click; `flags`: more for Chromium."""

    def __init__(self, profile: Path, *, autoplay: bool = True, flags: tuple[str, ...] = ()) -> None:
        chromium = require("chromium")
        policy = "no-user-gesture-required" if autoplay else "document-user-activation-required"
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        # the shell gives the two pipes the numbers that Chromium expects
        command = f'exec "$@" 3<&{to_child} 4>&{from_child}'
        flags = (*_FLAGS, *flags, f"--user-data-dir={profile}", f"--autoplay-policy={policy}")
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", chromium, *flags, "about:blank"],
            pass_fds=(to_child, from_child),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(profile)},
        )
        os.close(to_child)
        os.close(from_child)
        self._unread = b""
        self._last_id = 0
        self._pages: dict[str, Page] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._write)  # Chromium ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._read)

    def page(self, *, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        """An empty page of its own: no cookies, no cache, nothing of another's."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        page.begin(width, height, dark)
        return page

    def close_pages(self) -> None:
        for context in self.call("Target.getBrowserContexts")["browserContextIds"]:
            self.call("Target.disposeBrowserContext", browserContextId=context)
        self._pages.clear()

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """What Chromium answers; events that come before go to their pages."""
        self._last_id += 1
        wanted = self._last_id
        message = {"id": wanted, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") == wanted:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            if answer.get("sessionId") in self._pages:
                self._pages[answer["sessionId"]].heard(answer["method"], answer["params"])

    def _next(self, deadline: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"Chromium does not answer {method}"
            data = os.read(self._read, 1 << 16)
            assert data, f"Chromium ended before it answered {method}"
            self._unread += data
        message, self._unread = self._unread.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found


class Page:
    """`requests` are the URLs it asked for, `errors` what the console and the content policy said."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._browser = browser
        self._session = session

    def begin(self, width: int, height: int, dark: bool) -> None:
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def heard(self, event: str, params: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif event == "Log.entryAdded" and params["entry"]["source"] != "network":
            self.errors.append(params["entry"]["text"])

    def goto(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are awaited, objects become {}."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, expression: str, timeout: float = PATIENCE) -> Any:
        """The first true value of an expression; says what the page showed when it never was."""
        try:
            return until(lambda: self.evaluate(expression), timeout, expression)
        except AssertionError as exc:
            shown = self.evaluate("document.body.innerText")
            player = self.evaluate(_PLAYER)
            raise AssertionError(f"{exc}\nplayer: {player}\nshown: {shown!r}\nerrors: {self.errors}") from exc

    def text(self, selector: str) -> str:
        """What a person sees there; nothing while it is hidden."""
        it = f"document.querySelector({json.dumps(selector)})"
        found: str = self.evaluate(f"{it}?.checkVisibility() ? {it}.innerText.trim() : ''")
        return found

    def shown(self, selector: str, beginning: str = "", timeout: float = PATIENCE) -> str:
        """The text there once a person sees it, and it begins so."""
        it = f"document.querySelector({json.dumps(selector)})"
        self.until(
            f"{it}?.checkVisibility() && {it}.innerText.trim().startsWith({json.dumps(beginning)})", timeout
        )
        return self.text(selector)

    def gone(self, *selectors: str) -> None:
        """Return once a person sees nothing at each of these."""
        for selector in selectors:
            until(
                lambda selector=selector: not self.text(selector), PATIENCE, lambda s=selector: self.text(s)
            )

    def seek(self, seconds: float) -> float:
        """Where the player arrives, which goes on from there."""
        found: float = self.evaluate(
            "new Promise((done) => {"
            " video.addEventListener('seeked', () => done(video.currentTime), { once: true });"
            f" video.currentTime = {seconds}; video.play().catch(() => {{}}) }})"
        )
        return found

    def click(self, selector: str, across: float = 0.5) -> None:
        """A real click, at this share of the element's width."""
        box = self.evaluate(
            f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}}),"
            f" document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
        )
        at = {"x": box["x"] + box["width"] * across, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        code = {" ": 32, "Enter": 13, "Tab": 9, "ArrowLeft": 37, "ArrowRight": 39}.get(
            key, ord(key[0].upper())
        )
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
