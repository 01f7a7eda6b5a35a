//! Files that are cut, flipped and lied in: always an error, never a panic.

use super::{Content, file_by_hand, file_of, hex, limits, load_bytes, new_store, put};
use crate::base::rng::Rng;
use crate::codec::crc64::checksum;
use crate::codec::rdb::error::Fault;
use crate::codec::rdb::{Compression, Event, Reader};

/// A file with every type in every form that is written, and with those that are only read.
fn file_of_everything(compression: Compression) -> Vec<u8> {
    let mut store = new_store();
    let limits = limits();
    let word = |n: u32| format!("element-{n}").into_bytes();
    let words = |count| (0..count).map(word).collect::<Vec<_>>();
    let pairs = |count| (0..count).map(|n| (word(n), word(n + 1))).collect();
    let ranked = |count| {
        (0..count)
            .map(|n| ((f64::from(n) * 1.5).to_bits(), word(n)))
            .collect()
    };
    let mut list = words(40);
    list.push(vec![7; 9000]);
    list.extend(words(700));
    let ints = |count: i32| {
        (0..count)
            .map(|n| (n * 7).to_string().into_bytes())
            .collect()
    };
    let contents = [
        Content::String(b"plain".to_vec()),
        Content::String(b"-12345".to_vec()),
        Content::String(b"99999999999999".to_vec()),
        Content::String(b"round and round ".repeat(20)),
        Content::String((0..=255).cycle().take(70_000).collect()),
        Content::List(words(5)),
        Content::List(list),
        Content::Hash(pairs(5)),
        Content::Hash(pairs(600)),
        Content::Set(ints(20)),
        Content::Set(ints(600)),
        Content::Set(words(10).into_iter().collect()),
        Content::Set(words(200).into_iter().collect()),
        Content::Zset(ranked(5)),
        Content::Zset(ranked(200)),
    ];
    for (number, content) in contents.iter().enumerate() {
        put(
            &mut store,
            &[b'k', u8::try_from(number).unwrap()],
            content,
            &limits,
        );
    }
    let hash = limits.hash.hasher.hash_one(&b"k\0"[..]);
    store
        .find_mut(hash, b"k\0")
        .unwrap()
        .set_deadline(Some(1 << 41));
    let written = file_of(&store, compression);
    let old = hex(
        "0A 01 61 15 15000000 12000000 0400 00 01 62 03 F3 02 01 61 03 F2 FF \
        0C 01 62 15 15000000 12000000 0400 00 01 62 03 F3 02 01 61 03 F2 FF \
        09 01 63 0F 02 01 66 02 01 76 76 00 02 67 67 01 00 77 FF \
        03 01 64 02 01 61 FE 01 62 03 312E35 \
        14 01 65 0F 0F000000 0300 81 61 02 81 62 02 01 01 FF",
    );
    file_by_hand(
        b"REDIS0010",
        &[&written[9..written.len() - 9], &old].concat(),
    )
}

/// How often a file is damaged: more when `DOVETAIL_LONG` is 1.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a test runs is no configuration"
)]
fn rounds() -> u32 {
    let is_long = std::env::var("DOVETAIL_LONG").is_ok_and(|value| value == "1");
    if is_long { 60_000 } else { 1500 }
}

#[test]
fn a_file_of_everything_is_read_in_full() {
    for compression in [Compression::On, Compression::Off] {
        assert_eq!(
            load_bytes(&file_of_everything(compression)).unwrap().len(),
            20
        );
    }
}

#[test]
fn a_cut_at_any_byte_is_noticed() {
    let file = file_of_everything(Compression::On);
    // Every byte of the beginning and of the end, and many between.
    let ends = (0..2000).chain(file.len() - 2000..file.len());
    let between = (2000..file.len() - 2000).step_by(97);
    for len in ends.chain(between) {
        let error = load_bytes(&file[..len]).expect_err("it is cut");
        let is_cut = matches!(error.fault, Fault::Truncated | Fault::NoSnapshot);
        assert!(is_cut, "cut at {len}: {error}");
        assert!(error.at <= len as u64, "cut at {len}: {error}");
    }
}

