"use strict";
// Real Socket.IO clients for the tests of the server: any number in one process, moved by lines of JSON.
//
// Input, each with the number of a client, `client`:
//   {"cmd": "connect", "version": 4|3|2|1, "url", "options"}   a client with a connection of its own
//   {"cmd": "join", "of": client, "namespace", "auth"}         another one on that connection
//   {"cmd": "emit", "event", "args"}
//   {"cmd": "ask", "event", "args", "number"}                  the acknowledgement is told as `answer`
//   {"cmd": "disconnect"}, {"cmd": "connect_again"}            of the socket
//   {"cmd": "close"}                                           of the connection
// Output, with `client` and `what`:
//   connect {id, transport} · refused {message, data} · disconnect {reason} · upgrade · heartbeat
//   event {name, args} · answer {number, args} · fault {message}
// Binary is {"$bytes": "base64"} both ways. Each event that asks for it is acknowledged with its own arguments, unless its name
// begins with "mute"; events whose names begin with "reply" are emitted back, with the same arguments, as "replied".

const readline = require("readline");

const libraries = {
  4: require("socket.io-client"),
  3: require("socket.io-client-v3"),
  2: require("socket.io-client-v2"),
  1: require("socket.io-client-v1"),
};
const clients = new Map();

function revive(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value.$bytes === "string") return Buffer.from(value.$bytes, "base64");
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}

function flatten(value) {
  if (value === null || typeof value !== "object") return value;
  if (Buffer.isBuffer(value)) return { $bytes: value.toString("base64") };
  if (value instanceof ArrayBuffer) return { $bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(flatten);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, flatten(inner)]));
}

function tell(client, what, fields = {}) {
  process.stdout.write(`${JSON.stringify({ client, what, ...fields })}\n`);
}

/** What a client with this number hears. */
function listen(client, { socket, version }) {
  const message = (error) => (error && typeof error === "object" ? { message: error.message, data: flatten(error.data) } : { message: error });
  socket.on("connect", () => tell(client, "connect", { id: socket.id, transport: socket.io.engine.transport.name }));
  socket.on("disconnect", (reason) => tell(client, "disconnect", { reason }));
  if (version >= 3) {
    socket.on("connect_error", (error) => tell(client, "refused", message(error)));
  } else {
    socket.on("error", (error) => tell(client, "refused", typeof error === "string" ? { message: error } : { message: null, data: flatten(error) }));
    socket.on("connect_error", (error) => tell(client, "fault", message(error)));
  }
  // Versions 1 and 2 have no catch-all.
  const receive = version >= 3 ? "emitEvent" : "onevent";
  const original = socket[receive];
  socket[receive] = function (packet) {
    const args = version >= 3 ? [...packet] : [...(packet.data || [])];
    const wantsAck = typeof args[args.length - 1] === "function";
    const ack = version >= 3 ? wantsAck && args.pop() : packet.id != null && socket.ack(packet.id);
    hear(client, socket, args, ack);
    return version >= 3 ? original.call(this, packet) : undefined;
  };
}

function hear(client, socket, [name, ...args], ack) {
  tell(client, "event", { name, args: flatten(args) });
  if (ack && !name.startsWith("mute")) ack(...args);
  if (name.startsWith("reply")) socket.emit("replied", ...args);
}

/** As much of a page as polling by scripts needs: scripts are fetched and run, forms are posted. */
function makePage() {
  const http = require("http");
  const vm = require("vm");
  const fetchText = (url, options, body, done) => {
    const whole = new URL(url, "http://localhost");
    const request = http.request(whole, options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part)).on("end", () => done(response, text));
    });
    request.on("error", () => {});
    request.end(body);
    return request;
  };
  const run = (script) => {
    script.request = fetchText(script.src, {}, undefined, ({ statusCode, headers }, text) => {
      const isScript = statusCode === 200 && headers["content-type"] === "text/javascript; charset=UTF-8";
      return isScript ? vm.runInThisContext(text) : script.onerror(new Error(`status ${statusCode}`));
    });
  };
  const parent = {
    appendChild: (child) => child.src && run(child),
    removeChild: (child) => child.request && child.request.destroy(),
  };
  global.document = {
    head: parent,
    body: parent,
    getElementsByTagName: () => [],
    createElement: () => ({
      style: {},
      parentNode: parent,
      setAttribute() {},
      removeChild() {},
      appendChild(child) {
        if (child.name === "d") this.area = child;
        else this.frame = child;
      },
      submit() {
        const headers = { "content-type": "application/x-www-form-urlencoded" };
        const body = new URLSearchParams([["d", this.area.value]]).toString();
        fetchText(this.action, { method: "POST", headers }, body, () => this.frame.onload());
      },
    }),
  };
}

const commands = {
  connect(client, { version, url, options }) {
    if (options.forceJSONP && !global.document) makePage();
    const library = libraries[version];
    const socket = (library.io || library)(url, { reconnection: false, forceNew: true, ...options });
    clients.set(client, { socket, version });
    listen(client, { socket, version });
    socket.io.engine.on("upgrade", () => tell(client, "upgrade"));
    socket.io.engine.on("packet", ({ type }) => type === (version >= 3 ? "ping" : "pong") && tell(client, "heartbeat"));
  },
  join(client, { of, namespace, auth }) {
    const { socket: first, version } = clients.get(of);
    const socket = first.io.socket(namespace, version >= 3 ? { auth } : {});
    clients.set(client, { socket, version });
    listen(client, { socket, version });
  },
  emit(client, { event, args }) {
    clients.get(client).socket.emit(event, ...revive(args));
  },
  ask(client, { event, args, number }) {
    const answer = (...answers) => tell(client, "answer", { number, args: flatten(answers) });
    clients.get(client).socket.emit(event, ...revive(args), answer);
  },
  disconnect: (client) => clients.get(client).socket.disconnect(),
  connect_again: (client) => clients.get(client).socket.connect(),
  close: (client) => clients.get(client).socket.io.engine.close(),
};

process.on("uncaughtException", (error) => tell(0, "fault", { message: error.stack }));
readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    try {
      commands[command.cmd](command.client, command);
    } catch (error) {
      tell(command.client, "fault", { message: error.stack });
    }
  })
  .on("close", () => process.exit(0));
