//! Files of traces: `NAME.dvt`, or `NAME.dvt.zst` as one zstd frame.
//!
//! Little-endian. 32 bytes: `DVTRACE1`, the numbers of requests and of keys, the sum of one size per
//! key. Then 20 bytes for each request: key (8), size (4), seconds since the first (4), 0 for a read
//! or 1 for a write (1), zeros (3). Keys are numbered in the order of first appearance, each with one
//! size, which is 1 throughout where the source has no sizes. Nothing that is read is trusted.

use std::fmt;
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ruzstd::decoding::StreamingDecoder;

use super::Trace;

const MAGIC: &[u8; 8] = b"DVTRACE1";
const HEADER: usize = 32;
const RECORD: usize = 20;
/// Requests that are made room for before they have come.
const ROOM: u64 = 1 << 20;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is no zstd, or damaged; in the words of the decoder.
    Compression(String),
    /// The checksum of the frame is another one.
    Checksum,
    /// There are so many bytes behind the frame.
    Trailing(usize),
    /// It has not even a header, but so many bytes.
    Header(usize),
    /// It begins with something else.
    Magic([u8; 8]),
    /// The header announces so many requests, or keys, more than there can be.
    Many(u64),
    /// It ends too early.
    Short {
        /// Whole records that are there.
        found: u64,
        /// Records that the header announces.
        announced: u64,
    },
    /// There is more behind the records that the header announces.
    Long(u64),
    /// A key's number is neither known nor the next.
    Key {
        /// The record, from 0.
        record: u64,
        /// The key.
        key: u64,
        /// What the next new one would be.
        next: usize,
    },
    /// A key has no size, or another one than before.
    Size {
        /// The record, from 0.
        record: u64,
        /// The key.
        key: u64,
        /// Its size there.
        size: u32,
    },
    /// A record goes back in time.
    Time(u64),
    /// A record is neither a read nor a write, or its last bytes are not zero.
    Op(u64),
    /// What the header says of keys and bytes is not what the records say.
    Sum {
        /// Keys and bytes of the header.
        announced: (u64, u64),
        /// Keys and bytes of the records.
        found: (u64, u64),
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compression(text) => write!(f, "is no zstd file, or a damaged one: {text}"),
            Self::Checksum => f.write_str("is damaged: the checksum is another one"),
            Self::Trailing(bytes) => write!(f, "has {bytes} bytes behind its end"),
            Self::Header(bytes) => {
                write!(f, "has {bytes} bytes and no header, which takes {HEADER}")
            }
            Self::Magic(magic) => {
                let magic = magic.escape_ascii();
                write!(
                    f,
                    "is no trace: it begins with '{magic}' instead of 'DVTRACE1'"
                )
            }
            Self::Many(count) => write!(f, "announces {count} requests or keys, too many"),
            Self::Short { found, announced } => {
                write!(f, "ends after {found} of {announced} records")
            }
            Self::Long(announced) => write!(f, "goes on behind the {announced} records announced"),
            Self::Key { record, key, next } => write!(
                f,
                "record {record} has key {key}, but the next new key would be {next}"
            ),
            Self::Size { record, key, size } => write!(
                f,
                "record {record} gives key {key} the size {size}: 0, or another one than before"
            ),
            Self::Time(record) => write!(f, "record {record} goes back in time"),
            Self::Op(record) => write!(f, "record {record} is neither a read nor a write"),
            Self::Sum { announced, found } => write!(
                f,
                "announces {} keys of {} bytes, but has {} keys of {} bytes",
                announced.0, announced.1, found.0, found.1
            ),
        }
    }
}

impl std::error::Error for Fault {}

