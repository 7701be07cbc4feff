"""Radicale as it is packaged: a CalDAV server, whose methods and statuses are not those of every day.

A client makes a calendar, puts an event into it, finds it by a report, changes it, and loses a race by its ETag.
"""

import http.client
import xml.etree.ElementTree as ElementTree
from contextlib import closing

import pytest
from debian import needs
from timing import PATIENCE

needs(radicale="python3-radicale")

CONFIG = """
[auth]
type = none
[rights]
type = authenticated
[storage]
filesystem_folder = {directory}
"""
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//a test//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART:{start}
DTEND:{start}
SUMMARY:{summary}
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
MAKE = """<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>
<D:displayname>Größeres</D:displayname></D:prop></D:set></C:mkcalendar>"""
NAME = """<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:propfind>"""
BETWEEN = """<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
<D:prop><D:getetag/><C:calendar-data/></D:prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">
<C:time-range start="20260301T000000Z" end="20260401T000000Z"/>
</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"""


class Caldav:
    """On one connection, as calendar programs do it."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        self.close = self.connection.close

    def ask(self, method, path, body=None, **headers):
        # "ann" with any password.
        headers = {"Authorization": "Basic YW5uOng=", **{name.replace("_", "-"): text for name, text in headers.items()}}
        self.connection.request(method, path, body.encode() if body else None, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def texts(xml, name):
    return [element.text for element in ElementTree.fromstring(xml).iter(name)]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_client_keeps_its_calendar_there(serve, tmp_path, threads):
    config = tmp_path / "config"
    config.write_text(CONFIG.format(directory=tmp_path / "collections"))
    server = serve("radicale", "--threads", threads, env={"RADICALE_CONFIG": str(config)})
    with closing(Caldav(server)) as client:
        status, headers, _ = client.ask("OPTIONS", "/ann/")
        assert status == 200 and "calendar-access" in headers["DAV"] and "MKCALENDAR" in headers["Allow"]
        assert client.ask("MKCALENDAR", "/ann/work/", MAKE)[0] == 201
        status, _, xml = client.ask("PROPFIND", "/ann/work/", NAME, Depth="0")
        assert status == 207 and texts(xml, "{DAV:}displayname") == ["Größeres"]

        march = EVENT.format(uid="march", start="20260315T100000Z", summary="Ausflug in die Hügel")
        may = EVENT.format(uid="may", start="20260515T100000Z", summary="later")
        status, headers, _ = client.ask("PUT", "/ann/work/march.ics", march, If_None_Match="*")
        assert status == 201
        etag = headers["ETag"]
        assert client.ask("PUT", "/ann/work/may.ics", may)[0] == 201

        status, _, xml = client.ask("REPORT", "/ann/work/", BETWEEN, Depth="1", Content_Type="application/xml")
        (found,) = texts(xml, "{urn:ietf:params:xml:ns:caldav}calendar-data")
        assert status == 207 and "Ausflug in die Hügel" in found
        assert texts(xml, "{DAV:}getetag") == [etag]

        changed = march.replace("Hügel", "Berge")
        assert client.ask("PUT", "/ann/work/march.ics", changed, If_Match=etag)[0] == 201
        assert client.ask("PUT", "/ann/work/march.ics", march, If_Match=etag)[0] == 412, "somebody was faster"
        assert "Berge" in client.ask("GET", "/ann/work/march.ics")[2]
        assert client.ask("DELETE", "/ann/work/march.ics")[0] == 200
        assert client.ask("GET", "/ann/work/march.ics")[0] == 404
        assert client.ask("HEAD", "/ann/work/may.ics")[::2] == (200, "")
