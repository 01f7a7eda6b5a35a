//! Floating-point numbers in replies: since 7.2 they are written with the fewest digits that read
//! back as the same number, in 7.0 with up to seventeen.

use crate::value::Value;

/// Integers up to here are written with all their digits.
const WHOLE_MAX: f64 = 4_611_686_018_427_387_904.0;

/// The oracle's reply with its scores written as 7.2 writes them.
#[must_use]
pub fn short(args: &[Vec<u8>], reply: &Value) -> Value {
    each_score(args, reply, rewrite)
}

/// The reply with one zero only: the compact form of a sorted set, which has integers, knows no other.
#[must_use]
pub fn with_one_zero(args: &[Vec<u8>], reply: &Value) -> Value {
    each_score(args, reply, |text| {
        if text == b"-0" {
            text.remove(0);
        }
    })
}

/// The reply with every score changed.
fn each_score(args: &[Vec<u8>], reply: &Value, change: fn(&mut Vec<u8>)) -> Value {
    let mut reply = reply.clone();
    doubles(&mut reply, change);
    let word = |at: usize| args.get(at).map(|word| word.to_ascii_uppercase());
    let Some(name) = word(0) else {
        return reply;
    };
    // Behind the keys: one of them may have that name.
    let options = match name.as_slice() {
        b"ZUNION" | b"ZINTER" | b"ZDIFF" => {
            let count = word(1).and_then(|text| String::from_utf8(text).ok());
            let count = count.and_then(|text| text.parse::<usize>().ok());
            count.map_or(usize::MAX, |count| count.saturating_add(2))
        }
        _ => 2,
    };
    let has_scores = args
        .iter()
        .skip(options)
        .any(|word| word.eq_ignore_ascii_case(b"WITHSCORES"));
    match name.as_slice() {
        b"ZSCORE" | b"ZINCRBY" | b"ZADD" => bulk(&mut reply, change),
        b"ZMSCORE" => every(&mut reply, 1, change),
        b"ZPOPMIN" | b"ZPOPMAX" => every(&mut reply, 2, change),
        b"BZPOPMIN" | b"BZPOPMAX" => every(&mut reply, 3, change),
        b"ZSCAN" => inside(&mut reply, |page| every(page, 2, change)),
        b"ZMPOP" | b"BZMPOP" => inside(&mut reply, |pairs| {
            inside(pairs, |pair| every(pair, 2, change));
        }),
        b"ZRANGE" | b"ZREVRANGE" | b"ZRANGEBYSCORE" | b"ZREVRANGEBYSCORE" | b"ZUNION"
        | b"ZINTER" | b"ZDIFF" | b"ZRANDMEMBER"
            if has_scores =>
        {
            every(&mut reply, 2, change);
        }
        _ => {}
    }
    reply
}

/// Rewrites every RESP3 double.
fn doubles(reply: &mut Value, change: fn(&mut Vec<u8>)) {
    match reply {
        Value::Double(text) => change(text),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            items.iter_mut().for_each(|item| doubles(item, change));
        }
        Value::Map(pairs) => pairs.iter_mut().for_each(|(key, value)| {
            doubles(key, change);
            doubles(value, change);
        }),
        _ => {}
    }
}

fn bulk(reply: &mut Value, change: fn(&mut Vec<u8>)) {
    if let Value::Bulk(text) = reply {
        change(text);
    }
}

/// Rewrites the last of every `step` elements.
fn every(reply: &mut Value, step: usize, change: fn(&mut Vec<u8>)) {
    if let Value::Array(items) = reply {
        items
            .iter_mut()
            .skip(step - 1)
            .step_by(step)
            .for_each(|item| bulk(item, change));
    }
}

fn inside(reply: &mut Value, change: impl Fn(&mut Value)) {
    if let Value::Array(items) = reply {
        items.iter_mut().for_each(change);
    }
}

fn rewrite(text: &mut Vec<u8>) {
    let number = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    if let Some(number) = number.filter(|number| number.is_finite()) {
        *text = shortest(number).into_bytes();
    }
}

/// The text of a finite number since 7.2.
#[must_use]
pub fn shortest(number: f64) -> String {
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX {
        return format!("{number:.0}");
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // The place of the last digit: the number is its digits times ten to that power.
    let place = exponent + 1 - count;
    if place >= 0 && exponent < count + 7 {
        let zeros = usize::try_from(place).unwrap_or(0);
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    }
    if place < 0 && (place > -7 || exponent.abs() < 4) {
        return format!("{sign}{}", fraction(&digits, exponent));
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}e{exponent:+}")
}

/// Digits with a decimal point, of which the first stands for ten to the power of `exponent`.
fn fraction(digits: &str, exponent: i32) -> String {
    match usize::try_from(exponent) {
        Ok(whole) => {
            let (whole, rest) = digits.split_at(whole + 1);
            format!("{whole}.{rest}")
        }
        Err(_) => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
            format!("0.{}{digits}", "0".repeat(zeros))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_newer_servers_write_them() {
        for (number, text) in [
            (0.1, "0.1"),
            (1e20, "1e+20"),
            (
                123_456_789_012_345_678_901_234.0,
                "123456789012345690000000",
            ),
            (1e-5, "0.00001"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (0.000_123_45, "1.2345e-4"),
            (12_345_678.125, "12345678.125"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (1.234_567e25, "1.234567e+25"),
            (3.141_592_653_589_79e-6, "3.14159265358979e-6"),
            (1.234e17, "123400000000000000"),
            (4.7e18, "4.7e+18"),
            (-4e18, "-4000000000000000000"),
            (-1e-9, "-1e-9"),
        ] {
            assert_eq!(shortest(number), text);
        }
    }

    #[test]
    fn only_scores_are_rewritten() {
        let words = |text: &str| crate::generate::words(text);
        let pair = Value::bulks(&["0.10000000000000001", "0.10000000000000001"]);
        let shortened = Value::bulks(&["0.10000000000000001", "0.1"]);
        assert_eq!(short(&words("ZRANGE k 0 -1 WITHSCORES"), &pair), shortened);
        assert_eq!(short(&words("ZRANGE k 0 -1"), &pair), pair);
    }
}
