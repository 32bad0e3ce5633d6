"use strict";
// Proxies for tests:  node proxies.js '{"user": "me", "password": "secret"}'  (both optional)
//
// One HTTP proxy that knows CONNECT, and one SOCKS5 proxy. The first line on stdout is {"http":PORT,"socks5":PORT}.
// Whatever host is asked for, the way leads to this machine. Each connection that is made for a client is one line of
// JSON: {"by":"http"|"socks5","to":"HOST:PORT"}. The process ends when stdin does.

const http = require("http");
const net = require("net");

const config = JSON.parse(process.argv[2] || "{}");
const HOST = "127.0.0.1";

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** Connects to a port of this machine and ties both streams together. */
function tunnel(by, client, host, port, ready, failed) {
  const server = net.connect(port, HOST, () => {
    say({ by, to: `${host}:${port}` });
    ready();
    server.pipe(client).pipe(server);
  });
  server.on("error", () => failed());
  for (const [one, other] of [[client, server], [server, client]]) {
    one.on("error", () => {});
    one.on("close", () => other.destroy());
  }
}

function httpProxy() {
  const expected = config.user && `Basic ${Buffer.from(`${config.user}:${config.password}`).toString("base64")}`;
  const proxy = http.createServer((request, response) => response.writeHead(405).end());
  proxy.on("connect", (request, client) => {
    if (expected && request.headers["proxy-authorization"] !== expected) {
      client.end("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\n\r\n");
      return;
    }
    const colon = request.url.lastIndexOf(":");
    const ready = () => client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    const failed = () => client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    tunnel("http", client, request.url.slice(0, colon), Number(request.url.slice(colon + 1)), ready, failed);
  });
  return proxy;
}

/** Reads exactly so many bytes, once they are there. */
function read(client, count) {
  return new Promise((resolve, reject) => {
    const attempt = () => {
      const bytes = client.read(count);
      if (!bytes) return void client.once("readable", attempt);
      client.off("close", reject);
      resolve(bytes);
    };
    client.once("close", reject);
    attempt();
  });
}

async function socks(client) {
  const [, count] = await read(client, 2);
  const methods = [...(await read(client, count))];
  const method = config.user ? 2 : 0;
  if (!methods.includes(method)) return client.end(Buffer.from([5, 0xff]));
  client.write(Buffer.from([5, method]));
  if (config.user) {
    const [, userLength] = await read(client, 2);
    const user = userLength ? (await read(client, userLength)).toString() : "";
    const [passwordLength] = await read(client, 1);
    const password = passwordLength ? (await read(client, passwordLength)).toString() : "";
    const right = user === config.user && password === config.password;
    client.write(Buffer.from([1, right ? 0 : 1]));
    if (!right) return client.end();
  }
  const [, , , kind] = await read(client, 4);
  const length = kind === 1 ? 4 : kind === 4 ? 16 : (await read(client, 1))[0];
  const address = await read(client, length);
  const host = kind === 3 ? address.toString() : [...address].join(".");
  const port = (await read(client, 2)).readUInt16BE();
  const reply = (code) => client.write(Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]));
  return tunnel("socks5", client, host, port, () => reply(0), () => client.end(Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0])));
}

function socksProxy() {
  return net.createServer((client) => {
    client.on("error", () => {});
    socks(client).catch(() => client.destroy());
  });
}

const listen = (server) => new Promise((resolve) => server.listen(0, HOST, () => resolve(server.address().port)));

Promise.all([listen(httpProxy()), listen(socksProxy())]).then(([httpPort, socksPort]) => {
  say({ http: httpPort, socks5: socksPort });
  process.stdin.on("end", () => process.exit(0)).resume();
});
