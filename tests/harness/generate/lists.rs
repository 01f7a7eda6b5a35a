//! Rows for lists.

use super::rows::Family::Lists;
use super::rows::{Row, alone, free, whole};

/// All rows of the group. What blocks is never damaged: a slip could make it wait for ever.
pub(super) const ROWS: &[Row] = &[
    free(Lists, 8, "(LPUSH|RPUSH) {l} ^({e})"),
    free(Lists, 3, "(LPUSHX|RPUSHX) {l} <{e}>"),
    free(Lists, 1, "(LPUSH|RPUSH) {l} {be} {e}"),
    free(Lists, 4, "(LPOP|RPOP) {l}"),
    free(Lists, 3, "(LPOP|RPOP) {l} {count}"),
    free(Lists, 3, "LLEN {l}"),
    free(Lists, 3, "LINDEX {l} {near}"),
    free(Lists, 4, "LSET {l} {near} {e}"),
    free(Lists, 5, "LRANGE {l} {index} {index}"),
    free(Lists, 3, "LTRIM {l} {index} {index}"),
    free(Lists, 2, "LTRIM {l} {small} {negative}"),
    free(Lists, 4, "LREM {l} {index} {e}"),
    free(Lists, 4, "LINSERT {l} (BEFORE|AFTER|before|{junk}) {e} {e}"),
    free(
        Lists,
        4,
        "LPOS {l} {e} [RANK {rank}] [COUNT {pos}] [MAXLEN {pos}]",
    ),
    free(
        Lists,
        2,
        "LPOS {l} {e} <(RANK {int}|COUNT {int}|MAXLEN {int}|{junk})>",
    ),
    free(Lists, 3, "RPOPLPUSH {l} {l}"),
    free(Lists, 4, "LMOVE {l} {l} (LEFT|RIGHT|{junk}) (LEFT|right)"),
    free(Lists, 2, "LMOVE {L} {L} (LEFT|RIGHT) (LEFT|RIGHT)"),
    free(
        Lists,
        4,
        "LMPOP (1 {l}|2 {l} {l}|3 {l} {l} {l}) (LEFT|RIGHT) [COUNT {pos}]",
    ),
    free(
        Lists,
        1,
        "LMPOP {int} <{l}> (LEFT|RIGHT|{junk}) [COUNT {int}]",
    ),
    free(
        Lists,
        2,
        "DEL {L}; RPUSH {L} ^({e}); OBJECT ENCODING {L}; LTRIM {L} {index} {index}; LLEN {L}",
    ),
    free(
        Lists,
        1,
        "RPUSH {L} {be} {be}; LSET {L} -1 {e}; LINSERT {L} AFTER {e} {be}; LRANGE {L} -3 -1",
    ),
    whole(
        Lists,
        1,
        "RPUSH {L} {empty} {empty}; LPOS {L} {empty}; LREM {L} 0 {empty}; LLEN {L}",
    ),
    free(Lists, 1, "DEL <{l}>"),
    alone(
        Lists,
        1,
        "CONFIG SET list-max-listpack-size (-2|-5|-1|1|3|16|128)",
    ),
    alone(Lists, 2, "(BLPOP|BRPOP) <{l}> 0.001"),
    alone(Lists, 2, "BLMOVE {l} {l} (LEFT|RIGHT) (LEFT|RIGHT) 0.001"),
    alone(Lists, 1, "BRPOPLPUSH {l} {l} 0.001"),
    alone(
        Lists,
        2,
        "BLMPOP 0.001 (1 {l}|2 {l} {l}) (LEFT|RIGHT) [COUNT {pos}]",
    ),
    alone(Lists, 1, "(BLPOP|BRPOP) <{l}> (-1|x|nan|1e400|-0.5)"),
    alone(
        Lists,
        1,
        "BLMPOP (-1|x|0.001) (0|-1|x|2) {l} (LEFT|MIDDLE) [COUNT (0|-1|x)]",
    ),
    alone(
        Lists,
        1,
        "BLMOVE {l} {l} (LEFT|UP) (RIGHT|DOWN) (-1|x|0.001)",
    ),
    alone(
        Lists,
        2,
        "MULTI; BLPOP <{l}> 0; BLMOVE {l} {l} LEFT RIGHT 0; BLMPOP 0 1 {l} LEFT; EXEC",
    ),
];
