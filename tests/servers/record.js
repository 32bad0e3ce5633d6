"use strict";
// What the server saw, for tests to ask. Nothing here grows without bound.

const LIMIT = 10_000;

/** The byte that must stand at `index` of buffer `which` (0 or 1) of blob `n` of thread `thread`. */
function patternByte(thread, n, which, index) {
  return (thread * 31 + n * 7 + which * 128 + index) & 0xff;
}

/** Whether `buffer` holds the pattern, from its first byte to its last. */
function isPattern(buffer, thread, n, which) {
  if (!Buffer.isBuffer(buffer)) return false;
  for (let i = 0; i < buffer.length; i++) {
    if (buffer[i] !== patternByte(thread, n, which, i)) return false;
  }
  return true;
}

/** Numbered messages of several threads: how many came, and whether in order. */
class Tally {
  constructor() {
    this.reset();
  }

  reset() {
    this.total = 0;
    this.bad = 0;
    this.bytes = 0;
    this.threads = {};
  }

  /** Notes message `n` of `thread`; numbers start at 0. */
  add(thread, n) {
    const seen = (this.threads[thread] ||= { count: 0, next: 0, inOrder: true });
    if (n !== seen.next) seen.inOrder = false;
    seen.next = n + 1;
    seen.count += 1;
    this.total += 1;
  }

  summary() {
    const { total, bad, bytes, threads } = this;
    return { total, bad, bytes, inOrder: Object.values(threads).every((t) => t.inOrder), threads };
  }
}

/** A list that keeps its first `LIMIT` entries and counts the rest. */
class Log {
  constructor() {
    this.started = Date.now();
    this.clear();
  }

  clear() {
    this.entries = [];
    this.dropped = 0;
  }

  add(entry) {
    if (this.entries.length === LIMIT) this.dropped += 1;
    else this.entries.push({ at: Date.now() - this.started, ...entry });
  }
}

/** Everything that outlives a restart of the listener (`close`, then `listen`). */
class Record {
  constructor() {
    this.ticks = new Tally();
    this.blobs = new Tally();
    this.log = new Log();
    this.requests = new Log();
    this.events = new Log();
    this.attempts = {};
    this.devices = new Map();
  }

  reset() {
    for (const part of [this.ticks, this.blobs]) part.reset();
    for (const part of [this.log, this.requests, this.events]) part.clear();
    this.attempts = {};
    this.devices.clear();
  }
}

module.exports = { Record, isPattern, patternByte };
