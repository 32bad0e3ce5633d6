"use strict";
// A program without sockets that emits to a cluster by Redis:  node cluster_emitter.js SOCKET CALLS
//
// CALLS is a list of lists of calls, each on what the one before has given: [["to", "hall"], ["emit", "name", 1]]. What is no
// function is read. Binary is {"$bytes": "base64"}.

const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");

const [path, calls] = process.argv.slice(2);

const revive = (_, value) => (value && typeof value.$bytes === "string" ? Buffer.from(value.$bytes, "base64") : value);

async function main() {
  const client = createClient({ socket: { path } });
  await client.connect();
  const emitter = new Emitter(client);
  for (const chain of JSON.parse(calls, revive)) {
    let target = emitter;
    for (const [name, ...args] of chain) {
      target = typeof target[name] === "function" ? target[name](...args) : target[name];
    }
  }
  // Waits for what was published.
  await client.close();
}

main();
