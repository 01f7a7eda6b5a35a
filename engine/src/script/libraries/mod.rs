//! The libraries that scripts find besides the `redis` table.

mod bit;
mod cjson;
mod cmsgpack;
mod numbers;
mod packing;

pub(super) use bit::bit;
pub(super) use cjson::cjson;
pub(super) use cmsgpack::cmsgpack;
pub(super) use numbers::{double, general};
pub(super) use packing::packing;

use crate::script::raise;
use mlua::{Lua, MultiValue, Table, Value};

/// What scripts keep of the base library; the prelude replaces some of it.
const BASE: &[&str] = &[
    "_VERSION",
    "assert",
    "collectgarbage",
    "coroutine",
    "error",
    "gcinfo",
    "getmetatable",
    "ipairs",
    "math",
    "rawequal",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "unpack",
];

/// Copies what scripts may see of the base library to `globals`.
pub(super) fn copy_base(lua: &Lua, globals: &Table) -> mlua::Result<()> {
    let all = lua.globals();
    for name in BASE {
        globals.raw_set(*name, all.raw_get::<Value>(*name)?)?;
    }
    let string: Table = all.raw_get("string")?;
    // Byte code never leaves the machine, nor does it enter.
    let dump = |lua: &Lua, _: MultiValue| -> mlua::Result<()> {
        Err(raise::text(lua, "unable to dump given function"))
    };
    string.raw_set("dump", lua.create_function(dump)?)
}
