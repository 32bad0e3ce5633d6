"use strict";
// What every socket answers to. The list of events is in the header of server.js.

const versions = require("./versions");
const { isPattern, patternByte } = require("./record");

/** Registers all behaviours on a fresh socket. `world` has io, version, record, heartbeats. */
function install(socket, world) {
  versions.numberAcks(socket);
  versions.onEveryEvent(socket, (name, args) => {
    world.record.events.add({ nsp: socket.nsp.name, name, args: args.map(describe) });
  });
  for (const group of [exchange, acks, counting, devices, bulk, facts, rooms, breakage]) group(socket, world);
}

/** An argument as the record shows it: bytes and functions by their size only. */
function describe(value) {
  if (Buffer.isBuffer(value)) return { $bytes: value.length };
  if (typeof value === "function") return { $ack: value.id };
  if (typeof value === "string" && value.length > 200) return { $text: value.length };
  return value;
}

const isAck = (value) => typeof value === "function";

function exchange(socket) {
  socket.on("echo", (...args) => {
    const ack = isAck(args[args.length - 1]) ? args.pop() : undefined;
    if (ack) ack(...args);
    else socket.emit("echo", ...args);
  });
  socket.on("sum", (a, b, ack) => ack(a + b));
  socket.on("ask-me", (...args) => {
    socket.emit("question", ...args, (...answer) => socket.emit("answered", ...answer));
  });
  socket.on("send-me", (event, ...args) => socket.emit(event, ...args));
  socket.use((packet, next) => next(packet[0] === "refused-event" ? new Error("refused by the test server") : undefined));
  socket.on("forced-binary", () => socket.binary(true).emit("plain", "text"));
  socket.on("later", (ms, event, ...args) => setTimeout(() => socket.emit(event, ...args), ms));
}

function acks(socket, { version }) {
  socket.on("ack-many", (ack) => ack("one", 2, { three: 3 }, [4], null, true));
  socket.on("ack-none", (ack) => ack());
  socket.on("never-ack", () => {});
  socket.on("ack-late", (ms, ack) => setTimeout(() => ack("late", ms), ms));
  const kept = [];
  socket.on("ack-kept", (ack) => kept.push(ack));
  socket.on("give-kept", () => kept.splice(0).forEach((ack) => ack("late", 300)));
  socket.on("ack-twice", (ack) => {
    ack("first");
    versions.rawAck(socket, version, ack.id, ["second"]);
  });
  socket.on("ack-unasked", (id) => versions.rawAck(socket, version, id, ["unasked"]));
  socket.on("with-binary-ack", (ack) => {
    ack(Buffer.from([1, 2, 3]), { deep: [Buffer.from([4]), "text"] }, Buffer.alloc(0));
  });
}

function counting(socket, { record, outboxed }) {
  socket.on("outboxed", (value, key, ack) => {
    outboxed.apply(value, key);
    ack();
  });
  socket.on("tick", (thread, n, ack) => {
    record.ticks.add(thread, n);
    if (isAck(ack)) ack(n);
  });
  socket.on("ticks", (ack) => ack(record.ticks.summary()));
  socket.on("blob", (thread, n, a, b, ack) => {
    record.blobs.add(thread, n);
    record.blobs.bytes += (a ? a.length : 0) + (b ? b.length : 0);
    if (!isPattern(a, thread, n, 0) || !isPattern(b, thread, n, 1)) record.blobs.bad += 1;
    if (isAck(ack)) ack(n);
  });
  socket.on("blobs", (ack) => ack(record.blobs.summary()));
  socket.on("reset", (ack) => {
    record.reset();
    if (isAck(ack)) ack();
  });
}

