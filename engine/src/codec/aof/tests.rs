//! The log as a whole: what is written is read, however it is cut, chunked or damaged.

use super::names::BaseFormat;
use super::*;
use crate::base::rng::Rng;
use proptest::prelude::*;

/// An item without its borrow.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Read {
    Command(Vec<Vec<u8>>),
    Time(i64),
    Sealed(u64),
    Note(Vec<u8>),
}

impl Read {
    fn of(item: Item<'_>) -> Self {
        match item {
            Item::Command { args, .. } => {
                Self::Command(args.iter_from(0).map(<[u8]>::to_vec).collect())
            }
            Item::Time(at) => Self::Time(at),
            Item::Sealed(len) => Self::Sealed(len),
            Item::Note(text) => Self::Note(text.to_vec()),
        }
    }
}

/// What a log says: items until its end or its flaw.
#[derive(Debug)]
struct Said {
    items: Vec<Read>,
    verdict: Result<Tail, LogError>,
    reader: Reader,
}

/// Reads `log` in pieces of the given lengths, over and over.
fn read_in(log: &[u8], pieces: &[usize]) -> Said {
    let mut reader = Reader::new(0);
    let mut items = Vec::new();
    let mut rest = log;
    let mut lens = pieces.iter().cycle();
    let verdict = loop {
        match reader.item() {
            Ok(Some(item)) => items.push(Read::of(item)),
            Ok(None) if rest.is_empty() => break reader.end(),
            Ok(None) => {
                let wanted = lens.next().copied().unwrap_or(usize::MAX).max(1);
                let room = reader.room();
                let len = wanted.min(rest.len()).min(room.len());
                room[..len].copy_from_slice(&rest[..len]);
                reader.fill(len);
                rest = &rest[len..];
            }
            Err(error) => {
                assert_eq!(reader.item().unwrap_err(), error, "a flaw stays");
                assert_eq!(reader.end(), Err(error));
                break Err(error);
            }
        }
    };
    Said {
        items,
        verdict,
        reader,
    }
}

fn read(log: &[u8]) -> Said {
    read_in(log, &[usize::MAX])
}

/// A log, where it can be cut, and its items.
#[derive(Clone, Debug, Default)]
struct Log {
    bytes: Vec<u8>,
    /// Lengths behind whole items outside of transactions, and behind whole items inside.
    safe: Vec<usize>,
    inside: Vec<usize>,
    items: Vec<Read>,
}

impl Log {
    fn mark(&mut self, is_safe: bool) {
        if is_safe {
            self.safe.push(self.bytes.len());
        } else {
            self.inside.push(self.bytes.len());
        }
    }

    fn command(&mut self, words: &[&[u8]], is_safe: bool) {
        write::command(&mut self.bytes, words);
        let words = words.iter().map(|word| word.to_vec()).collect();
        self.items.push(Read::Command(words));
        self.mark(is_safe);
    }

    fn time(&mut self, at: i64) {
        write::timestamp(&mut self.bytes, at);
        self.items.push(Read::Time(at));
        self.mark(true);
    }

    /// A random log of some batches, sealed or not.
    fn random(rng: &mut Rng, sealed: bool) -> Self {
        let mut log = Self {
            safe: vec![0],
            ..Self::default()
        };
        let mut sealer = Sealer::new();
        for batch in 0..1 + rng.below(4) {
            let from = log.bytes.len();
            if rng.below(2) == 0 {
                log.time(1_700_000_000 + i64::try_from(batch).unwrap());
            }
            for _ in 0..1 + rng.below(3) {
                if rng.below(3) == 0 {
                    log.command(&[b"MULTI"], false);
                    for _ in 0..1 + rng.below(3) {
                        log.random_command(rng, false);
                    }
                    log.command(&[b"EXEC"], true);
                } else {
                    log.random_command(rng, true);
                }
            }
            if sealed {
                let covered = (log.bytes.len() - from) as u64;
                sealer.seal(&mut log.bytes, from);
                log.items.push(Read::Sealed(covered));
                log.mark(true);
            }
        }
        log
    }

