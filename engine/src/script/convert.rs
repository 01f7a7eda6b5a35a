//! Between the wire and Lua: replies that commands give to a script, and what a script returns.

use super::exchange::{End, Nested};
use super::libraries::{double, general};
use crate::resp::{Protocol, Reply};
use mlua::{Lua, LuaString, Table, Value};

/// How deep a script's reply may nest: what Lua's own stack grants real servers.
const DEPTH_MAX: usize = 7995;
/// Values that a script's reply may have.
const REPLY_VALUES_MAX: usize = 1 << 25;
/// Bytes that a script's reply may have, give or take one string.
const REPLY_BYTES_MAX: usize = 1 << 30;

/// Names of the fields that give a table its meaning, made once.
pub(super) struct Fields {
    ok: LuaString,
    err: LuaString,
    double: LuaString,
    map: LuaString,
    set: LuaString,
    big_number: LuaString,
    verbatim: LuaString,
    string: LuaString,
    format: LuaString,
    counted: LuaString,
}

impl Fields {
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        Ok(Self {
            ok: lua.create_string("ok")?,
            err: lua.create_string("err")?,
            double: lua.create_string("double")?,
            map: lua.create_string("map")?,
            set: lua.create_string("set")?,
            big_number: lua.create_string("big_number")?,
            verbatim: lua.create_string("verbatim_string")?,
            string: lua.create_string("string")?,
            format: lua.create_string("format")?,
            counted: lua.create_string("ignore_error_stats_update")?,
        })
    }

    /// The text of an error table.
    pub(super) fn err_of(&self, table: &Table) -> Option<LuaString> {
        string_field(table, &self.err)
    }

    /// The text of an error table that has been raised, in which a number counts as its text.
    pub(super) fn raised_err(&self, table: &Table) -> Option<Vec<u8>> {
        match table.raw_get::<Value>(&self.err).ok()? {
            Value::String(text) => Some(text.as_bytes().to_vec()),
            other => Some(general(double(&other)?, 14).into_bytes()),
        }
    }

    /// Whether the error of a table has been counted.
    pub(super) fn is_counted(&self, table: &Table) -> bool {
        table.raw_get::<bool>(&self.counted).unwrap_or(false)
    }
}

fn string_field(table: &Table, name: &LuaString) -> Option<LuaString> {
    match table.raw_get::<Value>(name) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn table_field(table: &Table, name: &LuaString) -> Option<Table> {
    match table.raw_get::<Value>(name) {
        Ok(Value::Table(inner)) => Some(inner),
        _ => None,
    }
}

fn number_field(table: &Table, name: &LuaString) -> Option<f64> {
    match table.raw_get::<Value>(name) {
        Ok(Value::Number(value)) => Some(value),
        Ok(Value::Integer(value)) => Some(number_of(value)),
        _ => None,
    }
}

/// The bytes of a reply, read from the front.
struct Wire<'a> {
    rest: &'a [u8],
}

impl<'a> Wire<'a> {
    /// The kind of the next reply and what stands behind it on its line.
    fn line(&mut self) -> (u8, &'a [u8]) {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(2..).unwrap_or_default();
        match line.split_first() {
            Some((kind, text)) => (*kind, text),
            None => (b'_', b""),
        }
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let len = len.min(self.rest.len());
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest.get(2..).unwrap_or_default();
        taken
    }
}

fn integer(text: &[u8]) -> i64 {
    crate::base::number::parse_i64(text).unwrap_or(0)
}

/// A command's reply, which is the engine's own and therefore well formed, as a Lua value.
pub(super) fn from_reply(lua: &Lua, fields: &Fields, bytes: &[u8]) -> mlua::Result<Value> {
    read(lua, fields, &mut Wire { rest: bytes })
}

