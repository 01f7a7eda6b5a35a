//! Reading a snapshot piece by piece: what it says about itself, and batches of keys.

use super::error::{Fault, RdbError, ReadError, Stop};
use super::input::{Input, Source};
use super::values::{
    Dialect, Progress, Tools, Unfinished, begin_collection, module_name, read_string,
};
use super::{VALKEY_VERSION, VERSION_MAX, kinds, marks};
use crate::codec::crc64::Crc64;
use crate::value::restore::{Form, Limits, Made, Unfit};
use crate::value::{TAG_HASH, TAG_LIST, TAG_SET_INTS, TAG_SET_PACK, TAG_ZSET, Value};
use dovetail_memory::NewBody;
use dovetail_memory::intset::Intset;
use dovetail_memory::listpack::Listpack;
use std::ops::Range;

/// A batch with more bytes is handed out, however few its keys are.
const BATCH_BYTES: usize = 64 << 10;
/// Room of an emptied batch that is kept.
const ROOM_BYTES: usize = 1 << 20;
/// Files before this version have no checksum.
const VERSION_CHECKSUM: u16 = 5;

/// Whether the checksum is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// It is.
    Yes,
    /// It is not, and takes no time.
    No,
}

/// How a snapshot is read.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Up to which size values are compact.
    pub limits: Limits,
    /// Whether the checksum is looked at.
    pub verify: Verify,
    /// Most keys in a batch.
    pub batch: usize,
}

/// What was found about the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is that of the bytes.
    Right,
    /// The file has none.
    Absent,
    /// Nobody has looked.
    Unverified,
}

/// When a key was used, as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// So many seconds before.
    Idle(u64),
    /// So often, logarithmically.
    Frequency(u8),
}

/// What a snapshot says, in its order.
#[derive(Debug)]
pub enum Event<'r> {
    /// A field about the file.
    Aux {
        /// Its name.
        name: &'r [u8],
        /// Its value.
        value: &'r [u8],
    },
    /// The source of a library of functions.
    Function(&'r [u8]),
    /// The keys that follow belong to this database.
    Select(u64),
    /// How many keys the database has, if that is true.
    Resize {
        /// All of them.
        keys: u64,
        /// Those with a deadline.
        with_deadline: u64,
    },
    /// Keys of the database last selected; 0 before.
    Keys(&'r mut Batch),
    /// A part of a large value has been read, and nothing else.
    Progress,
    /// The end; what the source has behind it is not part of the snapshot.
    End(Checksum),
}

/// One key of a batch.
#[derive(Debug)]
pub struct Loaded<'r> {
    /// The key.
    pub key: &'r [u8],
    /// The record's tag.
    pub tag: u8,
    /// The record's body.
    pub body: NewBody<'r, Value>,
    /// The deadline in unix milliseconds.
    pub deadline: Option<u64>,
    /// When it was used.
    pub usage: Option<Usage>,
    /// The kind of value in the file; see [`kinds`].
    pub kind: u8,
    /// Bytes that key and value take in the file, marks included.
    pub file_bytes: u64,
}

impl Loaded<'_> {
    /// How many elements, members, or fields the value has; `None` of a string.
    #[must_use]
    pub fn elements(&self) -> Option<usize> {
        match &self.body {
            NewBody::Bytes(bytes) => match self.tag {
                TAG_LIST | TAG_SET_PACK => Some(Listpack::new(bytes).len()),
                TAG_HASH | TAG_ZSET => Some(Listpack::new(bytes).len() / 2),
                TAG_SET_INTS => Some(Intset::new(bytes).len()),
                _ => None,
            },
            NewBody::Object(value) => match &**value {
                Value::String(_) => None,
                Value::List(list) => Some(list.len()),
                Value::Hash(table) | Value::Set(table) => Some(table.len()),
                Value::Zset(zset) => Some(zset.len()),
            },
            NewBody::Int(_) | NewBody::Parts(_) => None,
        }
    }
}

/// Keys with their values, ready to become records.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    key: Range<usize>,
    tag: u8,
    body: Held,
    deadline: Option<u64>,
    usage: Option<Usage>,
    kind: u8,
    file_bytes: u64,
}

#[derive(Debug)]
enum Held {
    Int(i64),
    Bytes(Range<usize>),
    Object(Option<Box<Value>>),
}

