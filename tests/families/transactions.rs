//! MULTI, EXEC, DISCARD, WATCH and UNWATCH.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# multi exec
> MULTI
+OK
> SET a 1
+QUEUED
> INCR a
+QUEUED
> GET missing
+QUEUED
> PING
+QUEUED
> EXEC
2| *4
2| +OK
2| :2
2| $-1
2| +PONG
3| *4
3| +OK
3| :2
3| _
3| +PONG
> GET a
$1
2

# discard
> MULTI
+OK
> SET a 1
+QUEUED
> DISCARD
+OK
> GET a
2| $-1
3| _

# a command that cannot be queued aborts the transaction
> MULTI
+OK
> SET a 1
+QUEUED
> NOSUCH
-ERR unknown command 'NOSUCH', with args beginning with: \e
> EXEC
-EXECABORT Transaction discarded because of previous errors.
> GET a
2| $-1
3| _
> MULTI
+OK
> GET
-ERR wrong number of arguments for 'get' command
> PING
+QUEUED
> EXEC
-EXECABORT Transaction discarded because of previous errors.

# a command that fails does not stop the others
> SET a abc
+OK
> MULTI
+OK
> INCR a
+QUEUED
> SET b 1
+QUEUED
> EXEC
*2
-ERR value is not an integer or out of range
+OK
> GET b
$1
1

# outside and nested
> EXEC
-ERR EXEC without MULTI
> DISCARD
-ERR DISCARD without MULTI
> MULTI
+OK
> MULTI
-ERR MULTI calls can not be nested
> WATCH a
-ERR WATCH inside MULTI is not allowed
> EXEC
*0
> UNWATCH
+OK
> WATCH
-ERR wrong number of arguments for 'watch' command
> EXEC now
-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command

# watch: a touched key breaks the transaction
> WATCH a b
+OK
2> SET b 1
+OK
> MULTI
+OK
> SET c 1
+QUEUED
> EXEC
2| *-1
3| _
> EXISTS c
:0
> MULTI
+OK
> SET c 1
+QUEUED
> EXEC
*1
+OK

# watch: an untouched key does not
> SET a 1
+OK
> WATCH a missing
+OK
2> GET a
$1
1
2> SET other 1
+OK
> MULTI
+OK
> GET a
+QUEUED
> EXEC
*1
$1
1

# unwatch, discard and reset forget
> WATCH a
+OK
2> SET a 1
+OK
> UNWATCH
+OK
> MULTI
+OK
> PING
+QUEUED
> EXEC
*1
+PONG
> WATCH a
+OK
2> SET a 2
+OK
> MULTI
+OK
> DISCARD
+OK
> MULTI
+OK
> PING
+QUEUED
> EXEC
*1
+PONG
> WATCH a
+OK
2> SET a 3
+OK
> RESET
+RESET
> MULTI
+OK
> PING
+QUEUED
> EXEC
*1
+PONG

# what touches a watched key
> SET a 1
+OK
> WATCH a
+OK
2> EXPIRE a 100
:1
> MULTI
+OK
> EXEC
2| *-1
3| _
> WATCH a
+OK
2> RENAME a b
+OK
> MULTI
+OK
> EXEC
2| *-1
3| _
> SET a 1
+OK
> WATCH a
+OK
2> FLUSHDB
+OK
> MULTI
+OK
> EXEC
2| *-1
3| _
> WATCH a
+OK
2> SWAPDB 0 1
+OK
> MULTI
+OK
> EXEC
*0
2> SWAPDB 0 1
+OK
> SET a 1
+OK
> WATCH a
+OK
2> SELECT 1
+OK
2> SET a 1
+OK
2> SWAPDB 0 1
+OK
> MULTI
+OK
> EXEC
2| *-1
3| _

# a key of its own deadline does not break the transaction before it has passed
> SET a 1 EX 100
+OK
> WATCH a
+OK
2> PING
+PONG
> MULTI
+OK
> EXEC
*0

# commands refused inside multi
> MULTI
+OK
> SHUTDOWN ABORT
-ERR Command not allowed inside a transaction
> EXEC
-EXECABORT Transaction discarded because of previous errors.

# select inside multi
> MULTI
+OK
> SELECT 1
+QUEUED
> SET a 1
+QUEUED
> SELECT 0
+QUEUED
> EXEC
*3
+OK
+OK
+OK
> GET a
2| $-1
3| _
> SELECT 1
+OK
> GET a
$1
1

# an empty transaction
> MULTI
+OK
> EXEC
*0

# reset ends a transaction
> MULTI
+OK
> SET a 1
+QUEUED
> RESET
+RESET
> EXEC
-ERR EXEC without MULTI

# null replies inside exec
> MULTI
+OK
> GET missing
+QUEUED
> MGET missing
+QUEUED
> SET missing v XX
+QUEUED
> EXEC
2| *3
2| $-1
2| *1
2| $-1
2| $-1
3| *3
3| _
3| *1
3| _
3| _

# subscribe inside multi
> MULTI
+OK
> SUBSCRIBE c
+QUEUED
> EXEC
*1
{p}3
$9
subscribe
$1
c
:1
"##;
