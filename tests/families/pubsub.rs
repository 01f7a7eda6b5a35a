//! Channels, patterns and shard channels.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# subscribe publish unsubscribe
> SUBSCRIBE a b
{p}3
$9
subscribe
$1
a
:1
{p}3
$9
subscribe
$1
b
:2
2> PUBLISH a hello
:1
1<
{p}3
$7
message
$1
a
$5
hello
2> PUBLISH nobody hello
:0
> UNSUBSCRIBE a
{p}3
$11
unsubscribe
$1
a
:1
> UNSUBSCRIBE
{p}3
$11
unsubscribe
$1
b
:0
2> PUBLISH a hello
:0

# unsubscribe from nothing
> UNSUBSCRIBE
2| *3
2| $11
2| unsubscribe
2| $-1
2| :0
3| >3
3| $11
3| unsubscribe
3| _
3| :0
> UNSUBSCRIBE x
{p}3
$11
unsubscribe
$1
x
:0
> PUNSUBSCRIBE
2| *3
2| $12
2| punsubscribe
2| $-1
2| :0
3| >3
3| $12
3| punsubscribe
3| _
3| :0
> SUNSUBSCRIBE
2| *3
2| $12
2| sunsubscribe
2| $-1
2| :0
3| >3
3| $12
3| sunsubscribe
3| _
3| :0
> SUNSUBSCRIBE x
{p}3
$12
sunsubscribe
$1
x
:0

# patterns
> PSUBSCRIBE news.* h[ae]llo
{p}3
$10
psubscribe
$6
news.*
:1
{p}3
$10
psubscribe
$8
h[ae]llo
:2
2> PUBLISH news.art x
:1
1<
{p}4
$8
pmessage
$6
news.*
$8
news.art
$1
x
2> PUBLISH hallo y
:1
1<
{p}4
$8
pmessage
$8
h[ae]llo
$5
hallo
$1
y
2> PUBLISH hxllo y
:0
> PUNSUBSCRIBE news.* nothing
{p}3
$12
punsubscribe
$6
news.*
:1
{p}3
$12
punsubscribe
$7
nothing
:1
> PUNSUBSCRIBE
{p}3
$12
punsubscribe
$8
h[ae]llo
:0

# one message for a channel and one for a pattern
> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
> PSUBSCRIBE a*
{p}3
$10
psubscribe
$2
a*
:2
2> PUBLISH a x
:2
1<
{p}3
$7
message
$1
a
$1
x
{p}4
$8
pmessage
$2
a*
$1
a
$1
x

# sharded channels are apart
> SSUBSCRIBE s1 s2
{p}3
$10
ssubscribe
$2
s1
:1
{p}3
$10
ssubscribe
$2
s2
:2
2> SPUBLISH s1 x
:1
1<
{p}3
$8
smessage
$2
s1
$1
x
2> PUBLISH s1 x
:0
> SUNSUBSCRIBE s1
{p}3
$12
sunsubscribe
$2
s1
:1
> SUNSUBSCRIBE
{p}3
$12
sunsubscribe
$2
s2
:0

# introspection
2> SUBSCRIBE a b
{p}3
$9
subscribe
$1
a
:1
{p}3
$9
subscribe
$1
b
:2
3> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
3> PSUBSCRIBE p*
{p}3
$10
psubscribe
$2
p*
:2
3> SSUBSCRIBE s
{p}3
$10
ssubscribe
$1
s
:1
> PUBSUB CHANNELS b*
*1
$1
b
> PUBSUB CHANNELS nothing*
*0
> PUBSUB NUMSUB a b c
*6
$1
a
:2
$1
b
:1
$1
c
:0
> PUBSUB NUMSUB
*0
> PUBSUB NUMPAT
:1
> PUBSUB SHARDCHANNELS
*1
$1
s
> PUBSUB SHARDCHANNELS x
*0
> PUBSUB SHARDNUMSUB s a
*4
$1
s
:1
$1
a
:0
> PUBSUB FOO
-ERR unknown subcommand 'FOO'. Try PUBSUB HELP.
> PUBSUB
-ERR wrong number of arguments for 'pubsub' command
> PUBSUB NUMPAT x
-ERR wrong number of arguments for 'pubsub|numpat' command

# what a subscriber may say
> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
> PING
2| *2
2| $4
2| pong
2| $0
2| \e
3| +PONG
> PING hello
2| *2
2| $4
2| pong
2| $5
2| hello
3| $5
3| hello
> GET k
2| -ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
3| _
> PUBLISH a x
2| -ERR Can't execute 'publish': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
3| :1
3| >3
3| $7
3| message
3| $1
3| a
3| $1
3| x
> RESET
+RESET
> PING
+PONG

# a subscriber of resp3 may say anything
> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
> SET k v
2| -ERR Can't execute 'set': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
3| +OK
> GET k
2| -ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
3| $1
3| v
> PUBLISH a self
2| -ERR Can't execute 'publish': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
3| :1
3| >3
3| $7
3| message
3| $1
3| a
3| $4
3| self
1<
> MULTI
2| -ERR Can't execute 'multi': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
3| +OK
> PING
2| *2
2| $4
2| pong
2| $0
2| \e
3| +QUEUED
> EXEC
2| -EXECABORT Transaction discarded because of: Can't execute 'exec': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
3| *1
3| +PONG

# subscribing twice counts once
> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
2> PUBLISH a x
:1
1<
{p}3
$7
message
$1
a
$1
x

# messages keep their order and their bytes
> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
2> PUBLISH a "1\r\n\x00"
:1
2> PUBLISH a ""
:1
2> PUBLISH a 3
:1
1<
{p}3
$7
message
$1
a
$4
1
\x00
{p}3
$7
message
$1
a
$0
\e
{p}3
$7
message
$1
a
$1
3

# arities
> PUBLISH a
-ERR wrong number of arguments for 'publish' command
> SPUBLISH a
-ERR wrong number of arguments for 'spublish' command
> SUBSCRIBE
-ERR wrong number of arguments for 'subscribe' command
> PSUBSCRIBE
-ERR wrong number of arguments for 'psubscribe' command
> SSUBSCRIBE
-ERR wrong number of arguments for 'ssubscribe' command

# publish inside multi
2> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
> MULTI
+OK
> PUBLISH a 1
+QUEUED
> PUBLISH a 2
+QUEUED
> EXEC
*2
:1
:1
2<
{p}3
$7
message
$1
a
$1
1
{p}3
$7
message
$1
a
$1
2

# quit while subscribed
> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
> QUIT
+OK
<closed>
"##;
