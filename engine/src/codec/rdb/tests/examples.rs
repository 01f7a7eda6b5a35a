//! Worked examples of files, byte by byte.

use super::{
    Content, Dataset, file_by_hand, file_of, hex, limits, load_bytes, new_store, plain, put,
};
use crate::codec::dump::{PayloadError, dump, restore};
use crate::codec::rdb::error::Fault;
use crate::codec::rdb::{Compression, Event, Reader, kinds};
use crate::value::restore::{Limits, Unfit};
use std::collections::{BTreeMap, BTreeSet};

fn words(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn list(texts: &[&str]) -> Content {
    Content::List(words(texts))
}

fn set(texts: &[&str]) -> Content {
    Content::Set(words(texts).into_iter().collect())
}

fn hash(pairs: &[(&str, &str)]) -> Content {
    let pair =
        |(field, value): &(&str, &str)| (field.as_bytes().to_vec(), value.as_bytes().to_vec());
    Content::Hash(pairs.iter().map(pair).collect())
}

fn zset(pairs: &[(f64, &str)]) -> Content {
    let pair = |(score, member): &(f64, &str)| (score.to_bits(), member.as_bytes().to_vec());
    Content::Zset(pairs.iter().map(pair).collect())
}

/// What a value reads as, and in which encoding it is kept.
fn read_as(magic: &[u8; 9], value: &str) -> Result<(Content, &'static str), Fault> {
    let value = hex(value);
    let inner = [&value[..1], b"\x01k", &value[1..]].concat();
    let mut all = load_bytes(&file_by_hand(magic, &inner)).map_err(|error| {
        assert_eq!(error.key.as_deref(), Some(&b"k"[..]));
        assert_eq!(error.kind, Some(value[0]));
        error.fault
    })?;
    let (content, encoding, deadline) = all.remove(&b"k"[..]).expect("the key is there");
    assert_eq!(deadline, None);
    Ok((content, encoding))
}

fn read(value: &str) -> Result<(Content, &'static str), Fault> {
    read_as(b"REDIS0012", value)
}

#[test]
fn strings_have_the_forms_of_the_format() {
    for (text, bytes) in [
        ("-5", "C0FB"),
        ("1000", "C1E803"),
        ("100000", "C2A0860100"),
        ("123456789012", "0C313233343536373839303132"),
        ("007", "03303037"),
        ("-0", "022D30"),
        ("", "00"),
    ] {
        let (content, _) = read(&format!("00{bytes}")).unwrap();
        assert_eq!(content, Content::String(text.as_bytes().to_vec()), "{text}");
        let mut store = new_store();
        put(&mut store, b"k", &content, &limits());
        let file = file_of(&store, Compression::On);
        let expected = [b"\x00\x01k".as_slice(), &hex(bytes), b"\xff"].concat();
        let at = file.len() - 8 - expected.len();
        assert_eq!(file[at..file.len() - 8], expected, "{text}");
    }
    let hundred = Content::String(b"a".repeat(100));
    assert_eq!(
        read("00 C30940640161 61E057000161 61"),
        Ok((hundred, "raw"))
    );
}

#[test]
fn every_kind_is_understood() {
    let small_zset = zset(&[(-1.5, "a"), (2.0, "b"), (f64::INFINITY, "c")]);
    for (bytes, content, encoding) in [
        ("01 02 01 61 C0 05", list(&["a", "5"]), "listpack"),
        ("02 03 01 61 01 62 C0 01", set(&["a", "b", "1"]), "listpack"),
        ("02 02 C0 07 C1 E803", set(&["7", "1000"]), "intset"),
        ("04 01 01 66 01 76", hash(&[("f", "v")]), "listpack"),
        (
            "03 03 01 63 FE 01 61 04 2D312E35 01 62 01 32",
            small_zset.clone(),
            "listpack",
        ),
        (
            "05 03 01 63 000000000000F07F 01 62 0000000000000040 01 61 000000000000F8BF",
            small_zset,
            "listpack",
        ),
        (
            "10 12 12000000 0400 81 66 02 81 76 02 81 6E 02 0C 01 FF",
            hash(&[("f", "v"), ("n", "12")]),
            "listpack",
        ),
        (
            "0B 0E 02000000 03000000 0100 0200 2C01",
            set(&["1", "2", "300"]),
            "intset",
        ),
        (
            "14 0F 0F000000 0300 81 61 02 81 62 02 01 01 FF",
            set(&["a", "b", "1"]),
            "listpack",
        ),
        (
            "11 1A 1A000000 0200 87 50616C65726D6F 08 F4 2A7A0715395C0C00 09 FF",
            zset(&[(3_479_099_956_230_698.0, "Palermo")]),
            "listpack",
        ),
        (
            "12 02 02 0A 0A000000 0100 81 61 02 FF 01 01 62",
            list(&["a", "b"]),
            "listpack",
        ),
        (
            "09 0F 02 01 66 02 01 76 76 00 02 67 67 01 00 77 FF",
            hash(&[("f", "vv"), ("gg", "w")]),
            "listpack",
        ),
    ] {
        assert_eq!(read(bytes), Ok((content, encoding)), "{bytes}");
    }
}

const ZIPLIST: &str = "2C000000 26000000 0700 00 02 6869 04 F6 02 FE 0D 03 C0 2C01 04 F0 701101 \
    05 E0 00A22F4DFFFFFFFF 0A 03 656E64 FF";

#[test]
fn ziplists_are_understood() {
    let elements = ["hi", "5", "13", "300", "70000", "-3000000000", "end"];
    let one = format!("0A 2C {ZIPLIST}");
    assert_eq!(read(&one), Ok((list(&elements), "listpack")));
    let two = format!("0E 02 2C {ZIPLIST} 2C {ZIPLIST}");
    let twice = [elements, elements].concat();
    assert_eq!(read(&two), Ok((list(&twice), "listpack")));
    let pairs = "15000000 12000000 0400 00 01 62 03 F3 02 01 61 03 F2 FF";
    assert_eq!(
        read(&format!("0C 15 {pairs}")),
        Ok((zset(&[(1.0, "a"), (2.0, "b")]), "listpack"))
    );
    assert_eq!(
        read(&format!("0D 15 {pairs}")),
        Ok((hash(&[("a", "1"), ("b", "2")]), "listpack"))
    );
}

#[test]
fn a_listpack_of_every_form_of_element_is_understood() {
    let pack = "38000000 0C00 81 61 02 81 62 02 01 01 C1 2C 02 DF FF 02 F1 88 13 03 D0 00 02 \
        CF FF 02 F1 00 10 03 F2 A0 86 01 04 F3 80 96 98 00 05 F4 00 F2 05 2A 01 00 00 00 09 FF";
    let elements = [
        "a",
        "b",
        "1",
        "300",
        "-1",
        "5000",
        "-4096",
        "4095",
        "4096",
        "100000",
        "10000000",
        "5000000000",
    ];
    assert_eq!(
        read(&format!("12 01 02 38 {pack}")),
        Ok((list(&elements), "listpack"))
    );
}

#[test]
fn hashes_with_deadlines_are_read_when_no_field_has_one() {
    let none = "FFFFFFFFFFFFFFFF";
    let plain = Ok((hash(&[("a", "1"), ("b", "2")]), "listpack"));
    let valkey = format!("16 02 0161 C001 {none} 0162 C002 {none}");
    assert_eq!(read_as(b"VALKEY080", &valkey), plain);
    assert_eq!(read(&valkey), Err(Fault::UnknownMark(22)));
    assert_eq!(
        read(&format!("18 {none} 02 00 0161 C001 00 0162 C002")),
        plain
    );
    let pack = "15 15000000 0600 81 61 02 01 01 00 01 81 62 02 02 01 00 01 FF";
    assert_eq!(read(&format!("19 {none} {pack}")), plain);

    let deadlines = Err(Fault::NotHere(
        "hashes whose fields have deadlines of their own",
    ));
    let valkey = "16 01 01 61 C0 01 E0694CA62C1E0000";
    assert_eq!(read_as(b"VALKEY080", valkey), deadlines);
    assert_eq!(read("18 E0694CA62C1E0000 01 01 0161 C001"), deadlines);
    let redis = "19 E0694CA62C1E0000 2F 2F000000 0900 81 61 02 01 01 F4 E0694CA62C1E0000 09 \
        81 63 02 83 78797A 04 F4 D46B4CA62C1E0000 09 81 62 02 02 01 00 01 FF";
    assert_eq!(read(redis), deadlines);
}

#[test]
fn what_does_not_exist_here_is_named_with_its_key() {
    assert_eq!(read("15 01"), Err(Fault::NotHere("streams")));
    // "hellotype", version 0.
    let module = read("07 81 85E9650B6B7CA780 00");
    assert!(matches!(module, Err(Fault::Module(name)) if name.len() == 9));
    let inner = hex("15 07 73 65 6E 73 6F 72 73 01");
    let error = load_bytes(&file_by_hand(b"REDIS0011", &inner)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at byte 10, in key \"sensors\" (stream, type 21): this version cannot hold streams"
    );
}

#[test]
fn what_makes_no_value_is_refused() {
    let unfit = |unfit| Err(Fault::Unfit(unfit));
    assert_eq!(read("02 02 01 61 01 61"), unfit(Unfit::Duplicate));
    assert_eq!(read("04 02 01 61 00 01 61 00"), unfit(Unfit::Duplicate));
    assert_eq!(
        read("10 0F 10000000 0400 01 01 02 01 01 01 03 01 FF"),
        Err(Fault::Unfit(Unfit::Pack(
            crate::value::restore::Unreadable::Length
        )))
    );
    assert_eq!(
        read("10 0F 0F000000 0400 01 01 02 01 01 01 03 01 FF"),
        unfit(Unfit::Duplicate)
    );
    assert_eq!(read("10 09 09000000 0100 01 01 FF"), unfit(Unfit::Odd));
    assert_eq!(
        read("05 01 01 61 000000000000F87F"),
        unfit(Unfit::Score),
        "a score that is no number"
    );
    assert_eq!(read("03 01 01 61 FD"), unfit(Unfit::Score));
    assert_eq!(
        read("0B 0C 02000000 02000000 0200 0100"),
        unfit(Unfit::Ints)
    );
    assert_eq!(read("12 01 03 00"), Err(Fault::Container(3)));
    assert_eq!(read("00 C5"), Err(Fault::StringForm(5)));
    assert_eq!(read("00 82"), Err(Fault::Length));
    assert_eq!(read("00 C3 02 05 01 61"), Err(Fault::Compression));
    let inner = hex("08 01 61 00");
    let error = load_bytes(&file_by_hand(b"REDIS0010", &inner)).unwrap_err();
    assert_eq!(error.fault, Fault::UnknownMark(8));
}

#[test]
fn sorted_sets_come_in_any_order_and_with_scores_in_any_spelling() {
    // b 2, a 1: out of order; c with seventeen digits.
    let pack = "11 11000000 0400 81 62 02 02 01 81 61 02 01 01 FF";
    assert_eq!(
        read(&format!("11 {pack}")),
        Ok((zset(&[(1.0, "a"), (2.0, "b")]), "listpack"))
    );
    let text = "0.10000000000000001";
    let mut inner = hex("11 01 6B");
    let mut pack = vec![0, 0, 0, 0, 2, 0, 0x81, b'c', 2, 0x80 | 19];
    pack.extend_from_slice(text.as_bytes());
    pack.extend_from_slice(&[20, 0xff]);
    pack[0] = u8::try_from(pack.len()).unwrap();
    inner.push(pack[0]);
    inner.extend_from_slice(&pack);
    let all = load_bytes(&file_by_hand(b"REDIS0010", &inner)).unwrap();
    assert_eq!(all[&b"k"[..]].0, zset(&[(0.1, "c")]));
}

#[test]
fn empty_collections_are_left_out() {
    let inner = hex("02 01 61 00 FC 0100000000000000 04 01 62 00 01 01 63 00 00 01 64 01 78");
    let file = file_by_hand(b"REDIS0010", &inner);
    let all = load_bytes(&file).unwrap();
    let keys: Vec<&[u8]> = all.keys().map(Vec::as_slice).collect();
    assert_eq!(keys, [b"d"]);
    assert_eq!(all[&b"d"[..]].2, None, "the deadline was the other key's");
}

#[test]
fn elements_are_counted_in_every_form() {
    let inner = hex(
        "00 01 61 01 78  01 01 62 03 01 78 01 79 01 7A  02 01 63 02 C0 01 C0 02 \
         02 01 64 02 01 78 01 79  04 01 65 01 01 66 01 76 \
         05 01 66 02 01 78 000000000000F03F 01 79 0000000000000040",
    );
    let file = file_by_hand(b"REDIS0010", &inner);
    let mut small = super::rules();
    small.batch = 10;
    let mut large = small.clone();
    let encodings = crate::config::Encodings {
        list_max_listpack_size: 1,
        hash_max_listpack_entries: 0,
        set_max_intset_entries: 0,
        set_max_listpack_entries: 0,
        zset_max_listpack_entries: 0,
        ..crate::config::Encodings::default()
    };
    large.limits = Limits::of(&encodings, &crate::base::map::hasher(1));
    for rules in [small, large] {
        let mut reader = Reader::new(file.as_slice(), rules);
        let Ok(Event::Keys(batch)) = reader.next() else {
            panic!("keys come together");
        };
        let counts: Vec<_> = (0..batch.len())
            .map(|at| batch.take(at).elements())
            .collect();
        assert_eq!(counts, [None, Some(3), Some(2), Some(2), Some(1), Some(2)]);
    }
}

#[test]
fn everything_between_keys_is_told_in_its_order() {
    let inner = [
        hex("FA 09 72656469732D766572 06 372E302E3135"),
        hex("F5 03 616263 FE 02 FB 03 01 F4 01 02 03"),
        hex("FD 01000000 F8 05 00 01 61 01 78 F9 07 00 01 62 01 79 F3"),
    ]
    .concat();
    let file = file_by_hand(b"REDIS0010", &inner);
    let mut reader = Reader::new(file.as_slice(), super::rules());
    assert!(matches!(
        reader.next(),
        Ok(Event::Aux {
            name: b"redis-ver",
            value: b"7.0.15"
        })
    ));
    assert!(matches!(reader.next(), Ok(Event::Function(b"abc"))));
    assert!(matches!(reader.next(), Ok(Event::Select(2))));
    let sizes = reader.next();
    assert!(matches!(
        sizes,
        Ok(Event::Resize {
            keys: 3,
            with_deadline: 1
        })
    ));
    let Ok(Event::Keys(batch)) = reader.next() else {
        panic!("keys come together");
    };
    assert_eq!(batch.len(), 2);
    let first = batch.take(0);
    assert_eq!((first.key, first.deadline), (&b"a"[..], Some(1000)));
    assert_eq!(first.usage, Some(crate::codec::rdb::Usage::Idle(5)));
    assert_eq!((first.kind, first.file_bytes), (kinds::STRING, 12));
    let second = batch.take(1);
    assert_eq!(second.usage, Some(crate::codec::rdb::Usage::Frequency(7)));
    assert!(reader.next().is_err(), "slots that migrate are not read");
}

#[test]
fn only_versions_that_are_known_are_read() {
    for magic in [b"REDIS0001", b"REDIS0012", b"VALKEY080"] {
        assert_eq!(load_bytes(&file_by_hand(magic, &[])), Ok(Dataset::new()));
    }
    for magic in [
        b"REDIS0000",
        b"REDIS0013",
        b"REDIS0080",
        b"VALKEY081",
        b"VALKEY011",
    ] {
        let error = load_bytes(&file_by_hand(magic, &[])).unwrap_err();
        assert!(matches!(error.fault, Fault::Version(_)), "{error}");
    }
    for magic in [b"REDIX0010", b"REDIS+010", b"VALKEY 80"] {
        let error = load_bytes(&file_by_hand(magic, &[])).unwrap_err();
        assert_eq!(error.fault, Fault::NoSnapshot);
    }
    assert_eq!(load_bytes(b"RED").unwrap_err().fault, Fault::NoSnapshot);
    assert_eq!(load_bytes(b"REDIS0004\xff"), Ok(Dataset::new()));
    assert_eq!(
        load_bytes(b"REDIS0005\xff").unwrap_err().fault,
        Fault::Truncated
    );
    assert_eq!(
        load_bytes(b"REDIS0005\xff\0\0\0\0\0\0\0\0"),
        Ok(Dataset::new())
    );
}

#[test]
fn a_dump_has_the_bytes_of_a_real_server() {
    let mut store = new_store();
    put(
        &mut store,
        b"k",
        &Content::String(b"bar".to_vec()),
        &limits(),
    );
    let payload = dump(store.sample(0).unwrap(), Compression::On);
    assert_eq!(payload, hex("00 03 626172 0A00 E6BE4960EE66FD17"));
    let restored = restore(&payload, limits()).unwrap();
    restored.put(|tag, body| store.insert_new(7, b"other", tag, body, None));
    assert_eq!(store.len(), 2);
}

#[test]
fn a_payload_is_looked_at_in_full() {
    let payload = hex("00 03 626172 0A00 E6BE4960EE66FD17");
    for at in 0..payload.len() {
        let mut damaged = payload.clone();
        damaged[at] ^= 1;
        let error = restore(&damaged, limits()).err();
        assert_eq!(error, Some(PayloadError::Footer), "byte {at}");
        let error = restore(&payload[..at], limits()).err();
        assert_eq!(error, Some(PayloadError::Footer), "cut at {at}");
    }
    let with_footer = |value: &str, version: u16| {
        let mut payload = hex(value);
        payload.extend_from_slice(&version.to_le_bytes());
        let checksum = crate::codec::crc64::checksum(&payload);
        payload.extend_from_slice(&checksum.to_le_bytes());
        restore(&payload, limits()).map(drop)
    };
    assert_eq!(with_footer("00 01 61", 12), Ok(()));
    assert_eq!(with_footer("00 01 61", 80), Ok(()));
    assert_eq!(with_footer("00 01 61", 13), Err(PayloadError::Footer));
    for bad in [
        "",
        "00 01 61 00",
        "00 02 61",
        "02 00",
        "15 01",
        "FA 01 61 01 61",
    ] {
        let error = with_footer(bad, 10).unwrap_err();
        assert!(matches!(error, PayloadError::Value(_)), "{bad}");
    }
    let mut unsummed = payload;
    let len = unsummed.len();
    unsummed[len - 8..].fill(0);
    assert_eq!(
        restore(&unsummed, limits()).err(),
        Some(PayloadError::Footer)
    );
}

#[test]
fn large_collections_are_written_as_such() {
    let mut store = new_store();
    let many: Vec<Vec<u8>> = (0..2000_u32)
        .map(|n| format!("m{n}").into_bytes())
        .collect();
    let contents = [
        (
            kinds::SET,
            Content::Set(many.iter().cloned().collect::<BTreeSet<_>>()),
        ),
        (
            kinds::HASH,
            Content::Hash(
                many.iter()
                    .map(|m| (m.clone(), m.clone()))
                    .collect::<BTreeMap<_, _>>(),
            ),
        ),
        (kinds::LIST_PACKS, Content::List(many.clone())),
    ];
    for (kind, content) in &contents {
        put(&mut store, &[*kind], content, &limits());
    }
    let file = file_of(&store, Compression::On);
    let all = load_bytes(&file).unwrap();
    assert_eq!(all, super::dataset_of(&store));
    for kind in [kinds::SET, kinds::HASH, kinds::LIST_PACKS] {
        let begins = file.windows(3).any(|window| window == [kind, 1, kind]);
        assert!(begins, "{}", kinds::name(kind));
        assert!(all.contains_key(&vec![kind]));
    }
    assert_eq!(plain(b"ab"), hex("80 00000002 6162"));
}
