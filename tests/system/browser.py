"""A headless Chromium, driven over its debugging pipe: enough to open a page, look at it, and hear what it complains of.

    with Browser() as browser:
        browser.open(url, width=360, scheme="dark")
        assert browser.evaluate("document.title") == "..."
        assert browser.complaints == [] and all(...  for url in browser.requested)
"""

import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from timing import PATIENCE

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-extensions --no-proxy-server --remote-debugging-pipe"
).split()


class Browser:
    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="gateway-test-")
        commands, self.output = os.pipe()
        self.input, events = os.pipe()
        pipe = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (commands, events)]

        def place_pipe():
            os.dup2(pipe[0], 3)
            os.dup2(pipe[1], 4)

        self.process = subprocess.Popen(
            [PROGRAM, *FLAGS, f"--user-data-dir={self.directory}"],
            preexec_fn=place_pipe,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for fd in (commands, events, *pipe):
            os.close(fd)
        self.buffer, self.number, self.session = b"", 0, None
        self.requested, self.complaints = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Page"):
            self.call(domain + ".enable")
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close", session=False)
        except (OSError, AssertionError):
            pass
        os.close(self.output)
        os.close(self.input)
        self.process.wait(PATIENCE)
        shutil.rmtree(self.directory, ignore_errors=True)

    def call(self, method, session=True, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if session and self.session:
            command["sessionId"] = self.session
        os.write(self.output, json.dumps(command).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while (answer := self.receive(end)) is None or answer.get("id") != self.number:
            assert time.monotonic() < end, f"no answer to {method}"
        assert "error" not in answer, answer
        return answer["result"]

    def receive(self, end):
        """The next message, None when none has come by then."""
        while b"\0" not in self.buffer:
            if not select.select([self.input], [], [], max(0, end - time.monotonic()))[0]:
                return None
            data = os.read(self.input, 1 << 16)
            if not data:
                raise OSError("the browser is gone")
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        message = json.loads(message)
        self.note(message.get("method"), message.get("params"))
        return message

    def note(self, method, event):
        if method == "Network.requestWillBeSent":
            self.requested.append(event["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(event["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(event["args"])
        elif method == "Log.entryAdded":
            self.complaints.append(event["entry"])

    def listen(self, seconds):
        end = time.monotonic() + seconds
        while self.receive(end) is not None:
            pass

    def open(self, url, width=1180, height=900, scheme="light"):
        mobile = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def leave(self):
        self.call("Page.navigate", url="about:blank")

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, f"in vain: {expression}"
            self.listen(0.05)
        return value
