//! Sorted sets: ranges of ranks, scores and names.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# zcount zlexcount: bounds
> ZADD z 1 a 2 b 3 c 4 d
:4
> ZCOUNT z -inf +inf
:4
> ZCOUNT z (1 3
:2
> ZCOUNT z (1 (3
:1
> ZCOUNT z 3 1
:0
> ZCOUNT missing 1 2
:0
> ZCOUNT z x 2
-ERR min or max is not a float
> ZCOUNT z (nan 2
-ERR min or max is not a float
> ZADD l 0 a 0 b 0 c 0 d
:4
> ZLEXCOUNT l - +
:4
> ZLEXCOUNT l [b +
:3
> ZLEXCOUNT l (b [d
:2
> ZLEXCOUNT l + -
:0
> ZLEXCOUNT l [b (b
:0
> ZLEXCOUNT l b +
-ERR min or max not valid string range item
> ZLEXCOUNT l -x +
-ERR min or max not valid string range item
> ZLEXCOUNT missing - +
:0
> SET s v
+OK
> ZCOUNT s 1 2
-WRONGTYPE Operation against a key holding the wrong kind of value
> ZLEXCOUNT s - +
-WRONGTYPE Operation against a key holding the wrong kind of value

# zrank zrevrank: with the score as well
> ZADD z 1 a 2 b 3 c
:3
> ZRANK z c
:2
> ZREVRANK z c
:0
> ZRANK z c WITHSCORE
2| *2
2| :2
2| $1
2| 3
3| *2
3| :2
3| ,3
> ZREVRANK z b withscore
2| *2
2| :1
2| $1
2| 2
3| *2
3| :1
3| ,2
> ZRANK z x
2| $-1
3| _
> ZRANK z x WITHSCORE
2| *-1
3| _
> ZRANK missing x
2| $-1
3| _
> ZREVRANK missing x WITHSCORE
2| *-1
3| _
> ZRANK z a foo
-ERR syntax error
> ZRANK z a WITHSCORE x
-ERR wrong number of arguments for 'zrank' command
> SET s v
+OK
> ZRANK s a
-WRONGTYPE Operation against a key holding the wrong kind of value

# zrange zrevrange: ranks
> ZADD z 1 a 2 b 3 c 4 d
:4
> ZRANGE z 0 -1
*4
$1
a
$1
b
$1
c
$1
d
> ZRANGE z 1 2 WITHSCORES
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
> ZRANGE z -2 100
*2
$1
c
$1
d
> ZRANGE z 3 1
*0
> ZRANGE z 0 0 REV
*1
$1
d
> ZREVRANGE z 0 1 WITHSCORES
2| *4
2| $1
2| d
2| $1
2| 4
2| $1
2| c
2| $1
2| 3
3| *2
3| *2
3| $1
3| d
3| ,4
3| *2
3| $1
3| c
3| ,3
> ZREVRANGE z -1 -1
*1
$1
a
> ZRANGE missing 0 -1
*0
> ZRANGE z x 1
-ERR value is not an integer or out of range
> ZRANGE z 0 -1 LIMIT 0 1
-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
> ZRANGE z 0 -1 LIMIT 0 -1
*4
$1
a
$1
b
$1
c
$1
d
> ZRANGE z 0 -1 foo
-ERR syntax error
> ZREVRANGE z 0 -1 REV
-ERR syntax error
> SET s v
+OK
> ZRANGE s 0 -1
-WRONGTYPE Operation against a key holding the wrong kind of value
> ZREVRANGE s 0 -1
-WRONGTYPE Operation against a key holding the wrong kind of value

# zrange byscore, zrangebyscore, zrevrangebyscore
> ZADD z 1 a 2 b 2 bb 3 c 4 d
:5
> ZRANGE z 2 3 BYSCORE
*3
$1
b
$2
bb
$1
c
> ZRANGE z (2 +inf BYSCORE WITHSCORES
2| *4
2| $1
2| c
2| $1
2| 3
2| $1
2| d
2| $1
2| 4
3| *2
3| *2
3| $1
3| c
3| ,3
3| *2
3| $1
3| d
3| ,4
> ZRANGE z 3 2 BYSCORE REV
*3
$1
c
$2
bb
$1
b
> ZRANGE z -inf +inf BYSCORE LIMIT 1 2
*2
$1
b
$2
bb
> ZRANGE z +inf -inf BYSCORE REV LIMIT 1 2 WITHSCORES
2| *4
2| $1
2| c
2| $1
2| 3
2| $2
2| bb
2| $1
2| 2
3| *2
3| *2
3| $1
3| c
3| ,3
3| *2
3| $2
3| bb
3| ,2
> ZRANGE z -inf +inf BYSCORE LIMIT 3 -1
*2
$1
c
$1
d
> ZRANGE z -inf +inf BYSCORE LIMIT 0 0
*0
> ZRANGE z -inf +inf BYSCORE LIMIT 9 1
*0
> ZRANGE z 1 2 BYSCORE BYLEX
-ERR syntax error
> ZRANGE z 1 2 BYSCORE LIMIT 1
-ERR syntax error
> ZRANGE z 1 2 BYSCORE LIMIT a 1
-ERR value is not an integer or out of range
> ZRANGE z a 2 BYSCORE
-ERR min or max is not a float
> ZRANGEBYSCORE z 2 3 WITHSCORES LIMIT 1 5
2| *4
2| $2
2| bb
2| $1
2| 2
2| $1
2| c
2| $1
2| 3
3| *2
3| *2
3| $2
3| bb
3| ,2
3| *2
3| $1
3| c
3| ,3
> ZRANGEBYSCORE z (1 (3
*2
$1
b
$2
bb
> ZREVRANGEBYSCORE z 3 2 WITHSCORES
2| *6
2| $1
2| c
2| $1
2| 3
2| $2
2| bb
2| $1
2| 2
2| $1
2| b
2| $1
2| 2
3| *3
3| *2
3| $1
3| c
3| ,3
3| *2
3| $2
3| bb
3| ,2
3| *2
3| $1
3| b
3| ,2
> ZREVRANGEBYSCORE z 3 2 LIMIT 1 1
*1
$2
bb
> ZRANGEBYSCORE z 1 2 REV
-ERR syntax error
> ZRANGEBYSCORE missing 1 2
*0
> ZRANGEBYSCORE z x 2
-ERR min or max is not a float

# zrange bylex, zrangebylex, zrevrangebylex
> ZADD l 0 a 0 b 0 c 0 d 0 10 0 9
:6
> ZRANGE l - + BYLEX
*6
$2
10
$1
9
$1
a
$1
b
$1
c
$1
d
> ZRANGE l [b (d BYLEX
*2
$1
b
$1
c
> ZRANGE l (d [b BYLEX REV
*2
$1
c
$1
b
> ZRANGE l - + BYLEX LIMIT 1 2
*2
$1
9
$1
a
> ZRANGE l + - BYLEX REV LIMIT 1 2
*2
$1
c
$1
b
> ZRANGE l - + BYLEX WITHSCORES
-ERR syntax error, WITHSCORES not supported in combination with BYLEX
> ZRANGE l a + BYLEX
-ERR min or max not valid string range item
> ZRANGEBYLEX l [a (c
*2
$1
a
$1
b
> ZRANGEBYLEX l - [9 LIMIT 0 1
*1
$2
10
> ZREVRANGEBYLEX l + [c
*2
$1
d
$1
c
> ZRANGEBYLEX l - + WITHSCORES
-ERR syntax error, WITHSCORES not supported in combination with BYLEX
> ZREVRANGEBYLEX l c -
-ERR min or max not valid string range item
> ZRANGEBYLEX missing - +
*0

# zrangestore: overwrites whatever was there
> ZADD z 1 a 2 b 3 c
:3
> SET d v
+OK
> ZRANGESTORE d z 0 1
:2
> ZRANGE d 0 -1 WITHSCORES
2| *4
2| $1
2| a
2| $1
2| 1
2| $1
2| b
2| $1
2| 2
3| *2
3| *2
3| $1
3| a
3| ,1
3| *2
3| $1
3| b
3| ,2
> ZRANGESTORE d z 0 0 REV
:1
> ZRANGE d 0 -1 WITHSCORES
2| *2
2| $1
2| c
2| $1
2| 3
3| *1
3| *2
3| $1
3| c
3| ,3
> ZRANGESTORE d z (1 +inf BYSCORE LIMIT 0 1
:1
> ZRANGE d 0 -1 WITHSCORES
2| *2
2| $1
2| b
2| $1
2| 2
3| *1
3| *2
3| $1
3| b
3| ,2
> ZRANGESTORE z z - [b BYLEX
:2
> ZRANGE z 0 -1
*2
$1
a
$1
b
> ZRANGESTORE d missing 0 -1
:0
> EXISTS d
:0
> ZRANGESTORE d z 5 9
:0
> ZRANGESTORE d z 0 -1 WITHSCORES
-ERR syntax error
> ZRANGESTORE d z 0 -1 LIMIT 0 1
-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
> SET s v
+OK
> ZRANGESTORE d s 0 -1
-WRONGTYPE Operation against a key holding the wrong kind of value

# zremrangebyrank zremrangebyscore zremrangebylex
> ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
:6
> ZREMRANGEBYRANK z 0 0
:1
> ZREMRANGEBYRANK z -1 -1
:1
> ZREMRANGEBYRANK z 9 10
:0
> ZREMRANGEBYSCORE z (2 3
:1
> ZRANGE z 0 -1
*3
$1
b
$1
d
$1
e
> ZREMRANGEBYSCORE z -inf inf
:3
> EXISTS z
:0
> ZADD l 0 a 0 b 0 c
:3
> ZREMRANGEBYLEX l [a (b
:1
> ZREMRANGEBYLEX l x y
-ERR min or max not valid string range item
> ZREMRANGEBYLEX l - +
:2
> EXISTS l
:0
> ZREMRANGEBYRANK z a 1
-ERR value is not an integer or out of range
> ZREMRANGEBYSCORE z a 1
-ERR min or max is not a float
> SET s v
+OK
> ZREMRANGEBYRANK s 0 1
-WRONGTYPE Operation against a key holding the wrong kind of value
"##;
