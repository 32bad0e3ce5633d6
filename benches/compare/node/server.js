// The reference server, with its default options. Prints its port.
'use strict';
const path = require('path');
const { createServer } = require('http');
const servers = path.join(__dirname, '../../../tests/servers');
const { Server } = require(require.resolve('socket.io', { paths: [servers] }));

const TEXT = 'x'.repeat(200);
const http = createServer();
new Server(http).on('connection', (socket) => {
  let notes = 0;
  socket.on('ask', (text, answer) => answer(text));
  socket.on('note', () => notes++);
  socket.on('count', (...args) => {
    args.pop()(notes);
    notes = 0;
  });
  socket.on('items', (count) => {
    // In turns, so that what is written is not kept all at once.
    const some = (left) => {
      for (let i = 0; i < Math.min(left, 1000); i++) socket.emit('item', TEXT);
      if (left > 1000) return setImmediate(some, left - 1000);
      socket.emit('last', 0);
    };
    some(count);
  });
});
http.listen(0, '127.0.0.1', () => console.log(http.address().port));
// Ends with whoever has started it.
process.stdin.on('end', () => process.exit(0)).resume();
