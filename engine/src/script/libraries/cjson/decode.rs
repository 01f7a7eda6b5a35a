//! JSON into Lua values.

use super::{Settings, null};
use crate::script::raise;
use mlua::{Lua, Value};

/// How deep values may nest whatever the setting says: what real servers' Lua stack grants.
const DEPTH_MAX: i64 = 2600;

/// One token.
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    /// Nothing known, with what it looked like.
    Error(&'static str),
}

impl Token {
    const fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Error(what) => what,
        }
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or went wrong.
    token_at: usize,
}

pub(super) fn decode(lua: &Lua, settings: &Settings, text: &[u8]) -> mlua::Result<Value> {
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        let complaint = "JSON parser does not support UTF-16 or UTF-32";
        return Err(raise::text(lua, complaint));
    }
    let mut reader = Reader {
        lua,
        settings,
        text,
        at: 0,
        token_at: 0,
    };
    let first = reader.token();
    let value = reader.value(first, 0)?;
    match reader.token() {
        Token::End => Ok(value),
        other => Err(reader.unexpected("the end", &other)),
    }
}

impl Reader<'_> {
    fn unexpected(&self, expected: &str, found: &Token) -> mlua::Error {
        let found = found.name();
        let at = self.token_at + 1;
        let text = format!("Expected {expected} but found {found} at character {at}");
        raise::text(self.lua, &text)
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn token(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.token_at = self.at;
        let single = match self.byte(self.at) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            0 => return Token::End,
            b'"' => return self.string(),
            first => return self.word_or_number(first),
        };
        self.at += 1;
        single
    }

    fn word_or_number(&mut self, first: u8) -> Token {
        let rest = &self.text[self.at..];
        if first == b'-' || first.is_ascii_digit() {
            if !self.settings.decode_invalid && is_unusual(rest) {
                return Token::Error("invalid number");
            }
            return self.number();
        }
        let words: [(&[u8], Token); 3] = [
            (b"true", Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.settings.decode_invalid && is_unusual(rest) {
            return self.number();
        }
        Token::Error("invalid token")
    }

    fn number(&mut self) -> Token {
        match leading_number(&self.text[self.at..]) {
            Some((value, len)) => {
                self.at += len;
                Token::Number(value)
            }
            None => Token::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.byte(self.at) {
                b'"' => break,
                0 => {
                    self.token_at = self.at;
                    return Token::Error("unexpected end of string");
                }
                b'\\' => {
                    if let Err(what) = self.escape(&mut out) {
                        self.token_at = self.at;
                        return Token::Error(what);
                    }
                }
                plain => {
                    out.push(plain);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Token::String(out)
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = match self.byte(self.at + 1) {
            plain @ (b'"' | b'\\' | b'/') => plain,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (code, len) = self.unicode().ok_or("invalid unicode escape code")?;
                let mut utf8 = [0; 4];
                out.extend_from_slice(code.encode_utf8(&mut utf8).as_bytes());
                self.at += len;
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        out.push(byte);
        self.at += 2;
        Ok(())
    }

    /// The character that an escape or a pair of them stands for, and its length.
    fn unicode(&self) -> Option<(char, usize)> {
        let first = self.hex(self.at + 2)?;
        if !(0xd800..0xe000).contains(&first) {
            return Some((char::from_u32(first)?, 6));
        }
        if first >= 0xdc00 || self.byte(self.at + 6) != b'\\' || self.byte(self.at + 7) != b'u' {
            return None;
        }
        let second = self.hex(self.at + 8)?;
        if !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        let code = 0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
        Some((char::from_u32(code)?, 12))
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        digits.iter().try_fold(0, |value, digit| {
            Some(value * 16 + char::from(*digit).to_digit(16)?)
        })
    }

    fn value(&mut self, token: Token, depth: i64) -> mlua::Result<Value> {
        Ok(match token {
            Token::String(text) => Value::String(self.lua.create_string(text)?),
            Token::Number(value) => Value::Number(value),
            Token::Boolean(value) => Value::Boolean(value),
            Token::Null => null(),
            Token::ArrayBegin => self.array(depth + 1)?,
            Token::ObjectBegin => self.object(depth + 1)?,
            other => return Err(self.unexpected("value", &other)),
        })
    }

    fn check_depth(&self, depth: i64) -> mlua::Result<()> {
        if depth <= self.settings.decode_depth_max && depth <= DEPTH_MAX {
            return Ok(());
        }
        let at = self.at;
        let text = format!("Found too many nested data structures ({depth}) at character {at}");
        Err(raise::text(self.lua, &text))
    }

    fn array(&mut self, depth: i64) -> mlua::Result<Value> {
        self.check_depth(depth)?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token, Token::ArrayEnd) {
            return Ok(Value::Table(table));
        }
        for index in 1.. {
            let value = self.value(token, depth)?;
            table.raw_seti(index, value)?;
            match self.token() {
                Token::ArrayEnd => break,
                Token::Comma => {}
                other => return Err(self.unexpected("comma or array end", &other)),
            }
            token = self.token();
        }
        Ok(Value::Table(table))
    }

    fn object(&mut self, depth: i64) -> mlua::Result<Value> {
        self.check_depth(depth)?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token, Token::ObjectEnd) {
            return Ok(Value::Table(table));
        }
        loop {
            let Token::String(key) = token else {
                return Err(self.unexpected("object key string", &token));
            };
            match self.token() {
                Token::Colon => {}
                other => return Err(self.unexpected("colon", &other)),
            }
            let first = self.token();
            let value = self.value(first, depth)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            match self.token() {
                Token::ObjectEnd => break,
                Token::Comma => {}
                other => return Err(self.unexpected("comma or object end", &other)),
            }
            token = self.token();
        }
        Ok(Value::Table(table))
    }
}

/// Whether a number is spelled in a way that C reads and JSON does not know.
fn is_unusual(text: &[u8]) -> bool {
    if text.first() == Some(&b'+') {
        return true;
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    match text {
        [b'0', second, ..] => second.is_ascii_digit() || matches!(second, b'x' | b'X'),
        [first, ..] if *first <= b'9' => false,
        _ => text.get(..3).is_some_and(|head| {
            head.eq_ignore_ascii_case(b"inf") || head.eq_ignore_ascii_case(b"nan")
        }),
    }
}

/// The number in front of `text` as C's `strtod` reads it, and its length.
fn leading_number(text: &[u8]) -> Option<(f64, usize)> {
    let signed = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let sign = if text.first() == Some(&b'-') {
        -1.0
    } else {
        1.0
    };
    let rest = &text[signed..];
    let begins = |word: &str| {
        rest.get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
    };
    if begins("infinity") {
        return Some((sign * f64::INFINITY, signed + 8));
    }
    if begins("inf") {
        return Some((sign * f64::INFINITY, signed + 3));
    }
    if begins("nan") {
        return Some((f64::NAN, signed + 3));
    }
    if begins("0x")
        && let Some((value, len)) = hexadecimal(&rest[2..])
    {
        return Some((sign * value, signed + 2 + len));
    }
    let digits = |from: usize| {
        rest.get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let whole = digits(0);
    let mut end = whole;
    let mut any = whole > 0;
    if rest.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        any |= fraction > 0;
        end += 1 + fraction;
    }
    if !any {
        return None;
    }
    if matches!(rest.get(end), Some(b'e' | b'E')) {
        let from = end + 1 + usize::from(matches!(rest.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(from);
        if exponent > 0 {
            end = from + exponent;
        }
    }
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    Some((sign * text.parse::<f64>().ok()?, signed + end))
}

/// Hexadecimal digits with a fraction and a binary exponent.
fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let (mut value, mut scale, mut at, mut any, mut seen_point) = (0.0, 0_i32, 0, false, false);
    while let Some(byte) = text.get(at) {
        if let Some(digit) = char::from(*byte).to_digit(16) {
            value = value * 16.0 + f64::from(digit);
            scale -= if seen_point { 4 } else { 0 };
            any = true;
        } else if *byte == b'.' && !seen_point {
            seen_point = true;
        } else {
            break;
        }
        at += 1;
    }
    if !any {
        return None;
    }
    if matches!(text.get(at), Some(b'p' | b'P')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'-' | b'+')));
        let from = at + 1 + sign;
        let digits = text[from..].iter().take_while(|byte| byte.is_ascii_digit());
        let len = digits.count();
        if len > 0 {
            let exponent = std::str::from_utf8(&text[at + 1..from + len]).ok()?;
            let exponent: i32 = exponent.trim_start_matches('+').parse().unwrap_or(0);
            scale = scale.saturating_add(exponent);
            at = from + len;
        }
    }
    Some((value * 2.0_f64.powi(scale), at))
}
