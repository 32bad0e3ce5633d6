"use strict";
// A server of a cluster by Redis:  node cluster_member.js PORT NAME SOCKET
//
// Its handlers and its operations are those of tests/cluster/siot_member.rs.

const { createServer } = require("http");
const { Server } = require("socket.io");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");

const LIMIT = 20_000;
const [port, name, path] = process.argv.slice(2);

const connect = async () => {
  const client = createClient({ socket: { path } });
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
