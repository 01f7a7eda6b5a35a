//! Lines that only files and options have: they do something instead of setting a value.

use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::error::ConfigError;
use crate::config::setting::{Kind, Line, Setting, Source, Text};

/// Lines of one directive, each as its words without the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations(pub Vec<Vec<Text>>);

impl Setting for Declarations {
    fn parse(&self, kind: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        if words.is_empty() {
            return Err(ConfigError::BadDirective);
        }
        if let Kind::Checked { check, .. } = kind {
            check(words[0])?;
        }
        let mut lines = self.0.clone();
        lines.push(words.iter().map(|word| Text::from(*word)).collect());
        Ok(Self(lines))
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        Vec::new()
    }

    /// None: the lines of a file stay as they are.
    fn lines(&self, _: &Kind, _: &Self) -> Vec<Line> {
        Vec::new()
    }
}

/// A command's new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The name to be changed.
    pub from: String,
    /// The new one; empty takes the command away.
    pub to: String,
}

/// The renamed commands, in the order of their lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames(pub Vec<Rename>);

impl Renames {
    /// Whether a command can be called `name`, when it can without renames if `known`.
    #[must_use]
    pub fn is_taken(&self, name: &[u8], known: bool) -> bool {
        self.0.iter().fold(known, |taken, rename| {
            let is = |text: &String| text.as_bytes().eq_ignore_ascii_case(name);
            is(&rename.to) || taken && !is(&rename.from)
        })
    }
}

impl<'a> IntoIterator for &'a Renames {
    type Item = (&'a str, &'a str);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, Rename>, fn(&'a Rename) -> Self::Item>;

    /// Pairs of old and new name.
    fn into_iter(self) -> Self::IntoIter {
        self.0
            .iter()
            .map(|rename| (rename.from.as_str(), rename.to.as_str()))
    }
}

impl Setting for Renames {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        let [from, to] = words else {
            return Err(ConfigError::BadDirective);
        };
        let mut renames = self.0.clone();
        let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        renames.push(Rename {
            from: text(from),
            to: text(to),
        });
        Ok(Self(renames))
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        Vec::new()
    }

    fn lines(&self, _: &Kind, _: &Self) -> Vec<Line> {
        Vec::new()
    }
}

fn refuse_sentinel(_: &[u8]) -> Result<(), ConfigError> {
    Err(ConfigError::Words(
        "sentinel directive while not in sentinel mode",
    ))
}

const WORDS: Kind = Kind::Checked {
    shape: "words",
    check: |_| Ok(()),
};

group! {
    /// Lines that only files and options have: they do something instead of setting a value.
    Startup at startup {
        /// Reads another file at this place; the name may be a pattern. Lines behind it win over
        /// what it says.
        include: Declarations = Declarations::default(),
        "include", Kind::Checked { shape: "file name or pattern", check: |_| Ok(()) },
        StartOnly, Live, FileOnly;

        /// Loads a module. There are no modules.
        loadmodule: Declarations = Declarations::default(),
        "loadmodule", Kind::Checked { shape: "file name and arguments", check: |_| Ok(()) },
        StartOnly, Later, FileOnly;

        /// Belongs into the file of a sentinel.
        sentinel: Declarations = Declarations::default(),
        "sentinel", Kind::Checked { shape: "words", check: refuse_sentinel },
        StartOnly, Later, FileOnly;

        /// Lines of old files that mean nothing any more.
        obsolete: Declarations = Declarations::default(),
        "list-max-ziplist-entries" | "list-max-ziplist-value", WORDS,
        StartOnly, Later, FileOnly;
    }
}
