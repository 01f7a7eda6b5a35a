//! Rows for hashes.

use super::rows::Family::Hashes;
use super::rows::{Row, alone, free, whole};

/// All rows of the group.
pub(super) const ROWS: &[Row] = &[
    free(Hashes, 10, "HSET {h} ^({e} {v})"),
    free(Hashes, 2, "HMSET {h} <{e} {v}>"),
    free(Hashes, 2, "HSET {h} <{e}>"),
    free(Hashes, 3, "HSETNX {h} {e} {v}"),
    free(Hashes, 5, "HGET {h} {e}"),
    free(Hashes, 3, "HMGET {h} <{e}>"),
    free(Hashes, 5, "HDEL {h} <{e}>"),
    free(Hashes, 2, "HDEL {h} ^({e})"),
    free(Hashes, 3, "HEXISTS {h} {e}"),
    free(Hashes, 3, "HLEN {h}"),
    free(Hashes, 3, "HSTRLEN {h} {e}"),
    free(Hashes, 3, "(HKEYS|HVALS) {h}"),
    free(Hashes, 4, "HGETALL {h}"),
    free(Hashes, 3, "HINCRBY {h} {e} {int}"),
    free(
        Hashes,
        4,
        "HSET {H} n {int}; HINCRBY {H} n {int}; HGET {H} n",
    ),
    free(Hashes, 3, "HINCRBYFLOAT {h} {e} {float}"),
    free(
        Hashes,
        4,
        "HSET {H} x ({int}|{float}); HINCRBYFLOAT {H} x {float}; HGET {H} x",
    ),
    whole(Hashes, 3, "HRANDFIELD {h}"),
    whole(Hashes, 4, "HRANDFIELD {h} {draws} [WITHVALUES]"),
    whole(Hashes, 1, "HRANDFIELD {h} {draws} ({junk}|WITHVALUES x)"),
    free(Hashes, 3, "HSCAN {h} 0 [MATCH {pattern}] COUNT 100000"),
    free(
        Hashes,
        1,
        "HSCAN {h} (0|x|-1|99999999999999999999) (COUNT {junk}|MATCH|{junk} 1|COUNT (0|-5|x))",
    ),
    free(Hashes, 1, "HSET {h} {e} {be}; HSTRLEN {h} {e}"),
    free(
        Hashes,
        2,
        "DEL {H}; HSET {H} ^({e} {v}); OBJECT ENCODING {H}; HDEL {H} ^({e}); OBJECT ENCODING {H}",
    ),
    whole(
        Hashes,
        1,
        "HSET {H} {empty} {v}; HGET {H} {empty}; HSTRLEN {H} {empty}; HGETALL {H}; HDEL {H} {empty}",
    ),
    free(Hashes, 1, "DEL <{h}>"),
    alone(
        Hashes,
        1,
        "CONFIG SET (hash-max-listpack-entries|hash-max-ziplist-entries) (0|1|4|16|128|512)",
    ),
    alone(
        Hashes,
        1,
        "CONFIG SET (hash-max-listpack-value|hash-max-ziplist-value) (0|1|4|20|64|300)",
    ),
];
