"""graphite-web as it is packaged: a large application, old in its ways, which draws pictures by C libraries.

A metric is stored by whisper, as carbon does it, and asked for as JSON, as CSV and as a picture.
"""

import json
import struct
import time

from debian import APPS, needs, python
from visitor import Visitor

needs(graphite="graphite-web", whisper="python3-whisper", django="python3-django")

POINTS = 60

PREPARE = """
import sys, time, whisper
import django; django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
whisper.create(sys.argv[1] + "/requests.wsp", [(1, 3600)])
now = int(sys.argv[2])
whisper.update_many(sys.argv[1] + "/requests.wsp", [(now - n, float(n)) for n in range(60)])
"""


def test_graphite_draws_what_carbon_has_stored(serve, tmp_path):
    env = {
        "SITE_DIRECTORY": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "graphite.settings",
        "GRAPHITE_SETTINGS_MODULE": "graphite_local",
    }
    now = int(time.time()) - 1
    python("-W", "ignore", "-c", PREPARE, tmp_path, now, env=env)
    server = serve("django.core.wsgi:get_wsgi_application()", "--pythonpath", APPS, "--threads", 4, env=env)
    visitor = Visitor(server)

    found = visitor.visit("/metrics/find?query=*").json
    assert [metric["id"] for metric in found] == ["requests"]

    span = f"from={now - POINTS}&until={now}"
    (series,) = visitor.visit(f"/render?target=requests&format=json&noCache=1&{span}").json
    assert [value for value, _ in series["datapoints"]] == [float(n) for n in range(POINTS - 1, -1, -1)]
    lines = visitor.visit(f"/render?target=scale(requests,2)&format=csv&noCache=1&{span}").text.splitlines()
    assert len(lines) == POINTS and lines[0].endswith(f",{2.0 * (POINTS - 1)}")

    # By a form, as dashboards with long targets ask.
    (summed,) = visitor.post("/render", [("target", "sum(requests)"), ("format", "json"), ("from", now - POINTS)]).json
    assert summed["target"] == "sum(requests)" or "sumSeries" in json.dumps(summed)

    picture = visitor.visit(f"/render?target=requests&width=500&height=300&{span}")
    assert picture.headers["Content-Type"] == "image/png"
    assert struct.unpack(">II", picture.body[16:24]) == (500, 300)
    svg = visitor.visit(f"/render?target=requests&format=svg&{span}")
    assert svg.body.startswith(b"<?xml") and b"</svg>" in svg.body

    assert "Graphite Browser" in visitor.visit("/").text
