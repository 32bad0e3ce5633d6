"use strict";
// The differences between the versions of socket.io, and nothing else.

/** The last version of each major one by its number, and some that are the first. */
const PACKAGES = {
  1: "socket.io-v1", 2: "socket.io-v2", 3: "socket.io-v3", 4: "socket.io", "2.0": "socket.io-v2-0", "3.0": "socket.io-v3-0",
};
const ACK_PACKET = 3;

/** Makes a socket.io server of the given version, attached to `httpServer`. */
function create(version, minor, httpServer, options) {
  const module = require(PACKAGES[minor === undefined ? version : `${version}.${minor}`]);
  return version >= 3 ? new module.Server(httpServer, options) : module(httpServer, options);
}

/** The parser of a kind, "msgpack" or "json", that fits the version. */
function parser(kind, version) {
  if (version < 2) throw new Error(`socket.io ${version} has no pluggable parser`);
  return require(`socket.io-${kind}-parser${version === 2 ? "-v2" : ""}`);
}

/** The namespaces that exist now, as an array. */
function namespaces(io, version) {
  return version >= 3 ? [...io._nsps.values()] : Object.values(io.nsps);
}

/** How many sockets are connected to the namespace. */
function socketCount(nsp, version) {
  return version >= 3 ? nsp.sockets.size : Object.keys(nsp.connected).length;
}

/** A namespace for every name that fits `pattern`; 1.x and 2.0 know none, so there `fallback` lists names. */
function dynamic(io, pattern, fallback) {
  return io.parentNsps ? [io.of(pattern)] : fallback.map((name) => io.of(name));
}

/** Servers 2.0 do not tell that `/` is joined once any other namespace has a middleware: an error of theirs, undone here. */
function keepGreeting(io, declare) {
  const greeting = io.eio && io.eio.initialPacket;
  declare();
  if (greeting && !io.of("/").fns.length) io.eio.initialPacket = greeting;
}

/** Joins a room, and calls back when that has happened. */
function join(socket, version, room, done) {
  if (version >= 3) Promise.resolve(socket.join(room)).then(done);
  else socket.join(room, done);
}

/** Leaves a room, and calls back when that has happened. */
function leave(socket, version, room, done) {
  if (version >= 3) Promise.resolve(socket.leave(room)).then(done);
  else socket.leave(room, done);
}

/** Calls `listener(name, args)` for every event that arrives, before its handlers run. */
function onEveryEvent(socket, listener) {
  socket.use((packet, next) => {
    listener(packet[0], packet.slice(1));
    next();
  });
}

/** Makes every ack function of the socket tell its number as `.id`. */
function numberAcks(socket) {
  const original = socket.ack;
  socket.ack = function (id) {
    return Object.assign(original.call(socket, id), { id });
  };
}

/** Sends an ack packet past the library's guard against double acks. */
function rawAck(socket, version, id, data) {
  const packet = { type: ACK_PACKET, id, data };
  // Versions 1 and 2 decide text or binary in the type itself; only text is needed here.
  socket.packet(packet, version >= 3 ? {} : undefined);
}

/** The TCP socket under an engine connection, or undefined between two polls. */
function tcpSocket(conn) {
  const webSocket = conn.transport.socket;
  if (webSocket) return webSocket._socket;
  const request = conn.transport.req || conn.transport.dataReq;
  return request && request.socket;
}

/** Ends the TCP connection of an engine connection; between two polls there may be none. */
function cut(conn) {
  const tcp = tcpSocket(conn);
  if (tcp) tcp.destroy();
}

module.exports = {
  create, parser, namespaces, socketCount, dynamic, keepGreeting, join, leave, onEveryEvent, numberAcks, rawAck, cut,
};
