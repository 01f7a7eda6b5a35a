"""Applications over redis-py: argv is three ports; the first server is used most."""

import sys
import time

import checks
import collections_api
import locks
import services

APPLICATIONS = [
    locks.lock,
    locks.redlock,
    services.limiter,
    services.leaderboard,
    services.queue,
    services.sessions,
    services.transfers,
    collections_api.everything,
]


def main():
    ports = [int(word) for word in sys.argv[1:4]]
    for application in APPLICATIONS:
        for port in ports:
            checks.connect(port).flushall()
        began = time.monotonic()
        application(ports)
        print(f"{application.__name__}: {time.monotonic() - began:.2f} s", flush=True)
    print("all is well")


main()
