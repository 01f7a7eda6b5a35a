//! The `struct` library: numbers and strings to and from bytes, by a format.

use super::numbers::{self, double};
use crate::script::convert::truncated;
use crate::script::raise;
use mlua::{Lua, MultiValue, Table, Value};

/// Alignment that `!` stands for.
const ALIGN_DEFAULT: usize = 8;
/// Bytes of the largest integer.
const INTEGER_BYTES_MAX: usize = 32;
/// Values that a function returns at most.
const RESULTS_MAX: usize = 7900;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// A format, read item by item.
struct Format<'a> {
    rest: &'a [u8],
    order: Order,
    align: usize,
}

/// One item of a format.
#[derive(Clone, Copy)]
struct Item {
    option: u8,
    size: usize,
}

impl<'a> Format<'a> {
    const fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            order: Order::Little,
            align: 1,
        }
    }

    fn number(&mut self, lua: &Lua, default: usize) -> mlua::Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let len = digits.count();
        if len == 0 {
            return Ok(default);
        }
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        let mut number: i32 = 0;
        for digit in digits {
            number = number
                .checked_mul(10)
                .and_then(|number| number.checked_add(i32::from(digit - b'0')))
                .ok_or_else(|| raise::text(lua, "integral size overflow"))?;
        }
        Ok(usize::try_from(number).unwrap_or(0))
    }

    fn next(&mut self, lua: &Lua) -> mlua::Result<Option<Item>> {
        let Some((&option, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(lua, 1)?,
            b'i' | b'I' => {
                let size = self.number(lua, 4)?;
                if size > INTEGER_BYTES_MAX {
                    let text =
                        format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
                    return Err(raise::text(lua, &text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Item { option, size }))
    }

    /// Bytes to be left out before `item` when `at` bytes have been seen.
    fn padding(&self, item: Item, at: usize) -> usize {
        if item.size == 0 || item.option == b'c' {
            return 0;
        }
        let size = item.size.min(self.align);
        (size - (at & (size - 1))) & (size - 1)
    }

    /// An option that is no item.
    fn control(&mut self, lua: &Lua, option: u8, function: &str) -> mlua::Result<()> {
        match option {
            b' ' => {}
            b'>' => self.order = Order::Big,
            b'<' => self.order = Order::Little,
            b'!' => {
                let align = self.number(lua, ALIGN_DEFAULT)?;
                if !align.is_power_of_two() {
                    let text = format!("alignment {align} is not a power of 2");
                    return Err(raise::text(lua, &text));
                }
                self.align = align;
            }
            other => {
                let complaint = format!("invalid format option '{}'", char::from(other));
                return Err(raise::bad_argument(lua, 1, function, &complaint));
            }
        }
        Ok(())
    }
}

/// The table of functions.
pub(in crate::script) fn packing(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let run = lua.create_function(|lua, args: MultiValue| pack(lua, &args))?;
    table.raw_set("pack", run)?;
    let run = lua.create_function(|lua, args: MultiValue| unpack(lua, &args))?;
    table.raw_set("unpack", run)?;
    let run = lua.create_function(|lua, args: MultiValue| size(lua, &args))?;
    table.raw_set("size", run)?;
    Ok(table)
}

/// A double as C turns it into 64 unsigned bits on x86.
#[expect(clippy::cast_precision_loss, reason = "a power of two")]
fn as_bits(value: f64) -> u64 {
    const HALF: f64 = (1_u64 << 63) as f64;
    if value >= HALF {
        (truncated(value - HALF) ^ i64::MIN).cast_unsigned()
    } else {
        truncated(value).cast_unsigned()
    }
}

fn push_integer(out: &mut Vec<u8>, value: u64, size: usize, order: Order) {
    let at = out.len();
    let low = value.to_le_bytes();
    out.extend((0..size).map(|index| low.get(index).copied().unwrap_or(0)));
    if order == Order::Big {
        out[at..].reverse();
    }
}

fn pack(lua: &Lua, args: &MultiValue) -> mlua::Result<mlua::LuaString> {
    let text = numbers::string(lua, args, 0, "pack")?;
    let mut format = Format::new(&text);
    let mut out: Vec<u8> = Vec::new();
    let mut arg = 1;
    while let Some(item) = format.next(lua)? {
        numbers::check_output(lua, &out)?;
        let padding = format.padding(item, out.len());
        out.resize(out.len() + padding, 0);
        let mut number = || {
            arg += 1;
            match args.get(arg - 1) {
                None => Err(raise::wrong_type(
                    lua,
                    arg,
                    "pack",
                    "number",
                    Some(&Value::Nil),
                )),
                Some(_) => numbers::argument(lua, args, arg - 1, "pack"),
            }
        };
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                push_integer(&mut out, as_bits(number()?), item.size, format.order);
            }
            b'x' => out.push(0),
            b'f' => {
                #[expect(clippy::cast_possible_truncation, reason = "a float is asked for")]
                let bytes = (number()? as f32).to_le_bytes();
                push_ordered(&mut out, &bytes, format.order);
            }
            b'd' => push_ordered(&mut out, &number()?.to_le_bytes(), format.order),
            b'c' | b's' => {
                let word = match args.get(arg) {
                    None => Err(raise::wrong_type(
                        lua,
                        arg + 1,
                        "pack",
                        "string",
                        Some(&Value::Nil),
                    )),
                    Some(_) => numbers::string(lua, args, arg, "pack"),
                }?;
                arg += 1;
                if item.option == b's' {
                    out.extend_from_slice(&word);
                    out.push(0);
                    continue;
                }
                let size = if item.size == 0 {
                    word.len()
                } else {
                    item.size
                };
                if word.len() < size {
                    return Err(raise::bad_argument(
                        lua,
                        arg + 1,
                        "pack",
                        "string too short",
                    ));
                }
                out.extend_from_slice(&word[..size]);
            }
            other => format.control(lua, other, "pack")?,
        }
    }
    lua.create_string(out)
}

fn push_ordered(out: &mut Vec<u8>, little: &[u8], order: Order) {
    let at = out.len();
    out.extend_from_slice(little);
    if order == Order::Big {
        out[at..].reverse();
    }
}

/// `N` bytes as little-endian ones.
fn ordered<const N: usize>(bytes: &[u8], order: Order) -> [u8; N] {
    let mut all: [u8; N] = bytes.try_into().unwrap_or([0; N]);
    if order == Order::Big {
        all.reverse();
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "Lua has nothing wider")]
fn read_integer(bytes: &[u8], order: Order, is_signed: bool) -> f64 {
    let join = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
    let value = match order {
        Order::Little => bytes.iter().rev().fold(0, join),
        Order::Big => bytes.iter().fold(0, join),
    };
    if !is_signed {
        return value as f64;
    }
    let shift = (bytes.len() * 8).wrapping_sub(1) & 63;
    let mask = u64::MAX << shift;
    let value = if value & mask == 0 {
        value
    } else {
        value | mask
    };
    value.cast_signed() as f64
}

fn unpack(lua: &Lua, args: &MultiValue) -> mlua::Result<MultiValue> {
    let text = numbers::string(lua, args, 0, "unpack")?;
    let data = numbers::string(lua, args, 1, "unpack")?;
    let short = || raise::bad_argument(lua, 2, "unpack", "data string too short");
    let mut at = match args.get(2) {
        None | Some(Value::Nil) => 0,
        Some(_) => match truncated(numbers::argument(lua, args, 2, "unpack")?) {
            0 => {
                let complaint = "offset must be 1 or greater";
                return Err(raise::bad_argument(lua, 3, "unpack", complaint));
            }
            from => usize::try_from(from - 1).map_err(|_| short())?,
        },
    };
    let mut format = Format::new(&text);
    let mut values: Vec<Value> = Vec::new();
    while let Some(item) = format.next(lua)? {
        at += format.padding(item, at);
        let slice = |size: usize| data.get(at..).and_then(|rest| rest.get(..size));
        let bytes = slice(item.size).ok_or_else(short)?;
        let mut used = item.size;
        match item.option {
            b'b' | b'h' | b'l' | b'i' => {
                values.push(Value::Number(read_integer(bytes, format.order, true)));
            }
            b'B' | b'H' | b'L' | b'T' | b'I' => {
                values.push(Value::Number(read_integer(bytes, format.order, false)));
            }
            b'x' => {}
            b'f' => {
                let value = f32::from_le_bytes(ordered(bytes, format.order));
                values.push(Value::Number(f64::from(value)));
            }
            b'd' => {
                let value = f64::from_le_bytes(ordered(bytes, format.order));
                values.push(Value::Number(value));
            }
            b'c' => {
                let mut bytes = bytes;
                if item.size == 0 {
                    let size = values.pop().as_ref().and_then(size_of_next);
                    let Some(size) = size else {
                        let text = "format 'c0' needs a previous size";
                        return Err(raise::text(lua, text));
                    };
                    used = usize::try_from(truncated(size)).map_err(|_| short())?;
                    bytes = slice(used).ok_or_else(short)?;
                }
                values.push(Value::String(lua.create_string(bytes)?));
            }
            b's' => {
                let rest = data.get(at..).ok_or_else(short)?;
                let Some(len) = memchr::memchr(0, rest) else {
                    return Err(raise::text(lua, "unfinished string in data"));
                };
                used = len + 1;
                values.push(Value::String(lua.create_string(&rest[..len])?));
            }
            other => format.control(lua, other, "unpack")?,
        }
        at += used;
        if values.len() > RESULTS_MAX {
            return Err(raise::text(lua, "stack overflow (too many results)"));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a place in a string")]
    values.push(Value::Number((at + 1) as f64));
    Ok(MultiValue::from_vec(values))
}

/// The number that a value read before is, as the size of what follows.
fn size_of_next(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => numbers::spelled(&text.to_str().ok()?),
        other => double(other),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size")]
fn size(lua: &Lua, args: &MultiValue) -> mlua::Result<f64> {
    let text = numbers::string(lua, args, 0, "size")?;
    let mut format = Format::new(&text);
    let mut at: usize = 0;
    while let Some(item) = format.next(lua)? {
        at += format.padding(item, at);
        if item.option == b's' || (item.option == b'c' && item.size == 0) {
            let name = if item.option == b's' { "s" } else { "c0" };
            let complaint = format!("option '{name}' has no fixed size");
            return Err(raise::bad_argument(lua, 1, "size", &complaint));
        }
        if !item.option.is_ascii_alphanumeric() {
            format.control(lua, item.option, "size")?;
        }
        at = at.saturating_add(item.size);
    }
    Ok(at as f64)
}
