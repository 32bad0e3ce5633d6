"use strict";
// A real Socket.IO server for tests:  node server.js '<json>'
//
// The JSON, all optional:
//   version      4 (default), 3, 2 or 1: which major version of socket.io
//   minor        0 with version 3 or 2: 3.0 or 2.0, and not the last ones of these
//   port, host   0 and 127.0.0.1
//   options      given to socket.io as they are (pingInterval, pingTimeout, transports, allowUpgrades, allowEIO3,
//                maxHttpBufferSize, connectionStateRecovery, path, cookie, upgradeTimeout, connectTimeout, …)
//   parser       "msgpack" or "json" (socket.io-msgpack-parser, socket.io-json-parser)
//   gate         {delay, refuse}: a middleware of `/` that takes its time, and may refuse (with that message)
//   mute         with 2.0: an error of it stays, and it never tells that `/` is joined
//   tls          key, cert, ca (PEM text or file names), requestCert, rejectUnauthorized, …
//   setCookies   values of Set-Cookie on every HTTP response
//   outboxed     the name of a file for what `outboxed` applies; with `.twice` behind it, for what came twice
//
// The first line on stdout is {"port":N,"pid":N}. Then each line of JSON on stdin is a command, and each is answered by one
// line of JSON: {"ok":…} or {"error":"…"}. The process ends when stdin does, so it cannot outlive the test.
//
// Commands ({"cmd":NAME, …}):
//   close                  io.close() and the end of all connections; answered when done
//   unlisten               takes no new connection, keeps those that are
//   listen                 a fresh socket.io server on the same port, after close or unlisten (which it ends first)
//   sessions               {engine, sockets: {namespace: count}, tcp}
//   drop {reset}           destroys all TCP connections, with reset by RST
//   stop-pinging           no engine ping or pong any more on the connections that are, and no timeout by the server
//   answer {match, times, status, headers, body, hang}
//                          the next requests are answered like this and not by socket.io; match is "GET", "POST",
//                          "upgrade" or absent for any; status 0 destroys the connection; hang never answers
//   unanswer               forgets prepared answers
//   emit {nsp, event, args, room, volatile}    to all sockets of a namespace; {"$bytes": "base64"} in args is binary
//   disconnect-all {nsp, close}
//   log, requests, events  what was seen: {entries: [{at, …}], dropped}
//                          log: what = connect, disconnect (nsp, id, reason), open, close (engine, reason), upgrade
//                          requests: event = request or upgrade, method, url, headers, rawHeaders, port,
//                          from, to = the addresses of the client and of this side, resumed = whether TLS was
//                          events: nsp, name, args (bytes as {"$bytes": length}, acks as {"$ack": id})
//   ticks, blobs, reset    as the events of the same name
//   readings {device}      {applied: the numbers in the order in which they were applied, tries: how many came}
//   pid, crash             the process id; an exit with code 9 at once
//
// Namespaces; all know all events below:
//   /, /admin, /orders, "/with space", /ünïcode, /multi-* (in 1.x and 2.0 only /multi-1 to /multi-4)
//   /auth           emits `auth` with the data of CONNECT (null in 1.x and 2.x) at once
//   /greeting       emits `welcome` three times at once, twice with binary
//   /kick-at-once   disconnects each socket as soon as it has connected
//   /forbidden      refuses: "forbidden by the test server", data {code: 403, detail: ["no", {entry: true}]}
//   /refused-plain  refuses: "no reason attached", without data
//   /token          refuses unless auth (or query) has token "123"; data {token}
//   /third-time     refuses the first two attempts; data {attempt}
//   /late           accepts after `delay` milliseconds of auth or query (default 200)
//   /never          never answers
//
// Events from the client (an `ack` at the end where the client gives one):
//   echo(…args)                 acked with args, or emitted back as `echo`
//   sum(a, b, ack)              a + b
//   ask-me(…args)               emits question(…args) with an ack, then answered(…answer)
//   send-me(event, …args)       emits that event;  later(ms, event, …args) after some time
//   ack-many(ack)               ("one", 2, {three: 3}, [4], null, true);  ack-none(ack)  ()
//   never-ack(ack), ack-late(ms, ack) ("late", ms), ack-twice(ack) ("first") and then ("second")
//   ack-kept(ack), give-kept()  ("late", 300) to each that was kept
//   ack-unasked(id)             an ack that nobody waits for
//   with-binary-ack(ack)        (<01 02 03>, {deep: [<04>, "text"]}, <>)
//   tick(thread, n [, ack(n)])  counted;  ticks(ack)  {total, inOrder, threads: {id: {count, next, inOrder}}, …}
//   blob(thread, n, a, b [, ack(n)])  byte i of a must be (thread*31 + n*7 + i) & 255, of b 128 more (& 255);
//   blobs(ack)                  as ticks, with `bad` (blobs with a wrong byte) and `bytes`
//   outboxed(value, key, ack)   applied once, by the key of an outbox
//   reading(n, fault, key, ack) of the device that the query names: applied unless one of its last 16 keys is the same, and acked.
//                               The first time a fault happens, if it is not null: "fail" closes the connection instead,
//                               "cut" cuts it instead of the ack, "silence" gives no ack
//   refused-event               refused by a middleware of the socket: "refused by the test server"
//   forced-binary               emits plain("text") as a packet with binary that has none (1.x and 2.x)
//   reset([ack])                forgets everything counted or noted
//   flood(n, size)              emits flood(i, text of that size) n times, then flood-end(n)
//   bflood(n, size)             the same with binary: byte k of number i is (i*7 + k) & 255; then bflood-end(n)
//   handshake(ack)              {query, headers, auth, url, transport, protocol}
//   whoami(ack)                 {id, engine, nsp, recovered}
//   transport(ack), ping-count(ack) (heartbeats from this client), clients(ack) (as the command `sessions`, without tcp)
//   join(room [, ack]), leave(room [, ack]), to-room(room, event, …args), broadcast(event, …args)
//   kick, kick-hard             socket.disconnect(), socket.disconnect(true)
//   close-engine, close-transport, destroy (the TCP connection), close-frame(code, reason) of the WebSocket
//   raw(…messages)              engine messages as they are: Socket.IO packets that may be malformed
//   raw-engine(type, data)      an engine packet;  raw-frame(…frames)  WebSocket frames below Engine.IO

