"""graphite-web's settings, as a package's /etc/graphite/local_settings.py has them, in the test's directory."""

import os

HERE = os.environ["SITE_DIRECTORY"]

SECRET_KEY = "for tests"
STORAGE_DIR = LOG_DIR = WHISPER_DIR = HERE
STANDARD_DIRS = [HERE]
INDEX_FILE = os.path.join(HERE, "index")
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(HERE, "graphite.sqlite3")}}
LOG_ROTATION = False
