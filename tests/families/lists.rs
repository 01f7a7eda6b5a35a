//! Lists, and clients that wait for them. A PING of another connection sees to it that a request that
//! is not answered has arrived.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# push pop and length
> RPUSH l a b c
:3
> LPUSH l z y
:5
> LRANGE l 0 -1
*5
$1
y
$1
z
$1
a
$1
b
$1
c
> LLEN l
:5
> LPUSHX l x
:6
> RPUSHX l d e
:8
> LPUSHX missing x
:0
> RPUSHX missing x
:0
> LPOP l
$1
x
> RPOP l
$1
e
> LPOP l 2
*2
$1
y
$1
z
> RPOP l 0
*0
> LRANGE l 0 -1
*4
$1
a
$1
b
$1
c
$1
d
> RPOP l 100
*4
$1
d
$1
c
$1
b
$1
a
> EXISTS l
:0
> LPOP l
2| $-1
3| _
> RPOP l 3
2| *-1
3| _
> LPOP l -1
-ERR value is out of range, must be positive
> LPOP l x
-ERR value is out of range, must be positive
> LPOP l 1 2
-ERR wrong number of arguments for 'lpop' command
> LPUSH l
-ERR wrong number of arguments for 'lpush' command
> SET s x
+OK
> LPUSH s a
-WRONGTYPE Operation against a key holding the wrong kind of value
> LPOP s
-WRONGTYPE Operation against a key holding the wrong kind of value
> LLEN s
-WRONGTYPE Operation against a key holding the wrong kind of value
> LRANGE s 0 -1
-WRONGTYPE Operation against a key holding the wrong kind of value

# places
> RPUSH l a b c d e
:5
> LINDEX l 0
$1
a
> LINDEX l -1
$1
e
> LINDEX l 5
2| $-1
3| _
> LINDEX l -6
2| $-1
3| _
> LINDEX missing x
2| $-1
3| _
> LINDEX l x
-ERR value is not an integer or out of range
> LSET l 1 B
+OK
> LSET l -1 E
+OK
> LSET l 5 x
-ERR index out of range
> LSET missing 0 x
-ERR no such key
> LSET l x y
-ERR value is not an integer or out of range
> LRANGE l 1 2
*2
$1
B
$1
c
> LRANGE l -100 100
*5
$1
a
$1
B
$1
c
$1
d
$1
E
> LRANGE l 3 1
*0
> LRANGE l x 1
-ERR value is not an integer or out of range
> LRANGE missing 0 -1
*0
> LINSERT l BEFORE c bc
:6
> LINSERT l after c cd
:7
> LINSERT l before nowhere x
:-1
> LINSERT missing before a b
:0
> LINSERT l beside a b
-ERR syntax error
> LRANGE l 0 -1
*7
$1
a
$1
B
$2
bc
$1
c
$2
cd
$1
d
$1
E
> LTRIM l 1 -2
+OK
> LRANGE l 0 -1
*5
$1
B
$2
bc
$1
c
$2
cd
$1
d
> LTRIM l 5 10
+OK
> EXISTS l
:0
> LTRIM l 0 1
+OK
> LTRIM l x 1
-ERR value is not an integer or out of range

# removal and search
> RPUSH l a b a c a b 7 07
:8
> LPOS l a
:0
> LPOS l a RANK 2
:2
> LPOS l a RANK -1
:4
> LPOS l a COUNT 0
*3
:0
:2
:4
> LPOS l a COUNT 2 RANK -1
*2
:4
:2
> LPOS l a COUNT 0 MAXLEN 3
*2
:0
:2
> LPOS l nowhere
2| $-1
3| _
> LPOS l nowhere COUNT 1
*0
> LPOS l 7
:6
> LPOS l 07
:7
> LPOS l a RANK 0
-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list
> LPOS l a COUNT -1
-ERR COUNT can't be negative
> LPOS l a MAXLEN -1
-ERR MAXLEN can't be negative
> LPOS l a RANK
-ERR syntax error
> LPOS missing a
2| $-1
3| _
> LPOS missing a COUNT 1
*0
> LREM l 1 a
:1
> LREM l -1 a
:1
> LREM l 0 b
:2
> LREM l 0 nowhere
:0
> LREM l x a
-ERR value is not an integer or out of range
> LREM missing 0 a
:0
> LRANGE l 0 -1
*4
$1
a
$1
c
$1
7
$2
07
> LREM l 0 a
:1
> LREM l 0 c
:1
> LREM l 0 7
:1
> LREM l 0 07
:1
> EXISTS l
:0

# moving
> RPUSH a 1 2 3
:3
> LMOVE a b LEFT RIGHT
$1
1
> LMOVE a b right left
$1
3
> LRANGE b 0 -1
*2
$1
3
$1
1
> RPOPLPUSH a b
$1
2
> EXISTS a
:0
> LMOVE b b LEFT RIGHT
$1
2
> LRANGE b 0 -1
*3
$1
3
$1
1
$1
2
> LMOVE missing b LEFT LEFT
2| $-1
3| _
> RPOPLPUSH missing b
2| $-1
3| _
> SET s x
+OK
> LMOVE b s LEFT LEFT
-WRONGTYPE Operation against a key holding the wrong kind of value
> LMOVE s b LEFT LEFT
-WRONGTYPE Operation against a key holding the wrong kind of value
> LMOVE b c UP DOWN
-ERR syntax error
> LRANGE b 0 -1
*3
$1
3
$1
1
$1
2
> LMPOP 2 missing b LEFT
*2
$1
b
*1
$1
3
> LMPOP 2 missing b RIGHT COUNT 10
*2
$1
b
*2
$1
2
$1
1
> LMPOP 1 b LEFT
2| *-1
3| _
> LMPOP 0 b LEFT
-ERR numkeys should be greater than 0
> LMPOP x b LEFT
-ERR numkeys should be greater than 0
> LMPOP 3 b LEFT
-ERR syntax error
> LMPOP 1 b MIDDLE
-ERR syntax error
> LMPOP 1 b LEFT COUNT 0
-ERR count should be greater than 0
> LMPOP 1 b LEFT COUNT 1 COUNT 1
-ERR syntax error
> LMPOP 1 s LEFT
-WRONGTYPE Operation against a key holding the wrong kind of value

