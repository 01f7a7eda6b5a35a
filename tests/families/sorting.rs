//! SORT.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# sorting
> RPUSH l 3 1 10 2
:4
> SORT l
*4
$1
1
$1
2
$1
3
$2
10
> SORT l DESC
*4
$2
10
$1
3
$1
2
$1
1
> SORT l ALPHA
*4
$1
1
$2
10
$1
2
$1
3
> SORT l LIMIT 1 2
*2
$1
2
$1
3
> SORT l LIMIT 5 5
*0
> SORT l LIMIT 0 -1
*4
$1
1
$1
2
$1
3
$2
10
> SORT_RO l
*4
$1
1
$1
2
$1
3
$2
10
> SORT missing
*0
> MSET w_1 30 w_2 20 w_3 10
+OK
> SORT l BY w_*
*4
$2
10
$1
3
$1
2
$1
1
> SORT l BY nosort
*4
$1
3
$1
1
$2
10
$1
2
> SORT l BY nosort DESC
*4
$1
2
$2
10
$1
1
$1
3
> SORT l BY w_* GET # GET w_*
2| *8
2| $2
2| 10
2| $-1
2| $1
2| 3
2| $2
2| 10
2| $1
2| 2
2| $2
2| 20
2| $1
2| 1
2| $2
2| 30
3| *8
3| $2
3| 10
3| _
3| $1
3| 3
3| $2
3| 10
3| $1
3| 2
3| $2
3| 20
3| $1
3| 1
3| $2
3| 30
> HSET h_1 f one
:1
> SORT l GET h_*->f
2| *4
2| $3
2| one
2| $-1
2| $-1
2| $-1
3| *4
3| $3
3| one
3| _
3| _
3| _
> SORT l STORE d
:4
> LRANGE d 0 -1
*4
$1
1
$1
2
$1
3
$2
10
> SORT missing STORE d
:0
> EXISTS d
:0
> RPUSH t a b
:2
> SORT t
-ERR One or more scores can't be converted into double
> RPUSH large 1 1e400
:2
> SORT large
-ERR One or more scores can't be converted into double
> RPUSH small 1 -1e400
:2
> SORT small DESC
-ERR One or more scores can't be converted into double
> RPUSH tiny 1e-400
:1
> SORT tiny
-ERR One or more scores can't be converted into double
> RPUSH hex 0x10 -inf 0x8p1 3 inf
:5
> SORT hex LIMIT 0 3
*3
$4
-inf
$1
3
$4
0x10
> SORT t ALPHA DESC
*2
$1
b
$1
a
> SORT t BY w_*
*2
$1
a
$1
b
> SADD s 5 4
:2
> SORT s
*2
$1
4
$1
5
> SET x y
+OK
> SORT x
-WRONGTYPE Operation against a key holding the wrong kind of value
> SORT_RO l STORE d
-ERR syntax error
> SORT l LIMIT x 1
-ERR value is not an integer or out of range
> SORT l LIMIT 1
-ERR syntax error
> SORT l FOO
-ERR syntax error
"##;
