"use strict";
// The namespaces and their middlewares. The list is in the header of server.js.

const versions = require("./versions");
const { install } = require("./behaviours");

/** Opens all namespaces of the server in `world`. */
function open(world) {
  const { io } = world;
  const welcome = (nsp, greet) => {
    nsp.on("connection", (socket) => {
      watch(socket, world);
      install(socket, world);
      if (greet) greet(socket);
    });
    return nsp;
  };
  if (world.gate) io.of("/").use((socket, next) => pass(world.gate, next));
  for (const name of ["/", "/admin", "/orders", "/with space", "/ünïcode"]) welcome(io.of(name));
  const multi = ["/multi-1", "/multi-2", "/multi-3", "/multi-4"];
  versions.dynamic(io, /^\/multi-[\w-]+$/, multi).forEach((nsp) => welcome(nsp));

  welcome(io.of("/auth"), (socket) => socket.emit("auth", authOf(socket)));
  welcome(io.of("/greeting"), greet);
  welcome(io.of("/kick-at-once"), (socket) => socket.disconnect());
  welcome(io.of("/forbidden")).use((socket, next) => {
    next(refusal("forbidden by the test server", { code: 403, detail: ["no", { entry: true }] }));
  });
  welcome(io.of("/refused-plain")).use((socket, next) => next(new Error("no reason attached")));
  welcome(io.of("/token")).use((socket, next) => {
    const { token } = { ...socket.handshake.query, ...authOf(socket) };
    next(token === "123" ? undefined : refusal("wrong token", { token: token === undefined ? null : token }));
  });
  welcome(io.of("/third-time")).use((socket, next) => {
    const attempt = (world.record.attempts["/third-time"] = (world.record.attempts["/third-time"] || 0) + 1);
    next(attempt >= 3 ? undefined : refusal("try again", { attempt }));
  });
  welcome(io.of("/late")).use((socket, next) => {
    const asked = Number({ ...socket.handshake.query, ...authOf(socket) }.delay);
    setTimeout(next, Number.isFinite(asked) ? asked : 200);
  });
  welcome(io.of("/never")).use(() => {});
}

function pass({ delay = 0, refuse }, next) {
  setTimeout(next, delay, refuse === undefined ? undefined : new Error(refuse));
}

/** The data of CONNECT; versions 1 and 2 know none. */
function authOf(socket) {
  return socket.handshake.auth === undefined ? null : socket.handshake.auth;
}

function refusal(message, data) {
  return Object.assign(new Error(message), { data });
}

/** Events of every kind, written before the client could ask for any. */
function greet(socket) {
  socket.emit("welcome", 1, "text");
  socket.emit("welcome", 2, Buffer.from([0xca, 0xfe]));
  socket.emit("welcome", 3, { nested: { bytes: Buffer.from("abc") } });
}

/** Notes when the socket came and went, and why in the server's words. */
function watch(socket, world) {
  const nsp = socket.nsp.name;
  world.record.log.add({ what: "connect", nsp, id: socket.id, recovered: Boolean(socket.recovered) });
  socket.on("disconnect", (reason) => world.record.log.add({ what: "disconnect", nsp, id: socket.id, reason }));
}

module.exports = { open };
