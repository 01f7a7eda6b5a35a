//! Scripts: EVAL and its kin, SCRIPT, and what scripts see.

/// Cases as `script` reads them.
pub(crate) const CASES: &str = r##"
# keys and arguments
> EVAL "return {KEYS[1],KEYS[2],ARGV[1],#KEYS,#ARGV}" 2 a b c
*5
$1
a
$1
b
$1
c
:2
:1
> EVAL "return 1" x
-ERR value is not an integer or out of range
> EVAL "return 1" -1
-ERR Number of keys can't be negative
> EVAL "return 1" 1
-ERR Number of keys can't be greater than number of args
> EVAL "return 1"
-ERR wrong number of arguments for 'eval' command

# what a script returns
> EVAL "return 3.99" 0
:3
> EVAL "return {1,2,nil,4}" 0
*2
:1
:2
> EVAL "return true" 0
:1
> EVAL "return false" 0
2| $-1
3| _
> EVAL "return {ok='fine'}" 0
+fine
> EVAL "return {err='MY mistake'}" 0
-MY mistake
> EVAL "return {double=0.5}" 0
2| $3
2| 0.5
3| ,0.5
> EVAL "return {map={a=1}}" 0
2| *2
3| %1
$1
a
:1
> EVAL "redis.setresp(3) return true" 0
2| :1
3| #t
> EVAL "local t={} t[1]=t return #t" 0
:1

# what a command's reply becomes
> EVAL "return type(redis.call('SET','k','v')) .. ' ' .. redis.call('SET','k','v').ok" 0
$8
table OK
> EVAL "return {redis.call('GET','k'), tostring(redis.call('GET','missing'))}" 0
*2
$1
v
$5
false
> EVAL "redis.setresp(3) return tostring(redis.call('GET','missing'))" 0
$3
nil
> EVAL "return redis.call('INCR','n') + 1" 0
:2

# compare and delete
> SET lock token
+OK
> EVAL "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end" 1 lock other
:0
> EVAL "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end" 1 lock token
:1
> EXISTS lock
:0

# what is raised may be a number; the right to a command does not depend on its words
> EVAL "error({err=5})" 0
-5 script: {*}
> EVAL "error({err=5.5})" 0
-5.5 script: {*}
> EVAL "local _, e = pcall(function() error({err=5}) end) return e" 0
:5
> EVAL "return redis.acl_check_cmd('set', 'a')" 0
:1
> EVAL "return redis.acl_check_cmd('config')" 0
:1
> EVAL "return redis.acl_check_cmd('config', 'nosuch')" 0
-ERR Invalid command passed to redis.acl_check_cmd() script: {*}
> EVAL "table.insert(redis, 1)" 0
-ERR Attempt to modify a readonly table script: {*}
> EVAL "table.remove(_G) table.sort(redis) return 1" 0
:1

# the cache may be emptied between two scripts of a transaction
> MULTI
+OK
> EVAL "return 1" 0
+QUEUED
> SCRIPT FLUSH
+QUEUED
> EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
+QUEUED
> EVAL "return 2" 0
+QUEUED
> EXEC
*4
:1
+OK
-NOSCRIPT No matching script. Please use EVAL.
:2

# the tables of words look like plain ones
> EVAL "return {tostring(getmetatable(KEYS)), select('#', getmetatable(KEYS))}" 1 k
*2
$3
nil
:1
> EVAL "KEYS[nil] = 1" 1 k
-ERR user_script:1: table index is nil script: {*}

# errors say where they happened
> EVAL "error('boom')" 0
-ERR user_script:1: boom script: 82903a0434f1503e152f89c03c9acd881a0e8150, on @user_script:1.
> EVAL "return redis.call('nosuch')" 0
-ERR Unknown Redis command called from script script: {*}
> EVAL "return redis.pcall('get')" 0
-ERR Wrong number of args calling Redis command from script
> EVAL "return redis.call('subscribe','x')" 0
-ERR This Redis command is not allowed from script script: {*}
> SET text abc
+OK
> EVAL "local ok,e = pcall(redis.call,'INCR','text') return {type(e),e}" 0
*2
$6
string
$43
ERR value is not an integer or out of range
> EVAL "return 1 +" 0
-ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'

# globals are protected
> EVAL "x = 1" 0
-ERR user_script:1: Attempt to modify a readonly table script: {*}
> EVAL "return x" 0
-ERR user_script:1: Script attempted to access nonexistent global variable 'x' script: {*}
> EVAL "redis.call = 1" 0
-ERR user_script:1: Attempt to modify a readonly table script: {*}
> EVAL "table.insert(_G,1) return 1" 0
-ERR Attempt to modify a readonly table script: {*}
> EVAL "return tostring(rawget(_G,1))" 0
$3
nil

# nothing reaches outside, and no byte code enters or leaves
> EVAL "local t={} for _,n in ipairs{'io','require','dofile','loadfile','debug','package','print','newproxy','getfenv','setfenv'} do t[#t+1]=tostring(rawget(_G,n)) end return table.concat(t,' ')" 0
$39
nil nil nil nil nil nil nil nil nil nil
> EVAL "return string.dump(function() end)" 0
-ERR user_script:1: unable to dump given function script: {*}
> EVAL "local f,e = loadstring('\27Lua') return tostring(f)" 0
$3
nil