/// The traces in a folder, by name.
///
/// # Errors
/// If it cannot be read or holds none.
pub(crate) fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let reading = || format!("reading {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let name = file.strip_suffix(".zst").unwrap_or(file);
        if let Some(name) = name.strip_suffix(".dvt") {
            files.push((name.to_owned(), path));
        }
    }
    files.sort();
    if let Some(pair) = files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let (name, folder) = (&pair[0].0, folder.display());
        bail!("{folder} holds {name} twice, with and without compression");
    }
    if files.is_empty() {
        bail!(
            "{} holds no trace: no *.dvt.zst and no *.dvt",
            folder.display()
        );
    }
    Ok(files)
}

/// The trace in a zstd frame.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<Trace, Fault> {
    let compression = |error: &dyn fmt::Display| Fault::Compression(error.to_string());
    let decoder = StreamingDecoder::new(bytes).map_err(|error| compression(&error))?;
    let mut reader = BufReader::with_capacity(1 << 16, decoder);
    let trace = parse(name, &mut reader)?;
    let decoder = reader.into_inner();
    let frame = &decoder.decoder;
    if frame.get_checksum_from_data() != frame.get_calculated_checksum() {
        return Err(Fault::Checksum);
    }
    match decoder.get_ref().len() {
        0 => Ok(trace),
        bytes => Err(Fault::Trailing(bytes)),
    }
}

/// The trace that bytes mean.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn parse(name: &str, reader: &mut dyn Read) -> Result<Trace, Fault> {
    let mut header = [0; HEADER];
    let length = fill(reader, &mut header)?;
    if length < HEADER {
        return Err(Fault::Header(length));
    }
    let [magic, requests, keys, bytes] = [0, 8, 16, 24].map(|at| field(&header, at));
    if magic.to_le_bytes() != *MAGIC {
        return Err(Fault::Magic(magic.to_le_bytes()));
    }
    if let Some(&count) = [requests, keys]
        .iter()
        .find(|&&count| count >= u64::from(u32::MAX))
    {
        return Err(Fault::Many(count));
    }
    let mut trace = Trace {
        name: name.to_owned(),
        keys: Vec::with_capacity(usize::try_from(requests.min(ROOM)).unwrap_or(0)),
        sizes: Vec::new(),
    };
    let (mut record, mut time) = ([0; RECORD], 0);
    for index in 0..requests {
        if fill(reader, &mut record)? < RECORD {
            return Err(Fault::Short {
                found: index,
                announced: requests,
            });
        }
        note(&mut trace, index, &record)?;
        let own = field(&record, 8) >> 32;
        if own < time {
            return Err(Fault::Time(index));
        }
        time = own;
    }
    if fill(reader, &mut [0])? > 0 {
        return Err(Fault::Long(requests));
    }
    let (announced, found) = ((keys, bytes), (trace.distinct() as u64, trace.footprint()));
    if announced == found {
        Ok(trace)
    } else {
        Err(Fault::Sum { announced, found })
    }
}

/// Adds a record.
fn note(trace: &mut Trace, record: u64, bytes: &[u8; RECORD]) -> Result<(), Fault> {
    let key = field(bytes, 0);
    let size = u32::try_from(field(bytes, 8) & u64::from(u32::MAX)).unwrap_or(0);
    let next = trace.sizes.len();
    let (Ok(own), true) = (u32::try_from(key), key <= next as u64) else {
        return Err(Fault::Key { record, key, next });
    };
    if key == next as u64 {
        trace.sizes.push(size);
    }
    if size == 0 || trace.size(own) != size {
        return Err(Fault::Size { record, key, size });
    }
    if bytes[16] > 1 || bytes[17..] != [0; 3] {
        return Err(Fault::Op(record));
    }
    trace.keys.push(own);
    Ok(())
}

/// Eight bytes as a number.
fn field(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// Reads until the buffer is full or there is no more; how much there was.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, Fault> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Fault::Compression(error.to_string())),
        }
    }
    Ok(length)
}

