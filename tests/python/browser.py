# SPDX-License-Identifier: BSD-3-Clause
"""A headless Chromium that is told what to do through a pipe (DevTools protocol): pages are opened in a given width and
colour scheme, and everything they write to the console is kept."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 90


class Browser:
    def __init__(self, directory):
        """directory: of its own, for the profile. Starts the browser with an empty page."""
        requests, self.to_browser = os.pipe()
        self.from_browser, answers = os.pipe()

        def plumb():
            # The protocol is on descriptors 3 and 4. Either end may be one of them already, so first out of the way.
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 100) for end in (requests, answers)]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
             f"--user-data-dir={directory}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=plumb, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(requests)
        os.close(answers)
        self.number, self.buffer, self.events, self.session = 0, b"", [], None
        try:
            self.attach()
        except BaseException:
            self.close()
            raise

    def attach(self):
        target = next(t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def message(self, until):
        while b"\0" not in self.buffer:
            ready = select.select([self.from_browser], [], [], max(0, until - time.monotonic()))[0]
            piece = os.read(self.from_browser, 1 << 20) if ready else b""
            if not piece:
                raise TimeoutError("the browser ended" if ready else "the browser does not answer")
            self.buffer += piece
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def ask(self, method, **parameters):
        """A command's answer. Events that come meanwhile are kept."""
        self.number += 1
        command = dict(id=self.number, method=method, params=parameters)
        if self.session:
            command["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(command).encode() + b"\0")
        until = time.monotonic() + PATIENCE_S
        while True:
            message = self.message(until)
            if message.get("id") == self.number:
                assert "error" not in message, message["error"]
                return message["result"]
            self.events.append(message)

    def wait_for(self, event):
        until = time.monotonic() + PATIENCE_S
        while not any(e.get("method") == event for e in self.events):
            self.events.append(self.message(until))

    def open(self, path, width=1280, height=900, dark=False):
        """Opens a file, as on a screen of that width, and forgets what the page before said."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)
        scheme = dict(name="prefers-color-scheme", value="dark" if dark else "light")
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.ask("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("Page.loadEventFired")

    def run(self, expression):
        """The value of a JavaScript expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def complaints(self):
        """What the page wrote to the console, exceptions, and what it tried to load, since it was opened."""
        self.run("new Promise(resolve => setTimeout(resolve, 50))")
        out = []
        for event in self.events:
            about, method = event.get("params", {}), event.get("method")
            if method == "Runtime.exceptionThrown":
                out.append(about["exceptionDetails"]["exception"].get("description", "exception"))
            elif method == "Runtime.consoleAPICalled":
                out.append(" ".join(str(a.get("value")) for a in about["args"]))
            elif method == "Log.entryAdded":
                out.append(about["entry"]["text"])
            elif method == "Network.requestWillBeSent" and not about["request"]["url"].startswith(("file:", "data:")):
                out.append("loads " + about["request"]["url"])
        return out

    def picture(self, path):
        """The whole page as a PNG file."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = dict(x=0, y=0, width=size["width"], height=size["height"], scale=1)
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        os.close(self.to_browser)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
        os.close(self.from_browser)
