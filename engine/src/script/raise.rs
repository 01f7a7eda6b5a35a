//! Errors raised into scripts, and how scripts see them.
//!
//! An error that leaves Rust reaches Lua as userdata. Nothing that a script can do shows it one: the
//! catching functions of the prelude turn it into what Redis would have raised, by [`shown`].

use mlua::{Lua, Value};
use std::fmt;

/// Stack levels that are looked at for the place of an error.
const LEVELS_MAX: usize = 64;
/// Name of the chunk whose functions are no part of a script.
pub(super) const PRELUDE: &str = "=prelude";

/// What is raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// A string, with its place in front if it has one.
    Text(Vec<u8>),
    /// A table with the line of an error reply in `err`.
    Reply {
        /// The whole line.
        line: Vec<u8>,
        /// The error has been counted: a command has failed.
        counted: bool,
    },
    /// The script is to end.
    Killed,
}

/// What a script that is ended by force is told.
pub(super) const KILLED: &str = "Script killed by user with SCRIPT KILL...";

impl fmt::Display for Raised {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(&String::from_utf8_lossy(text)),
            Self::Reply { line, .. } => out.write_str(&String::from_utf8_lossy(line)),
            Self::Killed => out.write_str(KILLED),
        }
    }
}

impl std::error::Error for Raised {}

impl From<Raised> for mlua::Error {
    fn from(raised: Raised) -> Self {
        Self::external(raised)
    }
}

/// An error reply as `redis.call` raises it; nothing has counted it.
pub(super) fn reply(line: &str) -> mlua::Error {
    Raised::Reply {
        line: line.as_bytes().to_vec(),
        counted: false,
    }
    .into()
}

/// A message with the place of the calling function in front, as C functions of Lua raise it.
pub(super) fn text(lua: &Lua, message: &str) -> mlua::Error {
    let mut line = place_of_caller(lua);
    line.push_str(message);
    Raised::Text(line.into_bytes()).into()
}

/// The complaint about argument `position` of `function`.
pub(super) fn bad_argument(
    lua: &Lua,
    position: usize,
    function: &str,
    complaint: &str,
) -> mlua::Error {
    let message = format!("bad argument #{position} to '{function}' ({complaint})");
    text(lua, &message)
}

/// The complaint about the type of argument `position`; `given` is nothing when it is missing.
pub(super) fn wrong_type(
    lua: &Lua,
    position: usize,
    function: &str,
    expected: &str,
    given: Option<&Value>,
) -> mlua::Error {
    let given = given.map_or("no value", type_name);
    bad_argument(
        lua,
        position,
        function,
        &format!("{expected} expected, got {given}"),
    )
}

/// The name of a value's type as Lua has it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        Value::LightUserData(_) | Value::Error(_) => "userdata",
        other => other.type_name(),
    }
}

/// `name:line: ` of the function that has called the running one, if it is Lua.
fn place_of_caller(lua: &Lua) -> String {
    let place = lua.inspect_stack(1, |debug| {
        let line = debug.current_line()?;
        let source = debug.source();
        let name = source.short_src?;
        Some(format!("{name}:{line}: "))
    });
    place.flatten().unwrap_or_default()
}

/// Chunk and line of the innermost function of the script.
pub(super) fn place_of_script(lua: &Lua) -> Option<(String, usize)> {
    for level in 1..LEVELS_MAX {
        let place = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.unwrap_or_default();
            let line = debug.current_line()?;
            (source.what != "C" && name != PRELUDE).then(|| (name.into_owned(), line))
        })?;
        if place.is_some() {
            return place;
        }
    }
    None
}

/// The message with the script's place instead of the prelude's, if it has that.
pub(super) fn replaced(lua: &Lua, text: &[u8]) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(&PRELUDE.as_bytes()[1..])?;
    let rest = rest.strip_prefix(b":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest[digits..].strip_prefix(b": ")?;
    let place = place_of_script(lua).map_or_else(String::new, |(name, line)| {
        format!("{}:{line}: ", name.trim_start_matches(['@', '=']))
    });
    Some([place.as_bytes(), rest].concat())
}

/// What came out of Rust, if the value is an error that did.
pub(super) fn raised_in(value: &Value) -> Option<Raised> {
    let Value::Error(error) = value else {
        return None;
    };
    let raised = error.downcast_ref::<Raised>().cloned();
    Some(raised.unwrap_or_else(|| Raised::Text(innermost(error).into_bytes())))
}

/// The words of mlua's own errors, without its tracebacks.
fn innermost(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => {
            innermost(cause)
        }
        mlua::Error::MemoryError(_) => "not enough memory".to_owned(),
        mlua::Error::RuntimeError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An error as the script that has caught it sees it.
///
/// Errors of C functions that the prelude has called carry its place; they get the script's.
pub(super) fn shown(lua: &Lua, value: Value) -> mlua::Result<Value> {
    if let Value::String(text) = &value
        && let Some(text) = replaced(lua, &text.as_bytes())
    {
        return Ok(Value::String(lua.create_string(text)?));
    }
    let Some(raised) = raised_in(&value) else {
        return Ok(value);
    };
    match raised {
        Raised::Text(text) => Ok(Value::String(lua.create_string(text)?)),
        Raised::Killed => Ok(Value::String(lua.create_string(KILLED)?)),
        Raised::Reply { line, counted } => {
            let table = lua.create_table_with_capacity(0, 2)?;
            table.raw_set("err", lua.create_string(line)?)?;
            if counted {
                table.raw_set("ignore_error_stats_update", true)?;
            }
            Ok(Value::Table(table))
        }
    }
}
