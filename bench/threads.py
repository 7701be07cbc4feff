"""Eight threads, and calls that block some of them or all."""
import time
from concurrent.futures import ThreadPoolExecutor

import load
import paced

THREADS = 8
SLEEPING = 0.1              # share of the requests that do, in `mixed`
SLEEP = 0.2                 # seconds
RATES = [60, 120, 240]      # requests/s: 15, 30 and 60 % of what THREADS can do
BLOCK = 0.05                # seconds, in `blocked`
WAYS = ["sleep", "native"]


def measure_mixed(_child, address, scenario, seconds, number):
    """By connection: wrk twice at once. By request: see paced.py; all servers of a round get the same arrivals."""
    sleeping = round(scenario.connections * SLEEPING)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(load.wrk, address, scenario, seconds, f"/sleep/{SLEEP * 1000:.0f}", sleeping)
        fast = pool.submit(load.wrk, address, scenario, seconds, "/", scenario.connections - sleeping)
        slow, fast = slow.result(), fast.result()
    figures = {"rate": fast["requests"] / fast["seconds"], "p50": fast["p50"] / 1e6, "p99": fast["p99"] / 1e6,
               "slow": slow["requests"] / slow["seconds"] / (sleeping / SLEEP),
               "errors": {kind: count + slow["errors"][kind] for kind, count in fast["errors"].items()}}
    for rate in RATES:
        arrivals = paced.arrivals(rate, seconds, SLEEPING, rate + number)
        ideal = paced.instant_times(paced.ideal(arrivals, THREADS, SLEEP))
        real = paced.measure(address, scenario.connections, SLEEP, arrivals)
        for key in ("p50", "p99"):
            figures[f"ideal {key} {rate}"], figures[f"paced {key} {rate}"] = ideal[key], real[key]
    return figures


def measure_blocked(_child, address, scenario, seconds, _number):
    """Answers per second, as a share of what is possible, once all threads have been started."""
    figures = {"errors": {}}
    for way in WAYS:
        path = f"/{way}/{BLOCK * 1000:.0f}"
        load.wrk(address, scenario, 1, path)
        time.sleep(2 * scenario.connections * BLOCK / THREADS)  # what wrk left behind is still worked on
        result = load.wrk(address, scenario, seconds, path)
        figures[way] = result["requests"] / result["seconds"] / (THREADS / BLOCK)
        for kind, count in result["errors"].items():
            figures["errors"][kind] = figures["errors"].get(kind, 0) + count
    return figures
