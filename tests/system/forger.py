"""An application that abuses the pipes, sockets and memory that it shares with the master and other workers.

Each path is one such deed, which is over when it is answered."""

APP = '''
import array, contextlib, fcntl, os, random, re, socket, stat, struct, time

F_SETPIPE_SZ = 1031


def descriptors(kind):
    """Those of this process that are of a kind, by their numbers; standard streams are not what is meant."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if int(name) > 2 and kind(os.fstat(int(name)).st_mode):
                yield int(name)


def pipes():
    return list(descriptors(stat.S_ISFIFO))


def packet_sockets():
    for number in descriptors(stat.S_ISSOCK):
        with contextlib.suppress(OSError):
            with socket.socket(fileno=os.dup(number)) as one:
                if one.family == socket.AF_UNIX and one.type == socket.SOCK_SEQPACKET:
                    yield one


def pour(data):
    for number in pipes():
        with contextlib.suppress(OSError):
            os.set_blocking(number, False)
            os.write(number, data)


def fill():
    for _ in range(20):
        pour(b"x" * 4096)


def enlarge():
    for number in pipes():
        with contextlib.suppress(OSError):
            fcntl.fcntl(number, F_SETPIPE_SZ, 1 << 20)
    pour(b"x" * 100000)


def scribble():
    enlarge()
    pour(random.randbytes(100000))


def drain():
    for number in pipes():
        with contextlib.suppress(OSError):
            thief = os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_NONBLOCK)
            while os.read(thief, 65536):
                pass
            os.close(thief)


def close_pipes():
    for number in pipes():
        with contextlib.suppress(OSError):
            os.close(number)


def send(one, data, files=()):
    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
    with contextlib.suppress(OSError):
        one.sendmsg([data], beside, socket.MSG_DONTWAIT)


PACKETS = [b"", b"x", b"1234567", b"\\1\\0\\0\\0" * 2, b"x" * 60000]


def mail():
    """Also with the pids of others, and with each kind of message that there is."""
    for one in packet_sockets():
        for data in PACKETS:
            send(one, data)
        for kind in range(-1, 20):
            for pid in (0, 1, -1, os.getppid(), os.getpid()):
                send(one, struct.pack("ii", kind, pid))
        for _ in range(20):
            send(one, random.randbytes(random.choice([8, 12, 100])))


def attach():
    """Descriptors beside each message, one, two, and more than anybody has room for."""
    with open("/dev/null") as null:
        for one in packet_sockets():
            for count in (1, 2, 3, 60):
                for data in PACKETS[1:]:
                    send(one, data, [null.fileno()] * count)


def flood():
    """Until others have read thousands of messages that are no parcels."""
    ends, sent = [one.dup() for one in packet_sockets()], 0
    while sent < 3000:
        for one in ends:
            try:
                sent += one.send(b"x" * 300, socket.MSG_DONTWAIT) > 0
            except OSError:
                time.sleep(0.001)


def noise():
    """On the scoreboard."""
    for line in open("/proc/self/maps"):
        if "gateway scoreboard" in line:
            start, end = (int(number, 16) for number in re.match("([0-9a-f]+)-([0-9a-f]+)", line).groups())
            with open("/proc/self/mem", "r+b", 0) as memory:
                memory.seek(start)
                memory.write(random.randbytes(end - start))


deeds = {name: value for name, value in globals().items() if callable(value)}


def application(environ, start_response):
    name = environ["PATH_INFO"][1:]
    if name in deeds:
        deeds[name]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
'''