fn read(lua: &Lua, fields: &Fields, wire: &mut Wire<'_>) -> mlua::Result<Value> {
    let (kind, text) = wire.line();
    let one = |name: &LuaString, value: Value| {
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    };
    let string = |bytes: &[u8]| Ok::<_, mlua::Error>(Value::String(lua.create_string(bytes)?));
    match kind {
        b':' => Ok(number(integer(text))),
        b'$' => match usize::try_from(integer(text)) {
            Ok(len) => string(wire.take(len)),
            Err(_) => Ok(Value::Boolean(false)),
        },
        b'+' => one(&fields.ok, string(text)?),
        b'-' => one(&fields.err, string(text)?),
        b'*' | b'>' => match usize::try_from(integer(text)) {
            Ok(len) => read_array(lua, fields, wire, len),
            Err(_) => Ok(Value::Boolean(false)),
        },
        b'_' => Ok(Value::Nil),
        b'#' => Ok(Value::Boolean(text == b"t")),
        b',' => {
            let text = std::str::from_utf8(text).unwrap_or("0");
            one(&fields.double, Value::Number(text.parse().unwrap_or(0.0)))
        }
        b'(' => one(&fields.big_number, string(text)?),
        b'=' => {
            let whole = wire.take(usize::try_from(integer(text)).unwrap_or(0));
            let inner = lua.create_table_with_capacity(0, 2)?;
            inner.raw_set(&fields.format, string(whole.get(..3).unwrap_or_default())?)?;
            inner.raw_set(&fields.string, string(whole.get(4..).unwrap_or_default())?)?;
            one(&fields.verbatim, Value::Table(inner))
        }
        b'%' | b'~' | b'|' => {
            let len = usize::try_from(integer(text)).unwrap_or(0);
            let inner = lua.create_table_with_capacity(0, len)?;
            for _ in 0..len {
                let key = read(lua, fields, wire)?;
                let value = if kind == b'~' {
                    Value::Boolean(true)
                } else {
                    read(lua, fields, wire)?
                };
                if !key.is_nil() {
                    inner.raw_set(key, value)?;
                }
            }
            match kind {
                b'%' => one(&fields.map, Value::Table(inner)),
                b'~' => one(&fields.set, Value::Table(inner)),
                // What is said about a reply is not part of it.
                _ => read(lua, fields, wire),
            }
        }
        _ => Ok(Value::Nil),
    }
}

fn read_array(lua: &Lua, fields: &Fields, wire: &mut Wire<'_>, len: usize) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(len, 0)?;
    for index in 1..=len {
        table.raw_seti(index, read(lua, fields, wire)?)?;
    }
    Ok(Value::Table(table))
}

/// An integer as Lua has it: a double.
#[expect(clippy::cast_precision_loss, reason = "Lua 5.1 has nothing wider")]
fn number(value: i64) -> Value {
    Value::Number(value as f64)
}

/// A double cut to an integer as x86 does it: what does not fit is the least one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "fraction cut on purpose, range looked at"
)]
pub(super) fn truncated(value: f64) -> i64 {
    if value > -9.3e18 && value < 9_223_372_036_854_775_808.0 {
        value as i64
    } else {
        i64::MIN
    }
}

/// Writes what a script has returned; `seen` is the protocol that the script has chosen. Returns the
/// errors within the reply as well.
pub(super) fn to_reply(
    value: &Value,
    seen: Protocol,
    fields: &Fields,
    reply: &mut Reply<'_>,
) -> (End, Nested) {
    let mark = reply.buf.mark();
    let mut writer = Writer {
        seen,
        fields,
        reply,
        left: REPLY_VALUES_MAX,
        nested: Nested::default(),
    };
    writer.write(value, 0);
    let nested = writer.nested;
    if writer.left == 0 || writer.reply.buf.len() > REPLY_BYTES_MAX {
        reply.buf.truncate(mark);
        reply.error(b"ERR the reply of the script is too large");
        return (End::RepliedError { counted: false }, Nested::default());
    }
    match value {
        Value::Table(table) if fields.err_of(table).is_some() => {
            let counted = fields.is_counted(table);
            (End::RepliedError { counted }, Nested::default())
        }
        _ => (End::Replied, nested),
    }
}

/// What a script returns, on its way to the wire.
struct Writer<'a, 'r> {
    seen: Protocol,
    fields: &'a Fields,
    reply: &'a mut Reply<'r>,
    /// Values that may still be written: a table that holds itself twice has no end.
    left: usize,
    nested: Nested,
}

