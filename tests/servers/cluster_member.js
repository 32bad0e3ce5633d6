"use strict";
// A server of a cluster by Redis:  node cluster_member.js PORT NAME REDIS
//
// REDIS is in JSON: {"path": …}, a Unix socket; {"sentinels": [port, …], "name": …, "password": …}; or the nodes of a Redis Cluster,
// {"nodes": [port, …]}.
//
// Its handlers and its operations are those of tests/cluster/siot_member.rs.

const { createServer } = require("http");
const { Server } = require("socket.io");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient, createCluster, createSentinel } = require("redis");

const LIMIT = 20_000;
const [port, name, redis] = process.argv.slice(2);
const { path, nodes, sentinels, name: master, password } = JSON.parse(redis);
const at = (port) => ({ host: "127.0.0.1", port });

const create = () => {
  if (sentinels) {
    const options = { name: master, sentinelRootNodes: sentinels.map(at), nodeClientOptions: { password } };
    const sentinel = createSentinel(options);
    // It wants to know first whether a command only reads, which the adapter does not tell.
    sentinel.sendCommand = sentinel.sendCommand.bind(sentinel, false);
    return sentinel;
  }
  if (nodes) {
    const cluster = createCluster({ rootNodes: nodes.map((port) => ({ socket: at(port) })) });
    // It publishes each message at another node, so that they overtake each other. Here they come in order.
    cluster.publish = async (...what) => (await cluster.nodeClient(cluster.masters[0])).publish(...what);
    return cluster;
  }
  return createClient({ socket: { path } });
};

const connect = async () => {
  const client = create();
  client.on("error", () => {});
  await client.connect();
  return client;
};

const chosen = (io, { to = [], except = [], local, volatile }) => {
  let operator = io.except(except);
  if (to.length > 0) operator = operator.to(to);
  if (local) operator = operator.local;
  return volatile ? operator.volatile : operator;
};

const sorted = (answers) => answers.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

const byId = (a, b) => (a.id < b.id ? -1 : 1);

function operations(io, noted) {
  const ask = async (asked) => {
    try {
      return { answers: sorted(await asked()), missing: null };
    } catch (error) {
      return { answers: sorted(error.responses || []), missing: error.message };
    }
  };
  return {
    emit: (o) => chosen(io, o).emit(o.event, ...(o.args || [])) && {},
    flood: (o) => {
      for (let number = 0; number < o.count; number++) chosen(io, o).emit(o.event, o.args[0], number);
      return {};
    },
    ask: (o) => ask(() => chosen(io, o).timeout(LIMIT).emitWithAck(o.event, ...(o.args || []))),
    fetch: async (o) => {
      const sockets = await chosen(io, o).fetchSockets();
      const details = ({ id, rooms, data }) => ({ id, rooms: [...rooms].sort(), data });
      return { sockets: sockets.map(details).sort(byId), missing: null };
    },
    join: (o) => (chosen(io, o).socketsJoin(o.rooms), {}),
    leave: (o) => (chosen(io, o).socketsLeave(o.rooms), {}),
    disconnect: (o) => (chosen(io, o).disconnectSockets(o.close), {}),
    server_emit: (o) => (io.serverSideEmit(o.event, ...(o.args || [])), {}),
    server_ask: (o) => ask(() => io.serverSideEmitWithAck(o.event, ...(o.args || []))),
    noted: () => noted.splice(0),
    count: () => io.of("/").adapter.serverCount(),
    rooms: async () => [...(await io.of("/").adapter.allRooms())].sort(),
  };
}

// The adapter does not look at what becomes of what it publishes: Redis that is lost just then is no reason to end.
process.on("unhandledRejection", () => {});

async function main() {
  const [publisher, subscriber] = [await connect(), await connect()];
  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(publisher, subscriber, { requestsTimeout: LIMIT }) });
  const noted = [];
  const does = operations(io, noted);
  io.on("note", (...args) => noted.push(["note", ...args]));
  io.on("who", (answer) => answer(name));
  io.on("connection", (socket) => {
    socket.on("join", (room, joined) => {
      socket.join(room);
      socket.data.joined = room;
      joined();
    });
    socket.on("do", async (operation, done = () => {}) => {
      try {
        done(await does[operation.op](operation));
      } catch (error) {
        done({ failed: error.message });
      }
    });
  });
  http.listen(Number(port), "127.0.0.1");
}

main();
