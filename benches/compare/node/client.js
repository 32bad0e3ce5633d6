// The JavaScript client, with its default options but for the transport: node client.js MODE URL COUNT
// Prints what `compare drive` prints.
'use strict';
const path = require('path');
const servers = path.join(__dirname, '../../../tests/servers');
const { io } = require(require.resolve('socket.io-client', { paths: [servers] }));

const TEXT = 'x'.repeat(200);
const [mode, url, countText] = process.argv.slice(2);
const count = Number(countText);

const connect = () =>
  new Promise((resolve, reject) => {
    const socket = io(url, { transports: ['websocket'], forceNew: true });
    socket.on('connect', () => resolve(socket));
    socket.on('connect_error', reject);
  });
const ask = (socket, ...args) => new Promise((resolve) => socket.emit(...args, resolve));
const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

function take(socket, event, isRight, wanted) {
  return new Promise((resolve) => {
    let taken = 0;
    socket.on(event, (argument) => (taken += isRight(argument) ? 1 : 0));
    socket.on('last', () => {
      socket.removeAllListeners();
      resolve(taken);
    });
    socket.emit(`${event}s`, wanted);
  });
}

async function takeAll(socket, event, isRight) {
  const taken = await take(socket, event, isRight, count);
  if (taken !== count) throw new Error(`${taken} of ${count} came`);
}

async function asks(socket, wanted, millis) {
  const times = [];
  for (let i = 0; i < wanted; i++) {
    if (millis) await pause(millis);
    const begun = process.hrtime.bigint();
    await ask(socket, 'ask', TEXT);
    times.push(process.hrtime.bigint() - begun);
  }
  return times;
}

const modes = {
  ask: (socket) => asks(socket, count),
  sparse: (socket) => asks(socket, count, 2),
  async burst(socket) {
    for (let i = 0; i < count; i++) socket.emit('note', TEXT);
    const had = await ask(socket, 'count');
    if (had !== count) throw new Error(`the server has ${had} of ${count}`);
  },
  flood: (socket) => takeAll(socket, 'item', (text) => text.length > 0),
  blobs: (socket) => takeAll(socket, 'blob', (blob) => blob.length === 16 * 1024),
};

async function measure(work) {
  const [wall, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
  const times = (await work()) ?? [];
  const used = process.cpuUsage(cpu);
  const each = (value) => Math.round(Number(value) / count);
  times.sort((a, b) => (a < b ? -1 : 1));
  return {
    cpu: each((used.user + used.system) * 1000),
    wall: each(process.hrtime.bigint() - wall),
    median: times.length ? Number(times[times.length >> 1]) : null,
    rss: null,
  };
}

async function connects() {
  const times = [];
  for (let i = 0; i < count; i++) {
    const begun = process.hrtime.bigint();
    const socket = await connect();
    times.push(process.hrtime.bigint() - begun);
    socket.disconnect();
  }
  return times;
}

async function idle() {
  const rss = () => process.memoryUsage.rss();
  await connect();
  const before = rss();
  for (let i = 0; i < count; i++) await connect();
  return { cpu: null, wall: null, median: null, rss: Math.round((rss() - before) / count) };
}

async function main() {
  if (mode === 'idle') return idle();
  if (mode === 'connect') return measure(connects);
  const socket = await connect();
  if (mode === 'ask') await asks(socket, 1000);
  return measure(() => modes[mode](socket));
}

main().then(
  (figures) => {
    console.log(JSON.stringify(figures));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
