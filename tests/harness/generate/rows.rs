//! The rows that streams are drawn from.

/// A group of commands, as the command reference groups them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Strings.
    Strings,
    /// Commands for keys of any type.
    Keys,
    /// MULTI and its companions.
    Transactions,
    /// EVAL and SCRIPT.
    Scripts,
    /// Publishing; listening is done by connections of its own.
    Pubsub,
    /// What a connection says about itself.
    Connection,
    /// The server as a whole.
    Server,
    /// Expiry that really happens, with DEBUG SLEEP as the clock.
    Expiry,
    /// Lists, blocking ones too.
    Lists,
    /// Hashes.
    Hashes,
    /// Sets.
    Sets,
    /// Sorted sets, blocking ones too.
    SortedSets,
    /// SORT and SORT_RO.
    Sorting,
    /// Commands for keys of any type, on keys of every type.
    Mixed,
}

/// Where a row may appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Care {
    /// Anywhere, damaged too.
    Free,
    /// Anywhere, never damaged: a slip would leave the two servers with different data.
    Whole,
    /// Never damaged: a slip would hang or close the connection; not inside MULTI either.
    Alone,
}

/// One row: how often, where, and what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The group it belongs to.
    pub(super) family: Family,
    /// Its share.
    pub(super) weight: u32,
    /// Where it may appear.
    pub(super) care: Care,
    /// What it says.
    pub(super) template: &'static str,
}

/// A row that may appear anywhere, damaged too.
pub(super) const fn free(family: Family, weight: u32, template: &'static str) -> Row {
    Row {
        family,
        weight,
        care: Care::Free,
        template,
    }
}

/// A row that may appear anywhere and is never damaged.
pub(super) const fn whole(family: Family, weight: u32, template: &'static str) -> Row {
    Row {
        family,
        weight,
        care: Care::Whole,
        template,
    }
}

/// A row that is never damaged and never inside MULTI.
pub(super) const fn alone(family: Family, weight: u32, template: &'static str) -> Row {
    Row {
        family,
        weight,
        care: Care::Alone,
        template,
    }
}

use Family::{Connection, Expiry, Keys, Pubsub, Scripts, Server, Strings, Transactions};

/// What connections that listen say.
pub(super) const LISTENING: [&str; 9] = [
    "SUBSCRIBE <{channel}>",
    "PSUBSCRIBE <{cpattern}>",
    "SSUBSCRIBE <{channel}>",
    "UNSUBSCRIBE <{channel}>",
    "PUNSUBSCRIBE <{cpattern}>",
    "SUNSUBSCRIBE <{channel}>",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
];

