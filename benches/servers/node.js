// The reference server, with its default options. Prints its port.
"use strict";

const path = require("path");
const modules = path.join(__dirname, "../../tests/servers/node_modules");
const { Server } = require(path.join(modules, process.env.SOCKET_IO || "socket.io"));
const http = require("http").createServer();
const io = new Server(http);

io.on("connection", (socket) => {
  let notes = 0;
  socket.on("ask", (question, answer) => answer(question));
  socket.on("note", () => notes++);
  socket.on("count", (answer) => {
    answer(notes);
    notes = 0;
  });
  socket.on("tell", (times) => {
    const text = "x".repeat(200);
    for (let i = 0; i < times; i++) io.emit("told", text);
  });
});

http.listen(0, "127.0.0.1", () => console.log(http.address().port));
