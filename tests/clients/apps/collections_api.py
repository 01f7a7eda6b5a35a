"""Every type through redis-py's own ways of saying it, over RESP2 and RESP3."""

import redis

from checks import check, connect, together


def everything(ports):
    for protocol in (2, 3):
        r = connect(ports[0], protocol=protocol)
        r.flushall()
        for part in (lists, hashes, sets, sorted_sets, sorting, scripts, mixed):
            part(r)
        blocking(ports, protocol)


def lists(r):
    check(r.rpush("l", "a", "b", "c", "b"), 4, "rpush")
    check(r.lpush("l", "z"), 5, "lpush")
    check(r.lrange("l", 0, -1), ["z", "a", "b", "c", "b"], "lrange")
    check(r.lpos("l", "b"), 2, "lpos")
    check(r.lpos("l", "b", rank=-1), 4, "lpos rank")
    check(r.lpos("l", "b", count=0), [2, 4], "lpos count")
    check(r.lpos("l", "nosuch"), None, "lpos of nothing")
    check(r.linsert("l", "BEFORE", "c", "x"), 6, "linsert")
    check(r.lset("l", 0, "y"), True, "lset")
    check(r.lindex("l", 0), "y", "lindex")
    check(r.lrem("l", 0, "b"), 2, "lrem")
    check(r.ltrim("l", 0, 2), True, "ltrim")
    check(r.lpop("l", 2), ["y", "a"], "lpop count")
    check(r.rpop("l"), "x", "rpop")
    check(r.exists("l"), 0, "an empty list")
    r.rpush("l1", *range(5))
    check(r.lmove("l1", "l2", "LEFT", "RIGHT"), "0", "lmove")
    check(r.rpoplpush("l1", "l2"), "4", "rpoplpush")
    check(r.lmpop(2, "nosuch", "l2", direction="LEFT", count=5), ["l2", ["4", "0"]], "lmpop")
    check(r.blpop(["nosuch", "l1"], timeout=1) in [("l1", "1"), ["l1", "1"]], True, "blpop")
    check(r.blmpop(1, 2, "nosuch", "l1", direction="RIGHT"), ["l1", ["3"]], "blmpop")
    check(r.blpop("nosuch", timeout=0.01), None, "blpop of nothing")
    r.rpush("large", *[f"{n}:{'x' * 100}" for n in range(2000)])
    check(r.llen("large"), 2000, "llen")
    check(r.lindex("large", 1500).split(":")[0], "1500", "lindex far inside")
    check(r.object("encoding", "large"), "quicklist", "encoding")


def hashes(r):
    data = {"name": "caf\u00e9", "empty": "", "n": "7"}
    check(r.hset("h", mapping=data), 3, "hset mapping")
    check(r.hgetall("h"), data, "hgetall")
    check(r.hset("h", "name", "new"), 0, "hset")
    check(r.hget("h", "name"), "new", "hget")
    check(r.hsetnx("h", "name", "x"), 0, "hsetnx")
    check(r.hmget("h", ["n", "nosuch"]), ["7", None], "hmget")
    check(r.hincrby("h", "n", 5), 12, "hincrby")
    check(r.hincrbyfloat("h", "f", 1.5), 1.5, "hincrbyfloat")
    check(r.hexists("h", "f"), True, "hexists")
    check((sorted(r.hkeys("h")), r.hlen("h")), (["empty", "f", "n", "name"], 4), "hkeys")
    check(sorted(r.hvals("h")), ["", "1.5", "12", "new"], "hvals")
    check(r.hstrlen("h", "name"), 3, "hstrlen")
    check(r.hdel("h", "f", "nosuch"), 1, "hdel")
    check(r.hrandfield("h") in data, True, "hrandfield")
    check(len(r.hrandfield("h", 2)), 2, "hrandfield count")
    check(len(r.hrandfield("h", -5, withvalues=True)) in (5, 10), True, "hrandfield values")
    large = {f"field:{n}": f"value:{n}" for n in range(1000)}
    r.hset("large-h", mapping=large)
    check(dict(r.hscan_iter("large-h", count=50)), large, "hscan_iter")
    check(dict(r.hscan_iter("h", match="n*")), {"name": "new", "n": "12"}, "hscan_iter match")


