"""A rate limiter, a leaderboard, a reliable queue, a session store, and transfers."""

import random
import threading

import redis

from checks import PATIENCE, check, connect, notices, together, until

LIMITER = """
local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('zremrangebyscore', KEYS[1], '-inf', now - window)
if redis.call('zcard', KEYS[1]) >= limit then
  return 0
end
redis.call('zadd', KEYS[1], now, ARGV[4])
redis.call('pexpire', KEYS[1], 60000)
return 1
"""


def limiter(ports):
    """A sliding window whose clock is an argument: nothing here depends on how long it takes."""
    limit, windows, clients = 10, 5, 5
    for window in range(windows):
        admitted = []

        def client(number, window=window, admitted=admitted):
            r = connect(ports[0])
            allow = r.register_script(LIMITER)
            for turn in range(8):
                args = [window * 1000, 1000, limit, f"{window}:{number}:{turn}"]
                if allow(keys=["limited"], args=args):
                    admitted.append((number, turn))

        together(clients, client)
        check(len(admitted), limit, f"admitted in window {window}")
    r = connect(ports[0])
    check(r.zcard("limited"), limit, "what is remembered")
    assert 0 < r.pttl("limited") <= 60_000

    def racing():
        """Reading and adding apart: two clients see nine, and eleven get in."""
        r.delete("raced")
        r.zadd("raced", {str(n): 0 for n in range(9)})
        seen = [r.zcard("raced"), r.zcard("raced")]
        for number, count in enumerate(seen):
            if count < limit:
                r.zadd("raced", {f"late:{number}": 0})
        check(r.zcard("raced"), limit, "admitted")

    notices(racing, "a limiter that is not atomic")


def leaderboard(ports):
    players = [f"player:{n}" for n in range(30)]
    sums, best = [dict.fromkeys(players, 0) for _ in range(5)], [{} for _ in range(5)]

    def client(number):
        r = connect(ports[0])
        rng = random.Random(number)
        for _ in range(60):
            player, points = rng.choice(players), rng.randrange(1, 100)
            sums[number][player] += points
            best[number][player] = max(points, best[number].get(player, 0))
            r.zincrby("sums", points, player)
            r.zadd("best", {player: points}, gt=True)

    together(5, client)
    r = connect(ports[0])
    total = {player: sum(each[player] for each in sums) for player in players}
    total = {player: points for player, points in total.items() if points}
    ranked = sorted(total.items(), key=lambda row: (row[1], row[0]), reverse=True)
    board = r.zrevrange("sums", 0, -1, withscores=True)
    check([(player, int(points)) for player, points in board], ranked, "the board")
    for rank, (player, points) in enumerate(ranked):
        check(r.zrevrank("sums", player), rank, f"rank of {player}")
        check(r.zscore("sums", player), float(points), f"points of {player}")
    check(r.zcount("sums", ranked[9][1], "+inf") >= 10, True, "the ten best")
    top = {player: max(each.get(player, 0) for each in best) for player in total}
    check({p: int(s) for p, s in r.zrange("best", 0, -1, withscores=True)}, top, "the best")
    notices(
        lambda: check(board[:-1] + [("x", 1.0)], board, "the board"), "a board that is another"
    )


def queue(ports):
    """Takers move a job to a list of their own while they work; what a dead one left is put back."""
    jobs, takers = 120, 4
    done, guard, dead = [], threading.Lock(), threading.Event()
    r = connect(ports[0])

    def producer(number):
        mine = connect(ports[0])
        for job in range(number, jobs, 2):
            mine.lpush("queue", f"job:{job}")

    def taker(number):
        mine = connect(ports[0])
        own, taken = f"taken:{number}", 0
        assert number == 0 or dead.wait(PATIENCE), "nobody dies"
        while True:
            job = mine.blmove("queue", own, 10, "RIGHT", "LEFT")
            assert job is not None, "the queue falls silent"
            if job == "stop":
                mine.lrem(own, 1, job)
                return
            taken += 1
            if number == 0 and taken == 3:
                dead.set()  # with a job in its hands
                return
            with guard:
                done.append(job)
            check(mine.lrem(own, 1, job), 1, "the job that is done")

    def finish():
        """Puts back what the dead one left, and sends everybody home when all is done."""
        assert dead.wait(PATIENCE), "nobody dies"
        assert r.lmove("taken:0", "queue", "RIGHT", "LEFT"), "nothing to put back"
        until(lambda: len(done) >= jobs, "all jobs")
        r.lpush("queue", *["stop"] * (takers - 1))

    def anybody(number):
        if number == 0:
            finish()
        elif number <= 2:
            producer(number - 1)
        else:
            taker(number - 3)

    together(3 + takers, anybody)

    def all_done(what):
        check(sorted(what), sorted(f"job:{n}" for n in range(jobs)), "jobs done, each once")

    all_done(done)
    for name in ["queue"] + [f"taken:{n}" for n in range(takers)]:
        check(r.exists(name), 0, f"{name} at the end")
    notices(lambda: all_done(done[1:]), "a job that is lost")
    notices(lambda: all_done(done + done[:1]), "a job that is done twice")


