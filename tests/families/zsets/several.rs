//! Sorted sets: taking off the ends, waiting, and several at once.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# zpopmin zpopmax: one is flat, several are pairs
> ZADD z 1 a 2 b 3 c 4 d 5 e
:5
> ZPOPMIN z
2| *2
2| $1
2| a
2| $1
2| 1
3| *2
3| $1
3| a
3| ,1
> ZPOPMAX z
2| *2
2| $1
2| e
2| $1
2| 5
3| *2
3| $1
3| e
3| ,5
> ZPOPMIN z 2
2| *4
2| $1
2| b
2| $1
2| 2
2| $1
2| c
2| $1
2| 3
3| *2
3| *2
3| $1
3| b
3| ,2
3| *2
3| $1
3| c
3| ,3
> ZPOPMAX z 0
*0
> ZPOPMAX z 9
2| *2
2| $1
2| d
2| $1
2| 4
3| *1
3| *2
3| $1
3| d
3| ,4
> EXISTS z
:0
> ZPOPMIN missing
*0
> ZPOPMAX missing 2
*0
> ZPOPMIN z -1
-ERR value is out of range, must be positive
> ZPOPMIN z x
-ERR value is out of range, must be positive
> ZPOPMIN z 1 2
-ERR syntax error
> SET s v
+OK
> ZPOPMIN s
-WRONGTYPE Operation against a key holding the wrong kind of value
> ZPOPMAX s 0
-WRONGTYPE Operation against a key holding the wrong kind of value

# zmpop: the first that is there
> ZADD z 1 a 2 b 3 c
:3
> ZMPOP 2 missing z MIN
2| *2
2| $1
2| z
2| *1
2| *2
2| $1
2| a
2| $1
2| 1
3| *2
3| $1
3| z
3| *1
3| *2
3| $1
3| a
3| ,1
> ZMPOP 1 z MAX COUNT 5
2| *2
2| $1
2| z
2| *2
2| *2
2| $1
2| c
2| $1
2| 3
2| *2
2| $1
2| b
2| $1
2| 2
3| *2
3| $1
3| z
3| *2
3| *2
3| $1
3| c
3| ,3
3| *2
3| $1
3| b
3| ,2
> ZMPOP 1 z MIN
2| *-1
3| _
> ZMPOP 0 z MIN
-ERR numkeys should be greater than 0
> ZMPOP x z MIN
-ERR numkeys should be greater than 0
> ZMPOP 2 z MIN
-ERR syntax error
> ZMPOP 1 z foo
-ERR syntax error
> ZMPOP 1 z MIN COUNT 0
-ERR count should be greater than 0
> ZMPOP 1 z MIN COUNT 1 COUNT 2
-ERR syntax error
> SET s v
+OK
> ZMPOP 1 s MIN
-WRONGTYPE Operation against a key holding the wrong kind of value

# bzpopmin bzpopmax bzmpop: there is something
> ZADD z 1 a 2 b 3 c 4 d
:4
> BZPOPMIN missing z 0
2| *3
2| $1
2| z
2| $1
2| a
2| $1
2| 1
3| *3
3| $1
3| z
3| $1
3| a
3| ,1
> BZPOPMAX z 0
2| *3
2| $1
2| z
2| $1
2| d
2| $1
2| 4
3| *3
3| $1
3| z
3| $1
3| d
3| ,4
> BZMPOP 0 2 missing z MIN COUNT 5
2| *2
2| $1
2| z
2| *2
2| *2
2| $1
2| b
2| $1
2| 2
2| *2
2| $1
2| c
2| $1
2| 3
3| *2
3| $1
3| z
3| *2
3| *2
3| $1
3| b
3| ,2
3| *2
3| $1
3| c
3| ,3
> BZPOPMIN z 0.001
2| *-1
3| _
> BZPOPMAX z 0.001
2| *-1
3| _
> BZMPOP 0.001 1 z MAX
2| *-1
3| _
> BZPOPMIN z x
-ERR timeout is not a float or out of range
> BZPOPMAX z -1
-ERR timeout is negative
> BZMPOP x 1 z MIN
-ERR timeout is not a float or out of range
> BZMPOP 0 0 z MIN
-ERR numkeys should be greater than 0
> SET s v
+OK
> BZPOPMIN s 0
-WRONGTYPE Operation against a key holding the wrong kind of value
> MULTI
+OK
> BZPOPMIN z 0
+QUEUED
> BZMPOP 0 1 z MIN
+QUEUED
> EXEC
2| *2
2| *-1
2| *-1
3| *2
3| _
3| _

