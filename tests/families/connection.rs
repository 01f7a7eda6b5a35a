//! What a connection says about itself and does to others.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# ping echo
> PING
+PONG
> PING "hello world"
$11
hello world
> PING a b
-ERR wrong number of arguments for 'ping' command
> ECHO hi
$2
hi
> ECHO
-ERR wrong number of arguments for 'echo' command

# select
> SELECT 1
+OK
> SELECT 15
+OK
> SELECT 16
-ERR DB index is out of range
> SELECT -1
-ERR DB index is out of range
> SELECT x
-ERR value is not an integer or out of range
> SELECT
-ERR wrong number of arguments for 'select' command

# quit
> QUIT
+OK
<closed>

# auth without a password
> AUTH x
-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
> AUTH default x
+OK
> AUTH a b c
-ERR syntax error
> AUTH nosuch x
-WRONGPASS invalid username-password pair or user is disabled.

# client name
> CLIENT GETNAME
2| $-1
3| _
> CLIENT SETNAME me
+OK
> CLIENT GETNAME
$2
me
> CLIENT SETNAME "a b"
-ERR Client names cannot contain spaces, newlines or special characters.
> CLIENT SETNAME "a\nb"
-ERR Client names cannot contain spaces, newlines or special characters.
> CLIENT GETNAME
$2
me
> CLIENT SETNAME ""
+OK
> CLIENT GETNAME
2| $-1
3| _
> CLIENT SETNAME
-ERR wrong number of arguments for 'client|setname' command

# client setinfo
> CLIENT SETINFO LIB-NAME lib
+OK
> CLIENT SETINFO lib-ver 1.2.3
+OK
> CLIENT SETINFO foo bar
-ERR Unrecognized option 'foo'
> CLIENT SETINFO LIB-NAME "a b"
-ERR LIB-NAME cannot contain spaces, newlines or special characters.
> CLIENT SETINFO LIB-VER "a\nb"
-ERR LIB-VER cannot contain spaces, newlines or special characters.
> CLIENT SETINFO LIB-NAME ""
+OK
> CLIENT SETINFO LIB-NAME
-ERR wrong number of arguments for 'client|setinfo' command

# client no-evict no-touch
> CLIENT NO-EVICT ON
+OK
> CLIENT NO-EVICT off
+OK
> CLIENT NO-EVICT x
-ERR syntax error
> CLIENT NO-TOUCH ON
+OK
> CLIENT NO-TOUCH off
+OK
> CLIENT NO-TOUCH x
-ERR syntax error
> CLIENT NO-TOUCH
-ERR wrong number of arguments for 'client|no-touch' command

# client capa
> CLIENT CAPA redirect
+OK
> CLIENT CAPA whatever else
+OK
> CLIENT CAPA
-ERR wrong number of arguments for 'client|capa' command

# client kill: filters that match nobody
> CLIENT KILL 127.0.0.1:1
-ERR No such client
> CLIENT KILL x
-ERR No such client
> CLIENT KILL ID 999999
:0
> CLIENT KILL ID 0
-ERR client-id should be greater than 0
> CLIENT KILL ID -1
-ERR client-id should be greater than 0
> CLIENT KILL ID x
-ERR client-id should be greater than 0
> CLIENT KILL ADDR 1.2.3.4:5
:0
> CLIENT KILL LADDR 1.2.3.4:5
:0
> CLIENT KILL TYPE pubsub
:0
> CLIENT KILL TYPE x
-ERR Unknown client type 'x'
> CLIENT KILL USER nosuch
-ERR No such user 'nosuch'
> CLIENT KILL SKIPME maybe
-ERR syntax error
> CLIENT KILL FOO bar
-ERR syntax error
> CLIENT KILL MAXAGE 100000
:0
> CLIENT KILL MAXAGE x
-ERR maxage is not an integer or out of range
> CLIENT KILL MAXAGE 0
-ERR maxage should be greater than 0
> CLIENT KILL MAXAGE -1
-ERR maxage should be greater than 0
> CLIENT KILL ID 999999 ADDR 1.2.3.4:5 SKIPME no
:0
> CLIENT KILL ID 999998 999999
:0
> CLIENT KILL NAME nobody
:0
> CLIENT KILL IDLE 100000
:0
> CLIENT KILL FLAGS P
:0
> CLIENT KILL DB 15
:0
> CLIENT KILL LIB-NAME nosuch
:0
> CLIENT KILL LIB-VER nosuch
:0
> CLIENT KILL IP 1.2.3.4
:0
> CLIENT KILL NOT-ID 1 ID 999999
:0
> CLIENT KILL NOT-TYPE normal ID 999999
:0
> CLIENT KILL NOT-ADDR 1.2.3.4:5 ID 999999
:0
> CLIENT KILL NOT-LADDR 1.2.3.4:5 ID 999999
:0
> CLIENT KILL NOT-NAME nobody ID 999999
:0
> CLIENT KILL NOT-USER default
:0
> CLIENT KILL NOT-FLAGS N ID 999999
:0
> CLIENT KILL NOT-DB 0 ID 999999
:0
> CLIENT KILL NOT-LIB-NAME x ID 999999
:0
> CLIENT KILL
-ERR wrong number of arguments for 'client|kill' command
> CLIENT KILL ID
-ERR No such client

