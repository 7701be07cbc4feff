"""The gevent peer as in the ten-line challenge: one listening socket, inherited by a process per core.

usage: pywsgi.py HOST PORT PROCESSES, with the app's directory on PYTHONPATH
"""
import os
import socket
import sys

from gevent import pywsgi
from gevent.server import _tcp_listener

from tenlines import application

host, port, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
listener = _tcp_listener((host, port), backlog=4096)
# Head and body leave in two sends: without this each answer waits 40 ms for an acknowledgement.
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for _ in range(processes - 1):
    if os.fork() == 0:
        import gevent
        gevent.reinit()
        break
pywsgi.WSGIServer(listener, application, log=None).serve_forever()
