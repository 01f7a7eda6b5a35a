//! What happens to keys, as messages.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# keyspace events of restore
> CONFIG SET notify-keyspace-events Eg
+OK
2> PSUBSCRIBE __keyevent*
{p}3
$10
psubscribe
$11
__keyevent*
:1
> RESTORE k 0 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17"
+OK
2<
{p}4
$8
pmessage
$11
__keyevent*
$22
__keyevent@0__:restore
$1
k
> RESTORE k 1 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17" ABSTTL REPLACE
+OK
2<
{p}4
$8
pmessage
$11
__keyevent*
$18
__keyevent@0__:del
$1
k
> CONFIG SET notify-keyspace-events ""
+OK

# keyspace events of strings
> CONFIG SET notify-keyspace-events KEA
+OK
2> PSUBSCRIBE __key*__:*
{p}3
$10
psubscribe
$10
__key*__:*
:1
> SET k v
+OK
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:k
$3
set
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:set
$1
k
> SET k v EX 100
+OK
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:k
$3
set
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:set
$1
k
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:k
$6
expire
{p}4
$8
pmessage
$10
__key*__:*
$21
__keyevent@0__:expire
$1
k
> APPEND k x
:2
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:k
$6
append
{p}4
$8
pmessage
$10
__key*__:*
$21
__keyevent@0__:append
$1
k
> SETRANGE k 3 y
:4
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:k
$8
setrange
{p}4
$8
pmessage
$10
__key*__:*
$23
__keyevent@0__:setrange
$1
k
> INCR n
:1
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:n
$6
incrby
{p}4
$8
pmessage
$10
__key*__:*
$21
__keyevent@0__:incrby
$1
n
> INCRBYFLOAT n 1.5
$3
2.5
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:n
$11
incrbyfloat
{p}4
$8
pmessage
$10
__key*__:*
$26
__keyevent@0__:incrbyfloat
$1
n
> MSET a 1 b 2
+OK
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:a
$3
set
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:set
$1
a
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:b
$3
set
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:set
$1
b
> GETEX a EX 100
$1
1
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:a
$6
expire
{p}4
$8
pmessage
$10
__key*__:*
$21
__keyevent@0__:expire
$1
a
> GETEX a PERSIST
$1
1
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:a
$7
persist
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@0__:persist
$1
a
> SETNX z 1
:1
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:z
$3
set
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:set
$1
z
> GETSET z 2
$1
1
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:z
$3
set
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:set
$1
z
> GETDEL z
$1
2
2<
{p}4
$8
pmessage
$10
__key*__:*
$16
__keyspace@0__:z
$3
del
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:del
$1
z
> CONFIG SET notify-keyspace-events ""
+OK

# keyspace events of keys
> CONFIG SET notify-keyspace-events EA
+OK
> SET k v
+OK
2> PSUBSCRIBE __key*__:*
{p}3
$10
psubscribe
$10
__key*__:*
:1
> EXPIRE k 100
:1
2<
{p}4
$8
pmessage
$10
__key*__:*
$21
__keyevent@0__:expire
$1
k
> PERSIST k
:1
2<
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@0__:persist
$1
k
> RENAME k k2
+OK
2<
{p}4
$8
pmessage
$10
__key*__:*
$26
__keyevent@0__:rename_from
$1
k
{p}4
$8
pmessage
$10
__key*__:*
$24
__keyevent@0__:rename_to
$2
k2
> COPY k2 k3
:1
2<
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@0__:copy_to
$2
k3
> MOVE k3 1
:1
2<
{p}4
$8
pmessage
$10
__key*__:*
$24
__keyevent@0__:move_from
$2
k3
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@1__:move_to
$2
k3
> DEL k2
:1
2<
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:del
$2
k2
> EXPIRE missing 1
:0
> SET t 1
+OK
2<
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:set
$1
t
> UNLINK t
:1
2<
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:del
$1
t
> CONFIG SET notify-keyspace-events ""
+OK

# keyspace events of expiry, misses and new keys
> DEBUG SET-ACTIVE-EXPIRE 0
+OK
> SET t 1 PX 1
+OK
> DEBUG SLEEP 0.005
+OK
> CONFIG SET notify-keyspace-events Exmn
+OK
2> PSUBSCRIBE __key*__:*
{p}3
$10
psubscribe
$10
__key*__:*
:1
> GET t
2| $-1
3| _
2<
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@0__:expired
$1
t
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@0__:keymiss
$1
t
> GET missing
2| $-1
3| _
2<
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@0__:keymiss
$7
missing
> SINTERCARD 2 missing mass
:0
2<
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@0__:keymiss
$7
missing
2<
{p}4
$8
pmessage
$10
__key*__:*
$22
__keyevent@0__:keymiss
$4
mass
> SET brandnew 1
+OK
2<
{p}4
$8
pmessage
$10
__key*__:*
$18
__keyevent@0__:new
$8
brandnew
> SET brandnew 2
+OK
> CONFIG SET notify-keyspace-events ""
+OK
> DEBUG SET-ACTIVE-EXPIRE 1
+OK

# the letters of notify-keyspace-events
> CONFIG SET notify-keyspace-events KExg$
+OK
> CONFIG GET notify-keyspace-events
2| *2
2| $22
2| notify-keyspace-events
2| $5
2| g$xKE
3| %1
3| $22
3| notify-keyspace-events
3| $5
3| g$xKE
> CONFIG SET notify-keyspace-events KA
+OK
> CONFIG GET notify-keyspace-events
2| *2
2| $22
2| notify-keyspace-events
2| $2
2| AK
3| %1
3| $22
3| notify-keyspace-events
3| $2
3| AK
> CONFIG SET notify-keyspace-events Q
-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.
> CONFIG SET notify-keyspace-events ""
+OK
"##;
