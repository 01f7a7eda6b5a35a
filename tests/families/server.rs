//! The server as a whole.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# dbsize flushdb flushall
> MSET a 1 b 2
+OK
> DBSIZE
:2
> FLUSHDB
+OK
> DBSIZE
:0
> SET a 1
+OK
> SELECT 1
+OK
> SET b 1
+OK
> FLUSHDB ASYNC
+OK
> SELECT 0
+OK
> DBSIZE
:1
> FLUSHALL SYNC
+OK
> DBSIZE
:0
> FLUSHDB FOO
-ERR syntax error
> FLUSHALL FOO
-ERR syntax error
> FLUSHALL ASYNC SYNC
-ERR syntax error

# swapdb
> SET a 1
+OK
> SWAPDB 0 1
+OK
> GET a
2| $-1
3| _
> SELECT 1
+OK
> GET a
$1
1
> SWAPDB 0 0
+OK
> SWAPDB 0 16
-ERR DB index is out of range
> SWAPDB -1 0
-ERR DB index is out of range
> SWAPDB x 0
-ERR invalid first DB index
> SWAPDB 0 x
-ERR invalid second DB index
> SWAPDB 0
-ERR wrong number of arguments for 'swapdb' command

# config get
> CONFIG GET maxmemory-policy
2| *2
2| $16
2| maxmemory-policy
2| $10
2| noeviction
3| %1
3| $16
3| maxmemory-policy
3| $10
3| noeviction
> CONFIG GET MAXMEMORY-POLICY
2| *2
2| $16
2| MAXMEMORY-POLICY
2| $10
2| noeviction
3| %1
3| $16
3| MAXMEMORY-POLICY
3| $10
3| noeviction
> CONFIG GET nosuch
2| *0
3| %0
> CONFIG GET databases
2| *2
2| $9
2| databases
2| $2
2| 16
3| %1
3| $9
3| databases
3| $2
3| 16
> CONFIG GET
-ERR wrong number of arguments for 'config|get' command

# config set
> CONFIG SET timeout 10 hz 20
+OK
> CONFIG GET timeout
2| *2
2| $7
2| timeout
2| $2
2| 10
3| %1
3| $7
3| timeout
3| $2
3| 10
> CONFIG SET timeout 0 hz 10
+OK
> CONFIG SET timeout x
-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer
> CONFIG SET timeout -1
-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 2147483647 inclusive
> CONFIG SET timeout 1 nosuch 1
-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'
> CONFIG GET timeout
2| *2
2| $7
2| timeout
2| $1
2| 0
3| %1
3| $7
3| timeout
3| $1
3| 0
> CONFIG SET timeout 1 timeout 2
-ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter
> CONFIG SET nosuch 1
-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'
> CONFIG SET timeout
-ERR wrong number of arguments for 'config|set' command
> CONFIG SET databases 3
-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
> CONFIG SET maxmemory 100mb
+OK
> CONFIG GET maxmemory
2| *2
2| $9
2| maxmemory
2| $9
2| 104857600
3| %1
3| $9
3| maxmemory
3| $9
3| 104857600
> CONFIG SET maxmemory 1tb
-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value
> CONFIG SET maxmemory 0
+OK
> CONFIG SET appendfsync sometimes
-ERR CONFIG SET failed (possibly related to argument 'appendfsync') - argument(s) must be one of the following: everysec, always, no
> CONFIG SET lazyfree-lazy-expire maybe
-ERR CONFIG SET failed (possibly related to argument 'lazyfree-lazy-expire') - argument must be 'yes' or 'no'
> CONFIG SET hz 100000
+OK
> CONFIG GET hz
2| *2
2| $2
2| hz
2| $3
2| 500
3| %1
3| $2
3| hz
3| $3
3| 500
> CONFIG SET hz 10
+OK
> CONFIG FOO
-ERR unknown subcommand 'FOO'. Try CONFIG HELP.
> CONFIG
-ERR wrong number of arguments for 'config' command
> CONFIG REWRITE x
-ERR wrong number of arguments for 'config|rewrite' command

# config resetstat
> CONFIG RESETSTAT
+OK
> CONFIG RESETSTAT x
-ERR wrong number of arguments for 'config|resetstat' command

# config: client-output-buffer-limit
> CONFIG GET client-output-buffer-limit
2| *2
2| $26
2| client-output-buffer-limit
2| $67
2| normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60
3| %1
3| $26
3| client-output-buffer-limit
3| $67
3| normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60
> CONFIG SET client-output-buffer-limit "normal 1mb 0 0"
+OK
> CONFIG GET client-output-buffer-limit
2| *2
2| $26
2| client-output-buffer-limit
2| $73
2| normal 1048576 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60
3| %1
3| $26
3| client-output-buffer-limit
3| $73
3| normal 1048576 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60
> CONFIG SET client-output-buffer-limit "normal 0 0 0"
+OK
> CONFIG SET client-output-buffer-limit "wrong 0 0 0"
-ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Invalid client class specified in buffer limit configuration.
> CONFIG SET client-output-buffer-limit "normal 0 0"
-ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration.
> CONFIG SET client-output-buffer-limit "normal x 0 0"
-ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in buffer limit configuration.

