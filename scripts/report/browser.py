"""Drives a headless Chromium through its debugging pipe, standard library only: opens files from disk, moves a real
mouse, presses real keys, and notes every error and every request that a page makes."""
import base64
import fcntl
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

TIMEOUT = 60
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class BrowserError(Exception):
    pass


def find_chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    def __init__(self, program):
        self.profile = tempfile.TemporaryDirectory(prefix="report-page-test-", ignore_cleanup_errors=True)
        ours = [os.pipe(), os.pipe()]
        # The browser reads from 3 and writes to 4; numbers above keep the shell's redirections from meeting them.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (ours[0][0], ours[1][1])]
        options = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.profile.name}", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu",
                   "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars", "--mute-audio",
                   "--host-resolver-rules=MAP * ~NOTFOUND", "about:blank"]
        if os.geteuid() == 0:
            options.insert(0, "--no-sandbox")
        shell = 'exec "$0" "$@" 3<&%d 4>&%d' % tuple(theirs)
        self.process = subprocess.Popen(["bash", "-c", shell, program, *options], pass_fds=theirs, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        for fd in (*theirs, ours[0][0], ours[1][1]):
            os.close(fd)
        self.to, self.back = os.fdopen(ours[0][1], "wb", buffering=0), os.fdopen(ours[1][0], "rb", buffering=0)
        self.answers, self.events, self.last = queue.Queue(), [], 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        waiting = b""
        while data := self.back.read(1 << 16):
            *messages, waiting = (waiting + data).split(b"\0")
            for message in map(json.loads, messages):
                (self.answers.put if "id" in message else self.events.append)(message)
        self.answers.put(None)

    def call(self, method, session=None, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params, **({"sessionId": session} if session else {})}
        # One write may take only a part of a long message.
        left = json.dumps(message).encode() + b"\0"
        while left:
            left = left[self.to.write(left):]
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                answer = self.answers.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise BrowserError(f"{method}: no answer in {TIMEOUT} s") from None
            if answer is None:
                raise BrowserError(f"{method}: the browser ended")
            if answer["id"] == self.last:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def close(self):
        try:
            self.call("Browser.close")
        except (BrowserError, OSError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.to.close()
        self.profile.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Page:
    """One tab. `problems()` holds whatever went wrong in it since it was opened."""

    def __init__(self, browser, url, width=1280, height=900, dark=False, reduced_motion=True):
        self.browser, self.first_event = browser, len(browser.events)
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}])
        self.url = url
        if error := self.call("Page.navigate", url=url).get("errorText"):
            raise BrowserError(f"{url}: {error}")
        self.wait("document.readyState === 'complete'")

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(f"{expression[:120]}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def wait(self, condition, seconds=30):
        until = time.monotonic() + seconds
        while not self.evaluate(condition):
            if time.monotonic() > until:
                raise BrowserError(f"waited {seconds} s for: {condition}")
            time.sleep(0.02)

    def box(self, selector):
        """The viewport box of an element, scrolled into view."""
        box = self.evaluate(
            "(() => { const e = document.querySelector(%s); if (!e) return null; e.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const b = e.getClientRects()[0]; return b ? [b.left, b.top, b.width, b.height] : null; })()" % json.dumps(selector))
        if not box:
            raise BrowserError(f"nothing to see at {selector}")
        return box

    def point(self, selector, x=0.5, y=0.5):
        left, top, width, height = self.box(selector)
        return left + x * width, top + y * height

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def hover(self, selector, x=0.5, y=0.5):
        at = self.point(selector, x, y)
        self.mouse("mouseMoved", *at)
        return at

    def away(self):
        self.mouse("mouseMoved", 1, 1)

    def click(self, selector, x=0.5, y=0.5):
        at = self.hover(selector, x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, *at, button="left", clickCount=1)

    def tap(self, selector, x=0.5, y=0.5):
        at = self.point(selector, x, y)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": at[0], "y": at[1]}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, name, modifiers=0):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if name == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=KEYS[name], modifiers=modifiers, **text)

    def screenshot(self, path, whole=False):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def problems(self):
        self.evaluate("new Promise(done => setTimeout(done, 50))")  # let what is under way be reported
        found = []
        for event in self.browser.events[self.first_event:]:
            if event.get("sessionId") != self.session:
                continue
            method, params = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                found.append("exception: " + details.get("exception", {}).get("description", details["text"]))
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(f"console {params['type']}: {[arg.get('value', arg.get('description')) for arg in params['args']]}")
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"log {params['entry']['level']}: {params['entry']['text']}")
            elif method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith("data:") and url.split("#")[0] != self.url.split("#")[0]:
                    found.append(f"request: {url[:200]}")
            elif method in ("Page.javascriptDialogOpening", "Page.windowOpen", "Network.webSocketCreated"):
                found.append(f"{method}: {params.get('message', params.get('url'))}")
        return found

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
