// ioredis against the server: argv is port, unix socket.
"use strict";

const assert = require("assert");
const Redis = require("ioredis");

const port = Number(process.argv[2]);
const socket = process.argv[3];

function connect(options) {
  return new Redis(Object.assign({ host: "127.0.0.1", port }, options));
}

async function basics(redis) {
  await redis.flushall();
  assert.strictEqual(await redis.ping(), "PONG");
  assert.strictEqual(await redis.set("k", "v", "EX", 100), "OK");
  assert.strictEqual(await redis.get("k"), "v");
  assert.strictEqual(await redis.set("k", "w", "NX"), null);
  assert.ok((await redis.ttl("k")) > 90);
  assert.strictEqual(await redis.incrby("n", 5), 5);
  assert.strictEqual(await redis.incrbyfloat("f", 0.1), "0.1");
  assert.strictEqual(await redis.mset("a", 1, "b", 2), "OK");
  assert.deepStrictEqual(await redis.mget("a", "b", "c"), ["1", "2", null]);
  const bytes = Buffer.from([0, 255, 13, 10]);
  await redis.set("bytes", bytes);
  assert.deepStrictEqual(await redis.getBuffer("bytes"), bytes);
  await assert.rejects(redis.incr("k"), /value is not an integer or out of range/);
  await assert.rejects(redis.call("NOSUCH"), /unknown command/);
  const info = await redis.info("server");
  assert.ok(/redis_version:\d/.test(info), info);
  const keys = [];
  for await (const page of redis.scanStream({ count: 2 })) keys.push(...page);
  assert.deepStrictEqual([...new Set(keys)].sort(), ["a", "b", "bytes", "f", "k", "n"]);
}

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  for (let number = 0; number < 2000; number++) {
    pipeline.set(`p:${number}`, number);
    pipeline.get(`p:${number}`);
  }
  const replies = await pipeline.exec();
  assert.strictEqual(replies.length, 4000);
  replies.forEach(([error, reply], at) => {
    assert.strictEqual(error, null);
    assert.strictEqual(reply, at % 2 ? String((at - 1) / 2) : "OK");
  });
  const many = await Promise.all([...Array(3000).keys()].map((n) => redis.echo(String(n))));
  many.forEach((reply, at) => assert.strictEqual(reply, String(at)));
  const big = "x".repeat(1000000);
  await redis.set("big", big);
  assert.strictEqual(await redis.get("big"), big);
}

async function transactions(redis, other) {
  assert.deepStrictEqual(await redis.multi().set("t", 1).incr("t").exec(), [
    [null, "OK"],
    [null, 2],
  ]);
  await redis.watch("t");
  await other.set("t", 9);
  assert.strictEqual(await redis.multi().set("t", 0).exec(), null);
  assert.strictEqual(await redis.get("t"), "9");
}

async function pubsub(redis) {
  const listener = connect();
  const heard = new Promise((resolve) => {
    const got = [];
    const note = (...parts) => got.push(parts.join(" ")) === 2 && resolve(got);
    listener.on("message", (channel, data) => note("message", channel, data));
    listener.on("pmessage", (pattern, channel, data) => note("pmessage", pattern, channel, data));
  });
  assert.strictEqual(await listener.subscribe("news", "other"), 2);
  assert.strictEqual(await listener.psubscribe("n*"), 3);
  assert.strictEqual(await redis.publish("news", "hello"), 2);
  assert.deepStrictEqual((await heard).sort(), ["message news hello", "pmessage n* news hello"]);
  await assert.rejects(listener.get("k"), /subscriber mode/);
  await listener.unsubscribe("news", "other");
  await listener.punsubscribe("n*");
  assert.strictEqual(await listener.ping(), "PONG");
  listener.disconnect();
}

async function reconnects(redis) {
  const victim = connect({ connectionName: "victim" });
  assert.strictEqual(await victim.ping(), "PONG");
  const list = await redis.client("LIST");
  const line = list.split("\n").find((entry) => entry.includes("name=victim"));
  const back = new Promise((resolve) => victim.once("ready", resolve));
  await redis.client("KILL", "ID", /id=(\d+)/.exec(line)[1]);
  await back;
  assert.strictEqual(await victim.get("t"), "9");
  victim.disconnect();
}

async function main() {
  const redis = connect();
  const other = connect({ path: socket });
  await basics(redis);
  await pipelines(redis);
  await transactions(redis, other);
  await pubsub(redis);
  await reconnects(redis);
  redis.disconnect();
  other.disconnect();
  console.log("all is well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