/** As the documentation of `Socket::reliable` has it, with a fault for the first try of a reading that asks for one. */
function devices(socket, { record }) {
  const id = socket.handshake.query.device;
  if (!id) return;
  const device = record.devices.get(id) || { keys: [], applied: [], tries: 0, struck: new Set() };
  if (device.socket) device.socket.removeAllListeners("reading");
  record.devices.set(id, Object.assign(device, { socket }));
  socket.on("reading", (n, fault, key, ack) => {
    device.tries += 1;
    const strike = device.struck.has(key) ? undefined : fault;
    device.struck.add(key);
    if (strike === "fail") {
      socket.removeAllListeners("reading");
      socket.conn.close();
      return;
    }
    if (!device.keys.includes(key)) {
      device.applied.push(n);
      device.keys.push(key);
    }
    device.keys = device.keys.slice(-16);
    if (strike === "cut") versions.cut(socket.conn);
    else if (strike !== "silence") ack();
  });
}

function bulk(socket) {
  socket.on("flood", (n, size) => {
    const text = "x".repeat(size);
    for (let i = 0; i < n; i++) socket.emit("flood", i, text);
    socket.emit("flood-end", n);
  });
  socket.on("bflood", (n, size) => {
    for (let i = 0; i < n; i++) {
      socket.emit("bflood", i, Buffer.from(Array.from({ length: size }, (_, k) => patternByte(0, i, 0, k))));
    }
    socket.emit("bflood-end", n);
  });
}

function facts(socket, { io, version, heartbeats }) {
  socket.on("handshake", (ack) => {
    const { query, headers, auth, url } = socket.handshake;
    const plain = JSON.parse(JSON.stringify({ query, headers, url, auth: auth === undefined ? null : auth }));
    ack({ ...plain, transport: socket.conn.transport.name, protocol: socket.conn.protocol || (version >= 3 ? 4 : 3) });
  });
  socket.on("whoami", (ack) => {
    ack({ id: socket.id, engine: socket.conn.id, nsp: socket.nsp.name, recovered: Boolean(socket.recovered) });
  });
  socket.on("transport", (ack) => ack(socket.conn.transport.name));
  socket.on("ping-count", (ack) => ack(heartbeats.get(socket.conn) || 0));
  socket.on("clients", (ack) => ack(sessions(io, version)));
}

/** How many engine sessions and, by namespace, sockets the server holds. */
function sessions(io, version) {
  const sockets = {};
  for (const nsp of versions.namespaces(io, version)) {
    const count = versions.socketCount(nsp, version);
    if (count) sockets[nsp.name] = count;
  }
  return { engine: io.engine.clientsCount, sockets };
}

function rooms(socket, { version }) {
  const done = (ack) => () => isAck(ack) && ack();
  socket.on("join", (room, ack) => versions.join(socket, version, room, done(ack)));
  socket.on("leave", (room, ack) => versions.leave(socket, version, room, done(ack)));
  socket.on("to-room", (room, event, ...args) => socket.nsp.to(room).emit(event, ...args));
  socket.on("broadcast", (event, ...args) => socket.broadcast.emit(event, ...args));
}

function breakage(socket) {
  socket.on("kick", () => socket.disconnect());
  socket.on("kick-hard", () => socket.disconnect(true));
  socket.on("close-engine", () => socket.conn.close());
  socket.on("close-transport", () => socket.conn.transport.close());
  socket.on("destroy", () => versions.cut(socket.conn));
  // An engine message: the client reads it as a Socket.IO packet (or an attachment).
  socket.on("raw", (...messages) => messages.forEach((message) => socket.conn.write(message)));
  // An engine packet of any type: "noop", "close", "pong", "ping", "open"…
  socket.on("raw-engine", (type, data) => socket.conn.sendPacket(type, data));
  // Text or bytes of a WebSocket frame, below Engine.IO.
  socket.on("raw-frame", (...frames) => {
    const webSocket = socket.conn.transport.socket;
    if (webSocket) frames.forEach((frame) => webSocket.send(frame));
  });
  // Ends the WebSocket with a close code and reason.
  socket.on("close-frame", (code, reason) => {
    const webSocket = socket.conn.transport.socket;
    if (webSocket) webSocket.close(code, reason);
  });
}

module.exports = { install, sessions };
