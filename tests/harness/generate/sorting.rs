//! Rows for SORT and SORT_RO.

use super::rows::Family::Sorting;
use super::rows::{Row, free, whole};

/// All rows of the group. Where elements compare as equal and are not (`BY` a word pattern with
/// `ALPHA`, a set left unsorted) any order is right: the comparison knows, and nothing stores it.
/// The oracle takes an overflow that an earlier command has met for one of its own: what precedes
/// SORT makes it forget.
/// The keys `only:*` have one type for ever, so that an order left alone is compared too.
pub(super) const ROWS: &[Row] = &[
    whole(Sorting, 4, "RPUSH {l} ^({n})"),
    whole(Sorting, 3, "SADD {s} ^({n})"),
    whole(Sorting, 3, "ZADD {z} ^({score} {n})"),
    whole(Sorting, 1, "(RPUSH {l}|SADD {s}|ZADD {z} {score}) {e}"),
    free(Sorting, 1, "DEL <{any}>"),
    whole(Sorting, 5, "SET {weight} ({whole}|{score}|{e})"),
    free(Sorting, 3, "HSET {weights} f ({whole}|{e}) g {e}"),
    free(Sorting, 1, "DEL <({weight}|{weights})>"),
    free(
        Sorting,
        6,
        "HINCRBYFLOAT errno f 1; (SORT|SORT_RO) {lsz} [LIMIT {small} {small}] [ASC|DESC] [ALPHA]",
    ),
    free(
        Sorting,
        6,
        "HINCRBYFLOAT errno f 1; (SORT|SORT_RO) {lsz} BY ({by}|nosuch_*) [LIMIT {small} {small}] [DESC]",
    ),
    free(
        Sorting,
        5,
        "HINCRBYFLOAT errno f 1; (SORT|SORT_RO) {lsz} [BY {by}] <GET {pick}>",
    ),
    free(
        Sorting,
        3,
        "HINCRBYFLOAT errno f 1; (SORT|SORT_RO) {lsz} BY {by} ALPHA [DESC]",
    ),
    free(
        Sorting,
        2,
        "HINCRBYFLOAT errno f 1; (SORT|SORT_RO) {s} BY nosort [GET #]",
    ),
    free(
        Sorting,
        5,
        "HINCRBYFLOAT errno f 1; SORT {lsz} [BY {by}] [LIMIT {small} {small}] [DESC] [GET #] STORE {any}",
    ),
    free(
        Sorting,
        2,
        "HINCRBYFLOAT errno f 1; SORT {lsz} ALPHA [DESC] STORE {L}; LRANGE {L} 0 -1",
    ),
    free(
        Sorting,
        2,
        "HINCRBYFLOAT errno f 1; SORT {lsz} <(ASC|DESC|ALPHA|LIMIT {int} {int}|LIMIT|BY|GET|{junk})>",
    ),
    free(
        Sorting,
        1,
        "HINCRBYFLOAT errno f 1; SORT_RO {lsz} STORE {any}",
    ),
    whole(
        Sorting,
        2,
        "RPUSH only:l ^({e}); SORT only:l BY (nosort|#|{e}) [LIMIT {small} {small}] [DESC] [GET {pick}]",
    ),
    whole(
        Sorting,
        2,
        "ZADD only:z ^({whole} {e}); SORT only:z BY nosort [LIMIT {small} {small}] [DESC] [GET #]",
    ),
    whole(
        Sorting,
        1,
        "SORT only:z BY nosort [DESC] STORE {L}; LLEN {L}",
    ),
    whole(Sorting, 1, "DEL only:l only:z"),
];