# encodings of lists
> RPUSH l a
:1
> OBJECT ENCODING l
$8
listpack
> CONFIG SET list-max-listpack-size 2
+OK
> RPUSH l b c
:3
> OBJECT ENCODING l
$9
quicklist
> LPOP l 2
*2
$1
a
$1
b
> OBJECT ENCODING l
$8
listpack
> CONFIG SET list-max-listpack-size -2
+OK

# waiting that is not needed
> RPUSH l 1 2 3 4 5
:5
> BLPOP missing l 0
*2
$1
l
$1
1
> BRPOP l missing 0
*2
$1
l
$1
5
> BLMOVE l m LEFT RIGHT 0
$1
2
> BRPOPLPUSH l m 0
$1
4
> BLMPOP 0 1 l LEFT COUNT 5
*2
$1
l
*1
$1
3
> LRANGE m 0 -1
*2
$1
4
$1
2
> BLPOP l x
-ERR timeout is not a float or out of range
> BLPOP l -1
-ERR timeout is negative
> BLPOP l 1e300
-ERR timeout is out of range
> BLPOP l 1e400
-ERR timeout is out of range
> BLPOP l inf
-ERR timeout is out of range
> BLPOP l 1e-20000
-ERR timeout is not a float or out of range
> BLPOP l 0x1g
-ERR timeout is not a float or out of range
> BLPOP l -0x1
-ERR timeout is negative
> BLPOP l 0x1p-7
2| *-1
3| _
> BLPOP l 1e-400
2| *-1
3| _
> BLMOVE l m LEFT LEFT nan
-ERR timeout is not a float or out of range
> BLMPOP 0 0 l LEFT
-ERR numkeys should be greater than 0
> SET s x
+OK
> BLPOP missing s 0
-WRONGTYPE Operation against a key holding the wrong kind of value
> BLPOP l 0.01
2| *-1
3| _
> BRPOP l 0.01
2| *-1
3| _
> BLMOVE l m LEFT LEFT 0.01
2| *-1
3| _
> BRPOPLPUSH l m 0.01
2| *-1
3| _
> BLMPOP 0.01 1 l LEFT
2| *-1
3| _

# inside a transaction nobody waits
> MULTI
+OK
> BLPOP l 0
+QUEUED
> BRPOP l 0
+QUEUED
> BLMOVE l m LEFT LEFT 0
+QUEUED
> BRPOPLPUSH l m 0
+QUEUED
> BLMPOP 0 1 l LEFT
+QUEUED
> EXEC
2| *5
2| *-1
2| *-1
2| $-1
2| $-1
2| *-1
3| *5
3| _
3| _
3| _
3| _
3| _

# who came first is served first
> BLPOP l 0
5> PING
+PONG
2> BRPOP l k 0
5> PING
+PONG
3> BLMOVE l m LEFT RIGHT 0
5> PING
+PONG
4> RPUSH l 1
:1
1<
*2
$1
l
$1
1
4> RPUSH l 2 3
:2
2<
*2
$1
l
$1
3
3<
$1
2
4> LRANGE m 0 -1
*1
$1
2
4> EXISTS l
:0

# an element goes on from list to list
> BLMOVE a b LEFT RIGHT 0
5> PING
+PONG
2> BLMOVE b c LEFT RIGHT 0
5> PING
+PONG
3> BLPOP c 0
5> PING
+PONG
4> RPUSH a x
:1
1<
$1
x
2<
$1
x
3<
*2
$1
c
$1
x
4> EXISTS a b c
:0

# whatever makes the key ready wakes
> BLPOP l 0
5> PING
+PONG
2> RPUSH other 1
:1
2> RENAME other l
+OK
1<
*2
$1
l
$1
1
> BLPOP l 0
5> PING
+PONG
2> RPUSH other 2
:1
2> COPY other l
:1
1<
*2
$1
l
$1
2
> BLPOP l 0
5> PING
+PONG
2> SORT other STORE l
:1
1<
*2
$1
l
$1
2
> BLPOP l 0
5> PING
+PONG
2> MULTI
+OK
2> RPUSH l 9 8
+QUEUED
2> LPOP l
+QUEUED
2> EXEC
*2
:2
$1
9
1<
*2
$1
l
$1
8
> BLPOP l 0
5> PING
+PONG
2> SELECT 1
+OK
2> RPUSH l moved
:1
2> MOVE l 0
:1
1<
*2
$1
l
$5
moved
> BLPOP l 0
5> PING
+PONG
2> RPUSH l swapped
:1
2> SWAPDB 0 1
+OK
1<
*2
$1
l
$7
swapped

# another type does not wake
> BLPOP l 0
5> PING
+PONG
2> SET l x
+OK
2> DEL l
:1
2> SADD l x
:1
2> DEL l
:1
2> RPUSH l y
:1
1<
*2
$1
l
$1
y

# what comes and goes within a transaction wakes nobody
> BLPOP l 0
5> PING
+PONG
2> MULTI
+OK
2> RPUSH l x
+QUEUED
2> DEL l
+QUEUED
2> EXEC
*2
:1
:1
2> RPUSH l y
:1
1<
*2
$1
l
$1
y
"##;