const versions = require("./versions");
const layer = require("./http");
const namespaces = require("./namespaces");
const control = require("./control");
const { Outboxed } = require("./outboxed");
const { Record } = require("./record");

const RETRY_MS = 20;
const RETRY_LIMIT_MS = 5_000;

/** Listens; a port that was ours a moment ago may be busy for a while. */
function listen(server, port, host) {
  const deadline = Date.now() + RETRY_LIMIT_MS;
  return new Promise((resolve, reject) => {
    const attempt = () => server.listen(port, host);
    server.on("error", (error) => {
      if (error.code === "EADDRINUSE" && port && Date.now() < deadline) setTimeout(attempt, RETRY_MS);
      else reject(error);
    });
    server.once("listening", () => resolve(server.address().port));
    attempt();
  });
}

/** Notes the life of every engine connection and counts its heartbeats. */
function watchEngine(world) {
  world.io.engine.on("connection", (conn) => {
    const engine = conn.id;
    world.connections.add(conn);
    world.record.log.add({ what: "open", engine, transport: conn.transport.name });
    conn.on("upgrade", (transport) => world.record.log.add({ what: "upgrade", engine, transport: transport.name }));
    conn.on("close", (reason) => {
      world.connections.delete(conn);
      world.record.log.add({ what: "close", engine, reason });
    });
    conn.on("packet", ({ type }) => {
      if (type === "ping" || type === "pong") {
        world.heartbeats.set(conn, (world.heartbeats.get(conn) || 0) + 1);
      }
    });
  });
}

/** Starts a server and returns its world: all that the parts share. */
async function start(config, record) {
  const version = config.version || 4;
  const options = { ...config.options };
  if (config.parser) options.parser = versions.parser(config.parser, version);
  const world = {
    version, record, gate: config.gate, answers: [], tcpSockets: new Set(), connections: new Set(), heartbeats: new WeakMap(),
    outboxed: new Outboxed(config.outboxed),
  };
  world.http = layer.create(config.tls, world.tcpSockets);
  world.io = versions.create(version, config.minor, world.http, options);
  layer.intercept(world.http, { record, answers: world.answers, setCookies: config.setCookies });
  watchEngine(world);
  if (config.mute) namespaces.open(world);
  else versions.keepGreeting(world.io, () => namespaces.open(world));
  world.port = await listen(world.http, config.port || 0, config.host || "127.0.0.1");
  return world;
}

async function main() {
  const config = JSON.parse(process.argv[2] || "{}");
  const record = new Record();
  const world = await start(config, record);
  config.port = world.port;
  process.stdout.write(`${JSON.stringify({ port: world.port, pid: process.pid })}\n`);
  control.serve(world, () => start(config, record));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
