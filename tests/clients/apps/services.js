// A rate limiter, a leaderboard, a reliable queue, a session store, and transfers.
"use strict";

const assert = require("assert");
const { connect, notices, numbers, together, until } = require("./checks");

const LIMITER = `
local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('zremrangebyscore', KEYS[1], '-inf', now - window)
if redis.call('zcard', KEYS[1]) >= limit then
  return 0
end
redis.call('zadd', KEYS[1], now, ARGV[4])
redis.call('pexpire', KEYS[1], 60000)
return 1
`;

// A sliding window whose clock is an argument: nothing here depends on how long it takes.
async function limiter(ports) {
  const limit = 10;
  for (let window = 0; window < 5; window++) {
    let admitted = 0;
    await together(5, async (number) => {
      const redis = connect(ports[0]);
      redis.defineCommand("allow", { numberOfKeys: 1, lua: LIMITER });
      for (let turn = 0; turn < 8; turn++) {
        const name = `${window}:${number}:${turn}`;
        const allowed = await redis.allow("limited", window * 1000, 1000, limit, name);
        admitted += allowed;
      }
    });
    assert.strictEqual(admitted, limit, `admitted in window ${window}`);
  }
  const redis = connect(ports[0]);
  assert.strictEqual(await redis.zcard("limited"), limit);
  // Reading and adding apart: two clients see nine, and eleven get in.
  await notices(async () => {
    for (let n = 0; n < 9; n++) await redis.zadd("raced", 0, n);
    const seen = [await redis.zcard("raced"), await redis.zcard("raced")];
    for (const [n, count] of seen.entries()) {
      if (count < limit) await redis.zadd("raced", 0, `late:${n}`);
    }
    assert.strictEqual(await redis.zcard("raced"), limit);
  }, "a limiter that is not atomic");
}

async function leaderboard(ports) {
  const sums = new Map();
  await together(5, async (number) => {
    const redis = connect(ports[0]);
    const random = numbers(number);
    for (let turn = 0; turn < 60; turn++) {
      const player = `player:${random(30)}`;
      const points = 1 + random(99);
      sums.set(player, (sums.get(player) || 0) + points);
      await redis.zincrby("sums", points, player);
    }
  });
  const redis = connect(ports[0]);
  const order = ([a, x], [b, y]) => y - x || (a < b ? 1 : -1);
  const ranked = [...sums].sort(order);
  const flat = await redis.zrevrange("sums", 0, -1, "WITHSCORES");
  assert.deepStrictEqual(flat, ranked.flat().map(String), "the board");
  for (const [rank, [player, points]] of ranked.entries()) {
    assert.strictEqual(await redis.zrevrank("sums", player), rank);
    assert.strictEqual(await redis.zscore("sums", player), String(points));
  }
  const best = ranked.slice(0, 3).map(([player]) => player);
  assert.deepStrictEqual(await redis.zrange("sums", 0, 2, "REV"), best);
  const wrong = () => assert.deepStrictEqual(flat.slice(2), ranked.flat().map(String));
  await notices(wrong, "a board that is another");
}

// Takers move a job to a list of their own while they work; what a dead one left is put back.
async function queue(ports) {
  const jobs = 120;
  const takers = 4;
  const done = [];
  const redis = connect(ports[0]);
  let bury;
  const dead = new Promise((resolve) => {
    bury = resolve;
  });

  async function producer(number) {
    const mine = connect(ports[0]);
    for (let job = number; job < jobs; job += 2) await mine.lpush("queue", `job:${job}`);
  }

  async function taker(number) {
    const mine = connect(ports[0]);
    const own = `taken:${number}`;
    if (number > 0) await dead;
    for (let taken = 1; ; taken++) {
      const job = await mine.blmove("queue", own, "RIGHT", "LEFT", 10);
      assert.ok(job, "the queue falls silent");
      if (job === "stop") {
        return mine.lrem(own, 1, job);
      }
      if (number === 0 && taken === 3) return bury(); // It dies with a job in its hands.
      done.push(job);
      assert.strictEqual(await mine.lrem(own, 1, job), 1, "the job that is done");
    }
  }

  async function finish() {
    await dead;
    assert.ok(await redis.lmove("taken:0", "queue", "RIGHT", "LEFT"));
    await until(async () => (await redis.ping()) && done.length >= jobs, "all jobs");
    await redis.lpush("queue", ...Array(takers - 1).fill("stop"));
  }

  const work = [...Array(2).keys()].map(producer);
  work.push(...[...Array(takers).keys()].map(taker), finish());
  await Promise.all(work);
  const expected = [...Array(jobs).keys()].map((n) => `job:${n}`).sort();
  const allDone = (what) => assert.deepStrictEqual([...what].sort(), expected);
  allDone(done);
  assert.strictEqual(await redis.exists("queue", "taken:0", "taken:1", "taken:2", "taken:3"), 0);
  await notices(() => allDone(done.slice(1)), "a job that is lost");
  await notices(() => allDone([...done, done[0]]), "a job that is done twice");
}