def sets(r):
    check(r.sadd("s", "a", "b", "c", "a"), 3, "sadd")
    r.sadd("t", "b", "c", "d")
    check(r.smembers("s"), {"a", "b", "c"}, "smembers")
    check(r.sismember("s", "a"), 1, "sismember")
    check(r.smismember("s", ["a", "z"]), [1, 0], "smismember")
    check(set(r.sinter("s", "t")), {"b", "c"}, "sinter")
    check(set(r.sunion("s", "t")), {"a", "b", "c", "d"}, "sunion")
    check(set(r.sdiff("s", "t")), {"a"}, "sdiff")
    check(r.sintercard(2, ["s", "t"]), 2, "sintercard")
    check(r.sintercard(2, ["s", "t"], limit=1), 1, "sintercard limit")
    check(r.sinterstore("u", "s", "t"), 2, "sinterstore")
    check(r.smove("s", "u", "a"), True, "smove")
    check(r.smembers("u"), {"a", "b", "c"}, "after smove")
    check(r.srem("u", "a", "z"), 1, "srem")
    check(r.srandmember("u") in {"b", "c"}, True, "srandmember")
    check(set(r.spop("u", 5)), {"b", "c"}, "spop")
    check(r.scard("u"), 0, "scard")
    r.sadd("numbers", *range(3000))
    check(set(r.sscan_iter("numbers", count=100)), {str(n) for n in range(3000)}, "sscan_iter")
    r.sadd("few", 1, 2, 3)
    check(r.object("encoding", "few"), "intset", "encoding")


def sorted_sets(r):
    check(r.zadd("z", {"a": 1, "b": 2.5, "c": 3}), 3, "zadd")
    check(r.zadd("z", {"a": 5, "d": 1}, nx=True), 1, "zadd nx")
    check(r.zadd("z", {"a": 5}, gt=True, ch=True), 1, "zadd gt ch")
    check(r.zadd("z", {"a": 2}, gt=True, ch=True), 0, "zadd gt")
    check(r.zadd("z", {"x": 2}, xx=True), 0, "zadd xx")
    check(r.zadd("z", {"d": 1}, incr=True), 2.0, "zadd incr")
    scored = [("d", 2.0), ("b", 2.5), ("c", 3.0), ("a", 5.0)]
    check([tuple(p) for p in r.zrange("z", 0, -1, withscores=True)], scored, "zrange withscores")
    check(r.zrange("z", 0, 1, desc=True), ["a", "c"], "zrange desc")
    check(r.zrange("z", 2.5, "(5", byscore=True), ["b", "c"], "zrange byscore")
    check(r.zrange("z", "-", "+", bylex=True, offset=0, num=1), ["d"], "zrange bylex")
    check(r.zrangebyscore("z", "-inf", "+inf", start=1, num=2), ["b", "c"], "zrangebyscore")
    check(r.zrevrangebyscore("z", 3, 2), ["c", "b", "d"], "zrevrangebyscore")
    check((r.zrank("z", "b"), r.zrevrank("z", "b")), (1, 2), "ranks")
    check((r.zscore("z", "b"), r.zmscore("z", ["b", "q"])), (2.5, [2.5, None]), "scores")
    check((r.zcount("z", 2, 3), r.zcard("z"), r.zlexcount("z", "-", "+")), (3, 4, 4), "counts")
    check(r.zincrby("z", 0.5, "b"), 3.0, "zincrby")
    r.zadd("y", {"a": 10, "e": 1})
    union = [tuple(p) for p in r.zunion({"z": 1, "y": 2}, withscores=True)]
    check(union, [("d", 2.0), ("e", 2.0), ("b", 3.0), ("c", 3.0), ("a", 25.0)], "zunion")
    check(r.zinter(["z", "y"], aggregate="MAX"), ["a"], "zinter")
    check(r.zdiff(["z", "y"]), ["d", "b", "c"], "zdiff")
    check(r.zinterstore("stored", ["z", "y"]), 1, "zinterstore")
    check(r.zintercard(2, ["z", "y"]), 1, "zintercard")
    check(r.zrangestore("part", "z", 0, 1), 2, "zrangestore")
    check([list(p) for p in r.zpopmin("part", 2)], [["d", 2.0], ["b", 3.0]], "zpopmin")
    popped = r.bzpopmax(["nosuch", "y"], timeout=1)
    check((popped[0], popped[1], float(popped[2])), ("y", "a", 10.0), "bzpopmax")
    name, pairs = r.zmpop(2, ["nosuch", "y"], min=True)
    check((name, pairs[0][0], float(pairs[0][1])), ("y", "e", 1.0), "zmpop")
    check(r.zremrangebyrank("z", 0, 0), 1, "zremrangebyrank")
    check(r.zremrangebyscore("z", 5, 5), 1, "zremrangebyscore")
    check(r.zrem("z", "b", "q"), 1, "zrem")
    check(r.zrandmember("z"), "c", "zrandmember")
    large = {f"m{n}": float(n) for n in range(1500)}
    r.zadd("large-z", large)
    check(dict(r.zscan_iter("large-z", count=64)), large, "zscan_iter")
    check(r.zrank("large-z", "m777"), 777, "zrank far inside")
    r.zadd("infinite", {"low": float("-inf"), "high": float("inf")})
    check(r.zscore("infinite", "high"), float("inf"), "infinity")


