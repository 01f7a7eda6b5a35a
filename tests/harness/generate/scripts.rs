//! Scripts for EVAL: expressions over the libraries, commands and errors, put together at random.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

/// What is done to a value; `@` stands for it.
const USES: [&str; 27] = [
    "return @",
    "return cjson.encode(@)",
    "return cjson.decode(cjson.encode({@,1}))[2]",
    "return cmsgpack.unpack(cmsgpack.pack(@))",
    "return {cmsgpack.unpack(cmsgpack.pack(@,@))}",
    "return tostring(cmsgpack.pack(@)):byte(1,8)",
    "return #struct.pack('<I4s!8d>i3',#ARGV,tostring(type(@)),1.5,-2)",
    "return {struct.unpack('>hc0',struct.pack('>h',3)..ARGV[1]..'abc')}",
    "return bit.tohex(@)",
    "return bit.bxor(@,255)",
    "return redis.sha1hex(@)",
    "return type(@)",
    "return redis.call('SET',KEYS[1],@)",
    "return redis.pcall('SET',KEYS[1],@)",
    "return {redis.call('GET',KEYS[1]),redis.call('STRLEN',KEYS[1])}",
    "return redis.call('INCR',KEYS[1])",
    "return redis.pcall('INCR',KEYS[1])",
    "local ok,e = pcall(redis.call,'INCR',KEYS[1]) return {tostring(ok),e}",
    "redis.setresp(3) return redis.call('GET',KEYS[1])",
    "redis.setresp(3) return {@,true,false}",
    "return {err=@}",
    "return redis.error_reply(@)",
    "return redis.status_reply(@)",
    "error(tostring(#KEYS))",
    "error({err='MY '..tostring(#ARGV)})",
    "return cjson.decode(ARGV[1])",
    "return {cmsgpack.unpack(ARGV[1])}",
];

const VALUES: [&str; 23] = [
    "nil",
    "true",
    "false",
    "0",
    "-1",
    "3.75",
    "1e15",
    "2^53",
    "2^50",
    "-2^31",
    "255",
    "''",
    "'text'",
    "'a\\0\\255\\n\"'",
    "ARGV[1]",
    "KEYS[1]",
    "{}",
    "{1,2,3}",
    "{1,nil,3}",
    "{a=1}",
    "{{},{{}},'x'}",
    "{ok='fine'}",
    "{[2]=1}",
];

/// What is not quite a script.
const ODD: [&str; 12] = [
    "return 1 +",
    "x = 1",
    "return x",
    "#!lua flags=no-writes\nreturn redis.call('SET',KEYS[1],'x')",
    "#!lua flags=nothing\nreturn 1",
    "#!lua name=x\nreturn 1",
    "#!js\nreturn 1",
    "\u{1b}Lua",
    "return redis.call()",
    "return redis.call('nosuch')",
    "return redis.call('get',{})",
    "redis.call('select',1) return redis.call('SET',KEYS[1],'x')",
];

/// A script.
pub(super) fn script(rng: &mut SmallRng) -> Vec<u8> {
    let pick = |from: &[&'static str], rng: &mut SmallRng| from.choose(rng).copied().unwrap_or("");
    if rng.random_bool(0.15) {
        return pick(&ODD, rng).as_bytes().to_vec();
    }
    let value = pick(&VALUES, rng);
    pick(&USES, rng).replace('@', value).into_bytes()
}
