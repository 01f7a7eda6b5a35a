//! The `redis` table: what scripts call.

use super::convert::{self, Fields, truncated};
use super::exchange::{Resume, Step};
use super::libraries::{double, general};
use super::machine::Link;
use super::raise::{self, Raised};
use super::random::Random;
use crate::base::double::DoubleText;
use crate::base::number::write_i64;
use crate::resp::Protocol;
use mlua::{Lua, MultiValue, Scope, Table, Value};
use std::cell::Cell;

/// What the callbacks of one machine share.
pub(super) struct Api<'a> {
    link: &'a Link<'a>,
    pub(super) fields: Fields,
    /// Set by the handler of errors: one has been noted, and whether it had been counted.
    pub(super) failure: Cell<Option<bool>>,
    random: Random,
}

/// What a call does with an error reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnError {
    Raise,
    Return,
}

impl<'a> Api<'a> {
    pub(super) fn new(lua: &Lua, link: &'a Link<'a>) -> mlua::Result<Self> {
        Ok(Self {
            link,
            fields: Fields::new(lua)?,
            failure: Cell::new(None),
            random: Random::default(),
        })
    }

    /// A script begins: what earlier ones have set is forgotten.
    pub(super) fn begin(&self, link: &Link<'_>) {
        link.desk.protocol.set(Protocol::Resp2);
        self.failure.set(None);
    }

    /// Lays the words of a call on the desk.
    fn lay_words(&self, lua: &Lua, args: &MultiValue) -> mlua::Result<()> {
        let mut words = self.link.desk.words.borrow_mut();
        words.clear();
        for value in args {
            match value {
                Value::String(text) => {
                    if !words.push(&text.as_bytes()) {
                        return Err(raise::text(lua, "not enough memory"));
                    }
                }
                Value::Integer(value) => {
                    words.push_with(|out| write_i64(out, *value));
                }
                Value::Number(value) => words.push_with(|out| {
                    if value.is_nan() {
                        out.extend_from_slice(general(*value, 17).as_bytes());
                    } else if *value == 0.0 {
                        out.push(b'0');
                    } else {
                        out.extend_from_slice(DoubleText::of(*value).as_bytes());
                    }
                }),
                _ => {
                    let line = "ERR Lua redis lib command arguments must be strings or integers";
                    return Err(raise::reply(line));
                }
            }
        }
        if words.is_empty() {
            let line = "ERR Please specify at least one argument for this redis lib call";
            return Err(raise::reply(line));
        }
        Ok(())
    }

    fn call(&self, lua: &Lua, args: &MultiValue, on_error: OnError) -> mlua::Result<Value> {
        lua.set_memory_limit(0)?;
        let answer = self.answer(lua, args, on_error);
        lua.set_memory_limit(super::machine::MEMORY_BYTES_MAX)?;
        match answer {
            Err(error) if on_error == OnError::Return => match error.downcast_ref::<Raised>() {
                Some(Raised::Reply { .. }) => raise::shown(lua, Value::Error(Box::new(error))),
                _ => Err(error),
            },
            answer => answer,
        }
    }

    fn answer(&self, lua: &Lua, args: &MultiValue, on_error: OnError) -> mlua::Result<Value> {
        self.lay_words(lua, args)?;
        self.link.step(lua, Step::Call)?;
        let reply = self.link.desk.reply.borrow();
        let whole;
        let bytes = match reply.as_contiguous() {
            Some(bytes) => bytes,
            None => {
                whole = reply.to_vec();
                &whole
            }
        };
        if let [b'-', line @ .., b'\r', b'\n'] = bytes {
            let raised = Raised::Reply {
                line: line.to_vec(),
                counted: true,
            };
            return match on_error {
                OnError::Raise => Err(raised.into()),
                OnError::Return => raise::shown(lua, Value::Error(Box::new(raised.into()))),
            };
        }
        convert::from_reply(lua, &self.fields, bytes)
    }

