//! The `bit` library: 32-bit operations on numbers.

use mlua::{Lua, MultiValue, Table, Value};

/// Adding it moves a double's integral part into its low bits, rounded and modulo 2^32.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// The low 32 bits of argument `index`.
fn bits(lua: &Lua, args: &MultiValue, index: usize, name: &str) -> mlua::Result<u32> {
    let value = super::numbers::argument(lua, args, index, name)?;
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
    let low = (value + MAGIC).to_bits() as u32;
    Ok(low)
}

fn signed(value: u32) -> f64 {
    f64::from(value.cast_signed())
}

/// The table of functions.
pub(in crate::script) fn bit(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    one(lua, &table, "tobit", |value| value)?;
    one(lua, &table, "bnot", |value| !value)?;
    one(lua, &table, "bswap", u32::swap_bytes)?;
    many(lua, &table, "band", |a, b| a & b)?;
    many(lua, &table, "bor", |a, b| a | b)?;
    many(lua, &table, "bxor", |a, b| a ^ b)?;
    shift(lua, &table, "lshift", |value, by| value << by)?;
    shift(lua, &table, "rshift", |value, by| value >> by)?;
    shift(lua, &table, "arshift", |value, by| {
        (value.cast_signed() >> by).cast_unsigned()
    })?;
    shift(lua, &table, "rol", u32::rotate_left)?;
    shift(lua, &table, "ror", u32::rotate_right)?;
    let tohex = lua.create_function(|lua, args: MultiValue| {
        let value = bits(lua, &args, 0, "tohex")?;
        let digits = match args.get(1) {
            None | Some(Value::Nil) if args.len() < 2 => 8,
            _ => bits(lua, &args, 1, "tohex")?.cast_signed(),
        };
        Ok(hex(value, digits))
    })?;
    table.raw_set("tohex", tohex)?;
    Ok(table)
}

/// The last digits of the hexadecimal text, in capitals when `digits` is negative.
fn hex(value: u32, digits: i32) -> String {
    let text = if digits < 0 {
        format!("{value:08X}")
    } else {
        format!("{value:08x}")
    };
    let digits = usize::try_from(digits.unsigned_abs()).unwrap_or(8).min(8);
    text[8 - digits..].to_owned()
}

fn one(lua: &Lua, table: &Table, name: &'static str, run: fn(u32) -> u32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        Ok(signed(run(bits(lua, &args, 0, name)?)))
    })?;
    table.raw_set(name, function)
}

fn many(
    lua: &Lua,
    table: &Table,
    name: &'static str,
    run: fn(u32, u32) -> u32,
) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let mut value = bits(lua, &args, 0, name)?;
        for index in 1..args.len() {
            value = run(value, bits(lua, &args, index, name)?);
        }
        Ok(signed(value))
    })?;
    table.raw_set(name, function)
}

fn shift(
    lua: &Lua,
    table: &Table,
    name: &'static str,
    run: fn(u32, u32) -> u32,
) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let value = bits(lua, &args, 0, name)?;
        let by = bits(lua, &args, 1, name)? & 31;
        Ok(signed(run(value, by)))
    })?;
    table.raw_set(name, function)
}
