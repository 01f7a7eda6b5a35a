//! Sorted sets: single members, draws and walks, forms.

pub(crate) mod ranges;
pub(crate) mod several;

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# zadd: every option, and what none may do together
> ZADD z 1 a 2 b 1 c
:3
> ZADD z 1 a
:0
> ZADD z 3 a 4 d
:1
> ZADD z CH 3 a 5 d 6 e
:2
> ZADD z NX 9 a 7 f
:1
> ZADD z XX 9 a 7 g
:0
> ZADD z GT CH 8 a 8 b
:1
> ZADD z LT CH 8 a 1 b 10 h
:3
> ZADD z XX GT CH 9 a 9 new
:1
> ZADD z INCR 1.5 a
2| $4
2| 10.5
3| ,10.5
> ZADD z NX INCR 1 a
2| $-1
3| _
> ZADD z XX INCR 1 missing
2| $-1
3| _
> ZADD z GT INCR -1 a
2| $-1
3| _
> ZADD z LT INCR -1 a
2| $3
2| 9.5
3| ,9.5
> ZRANGE z 0 -1 WITHSCORES
2| *14
2| $1
2| b
2| $1
2| 1
2| $1
2| c
2| $1
2| 1
2| $1
2| d
2| $1
2| 5
2| $1
2| e
2| $1
2| 6
2| $1
2| f
2| $1
2| 7
2| $1
2| a
2| $3
2| 9.5
2| $1
2| h
2| $2
2| 10
3| *7
3| *2
3| $1
3| b
3| ,1
3| *2
3| $1
3| c
3| ,1
3| *2
3| $1
3| d
3| ,5
3| *2
3| $1
3| e
3| ,6
3| *2
3| $1
3| f
3| ,7
3| *2
3| $1
3| a
3| ,9.5
3| *2
3| $1
3| h
3| ,10
> ZADD missing XX 1 a
:0
> EXISTS missing
:0
> ZADD z NX XX 1 a
-ERR XX and NX options at the same time are not compatible
> ZADD z NX GT 1 a
-ERR GT, LT, and/or NX options at the same time are not compatible
> ZADD z GT LT 1 a
-ERR GT, LT, and/or NX options at the same time are not compatible
> ZADD z INCR 1 a 2 b
-ERR INCR option supports a single increment-element pair
> ZADD z 1
-ERR wrong number of arguments for 'zadd' command
> ZADD z 1 a 2
-ERR syntax error
> ZADD z NX
-ERR wrong number of arguments for 'zadd' command
> ZADD z x a
-ERR value is not a valid float
> ZADD z 1 a nan b
-ERR value is not a valid float
> ZADD z 1e400 a
-ERR value is not a valid float
> ZADD z INCR inf a
2| $3
2| inf
3| ,inf
> ZADD z INCR -inf a
-ERR resulting score is not a number (NaN)
> SET s v
+OK
> ZADD s x a
-ERR value is not a valid float
> ZADD s 1 a
-WRONGTYPE Operation against a key holding the wrong kind of value

# zincrby: adds up, also to nothing
> ZINCRBY z 2 a
2| $1
2| 2
3| ,2
> ZINCRBY z -0.5 a
2| $3
2| 1.5
3| ,1.5
> ZINCRBY z inf b
2| $3
2| inf
3| ,inf
> ZINCRBY z -inf b
-ERR resulting score is not a number (NaN)
> ZINCRBY z x a
-ERR value is not a valid float
> ZINCRBY z 1
-ERR wrong number of arguments for 'zincrby' command
> SET s v
+OK
> ZINCRBY s 1 a
-WRONGTYPE Operation against a key holding the wrong kind of value

# zrem: the last member takes the key along
> ZADD z 1 a 2 b 3 c
:3
> ZREM z a x b
:2
> ZREM z x
:0
> ZREM z c c
:1
> EXISTS z
:0
> ZREM z a
:0
> ZREM z
-ERR wrong number of arguments for 'zrem' command
> SET s v
+OK
> ZREM s a
-WRONGTYPE Operation against a key holding the wrong kind of value

