//! The chance that scripts see: Redis's generator, which every server begins alike.

use super::raise;
use mlua::{Lua, MultiValue, Value};
use std::cell::Cell;

/// POSIX's 48-bit linear congruential generator.
#[derive(Debug)]
pub(super) struct Random {
    state: Cell<u64>,
}

impl Default for Random {
    /// As it stands before anybody has seeded it.
    fn default() -> Self {
        Self {
            state: Cell::new(0x1234_abcd_330e),
        }
    }
}

const MASK: u64 = (1 << 48) - 1;
/// What `random()` divides by.
const RANGE: u64 = 0x7fff_ffff;

impl Random {
    /// Begins anew.
    pub(super) fn seed(&self, seed: i64) {
        let low = seed.cast_unsigned() & 0xffff_ffff;
        self.state.set((low << 16) | 0x330e);
    }

    fn next(&self) -> u64 {
        let state = self
            .state
            .get()
            .wrapping_mul(0x5_deec_e66d)
            .wrapping_add(0xb)
            & MASK;
        self.state.set(state);
        state >> 17
    }

    /// `math.random`: a fraction, or an integer up to or between bounds.
    pub(super) fn draw(&self, lua: &Lua, args: &MultiValue) -> mlua::Result<f64> {
        #[expect(clippy::cast_precision_loss, reason = "31 bits")]
        let fraction = (self.next() % RANGE) as f64 / RANGE as f64;
        let bound = |index: usize| match args.get(index) {
            #[expect(clippy::cast_precision_loss, reason = "Lua has nothing wider")]
            Some(Value::Integer(bound)) => Ok(*bound as f64),
            Some(Value::Number(bound)) => Ok(bound.trunc()),
            Some(Value::String(text)) => {
                match text.to_str().ok().and_then(|t| t.trim().parse().ok()) {
                    Some(bound) => Ok(f64::trunc(bound)),
                    None => Err(raise::wrong_type(
                        lua,
                        index + 1,
                        "random",
                        "number",
                        args.get(index),
                    )),
                }
            }
            other => Err(raise::wrong_type(lua, index + 1, "random", "number", other)),
        };
        match args.len() {
            0 => Ok(fraction),
            1 => {
                let high = bound(0)?;
                if high < 1.0 {
                    return Err(raise::bad_argument(lua, 1, "random", "interval is empty"));
                }
                Ok((fraction * high).floor() + 1.0)
            }
            2 => {
                let (low, high) = (bound(0)?, bound(1)?);
                if low > high {
                    return Err(raise::bad_argument(lua, 2, "random", "interval is empty"));
                }
                Ok((fraction * (high - low + 1.0)).floor() + low)
            }
            _ => Err(raise::text(lua, "wrong number of arguments")),
        }
    }
}
