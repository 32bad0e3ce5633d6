"""A client of python-socketio, which goes through all that it can do with the usual handlers of the tests' server:

    client.py '{"url": …, "transports": […]}'

Prints what it got as one line of JSON, and waits for a line on standard input before it leaves.
"""

import json
import queue
import sys

import socketio

LIMIT = 20


def main():
    config = json.loads(sys.argv[1])
    client = socketio.Client(reconnection=False)
    got = queue.Queue()
    for name in ("event", "conclusion"):
        client.on(name, lambda *args: got.put(args))
    # What it returns is the acknowledgement.
    client.on("ask", lambda *args: args)
    client.on("echoed", lambda *args: got.put(args), namespace="/other")
    client.connect(
        config["url"],
        transports=config["transports"],
        namespaces=["/", "/other"],
        auth={"token": "secret"},
        wait_timeout=LIMIT,
    )
    data = bytes(range(256)) * 100
    results = {"echo": client.call("echo", ("é\x1e\n😀", 1.5, {"a": [None]}), timeout=LIMIT)}
    results["binary"] = client.call("echo", {"deep": data}, timeout=LIMIT) == {"deep": data}
    client.emit("back", ("text", data))
    text, back = got.get(timeout=LIMIT)
    results["back"] = [text, back == data]
    client.emit("question", ("why?", data))
    text, back = got.get(timeout=LIMIT)
    results["conclusion"] = [text, back == data]
    results["other"] = client.call("echo", "there", namespace="/other", timeout=LIMIT)
    results["transport"] = client.transport()
    print(json.dumps(results), flush=True)
    sys.stdin.readline()
    client.disconnect()


main()
