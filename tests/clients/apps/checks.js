// What the applications share: connections, checkers, waiting.
"use strict";

const assert = require("assert");
const Redis = require("ioredis");

const PATIENCE = 30000;

const CAD = `
if redis.call('get', KEYS[1]) == ARGV[1] then
  return redis.call('del', KEYS[1])
end
return 0
`;

const opened = [];

function connect(port, options) {
  const redis = new Redis(Object.assign({ host: "127.0.0.1", port }, options));
  opened.push(redis);
  return redis;
}

function closeAll() {
  opened.splice(0).forEach((redis) => redis.disconnect());
}

// The checker has to fail: a test that cannot fail proves nothing.
async function notices(fault, what) {
  let noticed = false;
  try {
    await fault();
  } catch (error) {
    if (!(error instanceof assert.AssertionError)) throw error;
    noticed = true;
  }
  assert.ok(noticed, `the checker does not notice ${what}`);
}

// Asks again and again until the answer is true.
async function until(question, what) {
  const deadline = Date.now() + PATIENCE;
  while (!(await question())) {
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
  }
}

function together(count, work) {
  return Promise.all([...Array(count).keys()].map(work));
}

// Who holds a lock; never two.
class Holders {
  constructor() {
    this.inside = [];
  }

  enter(who) {
    this.inside.push(who);
    assert.strictEqual(this.inside.length, 1, `two holders: ${this.inside}`);
  }

  leave(who) {
    this.inside.splice(this.inside.indexOf(who), 1);
  }
}

// Random numbers that repeat.
function numbers(seed) {
  let state = seed + 1;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

module.exports = { CAD, Holders, closeAll, connect, notices, numbers, together, until };
