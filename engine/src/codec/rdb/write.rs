//! Writing a snapshot: values from the forms that they have in memory, in chunks.
//!
//! Cost: a key without collections is copied once; compact values are a copy of their bytes.

use super::read::Usage;
use super::values::{NODE_PACK, NODE_PLAIN};
use super::{VERSION, kinds, marks};
use crate::base::lzf::{self, Compressor};
use crate::base::number::{Digits, parse_i64};
use crate::codec::crc64::Crc64;
use crate::value::list::Stored;
use crate::value::zset::{Direction, ZsetRef};
use crate::value::{
    Item, TAG_HASH, TAG_LIST, TAG_SET_INTS, TAG_SET_PACK, TAG_ZSET, Value, with_text,
};
use dovetail_memory::listpack::{FILE_EXTRA_BYTES, Listpack};
use dovetail_memory::{Body, EntryRef};

/// Bytes of a chunk, roughly.
const CHUNK_BYTES: usize = 64 << 10;
/// Longest text that may be stored as an integer.
const INT_TEXT_MAX: usize = 11;
/// Strings up to this length are not compressed.
const PLAIN_BYTES_MAX: usize = 20;
/// Compression that saves less is not worth it.
const SAVED_BYTES_MIN: usize = 4;
/// Room of the scratch buffers that is kept.
const ROOM_BYTES: usize = 1 << 20;

/// Where chunks go.
pub trait Sink {
    /// What can fail.
    type Error;

    /// Takes all of `bytes`.
    ///
    /// # Errors
    /// Whatever the sink says; nothing is written to it after that.
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl Sink for Vec<u8> {
    type Error = std::convert::Infallible;

    fn chunk(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Whether long strings are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// If that makes them shorter.
    On,
    /// Never.
    Off,
}

/// Whether there is a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summing {
    /// There is.
    On,
    /// There is none, and it takes no time.
    Off,
}

/// How a snapshot is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether long strings are compressed.
    pub compression: Compression,
    /// Whether there is a checksum.
    pub summing: Summing,
}

/// Writes a snapshot.
///
/// After an error nothing else makes sense; the file is to be thrown away.
#[derive(Debug)]
pub struct Writer<S> {
    sink: S,
    buffer: Vec<u8>,
    crc: Option<Crc64>,
    compressor: Option<Compressor>,
    /// A compressed string.
    packed: Vec<u8>,
    /// A listpack as a file has it.
    blob: Vec<u8>,
    written: u64,
}

type Written<S> = Result<(), <S as Sink>::Error>;

impl<S: Sink> Writer<S> {
    /// Writes to `sink`.
    pub fn new(sink: S, options: Options) -> Self {
        Self {
            sink,
            buffer: Vec::new(),
            crc: (options.summing == Summing::On).then(Crc64::new),
            compressor: (options.compression == Compression::On).then(Compressor::new),
            packed: Vec::new(),
            blob: Vec::new(),
            written: 0,
        }
    }

    /// Bytes so far, those that have not reached the sink included.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Writes magic and version; the first thing.
    ///
    /// # Errors
    /// Those of the sink, here and below.
    pub fn begin(&mut self) -> Written<S> {
        self.buffer.reserve(CHUNK_BYTES + CHUNK_BYTES / 8);
        self.raw(format!("REDIS{VERSION:04}").as_bytes())
    }

    /// Writes a field about the file.
    ///
    /// # Errors
    /// See [`Self::begin`].
    pub fn aux(&mut self, name: &[u8], value: &[u8]) -> Written<S> {
        self.buffer.push(marks::AUX);
        self.text(name)?;
        self.text(value)
    }

    /// Writes a library of functions.
    ///
    /// # Errors
    /// See [`Self::begin`].
    pub fn function(&mut self, source: &[u8]) -> Written<S> {
        self.buffer.push(marks::FUNCTION);
        self.text(source)
    }

    /// Begins a database that has so many keys.
    ///
    /// # Errors
    /// See [`Self::begin`].
    pub fn select(&mut self, db: u64, keys: u64, with_deadline: u64) -> Written<S> {
        self.buffer.push(marks::SELECT);
        push_length(&mut self.buffer, db);
        self.buffer.push(marks::RESIZE);
        push_length(&mut self.buffer, keys);
        push_length(&mut self.buffer, with_deadline);
        self.settle()
    }

    /// Writes a key with its deadline and value, and when it was used, if that is to be known.
    ///
    /// # Errors
    /// See [`Self::begin`].
    #[inline]
    pub fn key(&mut self, entry: EntryRef<'_, Value>, usage: Option<Usage>) -> Written<S> {
        if let Some(deadline) = entry.deadline() {
            let deadline = i64::try_from(deadline).unwrap_or(i64::MAX);
            self.buffer.push(marks::DEADLINE_MS);
            self.buffer.extend_from_slice(&deadline.to_le_bytes());
        }
        match usage {
            Some(Usage::Idle(secs)) => {
                self.buffer.push(marks::IDLE);
                push_length(&mut self.buffer, secs);
            }
            Some(Usage::Frequency(frequency)) => {
                self.buffer
                    .extend_from_slice(&[marks::FREQUENCY, frequency]);
            }
            None => {}
        }
        self.buffer.push(kind_of(entry));
        self.text(entry.key())?;
        self.body(entry)
    }

