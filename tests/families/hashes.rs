//! Hashes.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# fields
> HSET h a 1 b 2
:2
> HSET h a 3 c 4
:1
> HGET h a
$1
3
> HGET h nowhere
2| $-1
3| _
> HGET missing a
2| $-1
3| _
> HMGET h a nowhere c
2| *3
2| $1
2| 3
2| $-1
2| $1
2| 4
3| *3
3| $1
3| 3
3| _
3| $1
3| 4
> HMGET missing a b
2| *2
2| $-1
2| $-1
3| *2
3| _
3| _
> HMSET h d 5 e 6
+OK
> HSETNX h a 9
:0
> HSETNX h f 7
:1
> HLEN h
:6
> HLEN missing
:0
> HEXISTS h a
:1
> HEXISTS h nowhere
:0
> HSTRLEN h a
:1
> HSTRLEN h nowhere
:0
> HKEYS h
*6
$1
a
$1
b
$1
c
$1
d
$1
e
$1
f
> HVALS h
*6
$1
3
$1
2
$1
4
$1
5
$1
6
$1
7
> HGETALL h
2| *12
2| $1
2| a
2| $1
2| 3
2| $1
2| b
2| $1
2| 2
2| $1
2| c
2| $1
2| 4
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
3| %6
3| $1
3| a
3| $1
3| 3
3| $1
3| b
3| $1
3| 2
3| $1
3| c
3| $1
3| 4
3| $1
3| d
3| $1
3| 5
3| $1
3| e
3| $1
3| 6
3| $1
3| f
3| $1
3| 7
> HGETALL missing
2| *0
3| %0
> HKEYS missing
*0
> HDEL h a nowhere b
:2
> HDEL missing a
:0
> HDEL h c d e f
:4
> EXISTS h
:0
> HSET h a
-ERR wrong number of arguments for 'hset' command
> HSET h a 1 b
-ERR wrong number of arguments for 'hset' command
> HMSET h a
-ERR wrong number of arguments for 'hmset' command
> SET s x
+OK
> HSET s a 1
-WRONGTYPE Operation against a key holding the wrong kind of value
> HGET s a
-WRONGTYPE Operation against a key holding the wrong kind of value
> HGETALL s
-WRONGTYPE Operation against a key holding the wrong kind of value
> HDEL s a
-WRONGTYPE Operation against a key holding the wrong kind of value

# numbers in fields
> HINCRBY h n 5
:5
> HINCRBY h n -7
:-2
> HINCRBY h n x
-ERR value is not an integer or out of range
> HSET h t text big 9223372036854775807
:2
> HINCRBY h t 1
-ERR hash value is not an integer
> HINCRBY h big 1
-ERR increment or decrement would overflow
> HINCRBYFLOAT h f 10.5
$4
10.5
> HINCRBYFLOAT h f 0.1
$4
10.6
> HINCRBYFLOAT h f -10.6
$1
0
> HINCRBYFLOAT h t 1
-ERR hash value is not a float
> HINCRBYFLOAT h f x
-ERR value is not a valid float
> HINCRBYFLOAT h f nan
-ERR value is not a valid float
> HINCRBYFLOAT h f inf
-ERR value is NaN or Infinity
> HGET h f
$1
0

# walks and draws
> HSET h a 1
:1
> HRANDFIELD h
$1
a
> HRANDFIELD h 5
*1
$1
a
> HRANDFIELD h -3
*3
$1
a
$1
a
$1
a
> HRANDFIELD h 5 WITHVALUES
2| *2
2| $1
2| a
2| $1
2| 1
3| *1
3| *2
3| $1
3| a
3| $1
3| 1
> HRANDFIELD h -2 WITHVALUES
2| *4
2| $1
2| a
2| $1
2| 1
2| $1
2| a
2| $1
2| 1
3| *2
3| *2
3| $1
3| a
3| $1
3| 1
3| *2
3| $1
3| a
3| $1
3| 1
> HRANDFIELD missing
2| $-1
3| _
> HRANDFIELD missing 3
*0
> HRANDFIELD h x
-ERR value is not an integer or out of range
> HRANDFIELD h 1 WITH
-ERR syntax error
> HRANDFIELD h -9223372036854775807 WITHVALUES
-ERR value is out of range
> HSCAN h 0
*2
$1
0
*2
$1
a
$1
1
> HSCAN h 0 MATCH b*
*2
$1
0
*0
> HSCAN h 0 COUNT 0
-ERR syntax error
> HSCAN h 0 COUNT x
-ERR value is not an integer or out of range
> HSCAN h x
-ERR invalid cursor
> HSCAN missing 0
*2
$1
0
*0
> HSCAN h 0 NOVALUES
*2
$1
0
*1
$1
a
> HSCAN h 0 TYPE x
-ERR syntax error
> SET s x
+OK
> HSCAN s 0
-WRONGTYPE Operation against a key holding the wrong kind of value

# encodings of hashes
> HSET h a 1
:1
> OBJECT ENCODING h
$8
listpack
> CONFIG SET hash-max-listpack-value 4
+OK
> HSET h b 12345
:1
> OBJECT ENCODING h
$9
hashtable
> HDEL h b
:1
> OBJECT ENCODING h
$9
hashtable
> CONFIG SET hash-max-listpack-value 64 hash-max-listpack-entries 2
+OK
> HSET g a 1 b 2
:2
> OBJECT ENCODING g
$8
listpack
> HSET g c 3
:1
> OBJECT ENCODING g
$9
hashtable
> CONFIG SET hash-max-listpack-entries 512
+OK
"##;