# command
> COMMAND FOO
-ERR unknown subcommand 'FOO'. Try COMMAND HELP.
> COMMAND COUNT x
-ERR wrong number of arguments for 'command|count' command
> COMMAND INFO nosuch
2| *1
2| $-1
3| *1
3| _
> COMMAND GETKEYS GET a
*1
$1
a
> COMMAND GETKEYS MSET a 1 b 2
*2
$1
a
$1
b
> COMMAND GETKEYS PING
-ERR The command has no key arguments
> COMMAND GETKEYS
-ERR wrong number of arguments for 'command|getkeys' command
> COMMAND GETKEYS GET
-ERR Invalid number of arguments specified for command
> COMMAND GETKEYS nosuch x
-ERR Invalid command specified
> COMMAND GETKEYSANDFLAGS SET a 1
2| *1
2| *2
2| $1
2| a
2| *2
2| +OW
2| +update
3| *1
3| *2
3| $1
3| a
3| ~2
3| +OW
3| +update
> COMMAND GETKEYSANDFLAGS COPY a b
2| *2
2| *2
2| $1
2| a
2| *2
2| +RO
2| +access
2| *2
2| $1
2| b
2| *2
2| +OW
2| +update
3| *2
3| *2
3| $1
3| a
3| ~2
3| +RO
3| +access
3| *2
3| $1
3| b
3| ~2
3| +OW
3| +update
> COMMAND GETKEYSANDFLAGS SET a 1 GET
2| *1
2| *2
2| $1
2| a
2| *3
2| +RW
2| +access
2| +update
3| *1
3| *2
3| $1
3| a
3| ~3
3| +RW
3| +access
3| +update
> COMMAND DOCS nosuch
2| *0
3| %0
> COMMAND LIST FILTERBY MODULE nosuch
*0
> COMMAND LIST FILTERBY ACLCAT nosuch
*0
> COMMAND LIST FILTERBY PATTERN nosuch*
*0
> COMMAND LIST FILTERBY PATTERN getse?
*1
$6
getset
> COMMAND LIST FILTERBY FOO x
-ERR syntax error
> COMMAND LIST FILTERBY
-ERR syntax error

# slowlog
> SLOWLOG RESET
+OK
> SLOWLOG GET
*0
> SLOWLOG LEN
:0
> SLOWLOG GET 10
*0
> SLOWLOG GET -1
*0
> SLOWLOG GET -2
-ERR count should be greater than or equal to -1
> SLOWLOG GET x
-ERR count should be greater than or equal to -1
> SLOWLOG FOO
-ERR unknown subcommand 'FOO'. Try SLOWLOG HELP.
> SLOWLOG
-ERR wrong number of arguments for 'slowlog' command
> SLOWLOG LEN x
-ERR wrong number of arguments for 'slowlog|len' command

# slowlog: what it records
> CONFIG SET slowlog-log-slower-than 0
+OK
> SLOWLOG RESET
+OK
> PING
+PONG
> SLOWLOG GET 1
*1
*6
:{n}
:{n}
:{n}
*1
$4
PING
${n}
127.0.0.1:{n}
$0
\e
> CONFIG SET slowlog-log-slower-than 10000
+OK

# commandlog
> COMMANDLOG RESET slow
+OK
> COMMANDLOG LEN slow
:0
> COMMANDLOG LEN large-request
:0
> COMMANDLOG LEN large-reply
:0
> COMMANDLOG GET 10 slow
*0
> COMMANDLOG GET -1 large-reply
*0
> COMMANDLOG LEN x
-ERR type should be one of the following: slow, large-request, large-reply
> COMMANDLOG GET -2 slow
-ERR count should be greater than or equal to -1
> COMMANDLOG GET x slow
-ERR count should be greater than or equal to -1
> COMMANDLOG GET 10 foo
-ERR type should be one of the following: slow, large-request, large-reply
> COMMANDLOG RESET x
-ERR type should be one of the following: slow, large-request, large-reply
> COMMANDLOG FOO
-ERR unknown subcommand 'FOO'. Try COMMANDLOG HELP.
> COMMANDLOG
-ERR wrong number of arguments for 'commandlog' command

# latency
> LATENCY RESET
:0
> LATENCY LATEST
*0
> LATENCY HISTORY nosuch
*0
> LATENCY RESET nosuch
:0
> LATENCY GRAPH nosuch
-ERR No samples available for event 'nosuch'
> LATENCY HISTOGRAM nosuch
2| *0
3| %0
> LATENCY FOO
-ERR unknown subcommand 'FOO'. Try LATENCY HELP.
> LATENCY
-ERR wrong number of arguments for 'latency' command
> LATENCY HISTORY
-ERR wrong number of arguments for 'latency|history' command

