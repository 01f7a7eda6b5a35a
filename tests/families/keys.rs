//! Keys of any type.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# del unlink exists touch
> MSET a 1 b 2
+OK
> EXISTS a b a missing
:3
> TOUCH a missing b
:2
> DEL a missing
:1
> UNLINK b missing
:1
> EXISTS a b
:0
> DEL
-ERR wrong number of arguments for 'del' command
> UNLINK
-ERR wrong number of arguments for 'unlink' command
> EXISTS
-ERR wrong number of arguments for 'exists' command
> TOUCH
-ERR wrong number of arguments for 'touch' command

# type and encodings
> MSET i 12345 e short r "this string is longer than forty-four bytes, so raw"
+OK
> TYPE i
+string
> TYPE missing
+none
> OBJECT ENCODING i
$3
int
> OBJECT ENCODING e
$6
embstr
> OBJECT ENCODING r
$3
raw
> OBJECT ENCODING missing
2| $-1
3| _
> OBJECT FREQ i
-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.
> OBJECT FREQ missing
2| $-1
3| _
> OBJECT IDLETIME missing
2| $-1
3| _
> OBJECT REFCOUNT missing
2| $-1
3| _
> OBJECT IDLETIME e
:{n}
> OBJECT FOO e
-ERR unknown subcommand 'FOO'. Try OBJECT HELP.
> OBJECT ENCODING
-ERR wrong number of arguments for 'object|encoding' command
> OBJECT
-ERR wrong number of arguments for 'object' command
> SET k "exactly forty-four bytes are still embedded!"
+OK
> OBJECT ENCODING k
$6
embstr
> SET k "exactly forty-five bytes are not embedded any"
+OK
> OBJECT ENCODING k
$3
raw
> SET k 9223372036854775807
+OK
> OBJECT ENCODING k
$3
int
> SET k 9223372036854775808
+OK
> OBJECT ENCODING k
$6
embstr
> SET k -0
+OK
> OBJECT ENCODING k
$6
embstr

# expire and its conditions
> SET k v
+OK
> EXPIRE k 100
:1
> EXPIRE k 200 NX
:0
> EXPIRE k 200 XX
:1
> EXPIRE k 100 GT
:0
> EXPIRE k 300 GT
:1
> EXPIRE k 400 LT
:0
> EXPIRE k 200 LT
:1
> TTL k
:{~200}
> PERSIST k
:1
> PERSIST k
:0
> TTL k
:-1
> EXPIRE k 100 XX
:0
> EXPIRE k 100 GT
:0
> EXPIRE k 100 LT
:1
> TTL k
:{~100}
> EXPIRE k 150 XX GT
:1
> EXPIRE missing 100
:0
> EXPIRE k 100 NX XX
-ERR NX and XX, GT or LT options at the same time are not compatible
> EXPIRE k 100 NX GT
-ERR NX and XX, GT or LT options at the same time are not compatible
> EXPIRE k 100 GT LT
-ERR GT and LT options at the same time are not compatible
> EXPIRE k 100 FOO
-ERR Unsupported option FOO
> EXPIRE k x
-ERR value is not an integer or out of range
> EXPIRE k 9223372036854775807
-ERR invalid expire time in 'expire' command
> EXPIRE k -9223372036854775808
-ERR invalid expire time in 'expire' command
> PEXPIRE k 9223372036854775807
-ERR invalid expire time in 'pexpire' command
> EXPIREAT k 9223372036854775807
-ERR invalid expire time in 'expireat' command
> PEXPIREAT k 9223372036854775807
:1
> PEXPIRETIME k
:9223372036854775807
> EXPIRE k
-ERR wrong number of arguments for 'expire' command
> EXPIRE k -1
:1
> EXISTS k
:0

# deadlines in every unit
> SET k v
+OK
> PEXPIRE k 100000
:1
> TTL k
:{~100}
> EXPIREAT k 4000000000
:1
> EXPIRETIME k
:4000000000
> PEXPIRETIME k
:4000000000000
> PEXPIREAT k 4000000000123
:1
> EXPIRETIME k
:4000000000
> PEXPIRETIME k
:4000000000123
> EXPIREAT k 4000000000 NX
:0
> PEXPIREAT k 1
:1
> EXISTS k
:0
> TTL missing
:-2
> PTTL missing
:-2
> EXPIRETIME missing
:-2
> PEXPIRETIME missing
:-2
> SET k v
+OK
> TTL k
:-1
> PTTL k
:-1
> EXPIRETIME k
:-1
> PEXPIRETIME k
:-1

