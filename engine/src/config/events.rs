//! The classes of keyspace notifications and the letters that name them.

use super::error::ConfigError;
use super::setting::{Kind, Setting, Source, single};
use super::text::quote;
use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of event classes, and of the two kinds of channels they are published on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EventClasses(u32);

/// Class letters in the order in which they are printed; those of `A` come first.
const LETTERS: [(u8, EventClasses); 14] = [
    (b'g', EventClasses::GENERIC),
    (b'$', EventClasses::STRING),
    (b'l', EventClasses::LIST),
    (b's', EventClasses::SET),
    (b'h', EventClasses::HASH),
    (b'z', EventClasses::ZSET),
    (b'x', EventClasses::EXPIRED),
    (b'e', EventClasses::EVICTED),
    (b't', EventClasses::STREAM),
    (b'd', EventClasses::MODULE),
    (b'n', EventClasses::NEW),
    (b'K', EventClasses::KEYSPACE),
    (b'E', EventClasses::KEYEVENT),
    (b'm', EventClasses::KEY_MISS),
];

impl EventClasses {
    /// No class at all.
    pub const NONE: Self = Self(0);
    /// `K`: publish on `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Self = Self(1);
    /// `E`: publish on `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Self = Self(1 << 1);
    /// `g`: commands of no particular type, such as DEL and RENAME.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: string commands.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: list commands.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: set commands.
    pub const SET: Self = Self(1 << 5);
    /// `h`: hash commands.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: sorted set commands.
    pub const ZSET: Self = Self(1 << 7);
    /// `x`: a key has expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: a key was evicted for want of memory.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: stream commands.
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: a read found no key. Not part of `A`.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// `d`: events of modules.
    pub const MODULE: Self = Self(1 << 12);
    /// `n`: a key has come into being. Not part of `A`.
    pub const NEW: Self = Self(1 << 13);
    /// `A`: every class except `m` and `n`.
    pub const ALL: Self = Self(
        Self::GENERIC.0
            | Self::STRING.0
            | Self::LIST.0
            | Self::SET.0
            | Self::HASH.0
            | Self::ZSET.0
            | Self::EXPIRED.0
            | Self::EVICTED.0
            | Self::STREAM.0
            | Self::MODULE.0,
    );

    /// The classes that `letters` name; `None` if a letter names none.
    #[must_use]
    pub fn from_letters(letters: &[u8]) -> Option<Self> {
        letters.iter().try_fold(Self::NONE, |classes, letter| {
            let class = match letter {
                b'A' => Self::ALL,
                _ => LETTERS.iter().find(|(known, _)| known == letter)?.1,
            };
            Some(classes | class)
        })
    }

    /// Whether all of `others` are in this set.
    #[must_use]
    #[inline]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether no class is set.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set as bits, of which this type alone knows the meaning.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Letters that read back as exactly this set.
    #[must_use]
    pub fn letters(self) -> String {
        let mut letters = String::new();
        if self.contains(Self::ALL) {
            letters.push('A');
        }
        for (letter, class) in LETTERS {
            let covered = self.contains(Self::ALL) && Self::ALL.contains(class);
            if self.contains(class) && !covered {
                letters.push(char::from(letter));
            }
        }
        letters
    }
}

impl BitOr for EventClasses {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for EventClasses {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for EventClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventClasses({})", self.letters())
    }
}

impl Setting for EventClasses {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        Self::from_letters(single(words)?).ok_or(ConfigError::EventClass)
    }

    /// As Redis prints it: `n` does not show beside `A`.
    fn render(&self, _: &Kind) -> Vec<u8> {
        let mut letters = self.letters();
        if self.contains(Self::ALL) {
            letters.retain(|letter| letter != 'n');
        }
        letters.into_bytes()
    }

    fn file_text(&self, _: &Kind) -> Vec<u8> {
        quote(self.letters().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_print_in_redis_order_with_a_for_all() {
        for (given, shown) in [
            ("KEA", "AKE"),
            ("KE", "KE"),
            ("AKEmn", "AKEm"),
            ("g$lshzxetd", "A"),
            ("g$lshzxet", "g$lshzxet"),
            ("nmKE", "nKEm"),
            ("tdeKxE", "xetdKE"),
            ("", ""),
        ] {
            let classes = EventClasses::from_letters(given.as_bytes()).unwrap();
            assert_eq!(classes.render(&Kind::Letters), shown.as_bytes(), "{given}");
            assert_eq!(
                EventClasses::from_letters(classes.letters().as_bytes()),
                Some(classes)
            );
        }
    }

    #[test]
    fn unknown_letters_are_refused() {
        for letters in ["y", "K E", "Ka"] {
            assert_eq!(
                EventClasses::from_letters(letters.as_bytes()),
                None,
                "{letters}"
            );
        }
    }
}
