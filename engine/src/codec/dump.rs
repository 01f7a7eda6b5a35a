//! One value by itself, as DUMP answers it and RESTORE takes it: kind, value, version and checksum.

use super::crc64::checksum;
use super::rdb::{
    Compression, Dialect, Fault, Input, Options, RdbError, Stop, Summing, Tools, VALKEY_VERSION,
    VERSION_MAX, Writer, read_whole,
};
use crate::value::Value;
use crate::value::restore::{Form, Limits, Made};
use dovetail_memory::{EntryRef, NewBody};
use std::fmt;

/// Bytes of version and checksum.
const FOOTER_BYTES: usize = 10;

/// The payload of what `entry` holds.
#[must_use]
pub fn dump(entry: EntryRef<'_, Value>, compression: Compression) -> Vec<u8> {
    let options = Options {
        compression,
        summing: Summing::On,
    };
    match Writer::new(Vec::new(), options).payload(entry) {
        Ok(payload) => payload,
        Err(never) => match never {},
    }
}

/// Why a payload makes no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadError {
    /// It is too short, of a version that is not read, or its checksum is wrong.
    Footer,
    /// Its value is damaged, or of a type that does not exist here.
    Value(RdbError),
}

impl fmt::Display for PayloadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Footer => out.write_str("the payload's version or checksum is wrong"),
            Self::Value(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for PayloadError {}

/// A value out of a payload.
#[derive(Debug)]
pub struct Restored {
    made: Made,
    bytes: Vec<u8>,
}

impl Restored {
    /// Lets `put` have tag and body of a record that holds it.
    pub fn put<R>(self, put: impl FnOnce(u8, NewBody<'_, Value>) -> R) -> R {
        let body = match self.made.form {
            Form::Int(number) => NewBody::Int(number),
            Form::Appended => NewBody::Bytes(&self.bytes),
            Form::Object(value) => NewBody::Object(value),
        };
        put(self.made.tag, body)
    }
}

/// The value of `payload`, looked at in full.
///
/// # Errors
/// When there is anything wrong with it.
pub fn restore(payload: &[u8], limits: Limits) -> Result<Restored, PayloadError> {
    let (content, footer) = payload
        .len()
        .checked_sub(FOOTER_BYTES)
        .map(|len| payload.split_at(len))
        .ok_or(PayloadError::Footer)?;
    let (version, stored) = footer.split_first_chunk().ok_or(PayloadError::Footer)?;
    let version = u16::from_le_bytes(*version);
    let dialect = match version {
        ..=VERSION_MAX => Dialect::Redis,
        VALKEY_VERSION => Dialect::Valkey,
        _ => return Err(PayloadError::Footer),
    };
    let summed = &payload[..content.len() + size_of::<u16>()];
    if checksum(summed).to_le_bytes() != stored {
        return Err(PayloadError::Footer);
    }
    read(content, limits, dialect).map_err(PayloadError::Value)
}

fn read(content: &[u8], limits: Limits, dialect: Dialect) -> Result<Restored, RdbError> {
    let mut input = Input::new(content, None, Some(content.len()));
    let mut tools = Tools::new(limits, dialect);
    let mut bytes = Vec::new();
    let mut known = None;
    let mut whole = || {
        let kind = input.byte()?;
        known = Some(kind);
        let made = read_whole(kind, &mut input, &mut tools, &mut bytes)?;
        if input.offset() != content.len() as u64 {
            return Err(Fault::Leftover.into());
        }
        Ok(made)
    };
    match whole() {
        Ok(made) => Ok(Restored { made, bytes }),
        Err(Stop::Source(never)) => match never {},
        Err(Stop::Fault(fault)) => Err(RdbError {
            at: input.offset(),
            key: None,
            kind: known,
            fault,
        }),
    }
}