#[test]
fn a_flipped_bit_is_always_noticed() {
    let mut rng = Rng::new(11);
    for compression in [Compression::On, Compression::Off] {
        let file = file_of_everything(compression);
        for _ in 0..rounds() {
            let mut damaged = file.clone();
            let bits = rng.bits();
            let at = usize::try_from(bits >> 8).unwrap() % file.len();
            damaged[at] ^= 1 << (bits & 7);
            assert!(
                load_bytes(&damaged).is_err(),
                "bit {} of byte {at}",
                bits & 7
            );
        }
    }
}

#[test]
fn a_flipped_bit_under_a_right_checksum_does_no_harm() {
    let mut rng = Rng::new(12);
    for compression in [Compression::On, Compression::Off] {
        let file = file_of_everything(compression);
        for _ in 0..rounds() {
            let mut damaged = file[..file.len() - 8].to_vec();
            for _ in 0..=rng.bits() % 3 {
                let bits = rng.bits();
                let at = usize::try_from(bits >> 8).unwrap() % damaged.len();
                damaged[at] = bits.to_le_bytes()[0];
            }
            damaged.extend_from_slice(&checksum(&damaged).to_le_bytes());
            let _either = load_bytes(&damaged);
        }
    }
}

#[test]
fn lengths_beyond_all_bytes_take_no_memory() {
    for inner in [
        "00 01 61 81 7FFFFFFFFFFFFFFF",
        "00 01 61 81 0000010000000000 6162",
        "00 01 61 C3 81 0000010000000000 81 0000010000000000 6162",
        "00 01 61 C3 05 81 0000010000000000 0161 61 0161",
        "02 01 61 81 0FFFFFFFFFFFFFFF 01 61",
        "04 01 61 81 0FFFFFFFFFFFFFFF 01 61",
        "05 01 61 81 0FFFFFFFFFFFFFFF 01 61",
        "01 01 61 81 0FFFFFFFFFFFFFFF 01 61",
        "12 01 61 81 0FFFFFFFFFFFFFFF 01 01 61",
        "00 81 7FFFFFFFFFFFFFFF",
    ] {
        let file = [b"REDIS0010".as_slice(), &hex(inner)].concat();
        assert!(load_bytes(&file).is_err(), "{inner}");
    }
}

#[test]
fn a_large_collection_comes_in_steps() {
    let count = 20_000_u32;
    let mut inner = hex("02 01 61 80");
    inner.extend_from_slice(&count.to_be_bytes());
    for n in 0..count {
        inner.push(0xc2);
        inner.extend_from_slice(&n.to_le_bytes());
    }
    let file = file_by_hand(b"REDIS0010", &inner);
    let mut reader = Reader::new(file.as_slice(), super::rules());
    let mut steps = 0;
    loop {
        match reader.next().unwrap() {
            Event::Progress => steps += 1,
            Event::Keys(batch) => assert_eq!(batch.len(), 1),
            Event::End(_) => break,
            event => panic!("{event:?}"),
        }
    }
    assert!(steps >= 4, "{steps} steps");
}

#[test]
fn what_follows_the_end_is_left_to_the_caller() {
    let mut file = file_by_hand(b"REDIS0010", &hex("00 01 61 01 62"));
    let len = file.len() as u64;
    file.extend_from_slice(b"*1\r\n");
    let mut reader = Reader::new(file.as_slice(), super::rules());
    while !matches!(reader.next().unwrap(), Event::End(_)) {}
    assert_eq!(reader.offset(), len);
    let (source, rest) = reader.into_rest();
    assert_eq!([rest.as_slice(), source].concat(), b"*1\r\n");
}
