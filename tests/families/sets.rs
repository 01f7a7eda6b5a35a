//! Sets.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# members
> SADD s a b c a
:3
> SADD s a d
:1
> SCARD s
:4
> SCARD missing
:0
> SISMEMBER s a
:1
> SISMEMBER s nowhere
:0
> SMISMEMBER s a nowhere d
*3
:1
:0
:1
> SMISMEMBER missing a
*1
:0
> SREM s a nowhere
:1
> SREM missing a
:0
> SMEMBERS missing
2| *0
3| ~0
> SADD one 1
:1
> SMEMBERS one
2| *1
2| $1
2| 1
3| ~1
3| $1
3| 1
> SREM s b c d
:3
> EXISTS s
:0
> SADD s
-ERR wrong number of arguments for 'sadd' command
> SET x y
+OK
> SADD x a
-WRONGTYPE Operation against a key holding the wrong kind of value
> SMEMBERS x
-WRONGTYPE Operation against a key holding the wrong kind of value
> SISMEMBER x a
-WRONGTYPE Operation against a key holding the wrong kind of value

# moving members
> SADD s a b
:2
> SMOVE s t a
:1
> SMOVE s t nowhere
:0
> SMOVE s s b
:1
> SMOVE missing t a
:0
> SMOVE s t b
:1
> EXISTS s
:0
> SCARD t
:2
> SET x y
+OK
> SMOVE t x a
-WRONGTYPE Operation against a key holding the wrong kind of value
> SMOVE x t a
-WRONGTYPE Operation against a key holding the wrong kind of value

# draws
> SADD s a
:1
> SRANDMEMBER s
$1
a
> SRANDMEMBER s 5
*1
$1
a
> SRANDMEMBER s -3
*3
$1
a
$1
a
$1
a
> SRANDMEMBER missing
2| $-1
3| _
> SRANDMEMBER missing 2
*0
> SRANDMEMBER s x
-ERR value is not an integer or out of range
> SRANDMEMBER s 1 2
-ERR syntax error
> SPOP s 0
2| *0
3| ~0
> SPOP s -1
-ERR value is out of range, must be positive
> SPOP s
$1
a
> EXISTS s
:0
> SPOP s
2| $-1
3| _
> SPOP s 2
2| *0
3| ~0
> SADD s 7
:1
> SPOP s 2
2| *1
2| $1
2| 7
3| ~1
3| $1
3| 7
> SPOP s 1 2
-ERR syntax error

# several sets
> SADD a 1 2 3
:3
> SADD b 2 3 4
:3
> SADD c 3
:1
> SINTER a b
2| *2
2| $1
2| 2
2| $1
2| 3
3| ~2
3| $1
3| 2
3| $1
3| 3
> SINTER a b c
2| *1
2| $1
2| 3
3| ~1
3| $1
3| 3
> SINTER a missing
2| *0
3| ~0
> SINTER a
2| *3
2| $1
2| 1
2| $1
2| 2
2| $1
2| 3
3| ~3
3| $1
3| 1
3| $1
3| 2
3| $1
3| 3
> SUNION c c
2| *1
2| $1
2| 3
3| ~1
3| $1
3| 3
> SDIFF a b
2| *1
2| $1
2| 1
3| ~1
3| $1
3| 1
> SDIFF a missing
2| *3
2| $1
2| 1
2| $1
2| 2
2| $1
2| 3
3| ~3
3| $1
3| 1
3| $1
3| 2
3| $1
3| 3
> SDIFF missing a
2| *0
3| ~0
> SDIFF a a
2| *0
3| ~0
> SUNION missing
2| *0
3| ~0
> SINTERCARD 2 a b
:2
> SINTERCARD 2 a b LIMIT 1
:1
> SINTERCARD 2 a b LIMIT 0
:2
> SINTERCARD 0 a
-ERR numkeys should be greater than 0
> SINTERCARD 3 a b
-ERR Number of keys can't be greater than number of args
> SINTERCARD 1 a LIMIT -1
-ERR LIMIT can't be negative
> SINTERCARD 1 a FOO
-ERR syntax error
> SINTERSTORE d a b
:2
> SCARD d
:2
> SUNIONSTORE d a b
:4
> SCARD d
:4
> SDIFFSTORE d a b
:1
> SMEMBERS d
2| *1
2| $1
2| 1
3| ~1
3| $1
3| 1
> SINTERSTORE d a missing
:0
> EXISTS d
:0
> SET x y
+OK
> SINTER a x
-WRONGTYPE Operation against a key holding the wrong kind of value
> SUNION x a
-WRONGTYPE Operation against a key holding the wrong kind of value
> SINTERSTORE d missing x
-WRONGTYPE Operation against a key holding the wrong kind of value
> SDIFFSTORE x c
:1
> TYPE x
+set

# walks over sets
> SADD s 1
:1
> SSCAN s 0
*2
$1
0
*1
$1
1
> SSCAN s 0 MATCH 2*
*2
$1
0
*0
> SSCAN s 0 COUNT 0
-ERR syntax error
> SSCAN s 0 NOVALUES
-ERR NOVALUES option can only be used in HSCAN
> SSCAN s 0 TYPE set
-ERR syntax error
> SSCAN s x
-ERR invalid cursor
> SSCAN missing 0
*2
$1
0
*0

# encodings of sets
> SADD s 1 2
:2
> OBJECT ENCODING s
$6
intset
> SADD s a
:1
> OBJECT ENCODING s
$8
listpack
> SREM s a
:1
> OBJECT ENCODING s
$8
listpack
> CONFIG SET set-max-intset-entries 2 set-max-listpack-entries 2
+OK
> SADD i 1 2
:2
> OBJECT ENCODING i
$6
intset
> SADD i 3
:1
> OBJECT ENCODING i
$9
hashtable
> SADD p a b
:2
> OBJECT ENCODING p
$8
listpack
> SADD p c
:1
> OBJECT ENCODING p
$9
hashtable
> CONFIG SET set-max-intset-entries 512 set-max-listpack-entries 128 set-max-listpack-value 3
+OK
> SADD q a
:1
> SADD q long
:1
> OBJECT ENCODING q
$9
hashtable
> CONFIG SET set-max-listpack-value 64
+OK
"##;
