//! Rust source cut into tokens: enough of the language to find words outside strings and comments.
//!
//! Shape: a flat list; comments are dropped, a string or number is one token, `::` is one token.
//! Not here: what the tokens mean; `uses.rs` finds paths, `code.rs` finds forbidden words.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier, a keyword or a raw identifier.
    Word,
    /// A string, character or number.
    Literal,
    /// A label or lifetime, with its quote.
    Lifetime,
    /// `::` or one byte of anything else.
    Mark,
}

/// One token and the line it starts on, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its bytes in the source.
    pub(crate) text: &'a str,
    /// The line it starts on, from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// True for the word or mark `text`; never true inside a string.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }
}

/// Cuts `source` into tokens. Never fails: an unfinished string ends with the file.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut cutter = Cutter {
        source,
        bytes: source.as_bytes(),
        at: 0,
        line: 1,
    };
    let mut found = Vec::new();
    while let Some(token) = cutter.next_token() {
        found.push(token);
    }
    found
}

struct Cutter<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Cutter<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn bump(&mut self) {
        if self.peek(0) == b'\n' {
            self.line += 1;
        }
        self.at += 1;
    }

    fn next_token(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        if self.at >= self.bytes.len() {
            return None;
        }
        let (start, line) = (self.at, self.line);
        let kind = self.take_one();
        // A token ends at an ASCII byte or at the end of a whole character, so the cut is sound.
        let text = self
            .source
            .get(start..self.at.min(self.bytes.len()))
            .unwrap_or_default();
        Some(Token { kind, text, line })
    }

    fn skip_blank(&mut self) {
        while self.at < self.bytes.len() {
            if self.peek(0).is_ascii_whitespace() {
                self.bump();
            } else if self.peek(0) == b'/' && self.peek(1) == b'/' {
                while self.at < self.bytes.len() && self.peek(0) != b'\n' {
                    self.bump();
                }
            } else if self.peek(0) == b'/' && self.peek(1) == b'*' {
                self.skip_block_comment();
            } else {
                return;
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            let pair = (self.peek(0), self.peek(1));
            match pair {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.bump();
                    continue;
                }
            }
            self.bump();
            self.bump();
            if depth == 0 {
                return;
            }
        }
    }

    fn take_one(&mut self) -> Kind {
        if let Some(hashes) = self.raw_string_hashes() {
            self.take_raw_string(hashes);
            return Kind::Literal;
        }
        match (self.peek(0), self.peek(1)) {
            (b'b' | b'c', b'"') => {
                self.bump();
                self.take_quoted(b'"')
            }
            (b'b', b'\'') => {
                self.bump();
                self.take_quoted(b'\'')
            }
            (b'"', _) => self.take_quoted(b'"'),
            (b'\'', _) => self.take_quote(),
            (b':', b':') => {
                self.at += 2;
                Kind::Mark
            }
            (byte, _) if byte.is_ascii_digit() => self.take_while(Kind::Literal, |byte| {
                byte.is_ascii_alphanumeric() || byte == b'_'
            }),
            (byte, _) if byte.is_ascii_alphabetic() || byte == b'_' => {
                if byte == b'r' && self.peek(1) == b'#' {
                    self.at += 2;
                }
                self.take_while(Kind::Word, |byte| {
                    byte.is_ascii_alphanumeric() || byte == b'_'
                })
            }
            _ => {
                self.bump();
                while !self.source.is_char_boundary(self.at) {
                    self.at += 1;
                }
                Kind::Mark
            }
        }
    }

    fn take_while(&mut self, kind: Kind, belongs: fn(u8) -> bool) -> Kind {
        while belongs(self.peek(0)) {
            self.bump();
        }
        kind
    }

    /// How many `#` guard the raw string that starts here, if one does.
    fn raw_string_hashes(&self) -> Option<usize> {
        let prefix = match (self.peek(0), self.peek(1)) {
            (b'r', _) => 1,
            (b'b' | b'c', b'r') => 2,
            _ => return None,
        };
        let hashes = self
            .bytes
            .get(self.at + prefix..)?
            .iter()
            .take_while(|b| **b == b'#')
            .count();
        (self.peek(prefix + hashes) == b'"').then_some(hashes)
    }

    fn take_raw_string(&mut self, hashes: usize) {
        while self.peek(0) != b'"' {
            self.bump();
        }
        self.bump();
        while self.at < self.bytes.len() {
            let closes = self.peek(0) == b'"' && (1..=hashes).all(|n| self.peek(n) == b'#');
            self.bump();
            if closes {
                self.at += hashes;
                return;
            }
        }
    }

    fn take_quoted(&mut self, quote: u8) -> Kind {
        self.bump();
        while self.at < self.bytes.len() && self.peek(0) != quote {
            if self.peek(0) == b'\\' {
                self.bump();
            }
            self.bump();
        }
        self.bump();
        Kind::Literal
    }

    /// Tells a character from a lifetime: a character closes after one symbol or is escaped.
    fn take_quote(&mut self) -> Kind {
        let is_word = self.peek(1).is_ascii_alphanumeric() || self.peek(1) == b'_';
        if is_word && self.peek(2) != b'\'' {
            self.bump();
            return self.take_while(Kind::Lifetime, |b| b.is_ascii_alphanumeric() || b == b'_');
        }
        self.take_quoted(b'\'')
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, tokens};

    fn words(source: &str) -> Vec<&str> {
        tokens(source)
            .iter()
            .filter(|t| t.kind == Kind::Word)
            .map(|t| t.text)
            .collect()
    }

    #[test]
    fn words_in_comments_and_strings_are_not_seen() {
        let source =
            "// a\n/* b /* c */ d */ e \"f \\\" g\" r#\"h \" i\"# b'j' 'k' l br\"m\" '\\'' n";
        assert_eq!(words(source), ["e", "l", "n"]);
    }

    #[test]
    fn a_lifetime_is_not_the_start_of_a_character() {
        assert_eq!(
            words("fn f<'a>(x: &'a str) -> char { 'x' }"),
            ["fn", "f", "x", "str", "char"]
        );
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let source = "a\n/*\n*/ b\n\"\n\" c";
        let lines: Vec<usize> = tokens(source)
            .iter()
            .filter(|t| t.kind == Kind::Word)
            .map(|t| t.line)
            .collect();
        assert_eq!(lines, [1, 3, 5]);
    }

    #[test]
    fn a_path_separator_is_one_token() {
        let texts: Vec<&str> = tokens("a::b:c").iter().map(|t| t.text).collect();
        assert_eq!(texts, ["a", "::", "b", ":", "c"]);
    }

    #[test]
    fn an_unfinished_string_ends_with_the_file() {
        assert_eq!(tokens("\"abc").len(), 1);
        assert_eq!(tokens("r#\"abc").len(), 1);
        assert_eq!(tokens("/* abc").len(), 0);
    }
}
