"""numpy: a C extension that gives the GIL up in the middle of a call and keeps threads of its own (OpenBLAS).

What went wrong once, elsewhere: it can be imported once in a process only, so not in subinterpreters; its threads do not
survive a fork.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from debian import APPS, needs

needs(numpy="python3-numpy")


@pytest.mark.parametrize("options", [["--threads", 1], ["--threads", 4], ["--preload"]], ids=str)
def test_calls_at_once_compute_what_one_does(serve, options):
    server = serve("numbers_site", "--pythonpath", APPS, *options)
    alone = [json.loads(server.get(f"/{seed}").text) for seed in range(8)]
    assert len({answer["sum"] for answer in alone}) == 8 and all(answer["inverted"] for answer in alone)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda seed: json.loads(server.get(f"/{seed % 8}").text), range(64)))
    assert together == alone * 8