async function sessions(ports) {
  await together(6, async (number) => {
    const redis = connect(ports[0]);
    const user = `user:${number % 3}`;
    for (let turn = 0; turn < 15; turn++) {
      const name = `session:${number}:${turn}`;
      const data = { user, turn: String(turn), cart: "apple,\u00e9t\u00e9" };
      const login = redis.multi().hset(name, data).expire(name, 1000).sadd(`of:${user}`, name);
      assert.deepStrictEqual(await login.exec(), [[null, 3], [null, 1], [null, 1]]);
      assert.deepStrictEqual(await redis.hgetall(name), data, "the session");
      assert.strictEqual(await redis.hincrby(name, "views", 1), 1);
      const ttl = await redis.ttl(name);
      assert.ok(ttl > 990 && ttl <= 1000, `${ttl}`);
      if (turn % 3 === 0) {
        const logout = await redis.multi().del(name).srem(`of:${user}`, name).exec();
        assert.deepStrictEqual(logout, [[null, 1], [null, 1]]);
      }
    }
  });
  const redis = connect(ports[0]);
  const expected = [];
  for (let number = 0; number < 6; number++) {
    for (let turn = 0; turn < 15; turn++) if (turn % 3) expected.push(`session:${number}:${turn}`);
  }
  expected.sort();
  const alive = (await redis.sunion("of:user:0", "of:user:1", "of:user:2")).sort();
  assert.deepStrictEqual(alive, expected, "sessions that are open");
  const found = new Set();
  const stream = redis.scanStream({ match: "session:*", count: 7, type: "hash" });
  for await (const page of stream) page.forEach((name) => found.add(name));
  assert.deepStrictEqual([...found].sort(), expected, "their hashes");
  await redis.pexpire(expected[0], 1);
  await until(async () => !(await redis.exists(expected[0])), "the end of a session");
  assert.deepStrictEqual(await redis.hgetall(expected[0]), {});
  const wrong = () => assert.deepStrictEqual(alive.slice(1), expected);
  await notices(wrong, "a session that is lost");
}

async function transfers(ports) {
  const names = [0, 1, 2, 3].map((n) => `account:${n}`);
  const fresh = names.flatMap((name) => [name, 100]);
  const redis = connect(ports[0]);

  async function sumStays() {
    const balances = (await redis.mget(names)).map(Number);
    assert.ok(Math.min(...balances) >= 0, `${balances}`);
    assert.strictEqual(balances.reduce((a, b) => a + b), 400, "all the money");
  }

  await redis.mset(fresh);
  await together(5, async (number) => {
    const mine = connect(ports[0]);
    const random = numbers(number);
    for (let turn = 0; turn < 20; turn++) {
      const source = random(4);
      const pair = [names[source], names[(source + 1 + random(3)) % 4]];
      const amount = random(30);
      await until(async () => {
        await mine.watch(...pair);
        const [have, other] = (await mine.mget(pair)).map(Number);
        const moved = Math.min(have, amount);
        const pipe = mine.multi().set(pair[0], have - moved).set(pair[1], other + moved);
        return (await pipe.exec()) !== null;
      }, "a transfer");
    }
  });
  await sumStays();
  await redis.mset(fresh);
  // Both read before either writes: one transfer is lost.
  await notices(async () => {
    const [first, second] = [Number(await redis.get(names[0])), Number(await redis.get(names[0]))];
    await redis.set(names[0], first + 5);
    await redis.set(names[0], second + 7);
    await redis.decrby(names[1], 12);
    await sumStays();
  }, "a lost update");
}

module.exports = { limiter, leaderboard, queue, sessions, transfers };