# memory
> MEMORY USAGE missing
2| $-1
3| _
> SET k v
+OK
> MEMORY USAGE k
:{n}
> MEMORY USAGE k SAMPLES 5
:{n}
> MEMORY USAGE k SAMPLES x
-ERR value is not an integer or out of range
> MEMORY USAGE k SAMPLES -1
-ERR syntax error
> MEMORY USAGE k FOO
-ERR syntax error
> MEMORY FOO
-ERR unknown subcommand 'FOO'. Try MEMORY HELP.
> MEMORY USAGE
-ERR wrong number of arguments for 'memory|usage' command
> MEMORY PURGE
+OK

# time lastsave
> TIME
*2
${n}
{n}
${n}
{n}
> TIME x
-ERR wrong number of arguments for 'time' command
> LASTSAVE
:{n}

# debug protocol in every type
> DEBUG PROTOCOL STRING
$11
Hello World
> DEBUG PROTOCOL INTEGER
:12345
> DEBUG PROTOCOL DOUBLE
2| $5
2| 3.141
3| ,3.141
> DEBUG PROTOCOL NULL
2| $-1
3| _
> DEBUG PROTOCOL ARRAY
*3
:0
:1
:2
> DEBUG PROTOCOL SET
2| *3
2| :0
2| :1
2| :2
3| ~3
3| :0
3| :1
3| :2
> DEBUG PROTOCOL MAP
2| *6
2| :0
2| :0
2| :1
2| :1
2| :2
2| :0
3| %3
3| :0
3| #f
3| :1
3| #t
3| :2
3| #f
> DEBUG PROTOCOL ATTRIB
2| $39
2| Some real reply following the attribute
3| |1
3| $14
3| key-popularity
3| *2
3| $7
3| key:123
3| :90
3| $39
3| Some real reply following the attribute
> DEBUG PROTOCOL PUSH
2| -ERR RESP2 is not supported by this command
3| $40
3| Some real reply following the push reply
3| >2
3| $16
3| server-cpu-usage
3| :42
> DEBUG PROTOCOL VERBATIM
2| $25
2| This is a verbatim\nstring
3| =29
3| txt:This is a verbatim\nstring
> DEBUG PROTOCOL TRUE
2| :1
3| #t
> DEBUG PROTOCOL FALSE
2| :0
3| #f
> DEBUG PROTOCOL BIGNUM
2| $37
2| 1234567999999999999999999999999999999
3| (1234567999999999999999999999999999999
> DEBUG PROTOCOL FOO
-ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false

# debug
> DEBUG SLEEP 0
+OK
> DEBUG STRINGMATCH-LEN 10 *
-ERR unknown subcommand or wrong number of arguments for 'STRINGMATCH-LEN'. Try DEBUG HELP.
> DEBUG SET-ACTIVE-EXPIRE 1
+OK
> DEBUG ERROR "MY error text"
-MY error text
> DEBUG OBJECT missing
-ERR no such key
> DEBUG POPULATE 3
+OK
> MGET key:0 key:1 key:2
*3
$7
value:0
$7
value:1
$7
value:2
> DEBUG POPULATE 2 p 5
+OK
> STRLEN p:1
:5
> DEBUG POPULATE x
-ERR value is out of range, must be positive
> DEBUG FOO
-ERR unknown subcommand or wrong number of arguments for 'FOO'. Try DEBUG HELP.
> DEBUG
-ERR wrong number of arguments for 'debug' command

# debug digest of nothing
> DEBUG DIGEST
+0000000000000000000000000000000000000000
> DEBUG DIGEST-VALUE missing
*1
+0000000000000000000000000000000000000000

# info lolwut shutdown: errors
> INFO nosuch
2| $0
2| \e
3| =4
3| txt:
> LOLWUT VERSION x
-ERR value is not an integer or out of range
> SHUTDOWN FOO
-ERR syntax error
> SHUTDOWN SAVE NOSAVE
-ERR syntax error
> SHUTDOWN ABORT
-ERR No shutdown in progress.

# unknown commands
> NOSUCH
-ERR unknown command 'NOSUCH', with args beginning with: \e
> NOSUCH a "b b" c
-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b b' 'c' \e
> nosuch "x\r\ny"
-ERR unknown command 'nosuch', with args beginning with: 'x  y' \e

# monitor
> PING
+PONG
2> MONITOR
+OK
> SET k "a\r\nb\x00\""
+OK
2<
+{n}.{n} [0 127.0.0.1:{n}] "SET" "k" "a\\r\\nb\\x00\\""
> SELECT 3
+OK
2<
+{n}.{n} [3 127.0.0.1:{n}] "SELECT" "3"
> PING
+PONG
2<
+{n}.{n} [3 127.0.0.1:{n}] "PING"
2> RESET
+RESET
"##;