def sessions(ports):
    def client(number):
        r = connect(ports[0])
        user = f"user:{number % 3}"
        for turn in range(15):
            name = f"session:{number}:{turn}"
            data = {"user": user, "turn": str(turn), "cart": "apple,\u00e9t\u00e9"}
            with r.pipeline() as pipe:
                pipe.hset(name, mapping=data).expire(name, 1000).sadd(f"of:{user}", name)
                check(pipe.execute(), [3, True, 1], "login")
            check(r.hgetall(name), data, "the session")
            check(r.hincrby(name, "views", 1), 1, "views")
            assert 990 < r.ttl(name) <= 1000
            check(r.hmget(name, "user", "nosuch"), [user, None], "fields")
            if turn % 3 == 0:
                with r.pipeline() as pipe:
                    pipe.delete(name).srem(f"of:{user}", name)
                    check(pipe.execute(), [1, 1], "logout")

    together(6, client)
    r = connect(ports[0])
    alive = sorted(name for n in range(3) for name in r.smembers(f"of:user:{n}"))
    expected = sorted(f"session:{n}:{t}" for n in range(6) for t in range(15) if t % 3)
    check(alive, expected, "sessions that are open")
    check(sorted(r.scan_iter(match="session:*", count=7, _type="hash")), expected, "their hashes")
    r.pexpire(expected[0], 1)
    until(lambda: not r.exists(expected[0]), "the end of a session")
    check(r.hgetall(expected[0]), {}, "an expired session")
    notices(lambda: check(alive[1:], expected, "sessions"), "a session that is lost")


def transfers(ports):
    accounts, clients, turns = 4, 5, 20
    r = connect(ports[0])
    names = [f"account:{n}" for n in range(accounts)]
    retries = []

    def client(number):
        mine = connect(ports[0])
        rng = random.Random(number)
        for _ in range(turns):
            source, target = rng.sample(names, 2)
            amount = rng.randrange(1, 30)
            while True:
                try:
                    with mine.pipeline() as pipe:
                        pipe.watch(source, target)
                        have, other = int(pipe.get(source)), int(pipe.get(target))
                        moved = min(have, amount)
                        pipe.multi()
                        pipe.set(source, have - moved).set(target, other + moved)
                        pipe.execute()
                        break
                except redis.WatchError:
                    retries.append(number)

    def sum_stays():
        balances = [int(balance) for balance in r.mget(names)]
        assert min(balances) >= 0, balances
        check(sum(balances), 100 * accounts, "all the money")

    r.mset(dict.fromkeys(names, 100))
    together(clients, client)
    sum_stays()

    def unwatched():
        """Both read before either writes: one transfer is lost."""
        first, second = int(r.get(names[0])), int(r.get(names[0]))
        r.set(names[0], first + 5)
        r.set(names[0], second + 7)
        r.decrby(names[1], 5)
        r.decrby(names[1], 7)
        sum_stays()

    r.mset(dict.fromkeys(names, 100))
    notices(unwatched, "a lost update")
    r.set(names[0], 1)
    with r.pipeline() as pipe:
        pipe.watch(names[0])
        connect(ports[0]).set(names[0], 2)
        pipe.multi()
        pipe.set(names[0], 3)
        try:
            pipe.execute()
            raise AssertionError("EXEC after another's write")
        except redis.WatchError:
            check(r.get(names[0]), "2", "what the other wrote")
