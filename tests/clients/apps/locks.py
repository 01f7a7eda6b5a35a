"""Locks under contention: one server, and Redlock over three."""

import random
import time
import uuid

from checks import CAD, PATIENCE, Holders, check, connect, notices, together

CLIENTS, TURNS = 6, 25
HELD_MS = 30_000


def take(r, key, token):
    deadline = time.monotonic() + PATIENCE
    while not r.set(key, token, nx=True, px=HELD_MS):
        assert time.monotonic() < deadline, "the lock never comes free"


def work_under_lock(r):
    """Not atomic: without a lock, counts get lost."""
    r.set("guarded", int(r.get("guarded") or 0) + 1)


def lock(ports):
    r = connect(ports[0])
    holders = Holders()

    def client(number):
        mine = connect(ports[0])
        release = mine.register_script(CAD)
        for turn in range(TURNS):
            token = f"{number}:{turn}:{uuid.uuid4()}"
            take(mine, "lock", token)
            holders.enter(token)
            work_under_lock(mine)
            holders.leave(token)
            check(release(keys=["lock"], args=[token]), 1, "release of what is held")

    together(CLIENTS, client)
    check(r.get("guarded"), str(CLIENTS * TURNS), "counts under the lock")
    check(r.exists("lock"), 0, "the lock at the end")
    release = r.register_script(CAD)
    take(r, "lock", "a")
    check(release(keys=["lock"], args=["b"]), 0, "release of another's lock")
    check(r.get("lock"), "a", "another's lock")
    assert 0 < r.pttl("lock") <= HELD_MS
    notices(lambda: careless_release(r), "a release without comparing")


def careless_release(r):
    """b is too late, deletes the lock of a, and c gets it while a is inside."""
    holders = Holders()
    r.delete("lock")
    take(r, "lock", "a")
    holders.enter("a")
    r.delete("lock")
    take(r, "lock", "c")
    holders.enter("c")


class Redlock:
    def __init__(self, ports, quorum):
        self.servers = [connect(port) for port in ports]
        self.quorum = quorum

    def try_take(self, token):
        got = [bool(r.set("redlock", token, nx=True, px=HELD_MS)) for r in self.servers]
        if sum(got) >= self.quorum:
            return True
        self.release(token)
        return False

    def take(self, token):
        deadline = time.monotonic() + PATIENCE
        while not self.try_take(token):
            assert time.monotonic() < deadline, "the locks never come free"
            time.sleep(random.uniform(0, 0.005))

    def release(self, token):
        for r in self.servers:
            r.eval(CAD, 1, "redlock", token)


def redlock(ports):
    holders = Holders()
    first = connect(ports[0])
    first.delete("guarded")

    def client(number):
        mine = Redlock(ports, 2)
        counts = connect(ports[0])
        for turn in range(8):
            token = f"{number}:{turn}:{uuid.uuid4()}"
            mine.take(token)
            holders.enter(token)
            work_under_lock(counts)
            holders.leave(token)
            mine.release(token)

    together(4, client)
    check(first.get("guarded"), "32", "counts under Redlock")
    connect(ports[1]).set("redlock", "somebody", px=HELD_MS)
    mine = Redlock(ports, 2)
    check(mine.try_take("a"), True, "Redlock with one server taken")
    check(mine.try_take("b"), False, "Redlock while it is held")
    mine.release("a")
    check([r.get("redlock") for r in mine.servers], [None, "somebody", None], "Redlock's rest")

    def minority():
        """With one server as quorum, two clients hold it."""
        each = Holders()
        weak = Redlock(ports, 1)
        for r in weak.servers:
            r.delete("redlock")
        weak.servers[0].set("redlock", "a")
        each.enter("a")
        if weak.try_take("b"):
            each.enter("b")

    notices(minority, "a quorum that is none")
