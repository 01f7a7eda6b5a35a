//! Numbers as C's library reads and prints them for Lua.

use crate::script::raise;
use mlua::{Lua, MultiValue, Value};

/// Bytes that a library function may produce.
const OUTPUT_BYTES_MAX: usize = 1 << 29;

/// Refuses output that has grown too large: tables that hold themselves have no end.
pub(super) fn check_output(lua: &Lua, out: &[u8]) -> mlua::Result<()> {
    if out.len() > OUTPUT_BYTES_MAX {
        return Err(raise::text(lua, "not enough memory"));
    }
    Ok(())
}

/// A Lua number as a double.
#[expect(clippy::cast_precision_loss, reason = "it was a double before")]
pub(in crate::script) fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Number(value) => Some(*value),
        _ => None,
    }
}

/// Argument `index` (from 0) of `function` as a number; strings that spell one are taken.
pub(super) fn argument(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    function: &str,
) -> mlua::Result<f64> {
    let given = args.get(index);
    let number = match given {
        Some(Value::String(text)) => text.to_str().ok().and_then(|text| spelled(&text)),
        Some(other) => double(other),
        None => None,
    };
    number.ok_or_else(|| raise::wrong_type(lua, index + 1, function, "number", given))
}

/// The number that a string spells to Lua: decimal or hexadecimal, spaces around it.
pub(super) fn spelled(text: &str) -> Option<f64> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        #[expect(clippy::cast_precision_loss, reason = "Lua has nothing wider")]
        let value = u64::from_str_radix(hex, 16).ok()? as f64;
        return Some(sign * value);
    }
    let value: f64 = digits.parse().ok()?;
    (!digits.starts_with(['+', '-'])).then_some(sign * value)
}

/// `value` as C's `%.<digits>g` prints it.
pub(in crate::script) fn general(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() {
            "-nan"
        } else {
            "nan"
        }
        .to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let digits = digits.max(1);
    let scientific = format!("{:.*e}", digits - 1, value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let fits = usize::try_from(exponent).map_or(exponent >= -4, |exponent| exponent < digits);
    if fits {
        let before = i32::try_from(digits).unwrap_or(i32::MAX) - 1 - exponent;
        let fraction = usize::try_from(before).unwrap_or(0);
        return shortened(&format!("{value:.fraction$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", shortened(mantissa), exponent.abs())
}

/// Without the zeros that end a fraction.
fn shortened(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// Argument `index` (from 0) of `function` as a string; numbers are printed.
pub(super) fn string(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    function: &str,
) -> mlua::Result<mlua::BorrowedBytes> {
    let given = args.get(index);
    match given {
        Some(Value::String(text)) => Ok(text.as_bytes()),
        Some(number @ (Value::Integer(_) | Value::Number(_))) => {
            let text = general(double(number).unwrap_or(0.0), 14);
            Ok(lua.create_string(text)?.as_bytes())
        }
        other => Err(raise::wrong_type(lua, index + 1, function, "string", other)),
    }
}