    /// Writes the end and the checksum. Returns the sink, and how many bytes it has got.
    ///
    /// # Errors
    /// See [`Self::begin`].
    pub fn finish(mut self) -> Result<(S, u64), S::Error> {
        self.buffer.push(marks::END);
        self.flush()?;
        let checksum = self.crc.take().map_or(0, |crc| crc.value());
        self.buffer.extend_from_slice(&checksum.to_le_bytes());
        self.flush()?;
        Ok((self.sink, self.written))
    }

    /// Writes kind and value, version and checksum: what DUMP answers.
    pub(in crate::codec) fn payload(mut self, entry: EntryRef<'_, Value>) -> Result<S, S::Error> {
        self.buffer.push(kind_of(entry));
        self.body(entry)?;
        self.buffer.extend_from_slice(&VERSION.to_le_bytes());
        self.flush()?;
        let checksum = self.crc.take().map_or(0, |crc| crc.value());
        self.buffer.extend_from_slice(&checksum.to_le_bytes());
        self.flush()?;
        Ok(self.sink)
    }

    fn flush(&mut self) -> Written<S> {
        if let Some(crc) = &mut self.crc {
            crc.update(&self.buffer);
        }
        self.sink.chunk(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Hands out what has come together, if it is a chunk.
    #[inline]
    fn settle(&mut self) -> Written<S> {
        if self.buffer.len() >= CHUNK_BYTES {
            return self.flush();
        }
        Ok(())
    }

    /// Writes bytes as they are.
    #[inline]
    fn raw(&mut self, bytes: &[u8]) -> Written<S> {
        if bytes.len() > CHUNK_BYTES {
            return self.raw_long(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        self.settle()
    }

    #[cold]
    fn raw_long(&mut self, bytes: &[u8]) -> Written<S> {
        self.flush()?;
        for chunk in bytes.chunks(CHUNK_BYTES) {
            if let Some(crc) = &mut self.crc {
                crc.update(chunk);
            }
            self.sink.chunk(chunk)?;
            self.written += chunk.len() as u64;
        }
        Ok(())
    }

    /// Writes a string in the shortest of its forms.
    #[inline]
    fn text(&mut self, text: &[u8]) -> Written<S> {
        if text.len() <= INT_TEXT_MAX
            && let Some(number) = parse_i64(text)
            && push_integer(&mut self.buffer, number)
        {
            return self.settle();
        }
        self.long_text(text)
    }

    /// Writes a string that spells no integer.
    #[inline]
    fn long_text(&mut self, text: &[u8]) -> Written<S> {
        if text.len() > PLAIN_BYTES_MAX && self.compressor.is_some() && self.compressed(text)? {
            return Ok(());
        }
        push_length(&mut self.buffer, text.len() as u64);
        self.raw(text)
    }

    /// Writes a string compressed, if that pays.
    fn compressed(&mut self, text: &[u8]) -> Result<bool, S::Error> {
        let Some(compressor) = &mut self.compressor else {
            return Ok(false);
        };
        self.packed.clear();
        self.packed.shrink_to(ROOM_BYTES);
        let room = text.len() - SAVED_BYTES_MIN + 1;
        if !compressor.append(text, room, &mut self.packed) {
            return Ok(false);
        }
        push_compressed(&mut self.buffer, self.packed.len(), text.len());
        let packed = std::mem::take(&mut self.packed);
        let written = self.raw(&packed);
        self.packed = packed;
        written.map(|()| true)
    }

    /// Writes a listpack of memory as a string that holds one of a file.
    fn pack(&mut self, pack: &[u8]) -> Written<S> {
        let mut blob = std::mem::take(&mut self.blob);
        blob.clear();
        blob.shrink_to(ROOM_BYTES);
        blob.extend_from_slice(&file_length(pack.len()));
        blob.extend_from_slice(pack);
        blob.push(PACK_END);
        let written = self.long_text(&blob);
        self.blob = blob;
        written
    }

    #[inline]
    fn item(&mut self, item: Item<'_>) -> Written<S> {
        match item {
            Item::Bytes(text) => self.text(text),
            Item::Int(number) if push_integer(&mut self.buffer, number) => self.settle(),
            Item::Int(number) => self.long_text(Digits::of(number).as_bytes()),
        }
    }

    #[inline]
    fn body(&mut self, entry: EntryRef<'_, Value>) -> Written<S> {
        match entry.body() {
            Body::Int(number) => self.item(Item::Int(number)),
            Body::Bytes(bytes) => match entry.tag() {
                TAG_LIST => {
                    push_length(&mut self.buffer, 1);
                    push_length(&mut self.buffer, NODE_PACK);
                    self.pack(bytes)
                }
                TAG_HASH | TAG_ZSET => self.pack(bytes),
                TAG_SET_INTS => self.long_text(bytes),
                TAG_SET_PACK => self.members(Listpack::new(bytes)),
                _ => self.text(bytes),
            },
            Body::Object(value) => self.object(value),
        }
    }

    fn members(&mut self, pack: Listpack<'_>) -> Written<S> {
        push_length(&mut self.buffer, pack.len() as u64);
        for member in pack.iter() {
            self.item(member)?;
        }
        Ok(())
    }

    fn object(&mut self, value: &Value) -> Written<S> {
        match value {
            Value::String(bytes) => self.text(bytes),
            Value::List(list) => {
                push_length(&mut self.buffer, list.stored_nodes().len() as u64);
                for node in list.stored_nodes() {
                    self.node(node)?;
                }
                Ok(())
            }
            Value::Hash(table) => {
                push_length(&mut self.buffer, table.len() as u64);
                for (field, value) in table.iter() {
                    self.text(field)?;
                    self.text(value)?;
                }
                Ok(())
            }
            Value::Set(table) => {
                push_length(&mut self.buffer, table.len() as u64);
                for (member, _) in table.iter() {
                    self.text(member)?;
                }
                Ok(())
            }
            Value::Zset(zset) => {
                push_length(&mut self.buffer, zset.len() as u64);
                let mut written = Ok(());
                let all = 0..zset.len();
                ZsetRef::Large(zset).range(all, Direction::Down, |member, score| {
                    if written.is_ok() {
                        written = self.member(member, score);
                    }
                });
                written
            }
        }
    }

    fn member(&mut self, member: Item<'_>, score: f64) -> Written<S> {
        with_text(member, |text| self.text(text))?;
        self.raw(&score.to_le_bytes())
    }

    fn node(&mut self, node: Stored<'_>) -> Written<S> {
        match node {
            Stored::Plain(element) => {
                push_length(&mut self.buffer, NODE_PLAIN);
                self.text(element)
            }
            Stored::Pack(pack) => {
                push_length(&mut self.buffer, NODE_PACK);
                self.pack(pack)
            }
            Stored::Squeezed { bytes, len } => {
                push_length(&mut self.buffer, NODE_PACK);
                self.squeezed(bytes, len)
            }
        }
    }

    /// Writes a compressed listpack of memory, which had `len` bytes before.
    ///
    /// Compressed bytes refer to what is so far behind them and to no place, so others may stand
    /// around them: a file's length in front and its end mark behind, both as literals.
    fn squeezed(&mut self, bytes: &[u8], len: usize) -> Written<S> {
        let Some(_) = self.compressor else {
            let pack = lzf::decompress(bytes, len);
            return self.pack(&pack.expect("the list has compressed it itself"));
        };
        let length = file_length(len);
        let [front, back] = [length.len() - 1, 0].map(|more| u8::try_from(more).unwrap_or(0));
        let packed_len = 1 + length.len() + bytes.len() + 2;
        push_compressed(&mut self.buffer, packed_len, len + FILE_EXTRA_BYTES);
        self.buffer.push(front);
        self.buffer.extend_from_slice(&length);
        self.raw(bytes)?;
        self.raw(&[back, PACK_END])
    }
}

/// Behind the last element of a file's listpack.
const PACK_END: u8 = 0xff;

/// The length that stands in front of a file's listpack, which has so many bytes in memory.
fn file_length(len: usize) -> [u8; 4] {
    let len = u32::try_from(len + FILE_EXTRA_BYTES);
    len.expect("a listpack has less than 4 GiB").to_le_bytes()
}

/// The kind that what `entry` holds is written as.
#[inline]
fn kind_of(entry: EntryRef<'_, Value>) -> u8 {
    match entry.body() {
        Body::Int(_) => kinds::STRING,
        Body::Bytes(_) => match entry.tag() {
            TAG_LIST => kinds::LIST_PACKS,
            TAG_HASH => kinds::HASH_PACK,
            TAG_SET_INTS => kinds::SET_INTS,
            TAG_SET_PACK => kinds::SET,
            TAG_ZSET => kinds::ZSET_PACK,
            _ => kinds::STRING,
        },
        Body::Object(value) => match value {
            Value::String(_) => kinds::STRING,
            Value::List(_) => kinds::LIST_PACKS,
            Value::Hash(_) => kinds::HASH,
            Value::Set(_) => kinds::SET,
            Value::Zset(_) => kinds::ZSET,
        },
    }
}

/// Writes a length in the shortest of its forms.
#[expect(
    clippy::cast_possible_truncation,
    reason = "each form is taken for lengths that it has room for"
)]
#[inline]
fn push_length(out: &mut Vec<u8>, length: u64) {
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend_from_slice(&(0x4000 | length as u16).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

/// Writes an integer as such, if it is small enough. Returns whether it is.
#[inline]
fn push_integer(out: &mut Vec<u8>, number: i64) -> bool {
    if let Ok(number) = i8::try_from(number) {
        out.push(0xc0);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(0xc1);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(0xc2);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        return false;
    }
    true
}

/// Writes what stands in front of `packed` bytes that were `len` before they were compressed.
fn push_compressed(out: &mut Vec<u8>, packed: usize, len: usize) {
    out.push(0xc3);
    push_length(out, packed as u64);
    push_length(out, len as u64);
}
