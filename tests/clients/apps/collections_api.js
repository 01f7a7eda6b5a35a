// Every type through ioredis's own ways of saying it.
"use strict";

const assert = require("assert");
const { connect, together } = require("./checks");

const same = (got, want, what) => assert.deepStrictEqual(got, want, what);

async function all(stream) {
  const items = [];
  for await (const page of stream) items.push(...page);
  return items;
}

const pairs = (flat) => Object.fromEntries(flat.flatMap((x, n) => (n % 2 ? [] : [[x, flat[n + 1]]])));

async function lists(r) {
  same(await r.rpush("l", "a", "b", "c", "b"), 4);
  same(await r.lrange("l", 0, -1), ["a", "b", "c", "b"]);
  same(await r.lpos("l", "b", "RANK", -1), 3);
  same(await r.lpos("l", "b", "COUNT", 0), [1, 3]);
  same(await r.linsert("l", "AFTER", "c", "x"), 5);
  same(await r.lset("l", 0, "y"), "OK");
  same(await r.lrem("l", 0, "b"), 2);
  same(await r.ltrim("l", 0, 1), "OK");
  same(await r.lpop("l", 5), ["y", "c"]);
  same(await r.rpop("l"), null);
  await r.rpush("l1", ...Array(5).keys());
  same(await r.lmove("l1", "l2", "LEFT", "RIGHT"), "0");
  same(await r.lmpop(2, "nosuch", "l2", "LEFT", "COUNT", 3), ["l2", ["0"]]);
  same(await r.blpop("nosuch", "l1", 1), ["l1", "1"]);
  same(await r.blmpop(1, 1, "l1", "RIGHT"), ["l1", ["4"]]);
  same(await r.blpop("nosuch", 0.01), null);
  const bytes = Buffer.from([0, 255, 13, 10]);
  await r.rpush("bytes", bytes);
  same(await r.lindexBuffer("bytes", 0), bytes);
}

async function hashes(r) {
  const data = { name: "caf\u00e9", empty: "", n: "7" };
  same(await r.hset("h", data), 3);
  same(await r.hgetall("h"), data);
  same(await r.hset("m", new Map([["a", "1"]])), 1);
  same(await r.hmget("h", "n", "nosuch"), ["7", null]);
  same(await r.hincrby("h", "n", 5), 12);
  same(await r.hincrbyfloat("h", "f", 1.5), "1.5");
  same((await r.hkeys("h")).sort(), ["empty", "f", "n", "name"]);
  same(await r.hdel("h", "f", "nosuch"), 1);
  same(await r.hrandfield("h", -5).then((fields) => fields.length), 5);
  const large = Object.fromEntries([...Array(1000).keys()].map((n) => [`field:${n}`, `${n}`]));
  await r.hset("large-h", large);
  same(pairs(await all(r.hscanStream("large-h", { count: 50 }))), large);
}

async function sets(r) {
  same(await r.sadd("s", "a", "b", "c", "a"), 3);
  await r.sadd("t", ["b", "c", "d"]);
  same((await r.smembers("s")).sort(), ["a", "b", "c"]);
  same(await r.smismember("s", "a", "z"), [1, 0]);
  same((await r.sinter("s", "t")).sort(), ["b", "c"]);
  same((await r.sunion("s", "t")).sort(), ["a", "b", "c", "d"]);
  same(await r.sdiff("s", "t"), ["a"]);
  same(await r.sintercard(2, "s", "t", "LIMIT", 1), 1);
  same(await r.sunionstore("u", "s", "t"), 4);
  same(await r.smove("s", "v", "a"), 1);
  same((await r.spop("u", 9)).sort(), ["a", "b", "c", "d"]);
  const many = [...Array(2000).keys()].map(String);
  await r.sadd("numbers", many);
  same([...new Set(await all(r.sscanStream("numbers", { count: 100 })))].sort(), many.sort());
}

