"""What the applications share: connections, threads that report their failures, checkers."""

import threading
import time

import redis

PATIENCE = 30

CAD = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  return redis.call('del', KEYS[1])
end
return 0
"""


def connect(port, **options):
    options.setdefault("socket_timeout", 20)
    options.setdefault("decode_responses", True)
    return redis.Redis(host="127.0.0.1", port=port, **options)


def check(got, want, what):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def notices(fault, what):
    """The checker has to fail: a test that cannot fail proves nothing."""
    try:
        fault()
    except AssertionError:
        return
    raise AssertionError(f"the checker does not notice {what}")


def until(question, what):
    """Asks again and again until the answer is true."""
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.002)


def together(count, work):
    """Runs work(number) in threads; the first failure is raised here."""
    failures = []

    def run(number):
        try:
            work(number)
        except BaseException as failure:  # it is raised below
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
        assert not thread.is_alive() or failures, "a client does not come to an end"
    if failures:
        raise failures[0]


class Holders:
    """Who holds a lock; never two."""

    def __init__(self):
        self.guard = threading.Lock()
        self.inside = []

    def enter(self, who):
        with self.guard:
            self.inside.append(who)
            assert len(self.inside) == 1, f"two holders: {self.inside}"

    def leave(self, who):
        with self.guard:
            self.inside.remove(who)