# zunion zinter zdiff: weights and aggregates
> ZADD a 1 x 2 y 3 z
:3
> ZADD b 10 y 20 z 30 w
:3
> SADD p y q
:2
> ZUNION 2 a b WITHSCORES
2| *8
2| $1
2| x
2| $1
2| 1
2| $1
2| y
2| $2
2| 12
2| $1
2| z
2| $2
2| 23
2| $1
2| w
2| $2
2| 30
3| *4
3| *2
3| $1
3| x
3| ,1
3| *2
3| $1
3| y
3| ,12
3| *2
3| $1
3| z
3| ,23
3| *2
3| $1
3| w
3| ,30
> ZUNION 2 a b WEIGHTS 2 0.5 AGGREGATE MAX WITHSCORES
2| *8
2| $1
2| x
2| $1
2| 2
2| $1
2| y
2| $1
2| 5
2| $1
2| z
2| $2
2| 10
2| $1
2| w
2| $2
2| 15
3| *4
3| *2
3| $1
3| x
3| ,2
3| *2
3| $1
3| y
3| ,5
3| *2
3| $1
3| z
3| ,10
3| *2
3| $1
3| w
3| ,15
> ZINTER 2 a b
*2
$1
y
$1
z
> ZINTER 2 a b AGGREGATE MIN WITHSCORES
2| *4
2| $1
2| y
2| $1
2| 2
2| $1
2| z
2| $1
2| 3
3| *2
3| *2
3| $1
3| y
3| ,2
3| *2
3| $1
3| z
3| ,3
> ZINTER 2 a p WEIGHTS 1 5 WITHSCORES
2| *2
2| $1
2| y
2| $1
2| 7
3| *1
3| *2
3| $1
3| y
3| ,7
> ZINTER 2 a missing
*0
> ZDIFF 2 a b
*1
$1
x
> ZDIFF 3 a p missing WITHSCORES
2| *4
2| $1
2| x
2| $1
2| 1
2| $1
2| z
2| $1
2| 3
3| *2
3| *2
3| $1
3| x
3| ,1
3| *2
3| $1
3| z
3| ,3
> ZDIFF 2 missing a
*0
> ZUNION 2 a a WEIGHTS inf -inf WITHSCORES
2| *6
2| $1
2| x
2| $1
2| 0
2| $1
2| y
2| $1
2| 0
2| $1
2| z
2| $1
2| 0
3| *3
3| *2
3| $1
3| x
3| ,0
3| *2
3| $1
3| y
3| ,0
3| *2
3| $1
3| z
3| ,0
> ZUNION 0 a
-ERR at least 1 input key is needed for 'zunion' command
> ZINTER x a
-ERR value is not an integer or out of range
> ZDIFF 0 a
-ERR at least 1 input key is needed for 'zdiff' command
> ZUNION 3 a b
-ERR syntax error
> ZUNION 2 a b WEIGHTS 1
-ERR syntax error
> ZUNION 2 a b WEIGHTS 1 x
-ERR weight value is not a float
> ZUNION 2 a b AGGREGATE foo
-ERR syntax error
> ZDIFF 2 a b WEIGHTS 1 2
-ERR syntax error
> SET s v
+OK
> ZUNION 2 a s
-WRONGTYPE Operation against a key holding the wrong kind of value

