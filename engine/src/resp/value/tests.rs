//! Replies whole, in pieces, and damaged.

use super::*;
use crate::base::rng::Rng;

const WIRE: &[u8] = b"+OK\r\n-ERR no\r\n:-42\r\n$5\r\nhello\r\n$0\r\n\r\n$-1\r\n*-1\r\n_\r\n#t\r\n\
    ,1.5\r\n,inf\r\n(123456789012345678901234567890\r\n!5\r\nERR x\r\n=7\r\ntxt:abc\r\n*0\r\n\
    *2\r\n*2\r\n:1\r\n$2\r\n\r\n\r\n%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n>2\r\n+message\r\n*0\r\n\
    |1\r\n+ttl\r\n:3600\r\n*1\r\n|0\r\n:7\r\n";

fn expected() -> Vec<Value> {
    use Value::*;
    vec![
        Status(b"OK".to_vec()),
        Error(b"ERR no".to_vec()),
        Integer(-42),
        Bulk(b"hello".to_vec()),
        Bulk(Vec::new()),
        Null,
        Null,
        Null,
        Bool(true),
        Double(1.5),
        Double(f64::INFINITY),
        BigNumber(b"123456789012345678901234567890".to_vec()),
        Error(b"ERR x".to_vec()),
        Bulk(b"abc".to_vec()),
        Array(Vec::new()),
        Array(vec![
            Array(vec![Integer(1), Bulk(b"\r\n".to_vec())]),
            Map(vec![
                Status(b"k".to_vec()),
                Set(vec![Integer(1), Integer(2)]),
            ]),
        ]),
        Push(vec![Status(b"message".to_vec()), Array(Vec::new())]),
        Array(vec![Integer(7)]),
    ]
}

fn read(reader: &mut ValueReader) -> Result<Vec<Value>, BadReply> {
    let mut values = Vec::new();
    while let Some(value) = reader.pull()? {
        values.push(value);
    }
    Ok(values)
}

fn fault(wire: &[u8]) -> Option<BadReply> {
    let mut reader = ValueReader::new(1000);
    reader.push(wire);
    read(&mut reader).err()
}

#[test]
fn replies_are_read_whole() {
    let mut reader = ValueReader::new(1000);
    reader.push(WIRE);
    assert_eq!(read(&mut reader), Ok(expected()));
}

#[test]
fn pieces_of_any_size_make_the_same_values() {
    for size in 1..40 {
        let mut reader = ValueReader::new(1000);
        let mut values = Vec::new();
        for piece in WIRE.chunks(size) {
            reader.push(piece);
            values.extend(read(&mut reader).unwrap());
        }
        assert_eq!(values, expected(), "in pieces of {size}");
    }
}

#[test]
fn what_is_no_reply_is_refused() {
    for (wire, why) in [
        (b"hello".as_slice(), BadReply::Kind(b'h')),
        (b"\r\n", BadReply::Ending),
        (b"+OK\n", BadReply::Ending),
        (b":x\r\n", BadReply::Number),
        (b"$-2\r\n", BadReply::Number),
        (b"$9999999999999999999\r\n", BadReply::Number),
        (b"$2\r\nabc\r\n", BadReply::Ending),
        (b"=3\r\ntxt\r\n", BadReply::Ending),
        (b"#y\r\n", BadReply::Ending),
    ] {
        assert_eq!(fault(wire), Some(why), "{}", wire.escape_ascii());
    }
}

#[test]
fn a_length_takes_no_memory() {
    assert_eq!(fault(b"$9223372036854775807\r\n"), Some(BadReply::Size));
    assert_eq!(fault(b"$999\r\n"), Some(BadReply::Size));
    assert_eq!(fault(b"*9223372036854775807\r\n:1\r\n"), None);
    let mut many = b"*100000\r\n".to_vec();
    many.extend(b":1\r\n".repeat(1000));
    assert_eq!(fault(&many), Some(BadReply::Size));
    assert_eq!(fault(&b"*1\r\n".repeat(33)), Some(BadReply::Depth));
    assert_eq!(fault(&[b'+'; 1100]), Some(BadReply::Size));
}

#[test]
fn any_bytes_are_read_or_refused() {
    let mut rng = Rng::new(7);
    let letters = b"+-:$*_#,(!=%~>|0123456789\r\n\r\n\r\ntf";
    for _ in 0..20_000 {
        let len = rng.below(60);
        let wire: Vec<u8> = (0..len)
            .map(|_| letters[usize::try_from(rng.below(letters.len() as u64)).unwrap()])
            .collect();
        let whole = fault(&wire);
        let mut reader = ValueReader::new(1000);
        let pieces = wire.iter().find_map(|byte| {
            reader.push(&[*byte]);
            read(&mut reader).err()
        });
        assert_eq!(whole.is_some(), pieces.is_some(), "{}", wire.escape_ascii());
    }
}
