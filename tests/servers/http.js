"use strict";
// The HTTP(S) server under socket.io: it notes requests, can answer in socket.io's place, and knows its TCP sockets.

const fs = require("fs");
const http = require("http");
const https = require("https");

const pemOrFile = (text) => (typeof text === "string" && !text.includes("-----BEGIN") ? fs.readFileSync(text) : text);

/** Makes the server; `tls` is as of `https.createServer`, with PEM text or file names. */
function create(tls, tcpSockets) {
  let server;
  if (tls) {
    const { key, cert, ca, ...rest } = tls;
    server = https.createServer({ key: pemOrFile(key), cert: pemOrFile(cert), ca: pemOrFile(ca), ...rest });
  } else {
    server = http.createServer();
  }
  server.on("connection", (socket) => {
    tcpSockets.add(socket);
    socket.on("close", () => tcpSockets.delete(socket));
    socket.on("error", () => {});
  });
  return server;
}

/** Puts itself before the listeners that socket.io has registered. */
function intercept(server, { record, answers, setCookies }) {
  for (const event of ["request", "upgrade"]) {
    const inner = server.listeners(event).slice();
    server.removeAllListeners(event);
    server.on(event, (request, ...rest) => {
      note(record, event, request);
      const answer = next(answers, event, request);
      if (answer && event === "request") return reply(request, rest[0], answer);
      if (answer) return replyUpgrade(rest[0], answer);
      if (event === "request" && setCookies) rest[0].setHeader("Set-Cookie", setCookies);
      for (const listener of inner) listener.call(server, request, ...rest);
    });
  }
}

function note(record, event, request) {
  const { method, url, headers, rawHeaders, httpVersion, socket } = request;
  const [from, to] = [socket.remoteAddress, socket.localAddress].map(withoutMapping);
  const resumed = socket.isSessionReused && socket.isSessionReused();
  const { remotePort: port } = socket;
  record.requests.add({ event, method, url, headers, rawHeaders, httpVersion, port, from, to, resumed });
}

/** An IPv4 address as such, which a server for both families sees as one of IPv6. */
function withoutMapping(address) {
  return address && address.replace(/^::ffff:/, "");
}

/** The prepared answer for this request, which is used up by it. */
function next(answers, event, request) {
  const kind = event === "upgrade" ? "upgrade" : request.method;
  const index = answers.findIndex(({ match }) => !match || match === kind);
  if (index < 0) return undefined;
  const answer = answers[index];
  answer.times -= 1;
  if (answer.times <= 0) answers.splice(index, 1);
  return answer;
}

/** `status: 0` destroys the connection without a word, `hang: true` never answers. */
function reply(request, response, { status, headers = {}, body = "", hang }) {
  if (hang) return;
  if (!status) return void request.socket.destroy();
  response.writeHead(status, headers);
  response.end(body);
}

function replyUpgrade(socket, { status, headers = {}, body = "", hang }) {
  if (hang) return;
  if (!status) return void socket.destroy();
  const lines = Object.entries({ "Content-Length": Buffer.byteLength(body), Connection: "close", ...headers });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status] || "Unknown"}\r\n${head}\r\n${body}`);
}

module.exports = { create, intercept };
