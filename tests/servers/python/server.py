"""A python-socketio server for tests:  python server.py '<json>'

The JSON:
  port      where to listen on 127.0.0.1
  server    "uvicorn" (asyncio) or "werkzeug" (threads; HTTP/1.0, which closes each connection behind its answer)
  options   given to socketio.Server as they are (ping_interval, ping_timeout, transports, always_connect, …)

It runs with python-socketio 5 and with 4, whichever is installed.

Namespaces; all but the refusing ones know all events below:
  /, /admin    let everybody in
  /forbidden   refuses: "forbidden by the test server", data {"code": 403}
  /token       refuses unless auth (or query) has token "123"

Events from the client:
  sum(a, b), echo(…args)      acked with the sum, with the arguments
  transport, whoami           acked with the name of the transport, with the id
  send-me(event, …args)       emits that event
  ask-me(…args)               emits question(…args) with an ack, then answered(…answer)
  flood(n, size)              emits flood(i, text of that size) n times, then flood-end(n)
  bflood(n, size)             the same with binary: byte k of number i is (i*7 + k) & 255; then bflood-end(n)
  tick(n)                     acked with how many came before, if all of them in order, else with -1
  kick                        disconnects the client from the namespace
"""

import asyncio
import inspect
import json
import socket
import sys
from importlib.metadata import version
from urllib.parse import parse_qs

import socketio

MAJOR = int(version("python-socketio").split(".")[0])
NAMESPACES = ["/", "/admin", "/forbidden", "/token"]

config = json.loads(sys.argv[1])
is_async = config["server"] == "uvicorn"
make_server = socketio.AsyncServer if is_async else socketio.Server
sio = make_server(async_mode="asgi" if is_async else "threading", **config.get("options", {}))
ticks = {}

# What follows is written once for both kinds of server. Where one has to wait in asyncio, it yields what to wait for;
# the calls of the other kind have done all when they return.


def add(client, a, b):
    return a + b
    yield


def echo(client, *args):
    return args
    yield


def transport(client):
    # The id of a socket tells no namespace before version 5.
    return sio.transport(client.id) if MAJOR < 5 else sio.transport(client.id, client.namespace)
    yield


def whoami(client):
    return client.id
    yield


def send_me(client, event, *args):
    yield client.emit(event, *args)


def ask_me(client, *args):
    def answered(*answer):
        return client.emit("answered", *answer)

    yield client.emit("question", *args, callback=answered)


def flood(client, n, size):
    for i in range(n):
        yield client.emit("flood", i, "x" * size)
    yield client.emit("flood-end", n)


def bflood(client, n, size):
    for i in range(n):
        yield client.emit("bflood", i, bytes((i * 7 + k) & 255 for k in range(size)))
    yield client.emit("bflood-end", n)


def tick(client, n):
    expected = ticks.get(client.id, 0)
    ticks[client.id] = n + 1 if n == expected else -1
    return ticks[client.id] - 1
    yield


def kick(client):
    yield sio.disconnect(client.id, namespace=client.namespace)


EVENTS = {
    "sum": add, "echo": echo, "transport": transport, "whoami": whoami, "send-me": send_me, "ask-me": ask_me,
    "flood": flood, "bflood": bflood, "tick": tick, "kick": kick,
}


class Client:
    """One socket of a namespace."""

    def __init__(self, id, namespace):
        self.id = id
        self.namespace = namespace

    def emit(self, event, *args, callback=None):
        return sio.emit(event, args, to=self.id, namespace=self.namespace, callback=callback)


def connect(namespace, environ, auth):
    if namespace == "/forbidden":
        raise socketio.exceptions.ConnectionRefusedError("forbidden by the test server", {"code": 403})
    query = parse_qs(environ.get("QUERY_STRING", ""))
    token = auth["token"] if auth else query.get("token", [None])[0]
    if namespace == "/token" and token != "123":
        raise socketio.exceptions.ConnectionRefusedError("wrong token")


def run(steps):
    """Carries out what is written for both kinds, with threads."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


async def run_async(steps):
    """Carries out what is written for both kinds, with asyncio."""
    try:
        while True:
            step = next(steps)
            if inspect.isawaitable(step):
                await step
    except StopIteration as end:
        return end.value


def handler(behaviour, namespace):
    def handle(sid, *args):
        return run(behaviour(Client(sid, namespace), *args))

    async def handle_async(sid, *args):
        return await run_async(behaviour(Client(sid, namespace), *args))

    return handle_async if is_async else handle


def open_namespace(namespace):
    sio.on("connect", lambda sid, environ, auth=None: connect(namespace, environ, auth), namespace=namespace)
    for event, behaviour in EVENTS.items():
        sio.on(event, handler(behaviour, namespace), namespace=namespace)


def serve_async(listener):
    import uvicorn

    # python-socketio 4 waits for coroutines as such, which Python 3.11 does not take any more.
    wait = asyncio.wait
    asyncio.wait = lambda coroutines, **rest: wait([asyncio.ensure_future(one) for one in coroutines], **rest)
    app = socketio.ASGIApp(sio)
    server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="wsproto", lifespan="off", log_level="warning"))
    server.run(sockets=[listener])


def serve_threaded(listener):
    from werkzeug.serving import make_server

    def nothing_else(environ, start):
        start("404 Not Found", [])
        return []

    app = socketio.WSGIApp(sio, nothing_else)
    host, port = listener.getsockname()
    make_server(host, port, app, threaded=True, fd=listener.fileno()).serve_forever()


for name in NAMESPACES:
    open_namespace(name)
listener = socket.create_server(("127.0.0.1", config["port"]), backlog=128)
(serve_async if is_async else serve_threaded)(listener)
