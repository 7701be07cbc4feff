"""For tests about workers that come and go: clients that ask all the while, and remember who answered."""

import signal
import threading
import time

import control
from timing import wait_until

# Answers with its pid, and with the text of the file "answer" when it was imported. A process that finds the file
# "slow" imports slowly; "broken" is executed.
APP = '''
import ctypes, os, time

def read(name):
    return open(name).read() if os.path.exists(name) else ""

if slow := read("slow"):
    time.sleep(float(slow))
exec(read("broken"))
answer = read("answer") or os.environ.get("ANSWER", "")


def application(environ, start_response):
    name, _, argument = environ["PATH_INFO"][1:].partition("/")
    if name == "sleep":
        time.sleep(float(argument))
    if name == "deadlock":  # with the GIL
        mutex = ctypes.create_string_buffer(64)
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Answer", answer)])
    return [b"%d" % os.getpid()]
'''


class Asking:
    """So many threads that are in run(number) until the end of the block, where self.stopped is set. What run needs is set before."""

    def __init__(self, server, count):
        self.server, self.stopped = server, False
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        for thread in self.threads:
            thread.join()


class Clients(Asking):
    """Ask again and again, each request on a new connection, until the end of the block."""

    def __init__(self, server, count, path="/"):
        self.path = path
        self.failures, self.pids, self.slowest = [], [], 0
        super().__init__(server, count)

    def run(self, number):
        while not self.stopped:
            begun = time.monotonic()
            try:
                response = self.server.get(self.path)
                assert response.status == 200, response
                self.pids.append(int(response.body))
            except (AssertionError, OSError) as error:
                self.failures.append(repr(error))
            self.slowest = max(self.slowest, time.monotonic() - begun)
            time.sleep(0.005)


def write(server, name, text):
    (server.directory / name).write_text(str(text))


def answers(server):
    """What each of some requests got."""
    return [server.get("/").get("X-Answer") for _ in range(10)]


# name, what a file "broken" has, what the log says of it
BAD = [
    ("an-exception", "raise RuntimeError('not today')", "RuntimeError: not today"),
    ("a-syntax-error", "1 +", "\nSyntaxError: "),
    ("an-exit", "import os; os._exit(5)", "exited with status 5"),
    ("a-crash", "import os; os.abort()", "killed by signal 6"),
]
TRIES = 10


def reload_in_vain(server, code, said):
    """Again and again, with clients: they do not notice, and the workers are those that there were. It has a control socket."""
    old = server.worker_pids()
    write(server, "broken", code)
    with Clients(server, 4) as clients:
        for count in range(1, TRIES + 1):
            server.signal(signal.SIGHUP)
            wait_until(lambda count=count: server.log.count("not reloaded: worker 0") == count, "it is told")
    assert clients.failures == [] and set(clients.pids) == set(old)
    assert server.log.count(said) == TRIES, "each time once"
    assert control.status(server)["generation"] == "1"


def reload_mended(server):
    (server.directory / "broken").unlink()
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in")
    assert control.status(server)["generation"] == "2"
