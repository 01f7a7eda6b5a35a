//! Records and annotations of an append-only log to bytes.
//!
//! The same bytes, without the annotations, are what replicas get.

use crate::base::number::write_i64;

/// A command: an array of bulk strings.
pub fn command<I>(out: &mut Vec<u8>, words: I)
where
    I: IntoIterator<IntoIter: ExactSizeIterator, Item: AsRef<[u8]>>,
{
    let words = words.into_iter();
    header(out, words.len());
    for word in words {
        bulk(out, word.as_ref());
    }
}

/// The beginning of a command of `count` words; as many calls of [`bulk`] follow.
pub fn header(out: &mut Vec<u8>, count: usize) {
    length_line(out, b'*', count);
}

/// A word.
#[inline]
pub fn bulk(out: &mut Vec<u8>, word: &[u8]) {
    length_line(out, b'$', word.len());
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn length_line(out: &mut Vec<u8>, mark: u8, len: usize) {
    out.push(mark);
    match u8::try_from(len) {
        Ok(digit @ 0..=9) => out.push(b'0' + digit),
        _ => write_i64(
            out,
            i64::try_from(len).expect("memory is smaller than 2^63"),
        ),
    }
    out.extend_from_slice(b"\r\n");
}

/// What comes next is in database `index`.
pub fn select(out: &mut Vec<u8>, index: u32) {
    command(out, [b"SELECT".as_slice(), index.to_string().as_bytes()]);
}

/// What comes next, up to [`exec`], happens at once or not at all.
pub fn multi(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
}

/// The end of what [`multi`] has begun.
pub fn exec(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
}

/// The annotation of the time in unix seconds: what comes next was executed then or later.
pub fn timestamp(out: &mut Vec<u8>, unix_s: i64) {
    out.extend_from_slice(b"#TS:");
    write_i64(out, unix_s);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_literally() {
        let mut out = Vec::new();
        timestamp(&mut out, 1_700_000_000);
        select(&mut out, 12);
        multi(&mut out);
        command(&mut out, ["SET", "k", "0123456789"]);
        command(&mut out, [b"".as_slice(), b"\r\n"]);
        exec(&mut out);
        let expected = b"#TS:1700000000\r\n*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n*1\r\n$5\r\nMULTI\r\n\
            *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n0123456789\r\n*2\r\n$0\r\n\r\n$2\r\n\r\n\r\n\
            *1\r\n$4\r\nEXEC\r\n";
        assert_eq!(out, expected);
    }
}
