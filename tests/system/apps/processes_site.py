"""An application with processes of its own: subprocess, and multiprocessing's pools, forked and spawned."""

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time


def square(number):
    return number * number


def run_filter(data):
    return subprocess.run(["tr", "a-z", "A-Z"], input=data, stdout=subprocess.PIPE, check=True).stdout


def run_python(data):
    """The interpreter that the application has is a Python, whatever embeds it."""
    code = "import sys; print(sys.version_info[:2], sys.prefix)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    same = done.stdout.strip() == f"{sys.version_info[:2]} {sys.prefix}"
    return b"the same" if same else done.stdout.encode()


def pool(method):
    def run(data):
        with multiprocessing.get_context(method).Pool(2) as workers:
            return repr(workers.map(square, range(5))).encode()

    return run


def executor(method):
    def run(data):
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as workers:
            return repr(list(workers.map(square, range(5)))).encode()

    return run


def process(method):
    def run(data):
        child = multiprocessing.get_context(method).Process(target=square, args=(2,))
        child.start()
        child.join(20)
        return str(child.exitcode).encode()

    return run


def fork_and_wait(data):
    child = os.fork()
    if child == 0:
        os._exit(7)
    return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode()


def leave_running(data):
    """A child that outlives the call, and holds no descriptor of the server's."""
    return str(subprocess.Popen(["sleep", "60"]).pid).encode()


both = threading.Barrier(2)


def terminate(data):
    """On two threads at once: which this is, what is blocked in it, and how its children end, by exec and by fork alone."""
    both.wait(20)
    program = subprocess.Popen(["sleep", "60"])
    program.terminate()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join(5)
    try:
        ends = [program.wait(5), child.exitcode]
    finally:
        program.kill()
        child.kill()
    main = threading.current_thread() is threading.main_thread()
    return f"{'main' if main else 'other'} {len(signal.pthread_sigmask(signal.SIG_BLOCK, []))} {ends}".encode()


PAGES = {
    "/filter": run_filter,
    "/python": run_python,
    "/fork": pool("fork"),
    "/forkserver": pool("forkserver"),
    "/spawn": pool("spawn"),
    "/executor-forkserver": executor("forkserver"),
    "/executor-spawn": executor("spawn"),
    "/process-forkserver": process("forkserver"),
    "/process-spawn": process("spawn"),
    "/wait": fork_and_wait,
    "/leave": leave_running,
    "/terminate": terminate,
}


def application(environ, start_response):
    body = PAGES[environ["PATH_INFO"]](environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
