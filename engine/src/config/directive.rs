//! The rows of the table of directives, and the macro that writes a group's rows and its struct.

use super::Config;
use super::error::ConfigError;
use super::setting::{Kind, Line, Source};

/// One directive: everything that is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// The syntax of its value.
    pub kind: Kind,
    /// When it may be set.
    pub mutability: Mutability,
    /// Where it shows.
    pub visibility: Visibility,
    /// Whether this version acts on it.
    pub effect: Effect,
    /// What it does, in lines.
    pub doc: &'static [&'static str],
    pub(super) read: fn(&Config, &Kind) -> Vec<u8>,
    pub(super) write: Write,
    pub(super) lines: fn(&Config, &Kind, &Config) -> Vec<Line>,
    pub(super) same: fn(&Config, &Config) -> bool,
}

/// Sets a field to what words say.
type Write = fn(&mut Config, &Kind, &[&[u8]], Source) -> Result<(), ConfigError>;

/// When a directive may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// At any time.
    Mutable,
    /// At start.
    StartOnly,
    /// At start, and later as far as `enable-protected-configs` allows.
    Protected,
}

/// Where a directive shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// In CONFIG GET and in the documents.
    Shown,
    /// In CONFIG GET by its exact name.
    Hidden,
    /// Nowhere but in files: it is not a value that could be read or set.
    FileOnly,
}

/// Whether this version acts on a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does.
    Live,
    /// It accepts and keeps the value, which has no effect yet.
    Later,
}

/// Directives that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// The directives, in the order in which they are documented.
    pub rows: &'static [Directive],
}

impl Directive {
    /// Its name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Its value in `config`, as CONFIG GET shows it.
    #[must_use]
    pub fn value(&self, config: &Config) -> Vec<u8> {
        (self.read)(config, &self.kind)
    }

    /// Whether two configurations agree on it.
    #[must_use]
    pub fn same(&self, one: &Config, other: &Config) -> bool {
        (self.same)(one, other)
    }

    /// Sets it in `config` to what `words` say; one word may hold several, parted by a space.
    ///
    /// # Errors
    /// When they do not fit; `config` is unchanged then.
    pub fn set(
        &self,
        config: &mut Config,
        words: &[&[u8]],
        source: Source,
    ) -> Result<(), ConfigError> {
        match words {
            [several] if self.kind.takes_many() => {
                let parts: Vec<_> = several.split(|byte| *byte == b' ').collect();
                let parts = if several.is_empty() { &[] } else { &parts[..] };
                (self.write)(config, &self.kind, parts, source)
            }
            _ => (self.write)(config, &self.kind, words, source),
        }
    }

    /// The lines that a file needs for its value in `config`, without the name.
    pub(super) fn lines(&self, config: &Config, default: &Config) -> Vec<Line> {
        (self.lines)(config, &self.kind, default)
    }
}

macro_rules! visibility {
    () => {
        Visibility::Shown
    };
    ($visibility:ident) => {
        Visibility::$visibility
    };
}

/// Writes the struct of a group, its defaults and its rows.
///
/// A row is `field: type = default, "name" | "alias"..., kind, mutability, effect[, visibility];`
/// and its doc comment documents both the field and the directive.
macro_rules! group {
    (
        $(#[doc = $group_doc:literal])+
        $Struct:ident at $member:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $default:expr,
                $name:literal $(| $alias:literal)*,
                $kind:expr, $mutability:ident, $effect:ident $(, $visibility:ident)?;
            )+
        }
    ) => {
        $(#[doc = $group_doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Struct {
            $( $(#[doc = $doc])+ pub $field: $type, )+
        }

        impl Default for $Struct {
            fn default() -> Self {
                Self { $( $field: $default, )+ }
            }
        }

        pub(super) static ROWS: &[Directive] = &[
            $( Directive {
                name: $name,
                aliases: &[$($alias),*],
                kind: $kind,
                mutability: Mutability::$mutability,
                visibility: visibility!($($visibility)?),
                effect: Effect::$effect,
                doc: &[$($doc),+],
                read: |config, kind| config.$member.$field.render(kind),
                write: |config, kind, words, source| {
                    config.$member.$field = config.$member.$field.parse(kind, words, source)?;
                    Ok(())
                },
                lines: |config, kind, default| {
                    config.$member.$field.lines(kind, &default.$member.$field)
                },
                same: |one, other| one.$member.$field == other.$member.$field,
            } ),+
        ];
    };
}

pub(super) use {group, visibility};
