// The reference server, with its default options. Prints its port.
"use strict";

const path = require("path");
const servers = path.join(__dirname, "../../tests/servers");
const { Server } = require(require.resolve("socket.io", { paths: [servers] }));
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