# the cache
> SCRIPT LOAD "return 1"
$40
e0e1f9fabfc9d4800c877a703b823ac0578ff8db
> EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
:1
> EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
:1
> SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db nothing
*2
:1
:0
> SCRIPT FLUSH
+OK
> EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
-NOSCRIPT No matching script. Please use EVAL.
> EVALSHA x 0
-NOSCRIPT No matching script. Please use EVAL.
> SCRIPT FLUSH x
-ERR SCRIPT FLUSH only support SYNC|ASYNC option
> SCRIPT KILL
-NOTBUSY No scripts in execution right now.
> SCRIPT DEBUG NO
+OK
> SCRIPT DEBUG YES
-ERR The Lua debugger is not available

# declarations
> EVAL "#!lua flags=no-writes\nreturn redis.call('SET','a','b')" 0
-ERR Write commands are not allowed from read-only scripts. script: {*}
> EVAL "#!lua flags=foo\nreturn 1" 0
-ERR Unexpected flag in script shebang: foo
> EVAL "#!lua name=foo\nreturn 1" 0
-ERR Unknown lua shebang option: name=foo
> EVAL "#!python\nreturn 1" 0
-ERR Unexpected engine in script shebang: #!python
> SCRIPT LOAD "#!lua flags=no-writes,\nreturn 1"
-ERR Unexpected flag in script shebang:{*}
> EVAL "#!lua" 0
-ERR Invalid script shebang
> EVAL "#!lua \"x\nreturn 1" 0
-ERR Invalid engine in script shebang
> EVAL "#!lua flags=allow-oom,allow-stale flags=no-cluster,allow-cross-slot-keys\nreturn 1" 0
:1
> EVAL_RO "#!lua flags=allow-oom\nreturn 1" 0
-ERR Can not execute a script with write flag using *_ro command.
> EVAL_RO "#!lua flags=no-writes\nreturn 1" 0
:1
> EVAL_RO "return redis.call('PUBLISH','a','b')" 0
-ERR Write commands are not allowed from read-only scripts. script: {*}

# the database that a script selects is its own
> EVAL "redis.call('SELECT','1') redis.call('SET','here','1') return 1" 0
:1
> EXISTS here
:0
> SELECT 1
+OK
> EXISTS here
:1

# inside a transaction
> MULTI
+OK
> EVAL "return redis.call('INCR','m')" 0
+QUEUED
> EVAL "return redis.call('nosuch')" 0
+QUEUED
> GET m
+QUEUED
> EXEC
*3
:1
-ERR Unknown Redis command called from script script: {*}
$1
1

# the libraries
> EVAL "return cjson.encode({a='x',b={1,2,{c=true}}})" 0
$30
\x7b"a":"x","b":[1,2,\x7b"c":true}]}
> EVAL "return cjson.decode('[1,{\"a\":\"x\"}]')[2].a" 0
$1
x
> EVAL "return cjson.decode('[1,')" 0
-ERR user_script:1: Expected value but found T_END at character 4 script: {*}
> EVAL "return cmsgpack.unpack(cmsgpack.pack({1,{2}}))[2][1]" 0
:2
> EVAL "return {struct.unpack('>I2s',struct.pack('>I2s',258,'x'))}" 0
*3
:258
$1
x
:5
> EVAL "return {bit.band(7,3),bit.tohex(255,-4)}" 0
*2
:3
$4
00FF
> EVAL "return redis.sha1hex('')" 0
$40
da39a3ee5e6b4b0d3255bfef95601890afd80709
> EVAL "return server.sha1hex('') == redis.sha1hex('')" 0
:1

# depth is bounded
> EVAL "local function f() return f() + 1 end return f()" 0
-ERR user_script:1: stack overflow script: {*}
> EVAL "local t={} t.t=t return cjson.encode(t)" 0
-ERR user_script:1: Cannot serialise, excessive nesting (1001) script: {*}
> EVAL "local n=0 local function f() n=n+1 return (string.gsub('a','a',f)) end pcall(f) return n > 100" 0
:1
> EVAL "return string.find('a',string.rep('a?',40000))" 0
-ERR pattern too complex

# a watched key that a script changes fails the transaction
> WATCH w
+OK
2> EVAL "return redis.call('SET','w','1')" 0
+OK
> MULTI
+OK
> PING
+QUEUED
> EXEC
2| *-1
3| _

# what would reach past its bounds is refused
> EVAL "return {unpack({},-2147483648,2147483647)}" 0
-ERR user_script:1: too many results to unpack script: {*}
> EVAL "return {unpack({},-1,2147483646)}" 0
-ERR user_script:1: too many results to unpack script: {*}
> EVAL "return #{unpack({1,2,3})}" 0
:3
> EVAL "table.insert(redis,1)" 0
-ERR Attempt to modify a readonly table script: {*}
> EVAL "local t={2,1} table.sort(t) table.insert(t,9) table.remove(t,1) return t" 0
*2
:2
:9
"##;
