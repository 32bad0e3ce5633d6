"use strict";
// Commands on stdin, answers on stdout; one line of JSON each. The list is in the header of server.js.

const readline = require("readline");
const { sessions } = require("./behaviours");

const CLOSE_GRACE_MS = 300;

/** {"$bytes": "base64"} anywhere in a value becomes binary. */
function revive(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value.$bytes === "string") return Buffer.from(value.$bytes, "base64");
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}

/** Closes socket.io and waits; connections that are still open after a while are cut. */
function close(world) {
  return new Promise((resolve) => {
    const cut = setTimeout(() => destroyAll(world), CLOSE_GRACE_MS);
    world.io.close(() => {
      clearTimeout(cut);
      destroyAll(world);
      resolve(true);
    });
  });
}

function destroyAll({ tcpSockets }, reset) {
  const count = tcpSockets.size;
  for (const socket of [...tcpSockets]) {
    if (reset) socket.resetAndDestroy();
    else socket.destroy();
  }
  return count;
}

/** Heartbeats are swallowed, and the server's own patience with them is switched off. */
function stopPinging(conn) {
  const send = conn.sendPacket;
  conn.sendPacket = function (type, ...rest) {
    if (type !== "ping" && type !== "pong") return send.call(conn, type, ...rest);
    setImmediate(() => clearTimeout(conn.pingTimeoutTimer));
    return undefined;
  };
  clearTimeout(conn.pingTimeoutTimer);
}

function emit({ io }, { nsp = "/", event, args = [], room, volatile }) {
  let target = io.of(nsp);
  if (room) target = target.to(room);
  if (volatile) target = target.volatile;
  target.emit(event, ...revive(args));
  return true;
}

function disconnectAll({ io, version }, { nsp = "/", close: hard = false }) {
  const namespace = io.of(nsp);
  const sockets = version >= 3 ? [...namespace.sockets.values()] : Object.values(namespace.connected);
  sockets.forEach((socket) => socket.disconnect(hard));
  return sockets.length;
}

function show({ entries, dropped }) {
  return { entries, dropped };
}

/** One function per command: (hub, command) → answer or promise of it. `hub.world` is the present server. */
const commands = {
  close: ({ world }) => close(world),
  unlisten: ({ world }) => {
    world.http.close();
    return true;
  },
  listen: async (hub) => {
    await close(hub.world);
    hub.world = await hub.start();
    return hub.world.port;
  },
  sessions: ({ world }) => ({ ...sessions(world.io, world.version), tcp: world.tcpSockets.size }),
  drop: ({ world }, { reset }) => destroyAll(world, reset),
  "stop-pinging": ({ world }) => {
    world.connections.forEach(stopPinging);
    return world.connections.size;
  },
  answer: ({ world }, { cmd, times = 1, ...answer }) => world.answers.push({ times, ...answer }),
  unanswer: ({ world }) => world.answers.splice(0).length,
  emit: ({ world }, command) => emit(world, command),
  "disconnect-all": ({ world }, command) => disconnectAll(world, command),
  log: ({ world }) => show(world.record.log),
  requests: ({ world }) => show(world.record.requests),
  events: ({ world }) => show(world.record.events),
  ticks: ({ world }) => world.record.ticks.summary(),
  blobs: ({ world }) => world.record.blobs.summary(),
  readings: ({ world }, { device }) => {
    const { applied, tries } = world.record.devices.get(device) || { applied: [], tries: 0 };
    return { applied, tries };
  },
  reset: ({ world }) => {
    world.record.reset();
    return true;
  },
  pid: () => process.pid,
  crash: () => process.exit(9),
};

async function run(hub, line) {
  try {
    const command = JSON.parse(line);
    const perform = Object.hasOwn(commands, command.cmd) && commands[command.cmd];
    if (!perform) return { error: `no command ${JSON.stringify(command.cmd)}` };
    const ok = await perform(hub, command);
    return { ok: ok === undefined ? null : ok };
  } catch (error) {
    return { error: String(error && error.stack) };
  }
}

/** Obeys commands in their order until stdin ends, and the process with it. */
function serve(world, start) {
  const hub = { world, start };
  let last = Promise.resolve();
  readline
    .createInterface({ input: process.stdin })
    .on("line", (line) => {
      last = last.then(() => run(hub, line)).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
    })
    .on("close", () => process.exit(0));
}

module.exports = { serve };