    fn log(&self, lua: &Lua, args: &MultiValue) -> mlua::Result<()> {
        if args.len() < 2 {
            let line = "ERR redis.log() requires two arguments or more.";
            return Err(raise::reply(line));
        }
        let Some(level) = args.front().and_then(as_integer) else {
            let line = "ERR First argument must be a number (log level).";
            return Err(raise::reply(line));
        };
        let level = u8::try_from(level).ok().filter(|level| *level <= 3);
        let Some(level) = level else {
            return Err(raise::reply("ERR Invalid log level."));
        };
        let words: Vec<String> = args.iter().skip(1).filter_map(as_text).collect();
        let line = words.join(" ");
        self.link.step(lua, Step::Log { level, line }).map(drop)
    }

    fn set_protocol(&self, args: &MultiValue) -> mlua::Result<()> {
        if args.len() != 1 {
            return Err(raise::reply("ERR redis.setresp() requires one argument."));
        }
        let protocol = match args.front().and_then(as_integer) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            _ => return Err(raise::reply("ERR RESP version must be 2 or 3.")),
        };
        self.link.desk.protocol.set(protocol);
        Ok(())
    }

    fn check_permission(&self, lua: &Lua, args: &MultiValue) -> mlua::Result<bool> {
        self.lay_words(lua, args)?;
        match self.link.step(lua, Step::AclCheck)? {
            Resume::Verdict(Some(allowed)) => Ok(allowed),
            _ => {
                let line = "ERR Invalid command passed to redis.acl_check_cmd()";
                Err(raise::reply(line))
            }
        }
    }
}

/// A number, or a string that spells one, cut to an integer.
fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(*value),
        Value::Number(value) => Some(truncated(*value)),
        Value::String(text) => {
            let text = text.to_str().ok()?;
            text.trim().parse().ok().map(truncated)
        }
        _ => None,
    }
}

/// A string, or a number as one.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string_lossy()),
        other => double(other).map(|number| general(number, 14)),
    }
}

/// The error table for a wrong use of `error_reply` and `status_reply`, which is returned.
fn misused(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("err", "ERR wrong number or type of arguments")?;
    Ok(table)
}

fn error_reply(lua: &Lua, args: &MultiValue) -> mlua::Result<Table> {
    let Some(Value::String(text)) = args.front().filter(|_| args.len() == 1) else {
        return misused(lua);
    };
    let text = text.as_bytes();
    // A text without a code of its own gets the general one; a dash in front is the wire's mark.
    let line = text.strip_prefix(b"-").unwrap_or(&text);
    let table = lua.create_table_with_capacity(0, 1)?;
    let line = if line.contains(&b' ') {
        line.to_vec()
    } else {
        [b"ERR ".as_slice(), line].concat()
    };
    table.raw_set("err", lua.create_string(line)?)?;
    Ok(table)
}

fn status_reply(lua: &Lua, args: &MultiValue) -> mlua::Result<Table> {
    let Some(Value::String(text)) = args.front().filter(|_| args.len() == 1) else {
        return misused(lua);
    };
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set("ok", text)?;
    Ok(table)
}

fn sha1hex(lua: &Lua, args: &MultiValue) -> mlua::Result<Value> {
    if args.len() != 1 {
        return Err(raise::reply("ERR wrong number of arguments"));
    }
    let digest = match args.front() {
        Some(Value::String(text)) => sha1_smol::Sha1::from(&*text.as_bytes()),
        Some(other) => sha1_smol::Sha1::from(as_text(other).unwrap_or_default()),
        None => sha1_smol::Sha1::new(),
    };
    let text = digest.digest().to_string();
    Ok(Value::String(lua.create_string(text)?))
}

