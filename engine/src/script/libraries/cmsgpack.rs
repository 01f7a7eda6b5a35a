//! The `cmsgpack` library: MessagePack.

use super::numbers::{self, double};
use crate::script::convert::truncated;
use crate::script::raise;
use mlua::{Lua, MultiValue, Table, Value};

/// Tables nested deeper than this are written as nil.
const PACK_DEPTH_MAX: usize = 16;
/// How deep arrays and maps may nest when they are read: what real servers' Lua stack grants.
const UNPACK_DEPTH_MAX: usize = 3900;
/// Values that a function returns at most.
const RESULTS_MAX: usize = 7900;

/// The table of functions.
pub(in crate::script) fn cmsgpack(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let run = lua.create_function(|lua, args: MultiValue| pack(lua, &args))?;
    table.raw_set("pack", run)?;
    let run = lua.create_function(|lua, args: MultiValue| {
        let input = numbers::string(lua, &args, 0, "unpack")?;
        unpack(lua, &input, None, 0)
    })?;
    table.raw_set("unpack", run)?;
    let run = lua.create_function(|lua, args: MultiValue| {
        let input = numbers::string(lua, &args, 0, "unpack_one")?;
        let offset = optional(lua, &args, 1, "unpack_one")?;
        unpack(lua, &input, Some(1), offset)
    })?;
    table.raw_set("unpack_one", run)?;
    let run = lua.create_function(|lua, args: MultiValue| {
        let input = numbers::string(lua, &args, 0, "unpack_limit")?;
        let limit = truncated(numbers::argument(lua, &args, 1, "unpack_limit")?);
        let offset = optional(lua, &args, 2, "unpack_limit")?;
        unpack(lua, &input, Some(limit), offset)
    })?;
    table.raw_set("unpack_limit", run)?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn optional(lua: &Lua, args: &MultiValue, index: usize, name: &str) -> mlua::Result<i64> {
    match args.get(index) {
        None | Some(Value::Nil) => Ok(0),
        Some(_) => Ok(truncated(numbers::argument(lua, args, index, name)?)),
    }
}

fn pack(lua: &Lua, args: &MultiValue) -> mlua::Result<mlua::LuaString> {
    if args.is_empty() {
        let complaint = "MessagePack pack needs input.";
        return Err(raise::bad_argument(lua, 0, "pack", complaint));
    }
    let mut out = Vec::new();
    for value in args {
        write(lua, &mut out, value, 0)?;
    }
    lua.create_string(out)
}

fn write(lua: &Lua, out: &mut Vec<u8>, value: &Value, depth: usize) -> mlua::Result<()> {
    numbers::check_output(lua, out)?;
    match value {
        Value::String(text) => write_string(out, &text.as_bytes()),
        Value::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(_) | Value::Number(_) => write_number(out, double(value).unwrap_or(0.0)),
        Value::Table(table) if depth < PACK_DEPTH_MAX => write_table(lua, out, table, depth + 1)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

/// A head of a kind that has a short form up to `short.1`, and forms of one, two and four bytes.
fn write_head(out: &mut Vec<u8>, len: usize, short: (u8, usize), forms: [Option<u8>; 3]) {
    let bytes = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
    let [one, two, four] = forms;
    if len <= short.1 {
        out.push(short.0 | bytes[3]);
    } else if let Some(head) = one.filter(|_| len <= 0xff) {
        out.extend_from_slice(&[head, bytes[3]]);
    } else if let Some(head) = two.filter(|_| len <= 0xffff) {
        out.extend_from_slice(&[head, bytes[2], bytes[3]]);
    } else if let Some(head) = four {
        out.push(head);
        out.extend_from_slice(&bytes);
    }
}

fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    write_head(
        out,
        text.len(),
        (0xa0, 31),
        [Some(0xd9), Some(0xda), Some(0xdb)],
    );
    out.extend_from_slice(text);
}

#[expect(clippy::cast_precision_loss, reason = "compared with what it was")]
fn write_number(out: &mut Vec<u8>, value: f64) {
    let whole = truncated(value);
    if whole as f64 == value && value < 9_223_372_036_854_775_808.0 {
        return write_integer(out, whole);
    }
    #[expect(clippy::cast_possible_truncation, reason = "looked at below")]
    let short = value as f32;
    if f64::from(short) == value {
        out.push(0xca);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

fn write_integer(out: &mut Vec<u8>, value: i64) {
    let bytes = value.to_be_bytes();
    let (head, used) = match value {
        -0x20..=0x7f => (None, 1),
        0x80..=0xff => (Some(0xcc), 1),
        0x100..=0xffff => (Some(0xcd), 2),
        0x1_0000..=0xffff_ffff => (Some(0xce), 4),
        0x1_0000_0000.. => (Some(0xcf), 8),
        -0x80..=-0x21 => (Some(0xd0), 1),
        -0x8000..=-0x81 => (Some(0xd1), 2),
        -0x8000_0000..=-0x8001 => (Some(0xd2), 4),
        _ => (Some(0xd3), 8),
    };
    out.extend(head);
    out.extend_from_slice(&bytes[8 - used..]);
}

fn write_table(lua: &Lua, out: &mut Vec<u8>, table: &Table, depth: usize) -> mlua::Result<()> {
    if let Some(len) = array_len(table) {
        write_head(out, len, (0x90, 15), [None, Some(0xdc), Some(0xdd)]);
        for index in 1..=len {
            write(lua, out, &table.raw_get(index)?, depth)?;
        }
        return Ok(());
    }
    let pairs = table.pairs::<Value, Value>().count();
    write_head(out, pairs, (0x80, 15), [None, Some(0xde), Some(0xdf)]);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(lua, out, &key, depth)?;
        write(lua, out, &value, depth)?;
    }
    Ok(())
}

/// How long a table is whose keys are 1 to that.
#[expect(clippy::cast_precision_loss, reason = "counts of things in memory")]
fn array_len(table: &Table) -> Option<usize> {
    let (mut count, mut max) = (0_usize, 0.0_f64);
    for pair in table.pairs::<Value, Value>() {
        let key = double(&pair.ok()?.0)?;
        if key < 1.0 || key.fract() != 0.0 {
            return None;
        }
        max = max.max(key);
        count += 1;
    }
    (max == count as f64).then_some(count)
}

/// Bytes being read.
struct Input<'a> {
    all: &'a [u8],
    at: usize,
}

/// Why reading has stopped.
enum Fault {
    Missing,
    Bad,
    /// With the word that real servers have for the place.
    TooDeep(&'static str),
    Lua(mlua::Error),
}

impl From<mlua::Error> for Fault {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

impl Fault {
    fn raised(self, lua: &Lua) -> mlua::Error {
        match self {
            Self::Missing => raise::text(lua, "Missing bytes in input."),
            Self::Bad => raise::text(lua, "Bad data format in input."),
            Self::TooDeep(place) => {
                raise::text(lua, &format!("stack overflow (in function {place})"))
            }
            Self::Lua(error) => error,
        }
    }
}

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let rest = &self.all[self.at..];
        let taken = rest.get(..len).ok_or(Fault::Missing)?;
        self.at += len;
        Ok(taken)
    }

    /// A big-endian number of `len` bytes.
    fn number(&mut self, len: usize) -> Result<u64, Fault> {
        let join = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Ok(self.take(len)?.iter().fold(0, join))
    }

    fn len(&mut self, bytes: usize) -> Result<usize, Fault> {
        usize::try_from(self.number(bytes)?).map_err(|_| Fault::Missing)
    }

    #[expect(clippy::cast_precision_loss, reason = "Lua has nothing wider")]
    fn value(&mut self, lua: &Lua, depth: usize) -> Result<Value, Fault> {
        let head = self.take(1)?[0];
        let signed = |value: u64, bits: u32| {
            let shift = 64 - bits;
            Value::Number(((value << shift).cast_signed() >> shift) as f64)
        };
        let unsigned = |value: u64| Value::Number(value.cast_signed() as f64);
        Ok(match head {
            0x00..=0x7f => unsigned(u64::from(head)),
            0xe0..=0xff => signed(u64::from(head), 8),
            0x80..=0x8f => return self.map(lua, usize::from(head & 0xf), depth),
            0x90..=0x9f => return self.array(lua, usize::from(head & 0xf), depth),
            0xa0..=0xbf => self.string(lua, usize::from(head & 0x1f))?,
            0xc0 => Value::Nil,
            0xc2 | 0xc3 => Value::Boolean(head == 0xc3),
            0xca => {
                let bits = u32::try_from(self.number(4)?).unwrap_or(0);
                Value::Number(f64::from(f32::from_bits(bits)))
            }
            0xcb => Value::Number(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => unsigned(self.number(1 << (head - 0xcc))?),
            0xd0..=0xd3 => {
                let len = 1 << (head - 0xd0);
                signed(self.number(len)?, u32::try_from(len * 8).unwrap_or(64))
            }
            0xd9..=0xdb => {
                let len = self.len(1 << (head - 0xd9))?;
                self.string(lua, len)?
            }
            0xdc | 0xdd => {
                let len = self.len(2 << (head - 0xdc))?;
                return self.array(lua, len, depth);
            }
            0xde | 0xdf => {
                let len = self.len(2 << (head - 0xde))?;
                return self.map(lua, len, depth);
            }
            _ => return Err(Fault::Bad),
        })
    }

    fn string(&mut self, lua: &Lua, len: usize) -> Result<Value, Fault> {
        Ok(Value::String(lua.create_string(self.take(len)?)?))
    }

    fn array(&mut self, lua: &Lua, len: usize, depth: usize) -> Result<Value, Fault> {
        if depth == UNPACK_DEPTH_MAX {
            return Err(Fault::TooDeep("mp_decode_to_lua_array"));
        }
        let table = lua.create_table()?;
        for index in 1..=len {
            table.raw_set(index, self.value(lua, depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, lua: &Lua, len: usize, depth: usize) -> Result<Value, Fault> {
        if depth == UNPACK_DEPTH_MAX {
            return Err(Fault::TooDeep("mp_decode_to_lua_hash"));
        }
        let table = lua.create_table()?;
        for _ in 0..len {
            let key = self.value(lua, depth + 1)?;
            let value = self.value(lua, depth + 1)?;
            let refused = match &key {
                Value::Nil => Some("table index is nil"),
                Value::Number(key) if key.is_nan() => Some("table index is NaN"),
                _ => None,
            };
            if let Some(text) = refused {
                let raised = raise::Raised::Text(text.as_bytes().to_vec());
                return Err(Fault::Lua(raised.into()));
            }
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}

/// Reads values from `offset` on, all of them or up to `limit`; with a limit, the first result says
/// where the next one would begin.
#[expect(clippy::cast_precision_loss, reason = "a place in a string")]
fn unpack(lua: &Lua, input: &[u8], limit: Option<i64>, offset: i64) -> mlua::Result<MultiValue> {
    let wanted = limit.unwrap_or(0);
    let (Ok(from), true) = (usize::try_from(offset), wanted >= 0) else {
        let text = format!(
            "Invalid request to unpack with offset of {offset} and limit of {}.",
            input.len()
        );
        return Err(raise::text(lua, &text));
    };
    if from > input.len() {
        let text = format!(
            "Start offset {from} greater than input length {}.",
            input.len()
        );
        return Err(raise::text(lua, &text));
    }
    let most = match usize::try_from(wanted) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(most) => most,
    };
    let mut input = Input {
        all: input,
        at: from,
    };
    let mut values = Vec::new();
    while input.at < input.all.len() && values.len() < most {
        if values.len() == RESULTS_MAX {
            let text = "stack overflow (too many return values at once; use unpack_one or \
                        unpack_limit instead.)";
            return Err(raise::text(lua, text));
        }
        let value = input.value(lua, 0).map_err(|fault| fault.raised(lua))?;
        values.push(value);
    }
    if wanted > 0 {
        let next = if input.at == input.all.len() {
            -1.0
        } else {
            input.at as f64
        };
        values.insert(0, Value::Number(next));
    }
    Ok(MultiValue::from_vec(values))
}
