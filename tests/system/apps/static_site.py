"""An application in WhiteNoise, which serves the files of a directory in front of it."""

import os

from whitenoise import WhiteNoise


def dynamic(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"dynamic"]


application = WhiteNoise(dynamic, root=os.environ["SITE_DIRECTORY"], prefix="static/", max_age=60)