async function sortedSets(r) {
  same(await r.zadd("z", 1, "a", 2.5, "b", 3, "c"), 3);
  same(await r.zadd("z", "NX", 9, "a"), 0);
  same(await r.zadd("z", "GT", "CH", 5, "a"), 1);
  same(await r.zadd("z", "INCR", 0.5, "b"), "3");
  same(await r.zrange("z", 0, -1, "WITHSCORES"), ["b", "3", "c", "3", "a", "5"]);
  same(await r.zrange("z", "(3", "+inf", "BYSCORE", "LIMIT", 0, 1), ["a"]);
  same(await r.zrangebyscore("z", 3, 3, "LIMIT", 1, 1), ["c"]);
  same(await r.zrevrangebylex("lex", "+", "-"), []);
  same([await r.zrank("z", "c"), await r.zrank("z", "nosuch")], [1, null]);
  same(await r.zmscore("z", "b", "q"), ["3", null]);
  await r.zadd("y", 10, "a", 1, "e");
  same(await r.zunion(2, "z", "y", "WEIGHTS", 1, 2, "WITHSCORES"), "e 2 b 3 c 3 a 25".split(" "));
  same(await r.zinterstore("stored", 2, "z", "y", "AGGREGATE", "MAX"), 1);
  same(await r.zpopmin("z", 2), ["b", "3", "c", "3"]);
  same(await r.bzpopmax("nosuch", "y", 1), ["y", "a", "10"]);
  same(await r.zmpop(1, "y", "MIN"), ["y", [["e", "1"]]]);
  const large = Object.fromEntries([...Array(1500).keys()].map((n) => [`m${n}`, `${n}`]));
  await r.zadd("large-z", ...Object.entries(large).flatMap(([name, score]) => [score, name]));
  same(pairs(await all(r.zscanStream("large-z", { count: 64 }))), large);
}

async function sortingAndScripts(r) {
  await r.rpush("ids", 3, 1, 2);
  await r.mset("weight:1", 9, "weight:2", 8, "weight:3", 7);
  same(await r.sort("ids", "DESC", "LIMIT", 0, 2), ["3", "2"]);
  same(await r.sort("ids", "BY", "weight:*", "GET", "#", "GET", "weight:*"), "3 7 2 8 1 9".split(" "));
  same(await r.sort("ids", "STORE", "sorted"), 3);
  r.defineCommand("both", { numberOfKeys: 2, lua: "return {KEYS[2], ARGV[1]}" });
  same(await r.both("a", "b", "c"), ["b", "c"]);
  await r.script("FLUSH");
  same(await r.both("a", "b", "d"), ["b", "d"]);
  const replies = await r.pipeline().both("a", "b", "e").llen("ids").exec();
  same(replies, [[null, ["b", "e"]], [null, 3]]);
}

async function mixed(r) {
  const pipeline = r.pipeline();
  const want = [];
  for (let n = 1; n <= 300; n++) {
    pipeline.rpush("pl", n).hset("ph", `f${n}`, n).sadd("ps", n).zadd("pz", n, n).lpush("ph", 1);
    want.push(n, 1, 1, 1, "WRONGTYPE Operation against a key holding the wrong kind of value");
  }
  const got = (await pipeline.exec()).map(([error, reply]) => (error ? error.message : reply));
  same(got, want);
  same(await r.multi().lpop("pl").hget("ph", "f7").scard("ps").exec(), [[null, "1"], [null, "7"], [null, 300]]);
}

// Each waits for what the other sends: they come to an end only if every wait is served.
async function blocking(ports) {
  const clients = [connect(ports[0]), connect(ports[0])];
  await clients[0].rpush("ball:1", 0);
  await together(2, async (number) => {
    for (let turn = 0; turn < 50; turn++) {
      const ball = await clients[number].blpop(`ball:${number}`, 10);
      same(ball && Number(ball[1]), 2 * turn + (1 - number), "the ball");
      await clients[number].rpush(`ball:${1 - number}`, Number(ball[1]) + 1);
    }
  });
}

async function everything(ports) {
  const r = connect(ports[0]);
  for (const part of [lists, hashes, sets, sortedSets, sortingAndScripts, mixed]) await part(r);
  await blocking(ports);
}

module.exports = { everything };
