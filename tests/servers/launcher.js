"use strict";
// Starts servers for tests that are emulated and do it less reliably themselves:  node launcher.js
//
// The first line on stdout is the port. A connection to it sends the JSON for server.js as its first line; from then on it is
// the input and output of a server of its own, which is killed when the connection's other side ends. Ends when stdin does.

const { spawn } = require("child_process");
const net = require("net");
const path = require("path");
const readline = require("readline");

function launch(socket, config, rest) {
  const server = spawn(process.execPath, ["--no-deprecation", path.join(__dirname, "server.js"), config], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  rest.on("line", (line) => server.stdin.write(`${line}\n`));
  rest.on("close", () => server.kill("SIGKILL"));
  server.stdin.on("error", () => {});
  server.stdout.pipe(socket, { end: false });
  // After its last words, when its connections are closed as well.
  server.on("close", () => socket.end());
}

const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  const lines = readline.createInterface({ input: socket });
  lines.once("line", (config) => launch(socket, config, lines));
});
listener.listen(0, "127.0.0.1", () => process.stdout.write(`${listener.address().port}\n`));
process.stdin.resume().on("end", () => process.exit(0));