/// All rows.
pub(super) const ROWS: &[Row] = &[
    free(Strings, 10, "SET {k} {v}"),
    free(
        Strings,
        8,
        "SET {k} {v} [NX|XX] [GET] [EX {secs}|PX {ms}|EXAT {future}|KEEPTTL]",
    ),
    free(
        Strings,
        3,
        "SET {k} {v} <(NX|XX|GET|KEEPTTL|EX {secs}|PXAT {futurems}|{junk})>",
    ),
    free(Strings, 8, "GET {k}"),
    free(Strings, 3, "GETSET {k} {v}"),
    free(Strings, 3, "GETDEL {k}"),
    free(
        Strings,
        4,
        "GETEX {k} [EX {secs}|PX {ms}|EXAT {at}|PXAT {atms}|PERSIST]",
    ),
    free(
        Strings,
        1,
        "GETEX {k} <(EX {secs}|PXAT {futurems}|PERSIST|{junk})>",
    ),
    free(Strings, 3, "SETNX {k} {v}"),
    free(Strings, 2, "SETEX {k} {secs} {v}"),
    free(Strings, 2, "PSETEX {k} {ms} {v}"),
    free(Strings, 5, "APPEND {k} {v}"),
    free(Strings, 3, "STRLEN {k}"),
    free(Strings, 5, "SETRANGE {k} {offset} {v}"),
    free(Strings, 5, "GETRANGE {k} {index} {index}"),
    free(Strings, 2, "SUBSTR {k} {index} {index}"),
    free(Strings, 4, "INCR {k}"),
    free(Strings, 3, "DECR {k}"),
    free(Strings, 5, "INCRBY {k} {int}"),
    free(Strings, 4, "DECRBY {k} {int}"),
    free(Strings, 6, "INCRBYFLOAT {k} {float}"),
    free(
        Strings,
        4,
        "SET (counter|float) ({int}|{float}); INCRBYFLOAT (counter|float) {float}",
    ),
    free(
        Strings,
        3,
        "SET counter {int}; INCRBY counter {int}; GET counter",
    ),
    free(Strings, 4, "MSET <{k} {v}>"),
    free(Strings, 3, "MSETNX <{k} {v}>"),
    free(Strings, 4, "MGET <{k}>"),
    free(Strings, 2, "SET {K} {text}; LCS {K} {k}"),
    free(
        Strings,
        3,
        "LCS {k} {k} [LEN|IDX [MINMATCHLEN {small}] [WITHMATCHLEN]]",
    ),
    free(
        Strings,
        1,
        "LCS {k} {k} <(LEN|IDX|WITHMATCHLEN|MINMATCHLEN {int}|{junk})>",
    ),
    free(Strings, 1, "SET {bk} {bv}"),
    free(Strings, 1, "GET {bk}"),
    free(Strings, 1, "APPEND {bk} {v}; STRLEN {bk}"),
    free(Strings, 1, "GETRANGE {bk} {small} 40000"),
    free(Strings, 1, "SET {bk} {bv}; GETSET {bk} {v}; DEL {bk}"),
    free(
        Strings,
        1,
        "MSET big:1 {bv} big:2 {bv}; MGET big:1 big:2 {k}; DEL big:1 big:2",
    ),
    free(Keys, 5, "DEL <{k}>"),
    free(Keys, 4, "UNLINK <{k}>"),
    free(Keys, 4, "EXISTS <{k}>"),
    free(Keys, 2, "TOUCH <{k}>"),
    free(Keys, 3, "TYPE {k}"),
    free(Keys, 6, "EXPIRE {k} {secs} [NX|XX|GT|LT]"),
    free(Keys, 4, "PEXPIRE {k} {ms} [NX|XX|GT|LT]"),
    free(Keys, 4, "EXPIREAT {k} {at} [NX|XX|GT|LT]"),
    free(Keys, 4, "PEXPIREAT {k} {atms} [NX|XX|GT|LT]"),
    free(
        Keys,
        2,
        "(EXPIRE|PEXPIREAT) {k} {secs} <(NX|XX|GT|LT|nx|{junk})>",
    ),
    free(Keys, 4, "TTL {k}"),
    free(Keys, 3, "PTTL {k}"),
    free(Keys, 4, "EXPIRETIME {k}"),
    free(Keys, 3, "PEXPIRETIME {k}"),
    free(Keys, 4, "PERSIST {k}"),
    free(Keys, 4, "RENAME {k} {k}"),
    free(Keys, 4, "RENAMENX {k} {k}"),
    free(Keys, 4, "COPY {k} {k} [DB {db}] [REPLACE]"),
    free(Keys, 1, "COPY {k} {k} <(DB {db}|REPLACE|{junk})>"),
    free(Keys, 4, "MOVE {k} {db}"),
    free(Keys, 3, "KEYS {pattern}"),
    free(
        Keys,
        2,
        "SCAN 0 [MATCH {pattern}] COUNT 100000 [TYPE {type}]",
    ),
    free(
        Keys,
        1,
        "SCAN (0|{junk}|-1|99999999999999999999) (COUNT {junk}|MATCH|TYPE|{junk} 1)",
    ),
    free(Keys, 1, "SCAN 0 COUNT (0|-5|x|9223372036854775808)"),
    free(Keys, 2, "RANDOMKEY"),
    free(Keys, 4, "OBJECT ENCODING {k}"),
    free(Keys, 1, "OBJECT (REFCOUNT|IDLETIME|FREQ|HELP|{junk}) {k}"),
    free(Keys, 1, "OBJECT HELP"),
    free(Keys, 2, "DBSIZE"),
    alone(Keys, 1, "WAIT (0|1) 1"),
    free(Keys, 1, "WAIT (-1|x) (-1|x)"),
    free(Keys, 4, "SELECT {gooddb}"),
    alone(Scripts, 10, "EVAL {script} 1 {k} {v}"),
    alone(Scripts, 3, "EVAL {script} 2 {k} {k} {v} {v}"),
    alone(Scripts, 2, "EVAL_RO {script} 1 {k} {v}"),
    whole(
        Scripts,
        1,
        "(EVALSHA|EVALSHA_RO) (e0e1f9fabfc9d4800c877a703b823ac0578ff8db|{junk}) {int}",
    ),
    whole(Scripts, 1, "EVAL (x|{junk}) {int} {k}"),
    alone(
        Scripts,
        1,
        "SCRIPT (EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db {junk}|KILL|FLUSH|FLUSH ASYNC)",
    ),
    free(Transactions, 1, "EXEC"),
    free(Transactions, 1, "DISCARD"),
    free(Transactions, 3, "WATCH <{k}>"),
    free(Transactions, 2, "UNWATCH"),
    free(Transactions, 5, "SET {k} {v}"),
    free(Transactions, 3, "GET {k}"),
    free(Transactions, 2, "INCR {k}"),
    free(Transactions, 1, "SWAPDB {gooddb} {gooddb}"),
    free(Transactions, 1, "EXPIRE {k} (-1|0)"),
    free(Transactions, 1, "(FLUSHDB|FLUSHALL)"),
    free(Transactions, 1, "{junk} {k}"),
    free(Pubsub, 8, "PUBLISH {channel} {v}"),
    free(Pubsub, 4, "SPUBLISH {channel} {v}"),
    free(Pubsub, 2, "PUBSUB CHANNELS [{cpattern}]"),
    free(Pubsub, 2, "PUBSUB SHARDCHANNELS [{cpattern}]"),
    free(Pubsub, 2, "PUBSUB NUMSUB [<{channel}>]"),
    free(Pubsub, 2, "PUBSUB SHARDNUMSUB [<{channel}>]"),
    free(Pubsub, 2, "PUBSUB NUMPAT"),
    free(Pubsub, 1, "PUBSUB ({junk}|HELP) [{junk}]"),
    free(Connection, 2, "PING [{v}]"),
    free(Connection, 2, "ECHO {v}"),
    free(Connection, 3, "SELECT {db}"),
    alone(Connection, 2, "HELLO (2|3) [SETNAME {name}]"),
    alone(Connection, 1, "HELLO [1|4|x|99999999999999999999]"),
    alone(
        Connection,
        1,
        "HELLO (2|3) (AUTH default|AUTH|SETNAME|FOO|AUTH x y|FOO SETNAME {name})",
    ),
    alone(Connection, 1, "RESET"),
    free(Connection, 1, "AUTH ({junk}|default) [{junk}]"),
    free(Connection, 2, "CLIENT SETNAME {name}"),
    free(Connection, 2, "CLIENT GETNAME"),
    free(Connection, 1, "CLIENT (ID|INFO|LIST|GETREDIR|HELP)"),
    free(
        Connection,
        1,
        "CLIENT LIST (TYPE (normal|master|replica|slave|pubsub|x)|ID <{int}>|{junk})",
    ),
    alone(Connection, 1, "CLIENT NO-EVICT (on|off|x)"),
    alone(Connection, 1, "CLIENT REPLY (x|{junk})"),
    alone(
        Connection,
        1,
        "CLIENT KILL (127.0.0.1:1|x|ID x|ID 0|ID -1|ADDR 1.2.3.4:5|TYPE x|FOO BAR)",
    ),
    alone(
        Connection,
        1,
        "CLIENT KILL (LADDR 1.2.3.4:5|USER nosuch|SKIPME maybe|ID 999999999 TYPE)",
    ),
    alone(
        Connection,
        1,
        "CLIENT KILL (ADDR 1.2.3.4:5 SKIPME yes|ID 999999999 ADDR 1.2.3.4:5)",
    ),
    alone(
        Connection,
        1,
        "CLIENT UNBLOCK (0|999999999|x) [TIMEOUT|ERROR|x]",
    ),
    alone(
        Connection,
        1,
        "CLIENT PAUSE (0|x|-1) [WRITE|ALL|x]; CLIENT UNPAUSE",
    ),
    free(Connection, 1, "CLIENT {junk} [{junk}]"),
    free(Server, 2, "DBSIZE"),
    free(Server, 1, "TIME"),
    free(Server, 1, "LASTSAVE"),
    free(Server, 3, "SET {k} {v}"),
    free(Server, 2, "GET {k}"),
    free(Server, 2, "SWAPDB {db} {db}"),
    free(Server, 1, "FLUSHDB [ASYNC|SYNC|{junk}]"),
    free(Server, 1, "FLUSHALL [ASYNC|SYNC|{junk}]"),
    free(Server, 2, "SELECT {gooddb}"),
    whole(
        Server,
        1,
        "CONFIG GET (maxmemory|port?x|timeout|hz|databases|nosuch) [save|appendonly]",
    ),
    alone(
        Server,
        1,
        "CONFIG SET (nosuch 1|hz|timeout x|timeout -1|maxmemory 1tb|appendonly maybe)",
    ),
    alone(
        Server,
        1,
        "CONFIG SET timeout 0 (timeout 0|nosuch 1|databases 3|port 99999999)",
    ),
    free(Server, 1, "CONFIG ({junk}|HELP|RESETSTAT|REWRITE) [{junk}]"),
    alone(
        Server,
        1,
        "COMMAND GETKEYS (GET {k}|MSET <{k} {v}>|SET {k} {v}|DEL <{k}>|PING|{junk})",
    ),
    alone(
        Server,
        1,
        "COMMAND GETKEYSANDFLAGS (GET {k}|MSET <{k} {v}>|COPY {k} {k}|SET {k} 1 GET)",
    ),
    alone(
        Server,
        1,
        "COMMAND (GETKEYS|GETKEYSANDFLAGS) (GET|SET x|nosuch x|{junk}|LCS {k} {k})",
    ),
    free(
        Server,
        1,
        "COMMAND LIST FILTERBY (MODULE x|ACLCAT nosuch|PATTERN get*|{junk} x|ACLCAT)",
    ),
    free(Server, 1, "COMMAND (INFO nosuch|HELP|{junk})"),
    free(
        Server,
        1,
        "SLOWLOG (LEN|RESET|HELP|GET 0|GET -2|GET x|GET 1 2|{junk})",
    ),
    free(
        Server,
        1,
        "LATENCY (RESET nosuch|HELP|HISTORY nosuch|HISTORY|GRAPH nosuch|{junk})",
    ),
    free(
        Server,
        1,
        "MEMORY (USAGE {k}|USAGE {k} SAMPLES {int}|USAGE nosuch|HELP|DOCTOR|{junk} x)",
    ),
    free(
        Server,
        1,
        "MEMORY (USAGE|USAGE {k} SAMPLES|USAGE {k} FOO 1|MALLOC-STATS x|PURGE)",
    ),
    alone(
        Server,
        1,
        "DEBUG (JMAP|STRINGMATCH-LEN|SET-ACTIVE-EXPIRE|OBJECT nosuch)",
    ),
    alone(
        Server,
        1,
        "DEBUG (SET-ACTIVE-EXPIRE 0|STRINGMATCH-LEN 10 {pattern}|SLEEP 0)",
    ),
    alone(
        Server,
        2,
        "DEBUG PROTOCOL (string|integer|double|null|array|set|map|verbatim|true|false)",
    ),
    alone(Server, 1, "DEBUG PROTOCOL (bignum|nosuch)"),
    alone(Server, 1, "DEBUG ERROR {v}"),
    free(Server, 1, "INFO (nosuch|server nosuch)"),
    alone(Server, 1, "LOLWUT [VERSION (5|6|x)]"),
    alone(Server, 1, "SHUTDOWN (x|SAVE NOSAVE|ABORT|NOSAVE ABORT)"),
    free(Server, 1, "{junk} [<{junk}>]"),
    free(Server, 1, "(GETT|foo|F\0O) [<{v}>]"),
    alone(
        Expiry,
        4,
        "SET {K} {v} PX 1; DEBUG SLEEP 0.003; (GET|TTL|TYPE|STRLEN|PERSIST) {K}; GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 PX 1; DEBUG SLEEP 0.003; (INCR|APPEND {K}|GETDEL|EXISTS) {K}; GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 PX 1; DEBUG SLEEP 0.003; (RENAME|RENAMENX|COPY) {K} {k}; GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 PX 1; DEBUG SLEEP 0.003; SET {K} {v} (NX|XX|GET|KEEPTTL); GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 PX 1; DEBUG SLEEP 0.003; (DEL|UNLINK|TOUCH) {K} {k}; GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 PX 1; DEBUG SLEEP 0.003; MSETNX {K} 1 {k} 2; GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 PX 1; DEBUG SLEEP 0.003; KEYS *; GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 PX 1; DEBUG SLEEP 0.003; EXPIRE {K} 100 [NX|XX|GT|LT]; GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 PX 1; DEBUG SLEEP 0.003; WATCH {K}; MULTI; PING; EXEC; GET {K}",
    ),
    alone(
        Expiry,
        2,
        "SET {K} 5 EXAT 1; (GET|TTL|EXISTS|EXPIRETIME) {K}; GET {K}",
    ),
    alone(
        Expiry,
        1,
        "SET {K} 5 PXAT 1; (STRLEN|PTTL|TYPE) {K}; GET {K}",
    ),
    alone(
        Expiry,
        1,
        "GETEX {K} PX 1; DEBUG SLEEP 0.003; EXISTS {K}; GET {K}",
    ),
    alone(
        Expiry,
        1,
        "PEXPIRE {K} 1; DEBUG SLEEP 0.003; MOVE {K} 1; GET {K}",
    ),
    free(Expiry, 2, "SET {k} {v}"),
];
