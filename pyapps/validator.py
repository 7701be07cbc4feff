"""wsgiref.validate around another application: finds what either side of WSGI does wrong.

    gateway validator
    gateway --env APPLICATION=stream:application validator

The validator sits in the middle. To the server it is an application, to the application it is a server, and
it raises AssertionError for whatever PEP 3333 does not allow.
"""

import importlib
import os
from wsgiref.validate import validator

module, _, name = os.environ.get("APPLICATION", "hello:application").partition(":")
application = validator(getattr(importlib.import_module(module), name or "application"))