# rename renamenx
> SET a 1 EX 100
+OK
> RENAME a b
+OK
> EXISTS a
:0
> TTL b
:{~100}
> SET c 3
+OK
> RENAMENX b c
:0
> RENAMENX b d
:1
> TTL d
:{~100}
> RENAME missing x
-ERR no such key
> RENAMENX missing x
-ERR no such key
> RENAME d d
+OK
> RENAMENX d d
:0
> RENAME c d
+OK
> TTL d
:-1
> RENAME a
-ERR wrong number of arguments for 'rename' command

# dump restore
> SET k bar
+OK
> DUMP k
$15
\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17
> DUMP missing
2| $-1
3| _
> RESTORE n 0 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17"
+OK
> GET n
$3
bar
> TTL n
:-1
> RESTORE n 0 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17"
-BUSYKEY Target key name already exists.
> RESTORE n 100000 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17" REPLACE
+OK
> TTL n
:{~100}
> RESTORE m 0 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17" IDLETIME 1000
+OK
> OBJECT IDLETIME m
:{n}
> RESTORE p 33177117420000 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17" ABSTTL
+OK
> PEXPIRETIME p
:33177117420000
> RESTORE n 1000 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17" ABSTTL REPLACE
+OK
> EXISTS n
:0
> RESTORE n -1 "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17"
-ERR Invalid TTL value, must be >= 0
> RESTORE n x "\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17"
-ERR value is not an integer or out of range
> RESTORE n 0 "\x00\x03bas\n\x00\xe6\xbeI`\xeef\xfd\x17"
-ERR DUMP payload version or checksum are wrong
> RESTORE n 0 short
-ERR DUMP payload version or checksum are wrong
> RESTORE n 0 short IDLETIME -1
-ERR Invalid IDLETIME value, must be >= 0
> RESTORE n 0 short FREQ 256
-ERR Invalid FREQ value, must be >= 0 and <= 255
> RESTORE n 0 short FREQ 1 IDLETIME 1
-ERR syntax error
> RESTORE n 0 short NOSUCH
-ERR syntax error
> RESTORE n 0
-ERR wrong number of arguments for 'restore' command
> EXISTS n
:0

# copy
> SET a 1 EX 100
+OK
> COPY a b
:1
> TTL b
:{~100}
> COPY a b
:0
> SET a 2
+OK
> COPY a b REPLACE
:1
> GET b
$1
2
> TTL b
:-1
> COPY a b DB 1
:1
> SELECT 1
+OK
> GET b
$1
2
> SELECT 0
+OK
> COPY a a
-ERR source and destination objects are the same
> COPY a a DB 1
:1
> COPY missing x
:0
> COPY a b DB 16
-ERR DB index is out of range
> COPY a b DB -1
-ERR DB index is out of range
> COPY a b DB x
-ERR value is not an integer or out of range
> COPY a b FOO
-ERR syntax error
> COPY a b DB
-ERR syntax error
> COPY a
-ERR wrong number of arguments for 'copy' command

# move
> SET a 1 EX 100
+OK
> MOVE a 1
:1
> EXISTS a
:0
> SELECT 1
+OK
> TTL a
:{~100}
> SELECT 0
+OK
> SET a 2
+OK
> MOVE a 1
:0
> MOVE a 0
-ERR source and destination objects are the same
> MOVE a 16
-ERR DB index is out of range
> MOVE a x
-ERR value is not an integer or out of range
> MOVE missing 1
:0
> MOVE a
-ERR wrong number of arguments for 'move' command