impl Batch {
    /// How many keys there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// No key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Key number `index`, to be hashed ahead.
    ///
    /// # Panics
    /// When there are not so many, here and below.
    #[must_use]
    #[inline]
    pub fn key(&self, index: usize) -> &[u8] {
        &self.bytes[self.slots[index].key.clone()]
    }

    /// The kind of value that key number `index` has in the file; see [`kinds`].
    #[must_use]
    pub fn kind(&self, index: usize) -> u8 {
        self.slots[index].kind
    }

    /// The deadline of key number `index`.
    #[must_use]
    #[inline]
    pub fn deadline(&self, index: usize) -> Option<u64> {
        self.slots[index].deadline
    }

    /// Takes key number `index`; of a large value nothing is left afterwards.
    #[inline]
    pub fn take(&mut self, index: usize) -> Loaded<'_> {
        let slot = &mut self.slots[index];
        let body = match &mut slot.body {
            Held::Int(number) => NewBody::Int(*number),
            Held::Bytes(range) => NewBody::Bytes(&self.bytes[range.clone()]),
            Held::Object(value) => match value.take() {
                Some(value) => NewBody::Object(value),
                None => NewBody::Bytes(&[]),
            },
        };
        Loaded {
            key: &self.bytes[slot.key.clone()],
            tag: slot.tag,
            body,
            deadline: slot.deadline,
            usage: slot.usage,
            kind: slot.kind,
            file_bytes: slot.file_bytes,
        }
    }

    fn clear(&mut self) {
        self.slots.clear();
        self.bytes.clear();
        self.bytes.shrink_to(ROOM_BYTES);
    }
}

/// A key whose value is being read.
#[derive(Clone, Debug)]
struct Reading {
    key: Range<usize>,
    kind: u8,
    start: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    Between,
    Ended,
}

/// Reads a snapshot.
#[derive(Debug)]
pub struct Reader<S> {
    input: Input<S>,
    tools: Tools,
    verify: Verify,
    batch_max: usize,
    state: State,
    version: u16,
    batch: Batch,
    /// The batch has been handed out.
    is_lent: bool,
    /// Where the marks of the next key begin, its deadline and use.
    start: Option<u64>,
    deadline: Option<u64>,
    usage: Option<Usage>,
    reading: Option<Reading>,
    /// What has been read of its value.
    unfinished: Option<Unfinished>,
    /// The last key that was read is without a value: its collection was empty.
    skipped: u64,
    /// What an event lends.
    name: Vec<u8>,
    value: Vec<u8>,
}

type Taken<T, E> = Result<T, Stop<E>>;

/// What one step came to.
enum Step {
    /// Nothing that anybody has to hear of.
    On,
    Keys,
    Aux,
    Function,
    Select(u64),
    Resize(u64, u64),
    Progress,
    End(Checksum),
}

