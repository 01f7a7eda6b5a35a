//! Rows for sets.

use super::rows::Family::Sets;
use super::rows::{Row, alone, free, whole};

/// All rows of the group. A partial SPOP leaves each server with another rest, so such a set is
/// deleted in the same breath.
pub(super) const ROWS: &[Row] = &[
    free(Sets, 7, "SADD {s} ^({e})"),
    free(Sets, 7, "SADD {s} ^({n})"),
    free(Sets, 5, "SREM {s} <({e}|{n})>"),
    free(Sets, 2, "SREM {s} ^(({e}|{n}))"),
    free(Sets, 3, "SCARD {s}"),
    free(Sets, 4, "SISMEMBER {s} ({e}|{n})"),
    free(Sets, 3, "SMISMEMBER {s} <({e}|{n})>"),
    free(Sets, 4, "SMEMBERS {s}"),
    free(Sets, 4, "SMOVE {s} {s} ({e}|{n})"),
    free(Sets, 6, "(SINTER|SUNION|SDIFF) <{s}>"),
    free(
        Sets,
        6,
        "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) {S} <{s}>; OBJECT ENCODING {S}",
    ),
    free(Sets, 2, "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) {any} <{s}>"),
    free(
        Sets,
        4,
        "SINTERCARD (1 {s}|2 {s} {s}|3 {s} {s} {s}) [LIMIT {pos}]",
    ),
    free(Sets, 1, "SINTERCARD {int} <{s}> [LIMIT {int}|{junk}]"),
    whole(Sets, 3, "SRANDMEMBER {s}"),
    whole(Sets, 4, "SRANDMEMBER {s} {draws}"),
    whole(Sets, 3, "SPOP {s} 1000000"),
    whole(
        Sets,
        3,
        "DEL {S}; SADD {S} ^({n}); SPOP {S} {draw}; SCARD {S}; DEL {S}",
    ),
    whole(
        Sets,
        3,
        "DEL {S}; SADD {S} ^({e}); SPOP {S} {draw}; SCARD {S}; DEL {S}",
    ),
    whole(Sets, 2, "DEL {S}; SADD {S} ^({e}); SPOP {S}; DEL {S}"),
    whole(Sets, 1, "SPOP {s} (-1|0|x|1.5|-9223372036854775808)"),
    free(Sets, 3, "SSCAN {s} 0 [MATCH {pattern}] COUNT 100000"),
    free(
        Sets,
        1,
        "SSCAN {s} (0|x|-1|99999999999999999999) (COUNT {junk}|MATCH|{junk} 1|COUNT (0|-5|x))",
    ),
    free(Sets, 1, "SADD {s} {be}; SISMEMBER {s} {e}"),
    free(
        Sets,
        3,
        "DEL {S}; SADD {S} ^({n}); OBJECT ENCODING {S}; SADD {S} ({e}|{n}); OBJECT ENCODING {S}",
    ),
    whole(
        Sets,
        1,
        "SADD {S} {empty}; SISMEMBER {S} {empty}; SMEMBERS {S}; SREM {S} {empty}",
    ),
    free(Sets, 1, "DEL <{s}>"),
    alone(Sets, 1, "CONFIG SET set-max-intset-entries (0|1|4|16|512)"),
    alone(
        Sets,
        1,
        "CONFIG SET set-max-listpack-entries (0|1|4|16|128)",
    ),
    alone(Sets, 1, "CONFIG SET set-max-listpack-value (0|1|4|20|64)"),
];
