"use strict";
// The differences between the major versions of socket.io, and nothing else.

const PACKAGES = { 1: "socket.io-v1", 2: "socket.io-v2", 3: "socket.io-v3", 4: "socket.io" };
const PARSERS = { 2: "socket.io-msgpack-parser-v2", 3: "socket.io-msgpack-parser", 4: "socket.io-msgpack-parser" };
const ACK_PACKET = 3;

/** Makes a socket.io server of the given major version, attached to `httpServer`. */
function create(version, httpServer, options) {
  const module = require(PACKAGES[version]);
  return version >= 3 ? new module.Server(httpServer, options) : module(httpServer, options);
}

/** The msgpack parser that fits the version. */
function msgpack(version) {
  if (!PARSERS[version]) throw new Error(`socket.io ${version} has no pluggable parser`);
  return require(PARSERS[version]);
}

/** The namespaces that exist now, as an array. */
function namespaces(io, version) {
  return version >= 3 ? [...io._nsps.values()] : Object.values(io.nsps);
}

/** How many sockets are connected to the namespace. */
function socketCount(nsp, version) {
  return version >= 3 ? nsp.sockets.size : Object.keys(nsp.connected).length;
}

/** A namespace for every name that fits `pattern`; 1.x knows none, so there `fallback` lists names. */
function dynamic(io, version, pattern, fallback) {
  return version >= 2 ? [io.of(pattern)] : fallback.map((name) => io.of(name));
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

module.exports = {
  create, msgpack, namespaces, socketCount, dynamic, join, leave, onEveryEvent, numberAcks, rawAck, tcpSocket,
};