# client kill: by name and by type
2> CLIENT SETNAME victim
+OK
2> PING
+PONG
> CLIENT KILL NAME victim
:1
2<
<closed>

# client kill: subscribers
2> SUBSCRIBE a
{p}3
$9
subscribe
$1
a
:1
> CLIENT KILL TYPE pubsub
:1
2<
<closed>

# client kill: everybody but oneself
2> PING
+PONG
3> PING
+PONG
> CLIENT KILL TYPE normal SKIPME yes
:{n}
2<
<closed>
3<
<closed>
> PING
+PONG

# client list filters
> CLIENT LIST ID 999998 999999
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST ID x
-ERR Invalid client ID
> CLIENT LIST TYPE x
-ERR Unknown client type 'x'
> CLIENT LIST TYPE
-ERR syntax error
> CLIENT LIST ID
-ERR syntax error
> CLIENT LIST TYPE pubsub
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST TYPE master
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST TYPE replica
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST NAME nobody
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST MAXAGE 1000000
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST IDLE 1000000
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST USER nosuch
-ERR No such user 'nosuch'
> CLIENT LIST DB 15
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST FLAGS P
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST NOT-TYPE normal
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST TYPE normal ID 999999
2| $0
2| \e
3| =4
3| txt:
> CLIENT LIST FOO bar
-ERR syntax error

# client reply
> CLIENT REPLY SKIP
> PING
> PING
+PONG
> CLIENT REPLY OFF
> PING
> CLIENT REPLY ON
+OK
> PING
+PONG
> CLIENT REPLY x
-ERR syntax error

# client unblock
> CLIENT UNBLOCK 999999
:0
> CLIENT UNBLOCK 999999 TIMEOUT
:0
> CLIENT UNBLOCK 999999 ERROR
:0
> CLIENT UNBLOCK 999999 FOO
-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
> CLIENT UNBLOCK x
-ERR value is not an integer or out of range
> CLIENT UNBLOCK
-ERR wrong number of arguments for 'client|unblock' command

# client pause
> CLIENT PAUSE 0
+OK
> CLIENT PAUSE x
-ERR timeout is not an integer or out of range
> CLIENT PAUSE -1
-ERR timeout is negative
> CLIENT PAUSE 1 FOO
-ERR CLIENT PAUSE mode must be WRITE or ALL
> CLIENT PAUSE
-ERR wrong number of arguments for 'client|pause' command
> CLIENT UNPAUSE
+OK

# client pause write lets readers pass
> SET k v
+OK
> CLIENT PAUSE 100000 WRITE
+OK
2> GET k
$1
v
2> PING
+PONG
3> SET k w
2> CLIENT UNPAUSE
+OK
3<
+OK
> GET k
$1
w

# client errors
> CLIENT
-ERR wrong number of arguments for 'client' command
> CLIENT FOO
-ERR unknown subcommand 'FOO'. Try CLIENT HELP.
> CLIENT ID x
-ERR wrong number of arguments for 'client|id' command
> CLIENT INFO x
-ERR wrong number of arguments for 'client|info' command

# hello
> HELLO 2
*14
$6
server
$5
redis
$7
version
$5
7.2.4
$5
proto
:2
$2
id
:{n}
$4
mode
$10
standalone
$4
role
$6
master
$7
modules
*0
> HELLO 3
%7
$6
server
$5
redis
$7
version
$5
7.2.4
$5
proto
:3
$2
id
:{n}
$4
mode
$10
standalone
$4
role
$6
master
$7
modules
*0
> GET missing
_

# hello: errors change nothing
> CLIENT SETNAME old
+OK
> HELLO 3 SETNAME new FOO
-ERR Syntax error in HELLO option 'FOO'
> HELLO 3 SETNAME new AUTH nosuch x
-WRONGPASS invalid username-password pair or user is disabled.
> CLIENT GETNAME
$3
old
> HELLO 1
-NOPROTO unsupported protocol version
> HELLO 4
-NOPROTO unsupported protocol version
> HELLO x
-ERR Protocol version is not an integer or out of range
> HELLO 3 FOO
-ERR Syntax error in HELLO option 'FOO'
> HELLO 3 SETNAME
-ERR Syntax error in HELLO option 'SETNAME'
> HELLO 3 AUTH default
-ERR Syntax error in HELLO option 'AUTH'
> HELLO 3 AUTH nosuch x
-WRONGPASS invalid username-password pair or user is disabled.
> HELLO 3 SETNAME "a b"
-ERR Client names cannot contain spaces, newlines or special characters.
> GET missing
2| $-1
3| _

# reset: back to the start
> SELECT 5
+OK
> CLIENT SETNAME me
+OK
> MULTI
+OK
> RESET
+RESET
> CLIENT GETNAME
$-1
> GET missing
$-1
> DBSIZE
:0
"##;