    fn random_command(&mut self, rng: &mut Rng, is_safe: bool) {
        let mut value = vec![0; usize::try_from(rng.below(60)).unwrap()];
        rng.fill(&mut value);
        // Some values look like a log.
        match rng.below(4) {
            0 => value.extend_from_slice(b"\r\n*1\r\n$4\r\nEXEC\r\n"),
            1 => value.extend_from_slice(b"\r\n#DT:crc=0123456789abcdef len=7\r\n"),
            _ => {}
        }
        self.command(&[b"SET", b"key", &value], is_safe);
    }

    /// The verdict on its first `len` bytes.
    fn expected(&self, len: usize) -> Tail {
        let cut = *self.safe.iter().rfind(|at| **at <= len).unwrap() as u64;
        if self.safe.contains(&len) {
            Tail::Whole
        } else if self.inside.contains(&len) {
            Tail::Transaction { cut }
        } else {
            Tail::Record { cut }
        }
    }
}

#[test]
fn what_is_written_is_read_in_pieces_of_any_length() {
    let mut rng = Rng::new(1);
    for round in 0..200 {
        let log = Log::random(&mut rng, round % 2 == 0);
        for pieces in [&[usize::MAX][..], &[1], &[2, 3], &[17, 1, 64]] {
            let said = read_in(&log.bytes, pieces);
            assert_eq!(said.verdict, Ok(Tail::Whole));
            assert_eq!(said.items, log.items);
        }
    }
}

#[test]
fn every_truncation_is_told_from_damage_and_leaves_whole_transactions() {
    let mut rng = Rng::new(2);
    for round in 0..60 {
        let log = Log::random(&mut rng, round % 2 == 0);
        for len in 0..=log.bytes.len() {
            let said = read_in(&log.bytes[..len], &[37]);
            let expected = log.expected(len);
            assert_eq!(said.verdict, Ok(expected), "{len} of {log:?}");
            // What is left after the cut is whole, and says what was there.
            if let Some(cut) = expected.cut() {
                let again = read(&log.bytes[..usize::try_from(cut).unwrap()]);
                assert_eq!(again.verdict, Ok(Tail::Whole));
                assert!(log.items.starts_with(&again.items));
            }
        }
    }
}

#[test]
fn a_file_that_ends_in_zeros_can_be_cut_before_them() {
    let mut rng = Rng::new(3);
    for round in 0..20 {
        let log = Log::random(&mut rng, round % 2 == 0);
        for len in 0..log.bytes.len() {
            // A word that ends in zeros of its own is not told apart, and need not be.
            let mut zeroed = log.bytes[..len].to_vec();
            zeroed.resize(log.bytes.len().max(len + 700), 0);
            let said = read_in(&zeroed, &[100]);
            let cut = log.expected(len).cut().unwrap_or(len as u64);
            let Ok(Tail::Zeros { cut: found, zeros }) = said.verdict else {
                panic!("{:?} at {len} of {log:?}", said.verdict);
            };
            assert_eq!(found, cut, "at {len}");
            assert!(zeros >= cut);
        }
    }
}

#[test]
fn no_flipped_bit_of_a_sealed_log_changes_what_it_says() {
    let mut rng = Rng::new(4);
    let is_command = |read: &&Read| matches!(read, Read::Command(_));
    for _ in 0..12 {
        let log = Log::random(&mut rng, true);
        let commands: Vec<_> = log.items.iter().filter(is_command).collect();
        for at in 0..log.bytes.len() {
            for bit in 0..8 {
                let mut flipped = log.bytes.clone();
                flipped[at] ^= 1 << bit;
                let said = read_in(&flipped, &[50]);
                if said.verdict.is_err() {
                    continue;
                }
                // Only the last seal can be damaged so that nothing is missed.
                let found: Vec<_> = said.items.iter().filter(is_command).collect();
                assert_eq!(
                    found, commands,
                    "bit {bit} of byte {at}: {:?}",
                    said.verdict
                );
            }
        }
    }
}

