//! Rows for the commands that take a key of any type, on keys of every type.

use super::rows::Family::Mixed;
use super::rows::{Row, alone, free};

/// All rows of the group.
pub(super) const ROWS: &[Row] = &[
    free(Mixed, 3, "RPUSH {l} ^({e})"),
    free(Mixed, 3, "HSET {h} ^({e} {v})"),
    free(Mixed, 3, "SADD {s} ^(({e}|{n}))"),
    free(Mixed, 3, "ZADD {z} ^({score} {e})"),
    free(Mixed, 2, "SET {any} {v}"),
    free(
        Mixed,
        4,
        "(GET|STRLEN|LLEN|HLEN|SCARD|ZCARD|HGETALL|SMEMBERS) {any}",
    ),
    free(
        Mixed,
        3,
        "(INCR|APPEND {any}|LPOP|SMEMBERS|HKEYS|ZPOPMIN|GETDEL|PERSIST) {any}",
    ),
    free(
        Mixed,
        3,
        "(RPUSH {any}|SADD {any}|HSET {any} {e}|ZADD {any} 1|HDEL {any}|SREM {any}|ZREM {any}) {e}",
    ),
    free(Mixed, 5, "COPY {any} {any} [DB {gooddb}] [REPLACE]"),
    free(Mixed, 5, "(RENAME|RENAMENX) {any} {any}"),
    free(Mixed, 2, "MOVE {any} {gooddb}"),
    free(Mixed, 2, "SELECT {gooddb}"),
    free(Mixed, 3, "(DEL|UNLINK|EXISTS|TOUCH) <{any}>"),
    free(Mixed, 3, "TYPE {any}"),
    free(Mixed, 5, "OBJECT ENCODING {any}"),
    free(Mixed, 1, "OBJECT (REFCOUNT|IDLETIME|FREQ|NOSUCH) {any}"),
    free(Mixed, 3, "EXPIRE {any} {secs} [NX|XX|GT|LT]"),
    free(Mixed, 3, "(TTL|PTTL|EXPIRETIME|PERSIST) {any}"),
    free(
        Mixed,
        3,
        "SCAN 0 COUNT 100000 TYPE (list|set|hash|zset|string|stream)",
    ),
    free(Mixed, 2, "(MGET|SUNION|SINTER|SDIFF) <{any}>"),
    free(Mixed, 1, "MSET <{any} {v}>"),
    free(
        Mixed,
        1,
        "(SUNIONSTORE|SINTERSTORE|ZUNIONSTORE {any} 1|RPOPLPUSH) {any} {any}",
    ),
    free(Mixed, 1, "SWAPDB {gooddb} {gooddb}"),
    alone(
        Mixed,
        1,
        "HSET {H} a 1; PEXPIRE {H} 25; DEBUG SLEEP 0.03; (HSET {H} b 2|HGETALL {H}|HDEL {H} a); TTL {H}",
    ),
    alone(
        Mixed,
        1,
        "SADD {S} 1; PEXPIRE {S} 25; DEBUG SLEEP 0.03; (SADD {S} 2|SMOVE {S} {s} 1|SPOP {S} 9999); TTL {S}",
    ),
    alone(
        Mixed,
        1,
        "ZADD {Z} 1 a; PEXPIRE {Z} 25; DEBUG SLEEP 0.03; (ZADD {Z} 2 b|ZINCRBY {Z} 1 a|ZPOPMAX {Z}); TTL {Z}",
    ),
    alone(
        Mixed,
        1,
        "RPUSH {L} a; PEXPIRE {L} 25; DEBUG SLEEP 0.03; (RPUSH {L} b|RPUSHX {L} b|LMOVE {L} {l} LEFT LEFT); TTL {L}",
    ),
];
