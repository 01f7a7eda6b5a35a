//! Checks against replies of real servers, and against exact arithmetic.

use super::*;
use proptest::prelude::*;

fn parsed(text: &str) -> Option<Extended> {
    Extended::parse(text.as_bytes())
}

fn shown(number: Extended) -> String {
    let mut out = Vec::new();
    number.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn sum(a: &str, b: &str) -> Option<String> {
    parsed(a).unwrap().plus(parsed(b).unwrap()).map(shown)
}

#[test]
fn thousandths_are_rounded_up() {
    for (text, expected) in [
        ("0", 0),
        ("0.1", 100),
        ("0.0001", 1),
        ("-0.0001", 0),
        ("-0.0011", -1),
        ("1.0001", 1001),
        ("0x10", 16_000),
        ("0x1p-9", 2),
        ("1e-400", 1),
        ("9223372036854775", 9_223_372_036_854_775_000),
        ("9223372036854776", i64::MAX),
        ("1e400", i64::MAX),
        ("1e4932", i64::MAX),
        ("-1e4932", -i64::MAX),
        ("inf", i64::MAX),
        ("-inf", -i64::MAX),
    ] {
        let number = Extended::parse(text.as_bytes()).unwrap();
        assert_eq!(number.thousandths(), expected, "{text}");
    }
}

#[test]
fn sums_are_those_of_real_servers() {
    for (a, b, expected) in [
        ("0.1", "0.2", "0.3"),
        ("3.0e3", "0.1", "3000.10000000000000009"),
        ("1e17", "0.1", "100000000000000000.1015625"),
        ("10.5", "0.1", "10.6"),
        ("9223372036854775807", "1", "9223372036854775808"),
        ("9223372036854775807", "0.5", "9223372036854775807.5"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("-1", "0.99999", "-0.00001"),
        ("-0.1", "0.05", "-0.05"),
        ("0.5", "-0.50000000000000000001", "0"),
        ("1e20", "1e-20", "100000000000000000000"),
        ("1e-17", "4e-18", "0.00000000000000001"),
        ("-5e-18", "0", "0"),
        ("1", "-1", "0"),
    ] {
        assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
    }
}

#[test]
fn sums_beyond_the_format_are_refused() {
    for (a, b) in [
        ("1.1e4932", "1.1e4932"),
        ("-1.1e4932", "-1.1e4932"),
        ("inf", "1"),
        ("1", "-inf"),
        ("inf", "-inf"),
    ] {
        assert_eq!(sum(a, b), None, "{a} + {b}");
    }
}

#[test]
fn texts_read_as_c_reads_them() {
    for (text, expected) in [
        ("+1", "1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1E+3", "1000"),
        ("0x10", "16"),
        ("0X1.8p1", "3"),
        ("-0x1p-3", "-0.125"),
        ("0x.8", "0.5"),
        ("0e99999999999999999999", "0"),
        ("-0", "0"),
        ("1e-4932", "0"),
        ("1e-4950", "0"),
        ("0.000000000000000005", "0"),
        ("0.0000000000000000051", "0.00000000000000001"),
        ("0.000000000000000015", "0.00000000000000002"),
        ("18446744073709551617", "18446744073709551616"),
        ("0x1.00000000000000000001p0", "1"),
        ("0x1.8p-16446", "0"),
        ("Infinity", "inf"),
        ("-INF", "-inf"),
    ] {
        assert_eq!(parsed(text).map(shown).as_deref(), Some(expected), "{text}");
    }
    assert!(parsed(&format!("{}1", "0".repeat(5118))).is_some());
    assert_eq!(shown(parsed("0x1p16383").unwrap()).len(), 4932);
    assert!(parsed("1.18973149535723176502e4932").is_some());
}

#[test]
fn what_is_no_number_of_the_format_is_refused() {
    for text in [
        "",
        " 1",
        "1 ",
        ".",
        "1e",
        "1e+",
        "0x",
        "0x.",
        "infinit",
        "nan",
        "nan(1)",
        "1e4933",
        "1.18973149535723176508e4932",
        "1e-4951",
        "1e-5000",
        "3.0e3abc",
        "1_000",
        "1,5",
        "1\0",
        "0x1p16384",
        "0x1p-16446",
        "0x1p99999999999999999999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "1.2.3",
        "--1",
        "+",
        "0x1p",
        "1e1.5",
    ] {
        assert_eq!(parsed(text), None, "{text}");
    }
    assert_eq!(parsed(&format!("{}1", "0".repeat(5119))), None);
    assert_eq!(parsed(&"1".repeat(5000)), None);
}

#[test]
fn numbers_between_two_neighbours_go_to_the_even_one() {
    // 2^64 + 1 and 2^64 + 3 lie halfway between neighbours two apart.
    assert_eq!(
        shown(parsed("18446744073709551619").unwrap()),
        "18446744073709551620"
    );
    assert_eq!(
        parsed("18446744073709551617.0000000000000000000000001"),
        parsed("18446744073709551618")
    );
    assert_eq!(parsed("0x1.0000000000000001p0"), Some(Extended::from(1)));
    assert_ne!(
        parsed("0x1.00000000000000010000000000000000000000001p0"),
        Some(Extended::from(1))
    );
}

proptest! {
    #[test]
    fn integers_are_exact(a: i64, b in -(1_i64 << 62)..(1 << 62)) {
        prop_assert_eq!(parsed(&a.to_string()), Some(Extended::from(a)));
        prop_assert_eq!(shown(Extended::from(a)), a.to_string());
        let a = a / 2;
        prop_assert_eq!(Extended::from(a).plus(Extended::from(b)), Some(Extended::from(a + b)));
    }

    #[test]
    fn short_and_long_division_agree(value in 1_u64.., scale in -19_i32..0) {
        let text = value.to_string();
        let digits = Digits { significant: text.as_bytes(), count: text.len(), scale: 0 };
        prop_assume!(text.len() <= 19);
        let short = small_decimal(&digits, scale).and_then(|e| Extended::rounded(false, e));
        let long = Extended::rounded(false, wide_decimal(&digits, scale));
        prop_assert_eq!(short, long);
    }

    #[test]
    fn doubles_survive(value: f64) {
        prop_assume!(value.is_finite());
        let text = format!("{value:?}");
        let number = parsed(&text);
        // A double's shortest text names it even when read with more precision.
        let back = number.map(|n| n.mantissa as f64 * 2_f64.powi(n.exponent));
        if value != 0.0 && value.abs() > 1e-270 && value.abs() < 1e270 {
            prop_assert_eq!(back, Some(value.abs()));
        }
        prop_assert_eq!(number.map(|n| n.is_negative), Some(value.is_sign_negative()));
    }

    #[test]
    fn sums_commute_and_differences_undo(
        a in 1_u64.., b in 1_u64.., at in -200_i32..200, by in -140_i32..140,
    ) {
        let make = |mantissa, exponent| {
            Extended::rounded(false, Exact { bits: mantissa, exponent, has_rest: false }).unwrap()
        };
        let (x, y) = (make(u128::from(a), at), make(u128::from(b), at + by));
        let minus = |n: Extended| Extended { is_negative: !n.is_negative, ..n };
        prop_assert_eq!(x.plus(y), y.plus(x));
        prop_assert_eq!(x.plus(minus(y)), y.plus(minus(x)).map(minus).map(|n| {
            if n.mantissa == 0 { Extended::ZERO } else { n }
        }));
        prop_assert_eq!(x.plus(minus(x)), Some(Extended::ZERO));
        // Against exact integers where both fit.
        if by.unsigned_abs() < 60 {
            let low = at.min(at + by);
            let wide = |n: u64, e: i32| u128::from(n) << (e - low).unsigned_abs();
            let exact = wide(a, at) + wide(b, at + by);
            prop_assert_eq!(x.plus(y), Some(make(exact, low)));
            let (p, q) = (wide(a, at), wide(b, at + by));
            let gap = Extended { is_negative: p < q, ..make(p.abs_diff(q), low) };
            let gap = if p == q { Extended::ZERO } else { gap };
            prop_assert_eq!(x.plus(minus(y)), Some(gap));
        }
    }
}
