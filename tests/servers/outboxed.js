"use strict";
// What a server does with the events of an outbox: it applies each once, in their order, whatever comes twice.

const fs = require("fs");

/** What was applied, a line for each in a file that survives the process: outbox, number, value. */
class Outboxed {
  constructor(path) {
    this.path = path;
    this.last = new Map();
    const lines = path && fs.existsSync(path) ? fs.readFileSync(path, "utf8").split("\n") : [];
    for (const [outbox, number] of lines.filter(Boolean).map((line) => line.split(" "))) {
      this.last.set(outbox, Number(number));
    }
  }

  apply(value, key) {
    const [outbox, number] = [key.slice(0, 16), Number(key.slice(17))];
    if (number <= (this.last.get(outbox) || 0)) return this.note(".twice", `${key} ${value}`);
    this.last.set(outbox, number);
    return this.note("", `${outbox} ${number} ${value}`);
  }

  note(suffix, line) {
    if (this.path) fs.appendFileSync(this.path + suffix, `${line}\n`);
  }
}

module.exports = { Outboxed };