impl<S: Source> Reader<S> {
    /// Reads what `source` gives.
    pub fn new(source: S, rules: Rules) -> Self {
        let crc = (rules.verify == Verify::Yes).then(Crc64::new);
        Self {
            input: Input::new(source, crc, None),
            tools: Tools::new(rules.limits, Dialect::Redis),
            verify: rules.verify,
            batch_max: rules.batch.max(1),
            state: State::Begin,
            version: 0,
            batch: Batch::default(),
            is_lent: false,
            start: None,
            deadline: None,
            usage: None,
            reading: None,
            unfinished: None,
            skipped: 0,
            name: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Bytes that have been read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The file's version; 0 before the first event.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Keys that were left out because their collections were empty, as real servers do.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The source, and what has been taken from it and lies behind what was read: after the end,
    /// that is what follows the snapshot.
    pub fn into_rest(self) -> (S, Vec<u8>) {
        self.input.into_rest()
    }

    /// The next event. Behind the end, and after an error, there is nothing to be asked for.
    ///
    /// # Errors
    /// When the source fails or what it gave is no snapshot that can be read. Keys that were read
    /// since the last event are lost then.
    #[expect(
        clippy::should_implement_trait,
        reason = "an event borrows from the reader"
    )]
    pub fn next(&mut self) -> Result<Event<'_>, ReadError<S::Error>> {
        if std::mem::take(&mut self.is_lent) {
            self.batch.clear();
        }
        let step = loop {
            match self.step() {
                Ok(Step::On) => {}
                Ok(step) => break step,
                Err(stop) => return Err(self.locate(stop)),
            }
        };
        Ok(match step {
            Step::On | Step::Progress => Event::Progress,
            Step::Keys => {
                self.is_lent = true;
                Event::Keys(&mut self.batch)
            }
            Step::Aux => Event::Aux {
                name: &self.name,
                value: &self.value,
            },
            Step::Function => Event::Function(&self.value),
            Step::Select(db) => Event::Select(db),
            Step::Resize(keys, with_deadline) => Event::Resize {
                keys,
                with_deadline,
            },
            Step::End(checksum) => Event::End(checksum),
        })
    }

    fn locate(&self, stop: Stop<S::Error>) -> ReadError<S::Error> {
        let fault = match stop {
            Stop::Source(error) => return ReadError::Source(error),
            Stop::Fault(fault) => fault,
        };
        let reading = self.reading.as_ref();
        ReadError::Rdb(RdbError {
            at: self.input.mark,
            key: reading.map(|reading| self.batch.bytes[reading.key.clone()].into()),
            kind: reading.map(|reading| reading.kind),
            fault,
        })
    }

    fn step(&mut self) -> Taken<Step, S::Error> {
        match self.state {
            State::Begin => {
                self.begin()?;
                self.state = State::Between;
            }
            State::Between => {}
            State::Ended => return Ok(Step::End(Checksum::Unverified)),
        }
        if self.unfinished.is_some() {
            return self.go_on();
        }
        if self.batch.len() >= self.batch_max || self.batch.bytes.len() >= BATCH_BYTES {
            return Ok(Step::Keys);
        }
        let mark = self.input.peek()?;
        match mark {
            ..marks::SLOT_IMPORT => self.begin_key(mark),
            marks::IDLE | marks::FREQUENCY | marks::DEADLINE | marks::DEADLINE_MS => {
                self.attribute(mark)
            }
            _ if !self.batch.is_empty() => Ok(Step::Keys),
            _ => self.section(mark),
        }
    }

    /// Reads magic and version.
    fn begin(&mut self) -> Taken<(), S::Error> {
        let magic: [u8; 9] = match self.input.array() {
            // What is too short for the beginning is no snapshot.
            Err(Stop::Fault(_)) => return Err(Fault::NoSnapshot.into()),
            magic => magic?,
        };
        let number = |digits: &[u8]| -> Option<u16> {
            let is_number = digits.iter().all(u8::is_ascii_digit);
            let text = std::str::from_utf8(digits).ok()?;
            text.parse().ok().filter(|_| is_number)
        };
        let is_readable = if let Some(digits) = magic.strip_prefix(b"REDIS") {
            self.version = number(digits).ok_or(Fault::NoSnapshot)?;
            (1..=VERSION_MAX).contains(&self.version)
        } else if let Some(digits) = magic.strip_prefix(b"VALKEY") {
            self.version = number(digits).ok_or(Fault::NoSnapshot)?;
            self.tools.dialect = Dialect::Valkey;
            self.version == VALKEY_VERSION
        } else {
            return Err(Fault::NoSnapshot.into());
        };
        if !is_readable {
            let name = String::from_utf8_lossy(&magic).into_owned();
            return Err(Fault::Version(name.into()).into());
        }
        Ok(())
    }

    fn attribute(&mut self, mark: u8) -> Taken<Step, S::Error> {
        self.start.get_or_insert(self.input.offset());
        self.input.skip();
        match mark {
            marks::IDLE => self.usage = Some(Usage::Idle(self.input.length()?)),
            marks::FREQUENCY => self.usage = Some(Usage::Frequency(self.input.byte()?)),
            marks::DEADLINE => {
                let secs = i64::from(i32::from_le_bytes(self.input.array()?));
                self.deadline = deadline_of(secs.saturating_mul(1000));
            }
            _ => self.deadline = deadline_of(i64::from_le_bytes(self.input.array()?)),
        }
        Ok(Step::On)
    }

    #[inline]
    fn begin_key(&mut self, kind: u8) -> Taken<Step, S::Error> {
        let start = self.start.take().unwrap_or(self.input.offset());
        if !kinds::is_known(kind) {
            return Err(Fault::UnknownMark(kind).into());
        }
        self.input.skip();
        let text = self.input.text()?;
        let from = self.batch.bytes.len();
        self.batch.bytes.extend_from_slice(self.input.bytes(&text));
        self.reading = Some(Reading {
            key: from..self.batch.bytes.len(),
            kind,
            start,
        });
        if kind == kinds::STRING {
            let made = read_string(&mut self.input, &mut self.batch.bytes)?;
            self.finish(made);
            return Ok(Step::On);
        }
        let progress = begin_collection(
            kind,
            &mut self.input,
            &mut self.tools,
            &mut self.batch.bytes,
        );
        self.proceed(progress)
    }

    fn go_on(&mut self) -> Taken<Step, S::Error> {
        let Some(unfinished) = self.unfinished.take() else {
            return Ok(Step::On);
        };
        let progress = unfinished.go_on(&mut self.input, &mut self.tools, &mut self.batch.bytes);
        self.proceed(progress)
    }

    fn proceed(&mut self, progress: Taken<Progress, S::Error>) -> Taken<Step, S::Error> {
        match progress {
            Ok(Progress::Done(made)) => {
                self.finish(made);
                Ok(Step::On)
            }
            Ok(Progress::Parts(unfinished)) => {
                // After its length has been read, its elements come next.
                let is_new = unfinished.is_untouched();
                self.unfinished = Some(unfinished);
                Ok(if is_new { Step::On } else { Step::Progress })
            }
            Err(Stop::Fault(Fault::Unfit(Unfit::Empty))) => {
                self.skip_key();
                Ok(Step::On)
            }
            Err(stop) => Err(stop),
        }
    }

    #[inline]
    fn finish(&mut self, made: Made) {
        let Some(reading) = self.reading.take() else {
            return;
        };
        let body = match made.form {
            Form::Int(number) => Held::Int(number),
            Form::Appended => Held::Bytes(reading.key.end..self.batch.bytes.len()),
            Form::Object(value) => Held::Object(Some(value)),
        };
        self.batch.slots.push(Slot {
            key: reading.key,
            tag: made.tag,
            body,
            deadline: self.deadline.take(),
            usage: self.usage.take(),
            kind: reading.kind,
            file_bytes: self.input.offset() - reading.start,
        });
    }

    /// Forgets the key that has just been read.
    fn skip_key(&mut self) {
        if let Some(reading) = self.reading.take() {
            self.batch.bytes.truncate(reading.key.start);
        }
        (self.deadline, self.usage) = (None, None);
        self.skipped += 1;
    }

    /// Reads what stands between databases and keys.
    fn section(&mut self, mark: u8) -> Taken<Step, S::Error> {
        self.input.skip();
        match mark {
            marks::AUX => {
                keep_text(&mut self.input, &mut self.name)?;
                keep_text(&mut self.input, &mut self.value)?;
                Ok(Step::Aux)
            }
            marks::FUNCTION => {
                keep_text(&mut self.input, &mut self.value)?;
                Ok(Step::Function)
            }
            marks::SELECT => Ok(Step::Select(self.input.length()?)),
            marks::RESIZE => Ok(Step::Resize(self.input.length()?, self.input.length()?)),
            marks::SLOT_INFO => {
                for _ in 0..3 {
                    self.input.length()?;
                }
                Ok(Step::On)
            }
            marks::MODULE_AUX => {
                let name = module_name(self.input.length()?);
                Err(Fault::Module(name.into()).into())
            }
            marks::FUNCTION_OLD => {
                Err(Fault::NotHere("functions of Redis 7.0's release candidates").into())
            }
            marks::END => {
                self.state = State::Ended;
                Ok(Step::End(self.verdict()?))
            }
            _ => Err(Fault::UnknownMark(mark).into()),
        }
    }

    fn verdict(&mut self) -> Taken<Checksum, S::Error> {
        if self.version < VERSION_CHECKSUM {
            return Ok(Checksum::Absent);
        }
        let computed = self.input.checksum();
        let stored = u64::from_le_bytes(self.input.array()?);
        match computed {
            _ if self.verify == Verify::No => Ok(Checksum::Unverified),
            _ if stored == 0 => Ok(Checksum::Absent),
            Some(computed) if computed != stored => {
                Err(Fault::Checksum { stored, computed }.into())
            }
            _ => Ok(Checksum::Right),
        }
    }
}

fn keep_text<S: Source>(input: &mut Input<S>, into: &mut Vec<u8>) -> Taken<(), S::Error> {
    let text = input.text()?;
    into.clear();
    into.extend_from_slice(input.bytes(&text));
    Ok(())
}

/// A deadline in unix milliseconds: -1 is none, and what lies before 1970 is long past.
fn deadline_of(millis: i64) -> Option<u64> {
    (millis != -1).then(|| u64::try_from(millis).unwrap_or(0))
}