def sorting(r):
    r.rpush("ids", 3, 1, 2)
    for number, name in enumerate(["c", "a", "b"], 1):
        r.set(f"weight:{number}", 10 - number)
        r.hset(f"object:{number}", "name", name)
    check(r.sort("ids"), ["1", "2", "3"], "sort")
    check(r.sort("ids", desc=True, start=0, num=2), ["3", "2"], "sort limit")
    check(r.sort("ids", by="weight:*"), ["3", "2", "1"], "sort by")
    got = r.sort("ids", by="object:*->name", alpha=True, get=["#", "object:*->name"], groups=True)
    check([tuple(p) for p in got], [("2", "a"), ("3", "b"), ("1", "c")], "sort get")
    check(r.sort("ids", store="sorted"), 3, "sort store")
    check(r.lrange("sorted", 0, -1), ["1", "2", "3"], "what sort stored")
    check(r.sort_ro("ids", desc=True), ["3", "2", "1"], "sort_ro")


def scripts(r):
    script = r.register_script("return {KEYS[1], ARGV[1], redis.call('incr', KEYS[1])}")
    check(script(keys=["calls"], args=["x"]), ["calls", "x", 1], "register_script")
    r.script_flush()
    check(script(keys=["calls"], args=["y"]), ["calls", "y", 2], "a script that was forgotten")
    with r.pipeline() as pipe:
        script(keys=["calls"], args=["z"], client=pipe)
        check(pipe.execute(), [["calls", "z", 3]], "a script in a pipeline")
    check(r.eval("return redis.call('zscore', KEYS[1], 'c')", 1, "z"), "3", "eval")
    try:
        r.eval("return redis.call('incr', KEYS[1])", 1, "l1")
        raise AssertionError("a script on the wrong type")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error) or "wrong kind" in str(error), error


def mixed(r):
    with r.pipeline(transaction=False) as pipe:
        for n in range(300):
            pipe.rpush("pl", n).hset("ph", f"f{n}", n).sadd("ps", n).zadd("pz", {n: n}).incr("pi")
        replies = pipe.execute()
    check(replies, [x for n in range(1, 301) for x in (n, 1, 1, 1, n)], "a pipeline of all types")
    with r.pipeline() as pipe:
        pipe.lpop("pl").hget("ph", "f7").scard("ps").zscore("pz", 9).get("pi").type("pz")
        check(pipe.execute(), ["0", "7", 300, 9.0, "300", "zset"], "a transaction of all types")
    try:
        r.lpush("ph", 1)
        raise AssertionError("lpush to a hash")
    except redis.ResponseError as error:
        assert "wrong kind of value" in str(error), error
    check(r.copy("pz", "pz2"), True, "copy")
    check(r.zcard("pz2"), 300, "a copy")
    check(r.rename("pz2", "pz3"), True, "rename")
    check(r.delete("pl", "ph", "ps", "pz", "pz3", "pi"), 6, "delete")


def blocking(ports, protocol):
    """Each waits for what the other sends: they come to an end only if every wait is served."""

    def client(number):
        mine = connect(ports[0], protocol=protocol)
        own, other = f"ball:{number}", f"ball:{1 - number}"
        if number == 0:
            mine.rpush(other, 0)
        for turn in range(50):
            ball = mine.blpop(own, timeout=10)
            assert ball is not None, f"no ball in turn {turn}"
            check(int(ball[1]), 2 * turn + (1 - number), "the ball")
            mine.rpush(other, int(ball[1]) + 1)

    r = connect(ports[0])
    r.delete("ball:0", "ball:1")
    together(2, client)