# zunionstore zinterstore zdiffstore: also onto an input, also nothing
> ZADD a 1 x 2 y
:2
> ZADD b 10 y 20 z
:2
> ZUNIONSTORE d 2 a b
:3
> ZRANGE d 0 -1 WITHSCORES
2| *6
2| $1
2| x
2| $1
2| 1
2| $1
2| y
2| $2
2| 12
2| $1
2| z
2| $2
2| 20
3| *3
3| *2
3| $1
3| x
3| ,1
3| *2
3| $1
3| y
3| ,12
3| *2
3| $1
3| z
3| ,20
> ZINTERSTORE d 2 a b WEIGHTS 1 2
:1
> ZRANGE d 0 -1 WITHSCORES
2| *2
2| $1
2| y
2| $2
2| 22
3| *1
3| *2
3| $1
3| y
3| ,22
> ZDIFFSTORE a 2 a b
:1
> ZRANGE a 0 -1 WITHSCORES
2| *2
2| $1
2| x
2| $1
2| 1
3| *1
3| *2
3| $1
3| x
3| ,1
> SET s v
+OK
> ZUNIONSTORE s 1 a
:1
> TYPE s
+zset
> ZINTERSTORE s 2 a missing
:0
> EXISTS s
:0
> ZUNIONSTORE d 0 a
-ERR at least 1 input key is needed for 'zunionstore' command
> ZINTERSTORE d 0 a
-ERR at least 1 input key is needed for 'zinterstore' command
> ZDIFFSTORE d 0 a
-ERR at least 1 input key is needed for 'zdiffstore' command
> ZUNIONSTORE d 1 a WITHSCORES
-ERR syntax error

# zintercard: up to a limit
> ZADD a 1 x 2 y 3 z
:3
> ZADD b 10 y 20 z 30 w
:3
> ZINTERCARD 2 a b
:2
> ZINTERCARD 2 a b LIMIT 1
:1
> ZINTERCARD 2 a b LIMIT 0
:2
> ZINTERCARD 2 a missing
:0
> ZINTERCARD 1 a LIMIT -1
-ERR LIMIT can't be negative
> ZINTERCARD 1 a LIMIT x
-ERR LIMIT can't be negative
> ZINTERCARD 0 a
-ERR at least 1 input key is needed for 'zintercard' command
> ZINTERCARD 1 a foo
-ERR syntax error

# bzpopmin: in the order of arrival, by whatever makes the key
> BZPOPMIN z 0
4> PING
+PONG
2> BZPOPMAX k z 0
4> PING
+PONG
3> BZMPOP 0 2 k z MIN COUNT 2
4> PING
+PONG
4> ZADD z 1 a 2 b 3 c
:3
1<
*3
$1
z
$1
a
2| $1
2| 1
3| ,1
2<
*3
$1
z
$1
c
2| $1
2| 3
3| ,3
3<
*2
$1
z
*1
*2
$1
b
2| $1
2| 2
3| ,2
4> EXISTS z
:0

# bzpopmin: woken by what stores, renames and copies
> ZADD src 5 m
:1
2> BZPOPMIN z 0
4> PING
+PONG
> ZUNIONSTORE z 1 src
:1
2<
*3
$1
z
$1
m
2| $1
2| 5
3| ,5
2> BZPOPMIN z 0
4> PING
+PONG
> COPY src z
:1
2<
*3
$1
z
$1
m
2| $1
2| 5
3| ,5
2> BZMPOP 0 1 z MAX
4> PING
+PONG
> RENAME src z
+OK
2<
*2
$1
z
*1
*2
$1
m
2| $1
2| 5
3| ,5
> EXISTS z
:0

# bzpopmin: another type does not wake, and what is gone at the end does not either
> BZPOPMIN z 0
4> PING
+PONG
2> RPUSH z x
:1
2> DEL z
:1
2> MULTI
+OK
2> ZADD z 1 a
+QUEUED
2> ZREM z a
+QUEUED
2> EXEC
*2
:1
:1
2> ZINCRBY z 1.5 b
2| $3
2| 1.5
3| ,1.5
1<
*3
$1
z
$1
b
2| $3
2| 1.5
3| ,1.5

# bzpopmin: the time is up
> BZPOPMIN z 0.01
2| *-1
3| _
> BZPOPMAX z k 0.01
2| *-1
3| _
> BZMPOP 0.01 1 z MIN
2| *-1
3| _

# sorted sets: bounds that only old parsers read
> ZADD z 0x10 a
:1
> ZSCORE z a
2| $2
2| 16
3| ,16
> ZCOUNT z (0x0f 0x1p5
:1
> ZCOUNT z " 1" 20
:1
> ZRANGE z -inf +inf BYSCORE LIMIT -1 1
*0
"##;
