//! Rows for sorted sets.

use super::rows::Family::SortedSets;
use super::rows::{Row, alone, free, whole};

/// All rows of the group. Lexicographic ranges have a meaning only where all scores are equal: the
/// sets called `{zl}` are such, and nothing else writes to them.
pub(super) const ROWS: &[Row] = &[
    free(SortedSets, 9, "ZADD {z} ^({score} {e})"),
    free(
        SortedSets,
        6,
        "ZADD {z} [NX|XX] [GT|LT] [CH] {odd} {e} [{score} {e}]",
    ),
    free(SortedSets, 4, "ZADD {z} [NX|XX|GT|LT] [CH] INCR {odd} {e}"),
    free(
        SortedSets,
        2,
        "ZADD {z} <(NX|XX|GT|LT|CH|INCR|{junk})> {score} {e} [{odd}]",
    ),
    free(SortedSets, 4, "ZINCRBY {z} {odd} {e}"),
    free(SortedSets, 4, "ZREM {z} <{e}>"),
    free(SortedSets, 1, "ZREM {z} ^({e})"),
    free(SortedSets, 3, "ZCARD {z}"),
    free(SortedSets, 4, "ZSCORE {z} {e}"),
    free(SortedSets, 3, "ZMSCORE {z} <{e}>"),
    whole(SortedSets, 4, "(ZRANK|ZREVRANK) {z} {e}"),
    free(SortedSets, 3, "ZCOUNT {z} {bound} {bound}"),
    free(SortedSets, 4, "ZRANGE {z} {index} {index} [WITHSCORES]"),
    free(
        SortedSets,
        3,
        "(ZREVRANGE {z} {index} {index}|ZRANGE {z} {index} {index} REV) [WITHSCORES]",
    ),
    free(
        SortedSets,
        4,
        "ZRANGE {z} {bound} {bound} BYSCORE [REV] [LIMIT {offset0} {small}] [WITHSCORES]",
    ),
    free(
        SortedSets,
        5,
        "(ZRANGEBYSCORE|ZREVRANGEBYSCORE) {z} {bound} {bound} [WITHSCORES] [LIMIT {offset0} {small}]",
    ),
    free(
        SortedSets,
        2,
        "ZRANGE {z} {bound} {bound} <(BYSCORE|BYLEX|REV|WITHSCORES|LIMIT {offset0} {int}|{junk})>",
    ),
    free(
        SortedSets,
        1,
        "ZRANGEBYSCORE {z} {bound} {bound} <(WITHSCORES|LIMIT {offset0} {int}|LIMIT|{junk})>",
    ),
    free(SortedSets, 3, "ZREMRANGEBYRANK {z} {index} {index}"),
    free(SortedSets, 2, "ZREMRANGEBYRANK {z} {pos} {negative}"),
    free(SortedSets, 2, "ZREMRANGEBYSCORE {z} {bound} {bound}"),
    free(SortedSets, 3, "(ZPOPMIN|ZPOPMAX) {z}"),
    free(SortedSets, 3, "(ZPOPMIN|ZPOPMAX) {z} {count}"),
    free(
        SortedSets,
        4,
        "ZMPOP (1 {z}|2 {z} {z}|3 {z} {z} {z}) (MIN|MAX) [COUNT {pos}]",
    ),
    free(
        SortedSets,
        1,
        "ZMPOP {int} <{z}> (MIN|MAX|{junk}) [COUNT {int}]",
    ),
    whole(SortedSets, 2, "ZRANDMEMBER {z}"),
    whole(SortedSets, 3, "ZRANDMEMBER {z} {draws} [WITHSCORES]"),
    whole(
        SortedSets,
        1,
        "ZRANDMEMBER {z} {draws} ({junk}|WITHSCORES x)",
    ),
    free(
        SortedSets,
        4,
        "(ZUNIONSTORE|ZINTERSTORE) {z} (1 {zs}|2 {zs} {zs}) [AGGREGATE (SUM|MIN|MAX)]",
    ),
    free(
        SortedSets,
        4,
        "(ZUNION|ZINTER) 2 {zs} {zs} [WEIGHTS {odd} {score}] [AGGREGATE (SUM|MIN|max)] [WITHSCORES]",
    ),
    free(
        SortedSets,
        3,
        "(ZUNIONSTORE|ZINTERSTORE) {z} 2 {zs} {zs} WEIGHTS {whole} {whole} [AGGREGATE (MIN|MAX)]",
    ),
    free(
        SortedSets,
        2,
        "(ZUNION|ZINTER) 3 {zs} {zs} {zs} AGGREGATE (MIN|MAX) [WITHSCORES]",
    ),
    free(
        SortedSets,
        2,
        "(ZUNION|ZINTER|ZUNIONSTORE {z}) {int} <{zs}> <(WEIGHTS {odd}|AGGREGATE {junk}|WITHSCORES)>",
    ),
    free(
        SortedSets,
        3,
        "ZDIFF (1 {zs}|2 {zs} {zs}|3 {zs} {zs} {zs}) [WITHSCORES]",
    ),
    free(SortedSets, 2, "ZDIFFSTORE {z} (1 {zs}|2 {zs} {zs})"),
    free(SortedSets, 3, "ZINTERCARD 2 {zs} {zs} [LIMIT {pos}]"),
    free(
        SortedSets,
        1,
        "ZINTERCARD {int} <{zs}> [LIMIT {int}|{junk}]",
    ),
    free(SortedSets, 3, "ZRANGESTORE {z} {z} {index} {index} [REV]"),
    free(
        SortedSets,
        3,
        "ZRANGESTORE {Z} {z} {bound} {bound} BYSCORE [REV] [LIMIT {offset0} {small}]; OBJECT ENCODING {Z}",
    ),
    free(SortedSets, 1, "ZRANGESTORE {any} {z} 0 -1"),
    whole(SortedSets, 4, "ZADD {zl} ^(0 {e})"),
    free(SortedSets, 3, "ZLEXCOUNT {zl} {lex} {lex}"),
    free(
        SortedSets,
        4,
        "(ZRANGEBYLEX|ZREVRANGEBYLEX) {zl} {lex} {lex} [LIMIT {offset0} {small}]",
    ),
    free(
        SortedSets,
        3,
        "ZRANGE {zl} {lex} {lex} BYLEX [REV] [LIMIT {offset0} {small}]",
    ),
    whole(SortedSets, 2, "ZREMRANGEBYLEX {zl} {lex} {lex}"),
    whole(
        SortedSets,
        2,
        "ZRANGESTORE {z} {zl} {lex} {lex} BYLEX [REV] [LIMIT {offset0} {small}]",
    ),
    free(SortedSets, 3, "ZSCAN {z} 0 [MATCH {pattern}] COUNT 100000"),
    free(
        SortedSets,
        1,
        "ZSCAN {z} (0|x|-1|99999999999999999999) (COUNT {junk}|MATCH|{junk} 1|COUNT (0|-5|x))",
    ),
    free(SortedSets, 1, "ZADD {z} 1 {be}; ZCARD {z}"),
    free(
        SortedSets,
        2,
        "DEL {Z}; ZADD {Z} ^({score} {e}); OBJECT ENCODING {Z}; ZPOPMIN {Z} {pos}; OBJECT ENCODING {Z}",
    ),
    whole(
        SortedSets,
        1,
        "ZADD {Z} {score} {empty}; ZRANK {Z} {empty}; ZSCORE {Z} {empty}; ZREM {Z} {empty}",
    ),
    free(SortedSets, 1, "DEL <{z}>"),
    whole(SortedSets, 1, "DEL {zl}"),
    alone(
        SortedSets,
        1,
        "CONFIG SET (zset-max-listpack-entries|zset-max-ziplist-entries) (0|1|4|16|128)",
    ),
    alone(
        SortedSets,
        1,
        "CONFIG SET (zset-max-listpack-value|zset-max-ziplist-value) (0|1|4|20|64)",
    ),
    alone(SortedSets, 2, "(BZPOPMIN|BZPOPMAX) <{z}> 0.001"),
    alone(
        SortedSets,
        2,
        "BZMPOP 0.001 (1 {z}|2 {z} {z}) (MIN|MAX) [COUNT {pos}]",
    ),
    alone(SortedSets, 1, "BZPOPMIN <{z}> (-1|x|nan|1e400)"),
    alone(
        SortedSets,
        1,
        "BZMPOP (-1|x|0.001) (0|-1|x|2) {z} (MIN|MEAN) [COUNT (0|-1|x)]",
    ),
    alone(
        SortedSets,
        1,
        "MULTI; BZPOPMIN <{z}> 0; BZMPOP 0 1 {z} MAX; EXEC",
    ),
];