# keys and its patterns
> MSET hello 1 hallo 2 hxllo 3 hllo 4 heeello 5 h*llo 6 "h[llo" 7
+OK
> KEYS h?llo*nomatch
*0
> KEYS h[^eax*[]llo
*0
> KEYS h[a]llo
*1
$5
hallo
> KEYS h[^a-w*[]llo
*1
$5
hxllo
> KEYS h\*llo
*1
$5
h*llo
> KEYS heee*
*1
$7
heeello
> KEYS ""
*0
> KEYS
-ERR wrong number of arguments for 'keys' command
> KEYS a b
-ERR wrong number of arguments for 'keys' command

# scan: one page holds everything when asked to
> SCAN 0 COUNT 1000
*2
$1
0
*0
> SET a 1
+OK
> SCAN 0 COUNT 1000
*2
$1
0
*1
$1
a
> SCAN 0 MATCH b* COUNT 1000
*2
$1
0
*0
> SCAN 0 TYPE string COUNT 1000
*2
$1
0
*1
$1
a
> SCAN 0 TYPE list COUNT 1000
*2
$1
0
*0
> SCAN 0 MATCH a COUNT 1000 TYPE STRING
*2
$1
0
*1
$1
a
> SCAN x
-ERR invalid cursor
> SCAN 0 COUNT 0
-ERR syntax error
> SCAN 0 COUNT x
-ERR value is not an integer or out of range
> SCAN 0 COUNT
-ERR syntax error
> SCAN 0 FOO 1
-ERR syntax error
> SCAN
-ERR wrong number of arguments for 'scan' command

# randomkey dbsize
> RANDOMKEY
2| $-1
3| _
> DBSIZE
:0
> SET only 1
+OK
> RANDOMKEY
$4
only
> DBSIZE
:1

# an expired key is invisible to everything
> DEBUG SET-ACTIVE-EXPIRE 0
+OK
> SET k v PX 1
+OK
> SET other v
+OK
> DEBUG SLEEP 0.005
+OK
> KEYS *
*1
$5
other
> RANDOMKEY
$5
other
> SCAN 0 COUNT 1000
*2
$1
0
*1
$5
other
> SCAN 0 TYPE string COUNT 1000
*2
$1
0
*1
$5
other
> EXISTS k
:0
> GET k
2| $-1
3| _
> TTL k
:-2
> TYPE k
+none
> STRLEN k
:0
> PERSIST k
:0
> RENAME k x
-ERR no such key
> COPY k x
:0
> MOVE k 1
:0
> SET k v XX
2| $-1
3| _
> APPEND k a
:1
> DEBUG SET-ACTIVE-EXPIRE 1
+OK

# migrate
> SET k v
+OK
> MIGRATE 127.0.0.1 1 missing 0 100
+NOKEY
> MIGRATE some.name 1 "" 0 100 KEYS
+NOKEY
> MIGRATE some.name 1 "" 0 100 COPY AUTH pw KEYS missing AUTH
+NOKEY
> MIGRATE 127.0.0.1 1 k 0 100 KEYS k
-ERR When using MIGRATE KEYS option, the key argument must be set to the empty string
> MIGRATE 127.0.0.1 1 k x 100
-ERR value is not an integer or out of range
> MIGRATE 127.0.0.1 1 k 0 x
-ERR value is not an integer or out of range
> MIGRATE 127.0.0.1 1 k x y WHAT
-ERR syntax error
> MIGRATE 127.0.0.1 1 k 0 100 AUTH
-ERR syntax error
> MIGRATE 127.0.0.1 1 k 0 100 AUTH2 user
-ERR syntax error
> MIGRATE 127.0.0.1 1 k 0
-ERR wrong number of arguments for 'migrate' command
> MIGRATE 127.0.0.1 -1 k 0 100
-IOERR error or timeout connecting to the client
> MIGRATE some.name 1 k 0 100
-IOERR can't connect to the target: names of hosts are not looked up, an address is needed
> MULTI
+OK
> MIGRATE 127.0.0.1 1 k 0 100
+QUEUED
> EXEC
*1
-ERR MIGRATE waits for another server, and is not possible in a transaction or a script
> COMMAND GETKEYS MIGRATE 127.0.0.1 1 k 0 100 COPY
*1
$1
k
> COMMAND GETKEYS MIGRATE 127.0.0.1 1 "" 0 100 AUTH KEYS KEYS a b
*2
$1
a
$1
b
> COMMAND GETKEYS MIGRATE 127.0.0.1 1 k 0 100 KEYS a
-ERR Invalid arguments specified for command

# wait waitaof
> WAIT 0 0
:0
> WAIT 0 100
:0
> WAIT 1 1
:0
> WAIT 0 -1
-ERR timeout is negative
> WAIT x 0
-ERR value is not an integer or out of range
> WAIT 0
-ERR wrong number of arguments for 'wait' command
> WAITAOF 0 0 0
*2
:0
:0
> WAITAOF 1 0 10
-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.
> WAITAOF 2 0 10
-ERR value is out of range, value must between 0 and 1
> WAITAOF x 0 10
-ERR value is not an integer or out of range
> WAITAOF 0 -1 10
-ERR value is out of range, must be positive
> WAITAOF 0 0 -1
-ERR timeout is negative
> WAITAOF 0 0
-ERR wrong number of arguments for 'waitaof' command
"##;
