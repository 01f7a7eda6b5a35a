"""redis-py against the server: argv is port, unix socket, protocol (2 or 3)."""

import sys
import threading

import redis

PORT, SOCKET, PROTOCOL = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])


def connect(**options):
    options.setdefault("protocol", PROTOCOL)
    options.setdefault("socket_timeout", 20)
    return redis.Redis(host="127.0.0.1", port=PORT, **options)


def check(got, want, what):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def basics():
    r = connect()
    r.flushall()
    check(r.ping(), True, "ping")
    check(r.set("k", b"\x00\xff\r\n"), True, "set")
    check(r.get("k"), b"\x00\xff\r\n", "get")
    check(r.set("k", 1, nx=True), None, "set nx")
    check(r.set("k", "v", ex=100, get=True), b"\x00\xff\r\n", "set get")
    assert 90 < r.ttl("k") <= 100
    check(r.getex("k", persist=True), b"v", "getex")
    check(r.ttl("k"), -1, "ttl")
    check(r.incrby("n", 41), 41, "incrby")
    check(r.incr("n"), 42, "incr")
    check(r.incrbyfloat("f", 0.5), 0.5, "incrbyfloat")
    check(r.mset({"a": 1, "b": 2}), True, "mset")
    check(r.mget("a", "b", "c"), [b"1", b"2", None], "mget")
    check(sorted(r.scan_iter(count=2)), [b"a", b"b", b"f", b"k", b"n"], "scan_iter")
    check(r.exists("a", "b", "c"), 2, "exists")
    check(r.expire("a", 100, gt=True), 0, "expire gt")
    check(r.rename("a", "z"), True, "rename")
    check(r.copy("z", "y"), True, "copy")
    check(r.type("y"), b"string", "type")
    check(r.dbsize(), 6, "dbsize")
    check(r.delete("y", "z"), 2, "delete")
    check(r.lcs("k", "n"), b"", "lcs")
    try:
        r.incr("k")
        raise AssertionError("incr of a word")
    except redis.ResponseError as error:
        check(str(error), "value is not an integer or out of range", "error")
    info = r.info()
    assert info["process_id"] > 0 and info["role"] == "master", info
    check(info["db0"]["keys"], 4, "info keyspace")
    check(r.config_get("maxmemory")["maxmemory"], "0", "config get")
    check(r.config_set("timeout", 0), True, "config set")
    assert r.command_count() > 80
    assert len(r.command()["get"]["flags"]) == 2
    check(r.client_setname("me"), True, "client setname")
    assert r.client_getname() in ("me", b"me"), "client getname"
    assert any(c["name"] == "me" and c["lib-name"] == "redis-py" for c in r.client_list())
    assert r.memory_usage("k") > 0
    assert isinstance(r.slowlog_get(), list)
    assert len(r.time()) == 2
    check(r.echo("x"), b"x", "echo")


def decoded():
    r = connect(decode_responses=True)
    r.set("text", "caf\u00e9")
    check(r.get("text"), "caf\u00e9", "decoded")
    check(r.mget("text", "nosuch"), ["caf\u00e9", None], "decoded mget")


def pipelines():
    r = connect()
    with r.pipeline(transaction=False) as pipe:
        for number in range(5000):
            pipe.set(f"p:{number}", number)
            pipe.get(f"p:{number}")
        replies = pipe.execute()
    check(replies[1::2], [str(n).encode() for n in range(5000)], "pipeline")
    big = b"x" * 1_000_000
    with r.pipeline(transaction=False) as pipe:
        for number in range(10):
            pipe.set("big", big)
            pipe.get("big")
        check(pipe.execute()[1::2], [big] * 10, "pipeline of large values")
    r.delete("big")


def transactions():
    r, other = connect(), connect()
    r.set("balance", 10)
    with r.pipeline() as pipe:
        pipe.watch("balance")
        current = int(pipe.get("balance"))
        pipe.multi()
        pipe.set("balance", current + 1)
        check(pipe.execute(), [True], "transaction")
        pipe.watch("balance")
        other.set("balance", 99)
        pipe.multi()
        pipe.set("balance", 0)
        try:
            pipe.execute()
            raise AssertionError("a touched key")
        except redis.WatchError:
            pass
    check(r.get("balance"), b"99", "balance")

    def add(number):
        client = connect()
        for _ in range(50):
            client.transaction(
                lambda pipe: (
                    lambda value: (pipe.multi(), pipe.set("sum", value + number))
                )(int(pipe.get("sum") or 0)),
                "sum",
            )

    r.delete("sum")
    threads = [threading.Thread(target=add, args=(n,)) for n in (1, 10, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(r.get("sum"), b"5550", "optimistic locking")


def pubsub():
    r = connect()
    listener = r.pubsub()
    listener.subscribe("news")
    listener.psubscribe("n*")
    kinds = [listener.get_message(timeout=20)["type"] for _ in range(2)]
    check(kinds, ["subscribe", "psubscribe"], "confirmations")
    check(r.publish("news", "hello"), 2, "publish")
    got = sorted((m["type"], m["data"]) for m in (listener.get_message(timeout=20) for _ in "12"))
    check(got, [("message", b"hello"), ("pmessage", b"hello")], "messages")
    check(r.pubsub_numsub("news"), [(b"news", 1)], "numsub")
    check(r.pubsub_numpat(), 1, "numpat")
    listener.unsubscribe()
    listener.punsubscribe()
    kinds = [listener.get_message(timeout=20)["type"] for _ in range(2)]
    check(sorted(kinds), ["punsubscribe", "unsubscribe"], "goodbyes")
    listener.ssubscribe("shard")
    check(listener.get_message(timeout=20)["type"], "ssubscribe", "sharded")
    check(r.spublish("shard", "x"), 1, "spublish")
    check(listener.get_sharded_message(timeout=20)["data"], b"x", "sharded message")
    listener.close()


def unix_socket():
    r = redis.Redis(unix_socket_path=SOCKET, protocol=PROTOCOL)
    r.set("unix", 1)
    check(connect().get("unix"), b"1", "the same keyspace")


def reconnect():
    r, killer = connect(client_name="victim"), connect()
    r.ping()
    for client in killer.client_list():
        if client["name"] == "victim":
            killer.client_kill_filter(_id=client["id"])
    check(r.ping(), True, "a killed client comes back")


def databases():
    one = connect(db=1)
    one.set("only", "here")
    check(connect().get("only"), None, "databases are apart")
    one.flushdb()


def threads():
    pool = connect(max_connections=20)

    def work(number):
        for at in range(200):
            pool.set(f"t:{number}", at)
            assert pool.get(f"t:{number}") == str(at).encode()

    workers = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    failed = []
    threading.excepthook = lambda args: failed.append(args)
    for test in (basics, decoded, pipelines, transactions, pubsub, unix_socket, reconnect,
                 databases, threads):
        test()
    assert not failed, failed
    print("all is well")