#[test]
fn damage_before_the_last_seal_is_never_taken_for_a_torn_end() {
    let mut log = Log::default();
    let mut sealer = Sealer::new();
    for value in [b"aaaaa".repeat(9), b"b".repeat(10), b"c".repeat(10)] {
        let from = log.bytes.len();
        log.command(&[b"SET", b"k", &value], true);
        sealer.seal(&mut log.bytes, from);
    }
    // The first value seems to be longer than the file.
    let at = log.bytes.windows(5).position(|w| w == b"$45\r\n").unwrap();
    log.bytes.splice(at..at + 3, b"$4500".iter().copied());
    let error = read(&log.bytes).verdict.unwrap_err();
    let LogError::Corrupt { from, flaw, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((from, flaw), (0, integrity::SealFlaw::Swallowed));
}

#[test]
fn a_missing_doubled_or_moved_batch_is_found() {
    let mut rng = Rng::new(5);
    let mut batches = Vec::new();
    let mut sealer = Sealer::new();
    for _ in 0..3 {
        let mut log = Log::default();
        log.random_command(&mut rng, true);
        sealer.seal(&mut log.bytes, 0);
        batches.push(log.bytes);
    }
    let order = |order: &[usize]| {
        let bytes: Vec<u8> = order.iter().flat_map(|i| batches[*i].clone()).collect();
        read(&bytes).verdict
    };
    assert_eq!(order(&[0, 1, 2]), Ok(Tail::Whole));
    for wrong in [&[0, 2][..], &[1, 2], &[0, 0, 1], &[0, 2, 1], &[2]] {
        assert!(order(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn sealing_goes_on_where_somebody_else_has_written() {
    let mut log = Log::default();
    log.command(&[b"SET", b"a", b"1"], true);
    Sealer::new().seal(&mut log.bytes, 0);
    log.command(&[b"SET", b"b", b"2"], true);
    let unsealed = read(&log.bytes);
    assert_eq!(unsealed.verdict, Ok(Tail::Whole));
    let mut sealer = unsealed.reader.sealer();
    let from = log.bytes.len();
    log.command(&[b"SET", b"c", b"3"], true);
    sealer.seal(&mut log.bytes, from);
    let said = read(&log.bytes);
    assert_eq!((said.verdict, said.reader.seals()), (Ok(Tail::Whole), 2));
    // And without a gap when the file ends with a seal.
    let mut sealer = said.reader.sealer();
    let from = log.bytes.len();
    log.command(&[b"SET", b"d", b"4"], true);
    sealer.seal(&mut log.bytes, from);
    assert_eq!(read(&log.bytes).verdict, Ok(Tail::Whole));
    assert_eq!(
        log.bytes.windows(9).filter(|w| w == b"#DT:open ").count(),
        1
    );
    let last = log.bytes.len() - 60;
    log.bytes[last] ^= 1;
    assert!(read(&log.bytes).verdict.is_err());
}

#[test]
fn after_a_cut_the_seals_still_chain() {
    let mut rng = Rng::new(6);
    for _ in 0..20 {
        let log = Log::random(&mut rng, true);
        for len in 0..log.bytes.len() {
            let said = read(&log.bytes[..len]);
            let cut = said.verdict.unwrap().cut().unwrap_or(len as u64);
            let mut bytes = log.bytes[..usize::try_from(cut).unwrap()].to_vec();
            let (from, mut sealer) = (bytes.len(), said.reader.sealer());
            write::command(&mut bytes, ["DEL", "x"]);
            sealer.seal(&mut bytes, from);
            let said = read(&bytes);
            assert_eq!(said.verdict, Ok(Tail::Whole), "cut to {cut}");
            assert!(said.reader.seals() > 0);
        }
    }
}

/// The offset and flaw of what is no log.
fn flaw(log: &[u8]) -> (u64, Flaw) {
    match read_in(log, &[1]).verdict {
        Err(LogError::Format { at, flaw, .. }) => (at, flaw),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wrong_is_named_with_its_offset() {
    assert_eq!(flaw(b"SET a b\r\n"), (0, Flaw::Record));
    assert_eq!(flaw(b"*1\r\n$1\r\na\r\n\0x"), (11, Flaw::Record));
    assert_eq!(flaw(b"*1\r\n:1\r\n"), (4, Flaw::Word));
    assert_eq!(flaw(b"*1\r\n$1\r\nabc"), (9, Flaw::WordEnd));
    assert_eq!(flaw(b"*1\r\n$1\r\na\rx"), (10, Flaw::WordEnd));
    assert_eq!(flaw(b"*-1\r\n"), (1, Flaw::Number));
    assert_eq!(flaw(b"*\r\n"), (1, Flaw::Number));
    assert_eq!(flaw(b"*1\n$1"), (2, Flaw::Number));
    assert_eq!(flaw(b"*0\r\n"), (1, Flaw::Limit));
    assert_eq!(flaw(b"*2147483648\r\n"), (1, Flaw::Limit));
    assert_eq!(flaw(b"*1\r\n$536870913\r\n"), (5, Flaw::Limit));
    assert_eq!(flaw(b"*99999999999999999999\r\n"), (1, Flaw::Limit));
    assert_eq!(
        flaw(&[b"#".as_slice(), &[b'x'; 2000]].concat()),
        (0, Flaw::Annotation)
    );
    assert_eq!(
        read(b"*1\r\n$1\r\na\r\n*1\r\n$1\r\nab")
            .verdict
            .unwrap_err()
            .to_string(),
        "Bad file format at offset 20: the end of a word was expected \
         (in the record at offset 11)"
    );
    let snapshot = read(b"REDIS0010\xfa").verdict.unwrap_err();
    assert!(snapshot.to_string().contains("a snapshot begins here"));
}

#[test]
fn a_length_alone_costs_no_memory() {
    let mut reader = Reader::new(0);
    let log = b"*2147483647\r\n$536870912\r\nabc";
    reader.room()[..log.len()].copy_from_slice(log);
    reader.fill(log.len());
    assert!(matches!(reader.item(), Ok(None)));
    assert!(reader.room().len() < 4 << 20);
    assert_eq!(reader.end(), Ok(Tail::Record { cut: 0 }));
}

#[test]
fn large_words_and_long_commands_are_read_whole() {
    let mut log = Log::default();
    let large = vec![b'x'; 3 << 20];
    let many: Vec<Vec<u8>> = (0..50_000)
        .map(|i| format!("word{i}").into_bytes())
        .collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    log.command(&[b"SET", b"k", &large], true);
    log.command(&many, true);
    log.command(&[b"GET", &large, b"", &large], true);
    for pieces in [&[usize::MAX][..], &[65536], &[9973]] {
        let said = read_in(&log.bytes, pieces);
        assert_eq!(said.verdict, Ok(Tail::Whole));
        assert!(said.items == log.items);
    }
}

#[test]
fn other_servers_annotations_are_passed_on() {
    let log = b"#TS:1700000000\r\n#anything\n*1\r\n$4\r\nPING\r\n#TS:x\r\n";
    let said = read(log);
    assert_eq!(said.verdict, Ok(Tail::Whole));
    let expected = [
        Read::Time(1_700_000_000),
        Read::Note(b"anything".to_vec()),
        Read::Command(vec![b"PING".to_vec()]),
        Read::Note(b"TS:x".to_vec()),
    ];
    assert_eq!(said.items, expected);
}

#[test]
fn a_transaction_left_open_by_somebody_is_one_until_its_end() {
    let mut log = Vec::new();
    write::select(&mut log, 0);
    let before = log.len() as u64;
    write::multi(&mut log);
    write::command(&mut log, ["SET", "a", "1"]);
    write::multi(&mut log);
    assert_eq!(read(&log).verdict, Ok(Tail::Transaction { cut: before }));
    write::exec(&mut log);
    assert_eq!(read(&log).verdict, Ok(Tail::Whole));
    // One that is only mentioned begins nothing.
    write::command(&mut log, ["SET", "MULTI", "1"]);
    write::command(&mut log, ["multi", "x"]);
    assert_eq!(read(&log).verdict, Ok(Tail::Whole));
}

#[test]
fn a_manifest_reads_back() {
    let text = b"file \"a b.1.base.rdb\" seq 1 type b\nfile h seq 4 type h\n\
        file x seq 2 type i startoffset 10 endoffset 20\nfile y seq 7 type i startoffset 20\n\
        file z seq 8 type i bytes 77\n";
    let manifest = Manifest::parse(text).unwrap();
    assert_eq!(manifest.to_bytes(), text);
    assert_eq!(manifest.base.as_ref().unwrap().name, "a b.1.base.rdb");
    assert_eq!(manifest.incrs[0].end_offset, Some(20));
    let loaded: Vec<_> = manifest.loaded().map(|file| file.seq).collect();
    assert_eq!(loaded, [1, 2, 7, 8]);
    assert_eq!(manifest.incrs[2].bytes, Some(77));
    // Comments, the order of pairs, unknown pairs and the case of keys do not matter.
    let other = b"# by hand\n seq 1 TYPE b file 'a b.1.base.rdb' color blue\r\n";
    assert_eq!(Manifest::parse(other).unwrap().base, manifest.base);
    assert!(Manifest::parse(b"# nothing\n").unwrap().is_empty());
}

/// Texts and the beginning of what is said of them.
const BAD_MANIFESTS: [(&[u8], &str); 21] = [
    (b"", "Found an empty AOF manifest"),
    (
        b"file a seq 1 type b",
        "The AOF manifest file contains too long line (line 1: ",
    ),
    (b"\n", "Invalid AOF manifest file format (line 1: '')"),
    (
        b"file a seq 1 type b\n\n",
        "Invalid AOF manifest file format (line 2: '')",
    ),
    (
        b"file a seq 1\n",
        "Invalid AOF manifest file format (line 1: 'file a seq 1')",
    ),
    (b"file a seq 1 type\n", "Invalid AOF manifest file format"),
    (b"seq 1 type b x y\n", "Invalid AOF manifest file format"),
    (b"file a seq 0 type b\n", "Invalid AOF manifest file format"),
    (b"file a seq x type b\n", "Invalid AOF manifest file format"),
    (
        b"file a seq -1 type b\n",
        "Invalid AOF manifest file format",
    ),
    (
        b"file a seq 9223372036854775807 type b\n",
        "Invalid AOF manifest file format",
    ),
    (
        b"file \"a seq 1 type b\n",
        "Invalid AOF manifest file format",
    ),
    (
        b"file \"\" seq 1 type b\n",
        "Invalid AOF manifest file format",
    ),
    (
        b"file \xff seq 1 type b\n",
        "Invalid AOF manifest file format",
    ),
    (b"file a seq 1 type z\n", "Unknown AOF file type (line 1: "),
    (
        b"file a seq 1 type b\nfile b seq 2 type b\n",
        "Found duplicate base file information (line 2: 'file b seq 2 type b')",
    ),
    (
        b"file a seq 2 type i\nfile b seq 2 type i\n",
        "Found a non-monotonic sequence number (line 2: ",
    ),
    (
        b"file a/b seq 1 type b\n",
        "File can't be a path, just a filename (line 1: ",
    ),
    (
        b"file .. seq 1 type b\n",
        "File can't be a path, just a filename",
    ),
    (
        b"file a seq 1 type b startoffset z\n",
        "Invalid AOF manifest file format",
    ),
    (
        b"file a seq 1 type i bytes -1\n",
        "Invalid AOF manifest file format",
    ),
];

#[test]
fn a_bad_manifest_is_refused_in_the_words_of_real_servers() {
    let said = |text: &[u8]| Manifest::parse(text).unwrap_err().to_string();
    for (text, expected) in BAD_MANIFESTS {
        let said = said(text);
        assert!(
            said.starts_with(expected),
            "{said} of {}",
            text.escape_ascii()
        );
    }
    let long = [b"# ".as_slice(), &[b'x'; 1100], b"\n"].concat();
    assert!(said(&long).starts_with("The AOF manifest file contains too long line (line 1: "));
}

#[test]
fn new_files_never_have_the_name_of_a_listed_one() {
    let p = "appendonly.aof";
    let mut manifest = Manifest::default();
    assert_eq!(
        manifest.next_base(p, BaseFormat::Rdb).name,
        "appendonly.aof.1.base.rdb"
    );
    for seq in 1..=3 {
        let next = manifest.next_incr(p);
        assert_eq!(
            (next.seq, next.name.as_str()),
            (seq, names::incr(p, seq).as_str())
        );
        manifest.incrs.push(next);
    }
    let base = manifest.next_base(p, BaseFormat::Commands);
    manifest.replace_base(base, 3);
    let base = manifest.next_base(p, BaseFormat::Rdb);
    assert_eq!(base.seq, 2);
    manifest.replace_base(base, 4);
    assert!(manifest.incrs.is_empty());
    assert_eq!(manifest.history.len(), 4);
    // The history's files will be removed: their numbers are not free.
    assert_eq!(manifest.next_incr(p).seq, 4);
    // An old single log that was taken over as a base has another name but a number.
    let old = Manifest::parse(b"file appendonly.aof seq 1 type b\n").unwrap();
    assert_eq!(old.next_incr(p).seq, 1);
    assert_eq!(old.next_base(p, BaseFormat::Rdb).seq, 2);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic_or_hang(
        log in proptest::collection::vec(
            prop_oneof![
                Just(b"*".to_vec()), Just(b"$".to_vec()), Just(b"\r\n".to_vec()),
                Just(b"1".to_vec()), Just(b"3".to_vec()), Just(b"\0".to_vec()),
                Just(b"*1\r\n$5\r\nMULTI\r\n".to_vec()), Just(b"#DT:crc=".to_vec()),
                Just(b"#DT:open crc=0000000000000000\r\n".to_vec()), Just(b" len=".to_vec()),
                Just(b"#TS:1\r\n".to_vec()), Just(b"$1\r\nx\r\n".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..4),
            ],
            0..40,
        ),
        pieces in proptest::collection::vec(1_usize..30, 1..4),
    ) {
        let log = log.concat();
        let (whole, parts) = (read(&log), read_in(&log, &pieces));
        prop_assert_eq!(whole.items, parts.items);
        // A flaw may be found earlier in one piece, but it is the same.
        prop_assert_eq!(whole.verdict, parts.verdict);
        if let Ok(tail) = whole.verdict {
            prop_assert!(tail.cut().unwrap_or(0) <= log.len() as u64);
        }
    }

    #[test]
    fn no_text_makes_the_manifest_panic(
        words in proptest::collection::vec(
            prop_oneof![
                Just("file"), Just("seq"), Just("type"), Just("b"), Just("i"), Just("h"),
                Just("1"), Just("2"), Just("\n"), Just("\""), Just("a"), Just("#"),
            ],
            0..40,
        ),
    ) {
        let text = words.join(" ").into_bytes();
        if let Ok(manifest) = Manifest::parse(&text)
            && !manifest.is_empty()
        {
            prop_assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
        }
    }
}