/// The bytes that mean a trace; all its requests are reads at time 0.
#[cfg(test)]
pub(crate) fn written(trace: &Trace) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let head = [
        trace.keys.len() as u64,
        trace.distinct() as u64,
        trace.footprint(),
    ];
    bytes.extend(head.map(u64::to_le_bytes).as_flattened());
    for &key in &trace.keys {
        bytes.extend(u64::from(key).to_le_bytes());
        bytes.extend(trace.size(key).to_le_bytes());
        bytes.extend([0; 8]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn trace() -> Trace {
        let keys = (0..500).map(|at: u32| (at * at) % (at / 3 + 1));
        let mut trace = Trace {
            name: "t".to_owned(),
            ..Trace::default()
        };
        let mut known = std::collections::HashMap::new();
        for key in keys {
            let next = u32::try_from(known.len()).unwrap();
            let dense = *known.entry(key).or_insert(next);
            if dense == next {
                trace.sizes.push(key * 3 + 1);
            }
            trace.keys.push(dense);
        }
        trace
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn fault(bytes: &[u8]) -> Fault {
        parse("t", &mut &*bytes).unwrap_err()
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = written(&trace());
        assert_eq!(parse("t", &mut bytes.as_slice()), Ok(trace()));
        assert_eq!(decode("t", &packed(&bytes)), Ok(trace()));
    }

    #[test]
    fn each_kind_of_damage_has_a_name() {
        let good = written(&trace());
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            fault(&bytes)
        };
        let second = HEADER + RECORD;
        assert_eq!(fault(&good[..31]), Fault::Header(31));
        assert!(matches!(with(0, b'X'), Fault::Magic(_)));
        assert!(matches!(with(15, 1), Fault::Many(_)));
        assert_eq!(with(8, 0), Fault::Long(256));
        assert_eq!(
            fault(&good[..good.len() - 1]),
            Fault::Short {
                found: 499,
                announced: 500
            }
        );
        assert!(matches!(with(16, 0), Fault::Sum { .. }));
        assert!(matches!(with(24, 0), Fault::Sum { .. }));
        assert!(matches!(
            with(second, 9),
            Fault::Key {
                record: 1,
                key: 9,
                ..
            }
        ));
        assert!(matches!(with(second + 7, 9), Fault::Key { record: 1, .. }));
        assert!(matches!(
            with(second + 8, 0),
            Fault::Size {
                record: 1,
                size: 0,
                ..
            }
        ));
        assert!(matches!(
            with(good.len() - 12, 0),
            Fault::Size { record: 499, .. }
        ));
        assert_eq!(with(second + 12, 1), Fault::Time(2));
        assert_eq!(with(second + 16, 2), Fault::Op(1));
        assert_eq!(with(second + 19, 2), Fault::Op(1));
        let long = [good.as_slice(), b"x"].concat();
        assert_eq!(fault(&long), Fault::Long(500));
    }

    #[test]
    fn damaged_compression_is_refused_wherever_it_is() {
        let good = packed(&written(&trace()));
        for at in 0..good.len() {
            assert!(decode("t", &good[..at]).is_err(), "cut at {at}");
            let mut bytes = good.clone();
            for bit in [1, 16, 128] {
                bytes[at] ^= bit;
                // What changes nothing that is read may pass, but with the same trace.
                assert_eq!(decode("t", &bytes).unwrap_or_else(|_| trace()), trace());
            }
        }
        let long = [good.as_slice(), b"more"].concat();
        assert_eq!(decode("t", &long), Err(Fault::Trailing(4)));
        assert!(matches!(decode("t", b"words"), Err(Fault::Compression(_))));
        assert!(matches!(
            decode("t", &written(&trace())),
            Err(Fault::Compression(_))
        ));
    }

    #[test]
    fn faults_say_what_is_wrong() {
        for (fault, text) in [
            (Fault::Magic(*b"\x00BADXXXX"), "'\\x00BADXXXX'"),
            (
                Fault::Short {
                    found: 3,
                    announced: 9,
                },
                "3 of 9",
            ),
            (Fault::Checksum, "checksum"),
        ] {
            assert!(fault.to_string().contains(text), "{fault}");
        }
    }
}