fn set_repl(args: &MultiValue) -> mlua::Result<()> {
    if args.len() != 1 {
        return Err(raise::reply("ERR redis.set_repl() requires one argument."));
    }
    match args.front().and_then(as_integer) {
        Some(0..=3) => Ok(()),
        _ => Err(raise::reply(
            "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        )),
    }
}

/// The `redis` table.
pub(super) fn redis<'s, 'e>(
    lua: &Lua,
    scope: &'s Scope<'s, 'e>,
    api: &'s Api<'s>,
) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let call = |on_error| {
        scope.create_function(move |lua, args: MultiValue| api.call(lua, &args, on_error))
    };
    table.raw_set("call", call(OnError::Raise)?)?;
    table.raw_set("pcall", call(OnError::Return)?)?;
    let log = scope.create_function(move |lua, args: MultiValue| api.log(lua, &args))?;
    table.raw_set("log", log)?;
    let setresp = scope.create_function(move |_, args: MultiValue| api.set_protocol(&args))?;
    table.raw_set("setresp", setresp)?;
    let check = move |lua: &Lua, args: MultiValue| api.check_permission(lua, &args);
    table.raw_set("acl_check_cmd", scope.create_function(check)?)?;
    let error = lua.create_function(|lua, args: MultiValue| error_reply(lua, &args))?;
    table.raw_set("error_reply", error)?;
    let status = lua.create_function(|lua, args: MultiValue| status_reply(lua, &args))?;
    table.raw_set("status_reply", status)?;
    let digest = lua.create_function(|lua, args: MultiValue| sha1hex(lua, &args))?;
    table.raw_set("sha1hex", digest)?;
    let replicate = lua.create_function(|_, ()| Ok(true))?;
    table.raw_set("replicate_commands", replicate)?;
    let repl = lua.create_function(|_, args: MultiValue| set_repl(&args))?;
    table.raw_set("set_repl", repl)?;
    // There is no debugger, so there is nowhere to stop and nobody to tell.
    let breakpoint = lua.create_function(|_, ()| Ok(false))?;
    table.raw_set("breakpoint", breakpoint)?;
    table.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    let constants = [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
        ("REDIS_VERSION_NUM", 0x0007_0204),
    ];
    for (name, value) in constants {
        table.raw_set(name, value)?;
    }
    table.raw_set("REDIS_VERSION", super::REDIS_VERSION)?;
    Ok(table)
}

/// The `os` table: what is left of it.
pub(super) fn os<'s, 'e>(
    lua: &Lua,
    scope: &'s Scope<'s, 'e>,
    api: &'s Api<'s>,
) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let clock = scope.create_function(move |lua, ()| {
        let nanos = match api.link.step(lua, Step::Clock)? {
            Resume::Clock(nanos) => nanos,
            _ => 0,
        };
        #[expect(clippy::cast_precision_loss, reason = "a time to be looked at")]
        Ok(nanos as f64 / 1e9)
    })?;
    table.raw_set("clock", clock)?;
    Ok(table)
}

/// Puts Redis's chance in the place of C's: the same in every run of a script.
pub(super) fn random<'s, 'e>(
    _lua: &Lua,
    scope: &'s Scope<'s, 'e>,
    api: &'s Api<'s>,
    globals: &Table,
) -> mlua::Result<()> {
    let math: Table = globals.raw_get("math")?;
    let draw = move |lua: &Lua, args: MultiValue| api.random.draw(lua, &args);
    math.raw_set("random", scope.create_function(draw)?)?;
    let seed = scope.create_function(move |lua, args: MultiValue| {
        let Some(seed) = args.front().and_then(as_integer) else {
            let given = args.front();
            return Err(raise::wrong_type(lua, 1, "randomseed", "number", given));
        };
        api.random.seed(seed);
        Ok(())
    })?;
    math.raw_set("randomseed", seed)?;
    Ok(())
}

/// The handler of errors that nobody has caught: notes what is to be answered, and where it was.
pub(super) fn note_failure(lua: &Lua, link: &Link<'_>, api: &Api<'_>, value: &Value) {
    let (line, counted) = match raise::raised_in(value) {
        Some(Raised::Reply { line, counted }) => (line, counted),
        Some(Raised::Text(text)) => ([b"ERR ".as_slice(), &text].concat(), false),
        Some(Raised::Killed) => (Vec::new(), false),
        None => match value {
            Value::Table(table) => match api.fields.raised_err(table) {
                Some(line) => (line, api.fields.is_counted(table)),
                None => (b"ERR unknown error".to_vec(), false),
            },
            Value::String(text) => {
                let text = text.as_bytes();
                let text = raise::replaced(lua, &text).unwrap_or_else(|| text.to_vec());
                ([b"ERR ".as_slice(), &text].concat(), false)
            }
            other => {
                let text = other.to_string().unwrap_or_default();
                (format!("ERR {text}").into_bytes(), false)
            }
        },
    };
    *link.desk.text.borrow_mut() = convert::as_line(&line).to_vec();
    *link.desk.place.borrow_mut() = raise::place_of_script(lua);
    api.failure.set(Some(counted));
}
