// Locks under contention: one server, and Redlock over three.
"use strict";

const assert = require("assert");
const { CAD, Holders, connect, notices, together, until } = require("./checks");

const CLIENTS = 6;
const TURNS = 25;
const HELD_MS = 30000;

function client(port) {
  const redis = connect(port);
  redis.defineCommand("release", { numberOfKeys: 1, lua: CAD });
  return redis;
}

const take = (redis, key, token) => redis.set(key, token, "PX", HELD_MS, "NX");

// Not atomic: without a lock, counts get lost.
async function workUnderLock(redis) {
  await redis.set("guarded", Number((await redis.get("guarded")) || 0) + 1);
}

async function lock(ports) {
  const redis = client(ports[0]);
  const holders = new Holders();
  await together(CLIENTS, async (number) => {
    const mine = client(ports[0]);
    for (let turn = 0; turn < TURNS; turn++) {
      const token = `${number}:${turn}`;
      await until(() => take(mine, "lock", token), "the lock");
      holders.enter(token);
      await workUnderLock(mine);
      holders.leave(token);
      assert.strictEqual(await mine.release("lock", token), 1, "release of what is held");
    }
  });
  assert.strictEqual(await redis.get("guarded"), String(CLIENTS * TURNS), "counts");
  assert.strictEqual(await redis.exists("lock"), 0, "the lock at the end");
  assert.strictEqual(await take(redis, "lock", "a"), "OK");
  assert.strictEqual(await redis.release("lock", "b"), 0, "release of another's lock");
  assert.strictEqual(await redis.get("lock"), "a", "another's lock");
  // b is too late, deletes the lock of a, and c gets it while a is inside.
  await notices(async () => {
    const each = new Holders();
    each.enter("a");
    await redis.del("lock");
    assert.strictEqual(await take(redis, "lock", "c"), "OK");
    each.enter("c");
  }, "a release without comparing");
}

class Redlock {
  constructor(ports, quorum) {
    this.servers = ports.map(client);
    this.quorum = quorum;
  }

  async tryTake(token) {
    const got = await Promise.all(this.servers.map((redis) => take(redis, "redlock", token)));
    if (got.filter(Boolean).length >= this.quorum) return true;
    await this.release(token);
    return false;
  }

  take(token) {
    return until(async () => {
      if (await this.tryTake(token)) return true;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      return false;
    }, "Redlock");
  }

  release(token) {
    return Promise.all(this.servers.map((redis) => redis.release("redlock", token)));
  }
}

async function redlock(ports) {
  const holders = new Holders();
  const first = client(ports[0]);
  await together(4, async (number) => {
    const mine = new Redlock(ports, 2);
    for (let turn = 0; turn < 8; turn++) {
      const token = `${number}:${turn}`;
      await mine.take(token);
      holders.enter(token);
      await workUnderLock(first);
      holders.leave(token);
      await mine.release(token);
    }
  });
  assert.strictEqual(await first.get("guarded"), "32", "counts under Redlock");
  const mine = new Redlock(ports, 2);
  await mine.servers[1].set("redlock", "somebody");
  assert.strictEqual(await mine.tryTake("a"), true, "with one server taken");
  assert.strictEqual(await mine.tryTake("b"), false, "while it is held");
  await mine.release("a");
  const rest = await Promise.all(mine.servers.map((redis) => redis.get("redlock")));
  assert.deepStrictEqual(rest, [null, "somebody", null]);
  // With one server as quorum, two clients hold it.
  await notices(async () => {
    const each = new Holders();
    const weak = new Redlock(ports, 1);
    await weak.servers[0].set("redlock", "a");
    each.enter("a");
    if (await weak.tryTake("b")) each.enter("b");
  }, "a quorum that is none");
}

module.exports = { lock, redlock };
