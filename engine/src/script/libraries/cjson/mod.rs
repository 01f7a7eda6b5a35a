//! The `cjson` library: JSON, with its settings.

mod decode;
mod encode;

use super::numbers::{self, double};
use crate::script::convert::truncated;
use crate::script::raise;
use mlua::{LightUserData, Lua, MultiValue, Table, Value};
use std::cell::Cell;
use std::rc::Rc;

/// What happens to numbers that JSON cannot spell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

/// The settings of one instance.
#[derive(Clone, Copy, Debug)]
struct Settings {
    convert_sparse: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_depth_max: i64,
    decode_depth_max: i64,
    precision: i64,
    keep_buffer: bool,
    encode_invalid: Invalid,
    decode_invalid: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            convert_sparse: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: 1000,
            decode_depth_max: 1000,
            precision: 14,
            keep_buffer: true,
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
        }
    }
}

type Shared = Rc<Cell<Settings>>;
/// One setting, in place.
type Field<T> = fn(&mut Settings) -> &mut T;

/// The table of functions, with settings of its own.
pub(in crate::script) fn cjson(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let shared = Shared::default();
    let settings = Rc::clone(&shared);
    let run = lua.create_function(move |lua, args: MultiValue| {
        one_argument(lua, &args, "encode")?;
        let nil = Value::Nil;
        encode::encode(lua, &settings.get(), args.front().unwrap_or(&nil))
    })?;
    table.raw_set("encode", run)?;
    let settings = Rc::clone(&shared);
    let run = lua.create_function(move |lua, args: MultiValue| {
        one_argument(lua, &args, "decode")?;
        let text = numbers::string(lua, &args, 0, "decode")?;
        decode::decode(lua, &settings.get(), &text)
    })?;
    table.raw_set("decode", run)?;
    sparse(lua, &table, &shared)?;
    let depths = 1..=i64::from(i32::MAX);
    let field: Field<i64> = |settings| &mut settings.encode_depth_max;
    integer(
        lua,
        &table,
        &shared,
        "encode_max_depth",
        depths.clone(),
        field,
    )?;
    let field: Field<i64> = |settings| &mut settings.decode_depth_max;
    integer(lua, &table, &shared, "decode_max_depth", depths, field)?;
    let field: Field<i64> = |settings| &mut settings.precision;
    integer(
        lua,
        &table,
        &shared,
        "encode_number_precision",
        1..=14,
        field,
    )?;
    let field: Field<bool> = |settings| &mut settings.keep_buffer;
    switch(lua, &table, &shared, "encode_keep_buffer", field)?;
    let field: Field<bool> = |settings| &mut settings.decode_invalid;
    switch(lua, &table, &shared, "decode_invalid_numbers", field)?;
    invalid_numbers(lua, &table, &shared)?;
    table.raw_set("new", lua.create_function(|lua, ()| cjson(lua))?)?;
    table.raw_set("null", null())?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

/// What stands for JSON's null.
fn null() -> Value {
    Value::LightUserData(LightUserData(std::ptr::null_mut()))
}

fn one_argument(lua: &Lua, args: &MultiValue, function: &str) -> mlua::Result<()> {
    if args.len() == 1 {
        return Ok(());
    }
    Err(raise::bad_argument(lua, 1, function, "expected 1 argument"))
}

fn at_most(lua: &Lua, args: &MultiValue, most: usize, function: &str) -> mlua::Result<()> {
    if args.len() <= most {
        return Ok(());
    }
    let complaint = "found too many arguments";
    Err(raise::bad_argument(lua, most + 1, function, complaint))
}

/// Argument `index` as an integer in `range`, if it is given.
fn in_range(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    function: &str,
    range: &std::ops::RangeInclusive<i64>,
) -> mlua::Result<Option<i64>> {
    if matches!(args.get(index), None | Some(Value::Nil)) {
        return Ok(None);
    }
    let value = truncated(numbers::argument(lua, args, index, function)?);
    if range.contains(&value) {
        return Ok(Some(value));
    }
    let (low, high) = (range.start(), range.end());
    let complaint = format!("expected integer between {low} and {high}");
    // Real servers name the first argument whichever it is.
    Err(raise::bad_argument(lua, 1, function, &complaint))
}

/// Argument `index` as one of `words`, or a boolean for the first two; if it is given.
fn choice(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    function: &str,
    words: &[&str],
) -> mlua::Result<Option<usize>> {
    let given = match args.get(index) {
        None | Some(Value::Nil) => return Ok(None),
        Some(Value::Boolean(value)) => return Ok(Some(usize::from(*value))),
        Some(_) => numbers::string(lua, args, index, function)?,
    };
    if let Some(found) = words.iter().position(|word| word.as_bytes() == &*given) {
        return Ok(Some(found));
    }
    let given = String::from_utf8_lossy(&given);
    let complaint = format!("invalid option '{given}'");
    Err(raise::bad_argument(lua, index + 1, function, &complaint))
}

fn integer(
    lua: &Lua,
    table: &Table,
    shared: &Shared,
    name: &'static str,
    range: std::ops::RangeInclusive<i64>,
    field: Field<i64>,
) -> mlua::Result<()> {
    let shared = Rc::clone(shared);
    let run = lua.create_function(move |lua, args: MultiValue| {
        at_most(lua, &args, 1, name)?;
        let mut settings = shared.get();
        if let Some(value) = in_range(lua, &args, 0, name, &range)? {
            *field(&mut settings) = value;
            shared.set(settings);
        }
        Ok(*field(&mut settings))
    })?;
    table.raw_set(name, run)
}

fn switch(
    lua: &Lua,
    table: &Table,
    shared: &Shared,
    name: &'static str,
    field: Field<bool>,
) -> mlua::Result<()> {
    let shared = Rc::clone(shared);
    let run = lua.create_function(move |lua, args: MultiValue| {
        at_most(lua, &args, 1, name)?;
        let mut settings = shared.get();
        if let Some(value) = choice(lua, &args, 0, name, &["off", "on"])? {
            *field(&mut settings) = value == 1;
            shared.set(settings);
        }
        Ok(*field(&mut settings))
    })?;
    table.raw_set(name, run)
}

fn invalid_numbers(lua: &Lua, table: &Table, shared: &Shared) -> mlua::Result<()> {
    const NAME: &str = "encode_invalid_numbers";
    let shared = Rc::clone(shared);
    let run = lua.create_function(move |lua, args: MultiValue| {
        at_most(lua, &args, 1, NAME)?;
        let mut settings = shared.get();
        let kinds = [Invalid::Refused, Invalid::Written, Invalid::Null];
        if let Some(value) = choice(lua, &args, 0, NAME, &["off", "on", "null"])? {
            settings.encode_invalid = kinds[value];
            shared.set(settings);
        }
        Ok(match settings.encode_invalid {
            Invalid::Refused => Value::Boolean(false),
            Invalid::Written => Value::Boolean(true),
            Invalid::Null => Value::String(lua.create_string("null")?),
        })
    })?;
    table.raw_set(NAME, run)
}

fn sparse(lua: &Lua, table: &Table, shared: &Shared) -> mlua::Result<()> {
    const NAME: &str = "encode_sparse_array";
    let shared = Rc::clone(shared);
    let run = lua.create_function(move |lua, args: MultiValue| {
        at_most(lua, &args, 3, NAME)?;
        let range = 0..=i64::from(i32::MAX);
        let mut settings = shared.get();
        if let Some(value) = choice(lua, &args, 0, NAME, &["off", "on"])? {
            settings.convert_sparse = value == 1;
        }
        if let Some(value) = in_range(lua, &args, 1, NAME, &range)? {
            settings.sparse_ratio = value;
        }
        if let Some(value) = in_range(lua, &args, 2, NAME, &range)? {
            settings.sparse_safe = value;
        }
        shared.set(settings);
        let Settings {
            convert_sparse,
            sparse_ratio,
            sparse_safe,
            ..
        } = settings;
        Ok((convert_sparse, sparse_ratio, sparse_safe))
    })?;
    table.raw_set(NAME, run)
}

/// Whether a value is a number, and which.
fn as_number(value: &Value) -> Option<f64> {
    double(value)
}