impl Writer<'_, '_> {
    fn write(&mut self, value: &Value, depth: usize) {
        if self.left == 0 || self.reply.buf.len() > REPLY_BYTES_MAX {
            return;
        }
        self.left -= 1;
        match value {
            Value::String(text) => self.reply.bulk(&text.as_bytes()),
            Value::Integer(value) => self.reply.integer(*value),
            Value::Number(value) => self.reply.integer(truncated(*value)),
            Value::Boolean(value) if self.seen == Protocol::Resp3 => self.reply.boolean(*value),
            Value::Boolean(true) => self.reply.integer(1),
            Value::Table(_) if depth == DEPTH_MAX => {
                let line = b"ERR reached lua stack limit";
                self.note_error(line);
                self.reply.error(line);
            }
            Value::Table(table) => {
                if !self.write_special(table) {
                    self.write_aggregate(table, depth);
                }
            }
            _ => self.reply.null(),
        }
    }

    /// Tables that stand for one value; false when this is none of them.
    fn write_special(&mut self, table: &Table) -> bool {
        let fields = self.fields;
        if let Some(text) = fields.err_of(table) {
            let text = text.as_bytes();
            let line = as_line(&text);
            if fields.is_counted(table) {
                self.nested.counted += 1;
            } else {
                self.note_error(line);
            }
            self.reply.error(line);
        } else if let Some(text) = string_field(table, &fields.ok) {
            write_line(self.reply, b'+', as_line(&text.as_bytes()));
        } else if let Some(value) = number_field(table, &fields.double) {
            self.reply.double(value);
        } else if let Some(digits) = string_field(table, &fields.big_number)
            && table_field(table, &fields.map).is_none()
            && table_field(table, &fields.set).is_none()
        {
            let digits = String::from_utf8_lossy(&digits.as_bytes()).replace(['\r', '\n'], " ");
            self.reply.big_number(&digits);
        } else {
            return false;
        }
        true
    }

    /// An error that no command of the script has failed with.
    fn note_error(&mut self, line: &[u8]) {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\r' | b'\n');
        let mut words = line.split_inclusive(is_space);
        self.nested
            .fresh
            .push(words.next().unwrap_or_default().into());
    }

    fn write_aggregate(&mut self, table: &Table, depth: usize) {
        let fields = self.fields;
        if let Some(map) = table_field(table, &fields.map) {
            let pairs = pairs_of(&map);
            self.reply.map(pairs.len());
            for (key, value) in pairs {
                self.write(&key, depth + 1);
                self.write(&value, depth + 1);
            }
        } else if let Some(set) = table_field(table, &fields.set) {
            let pairs = pairs_of(&set);
            self.reply.set(pairs.len());
            for (member, _) in pairs {
                self.write(&member, depth + 1);
            }
        } else if let Some(inner) = table_field(table, &fields.verbatim)
            && let Some(format) = string_field(&inner, &fields.format)
            && let Some(text) = string_field(&inner, &fields.string)
        {
            let mut format = String::from_utf8_lossy(&format.as_bytes()).into_owned();
            let third = format.char_indices().nth(3);
            format.truncate(third.map_or(format.len(), |(at, _)| at));
            self.reply.verbatim(&format, &text.as_bytes());
        } else {
            self.write_array(table, depth);
        }
    }

    fn write_array(&mut self, table: &Table, depth: usize) {
        let at = |index: usize| table.raw_get::<Value>(index).unwrap_or(Value::Nil);
        let mut len = 0;
        while !at(len + 1).is_nil() {
            len += 1;
        }
        self.reply.array(len);
        for index in 1..=len {
            self.write(&at(index), depth + 1);
        }
    }
}

fn number_of(value: mlua::Integer) -> f64 {
    match number(value) {
        Value::Number(value) => value,
        _ => 0.0,
    }
}

fn pairs_of(table: &Table) -> Vec<(Value, Value)> {
    table
        .pairs::<Value, Value>()
        .filter_map(Result::ok)
        .collect()
}

/// What of a text goes into a line: C ends it at a NUL.
pub(super) fn as_line(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// A line of its own; line ends inside become spaces.
fn write_line(reply: &mut Reply<'_>, kind: u8, text: &[u8]) {
    let out = reply.buf.tail();
    out.push(kind);
    let clean = |byte: &u8| {
        if matches!(byte, b'\r' | b'\n') {
            b' '
        } else {
            *byte
        }
    };
    out.extend(text.iter().map(clean));
    out.extend_from_slice(b"\r\n");
}
