//! JSON out of Lua values.

use super::{Invalid, Settings, as_number};
use crate::script::libraries::numbers::{check_output, general};
use crate::script::raise;
use mlua::{Lua, LuaString, Table, Value};

/// How deep tables may nest whatever the setting says: what real servers' Lua stack grants.
const DEPTH_MAX: i64 = 2600;

/// Digits with which keys are printed, as Lua does.
const KEY_DIGITS: usize = 14;

struct Writer<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    out: Vec<u8>,
}

pub(super) fn encode(lua: &Lua, settings: &Settings, value: &Value) -> mlua::Result<LuaString> {
    let mut writer = Writer {
        lua,
        settings,
        out: Vec::new(),
    };
    writer.value(value, 0)?;
    lua.create_string(writer.out)
}

impl Writer<'_> {
    fn refused(&self, kind: &str, reason: &str) -> mlua::Error {
        raise::text(self.lua, &format!("Cannot serialise {kind}: {reason}"))
    }

    fn value(&mut self, value: &Value, depth: i64) -> mlua::Result<()> {
        check_output(self.lua, &self.out)?;
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Table(table) => self.table(table, depth + 1)?,
            Value::LightUserData(data) if data.0.is_null() => {
                self.out.extend_from_slice(b"null");
            }
            other => match as_number(other) {
                Some(number) => self.number(number)?,
                None => return Err(self.refused(raise::type_name(other), "type not supported")),
            },
        }
        Ok(())
    }

    fn number(&mut self, value: f64) -> mlua::Result<()> {
        let digits = usize::try_from(self.settings.precision).unwrap_or(14);
        if value.is_finite() {
            self.out
                .extend_from_slice(general(value, digits).as_bytes());
            return Ok(());
        }
        match self.settings.encode_invalid {
            Invalid::Refused => return Err(self.refused("number", "must not be NaN or Inf")),
            Invalid::Null => self.out.extend_from_slice(b"null"),
            Invalid::Written if value.is_nan() => self.out.extend_from_slice(b"nan"),
            Invalid::Written => self
                .out
                .extend_from_slice(general(value, digits).as_bytes()),
        }
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            let short = match byte {
                b'"' | b'\\' | b'/' => byte,
                0x08 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                0x0c => b'f',
                b'\r' => b'r',
                0..0x20 | 0x7f => {
                    let text = format!("\\u{byte:04x}");
                    self.out.extend_from_slice(text.as_bytes());
                    continue;
                }
                plain => {
                    self.out.push(plain);
                    continue;
                }
            };
            self.out.extend_from_slice(&[b'\\', short]);
        }
        self.out.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: i64) -> mlua::Result<()> {
        if depth > self.settings.encode_depth_max || depth > DEPTH_MAX {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(raise::text(self.lua, &text));
        }
        match self.array_len(table)? {
            Some(len) => self.array(table, len, depth),
            None => self.object(table, depth),
        }
    }

    /// The length of an array; nothing for an object, which an empty table is.
    fn array_len(&self, table: &Table) -> mlua::Result<Option<usize>> {
        let (mut max, mut items) = (0_i64, 0_i64);
        for pair in table.pairs::<Value, Value>() {
            let Some(key) = as_number(&pair?.0) else {
                return Ok(None);
            };
            if key < 1.0 || key.fract() != 0.0 || key > 2_147_483_647.0 {
                return Ok(None);
            }
            max = max.max(crate::script::convert::truncated(key));
            items += 1;
        }
        let Settings {
            sparse_ratio: ratio,
            sparse_safe: safe,
            convert_sparse,
            ..
        } = *self.settings;
        if ratio > 0 && max > items.saturating_mul(ratio) && max > safe {
            if !convert_sparse {
                return Err(self.refused("table", "excessively sparse array"));
            }
            return Ok(None);
        }
        Ok(usize::try_from(max).ok().filter(|max| *max > 0))
    }

    fn array(&mut self, table: &Table, len: usize, depth: i64) -> mlua::Result<()> {
        self.out.push(b'[');
        for index in 1..=len {
            if index > 1 {
                self.out.push(b',');
            }
            self.value(&table.raw_get(index)?, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: i64) -> mlua::Result<()> {
        self.out.push(b'{');
        let mut first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !first {
                self.out.push(b',');
            }
            first = false;
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                other => match as_number(other) {
                    Some(number) => {
                        let text = format!("\"{}\"", general(number, KEY_DIGITS));
                        self.out.extend_from_slice(text.as_bytes());
                    }
                    None => {
                        let reason = "table key must be a number or string";
                        return Err(self.refused(raise::type_name(other), reason));
                    }
                },
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