# zscore zmscore zcard: texts of doubles
> ZADD z 1 a 0.1 b 1e17 c 1e22 d 0.00001 e 123456789.123456789 f inf g -inf h 5e-324 i -3.5 j
:10
> ZMSCORE z a b c d e f g h i j missing
2| *11
2| $1
2| 1
2| $3
2| 0.1
2| $18
2| 100000000000000000
2| $5
2| 1e+22
2| $7
2| 0.00001
2| $21
2| 1.2345678912345679e+8
2| $3
2| inf
2| $4
2| -inf
2| $6
2| 5e-324
2| $4
2| -3.5
2| $-1
3| *11
3| ,1
3| ,0.1
3| ,100000000000000000
3| ,1e+22
3| ,0.00001
3| ,1.2345678912345679e+8
3| ,inf
3| ,-inf
3| ,5e-324
3| ,-3.5
3| _
> ZSCORE z b
2| $3
2| 0.1
3| ,0.1
> ZSCORE z missing
2| $-1
3| _
> ZSCORE missing a
2| $-1
3| _
> ZMSCORE missing a b
2| *2
2| $-1
2| $-1
3| *2
3| _
3| _
> ZCARD z
:10
> ZCARD missing
:0
> SET s v
+OK
> ZSCORE s a
-WRONGTYPE Operation against a key holding the wrong kind of value
> ZMSCORE s a
-WRONGTYPE Operation against a key holding the wrong kind of value
> ZCARD s
-WRONGTYPE Operation against a key holding the wrong kind of value
> ZSCORE z
-ERR wrong number of arguments for 'zscore' command
> ZMSCORE z
-ERR wrong number of arguments for 'zmscore' command
> ZCARD z a
-ERR wrong number of arguments for 'zcard' command

# zrandmember: all of them, and what is wrong
> ZADD z 1 a
:1
> ZRANDMEMBER z
$1
a
> ZRANDMEMBER z 5
*1
$1
a
> ZRANDMEMBER z -3 WITHSCORES
2| *6
2| $1
2| a
2| $1
2| 1
2| $1
2| a
2| $1
2| 1
2| $1
2| a
2| $1
2| 1
3| *3
3| *2
3| $1
3| a
3| ,1
3| *2
3| $1
3| a
3| ,1
3| *2
3| $1
3| a
3| ,1
> ZRANDMEMBER z 0
*0
> ZRANDMEMBER missing
2| $-1
3| _
> ZRANDMEMBER missing 3
*0
> ZRANDMEMBER z x
-ERR value is not an integer or out of range
> ZRANDMEMBER z 1 foo
-ERR syntax error
> ZRANDMEMBER z -9223372036854775808
-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
> ZRANDMEMBER z -9223372036854775807 WITHSCORES
-ERR value is out of range
> SET s v
+OK
> ZRANDMEMBER s
-WRONGTYPE Operation against a key holding the wrong kind of value

# zscan: names, patterns, without scores
> ZADD z 1 a 0.1 b 3 cc
:3
> ZSCAN z 0
*2
$1
0
*6
$1
b
$3
0.1
$1
a
$1
1
$2
cc
$1
3
> ZSCAN z 0 MATCH c* COUNT 5
*2
$1
0
*2
$2
cc
$1
3
> ZSCAN z 0 NOSCORES
*2
$1
0
*3
$1
b
$1
a
$2
cc
> ZSCAN missing 0
*2
$1
0
*0
> ZSCAN z x
-ERR invalid cursor
> ZSCAN z 0 COUNT 0
-ERR syntax error
> ZSCAN z 0 foo
-ERR syntax error
> ZSCAN z 0 NOVALUES
-ERR NOVALUES option can only be used in HSCAN
> SET s v
+OK
> ZSCAN s 0
-WRONGTYPE Operation against a key holding the wrong kind of value

# sorted sets: forms
> CONFIG SET zset-max-listpack-entries 3 zset-max-listpack-value 5
+OK
> ZADD z 1 a 2 b 3 c
:3
> OBJECT ENCODING z
$8
listpack
> ZADD z 1 d
:1
> OBJECT ENCODING z
$8
skiplist
> ZREM z a b c
:3
> OBJECT ENCODING z
$8
skiplist
> ZUNIONSTORE d 1 z
:1
> OBJECT ENCODING d
$8
listpack
> ZADD d 1 longer
:1
> OBJECT ENCODING d
$8
skiplist
> ZSCORE d longer
2| $1
2| 1
3| ,1
> ZRANGE d 0 -1 REV WITHSCORES
2| *4
2| $6
2| longer
2| $1
2| 1
2| $1
2| d
2| $1
2| 1
3| *2
3| *2
3| $6
3| longer
3| ,1
3| *2
3| $1
3| d
3| ,1
> ZSCAN d 0 MATCH lo* COUNT 100
*2
$1
0
*2
$6
longer
$1
1
> TYPE d
+zset
> CONFIG SET zset-max-listpack-entries 128 zset-max-listpack-value 64
+OK
"##;
