//! CONFIG GET and CONFIG SET.

use super::choice::Locality;
use super::directive::{Directive, Mutability, Visibility};
use super::error::{ConfigError, SetError};
use super::setting::Source;
use super::{Config, all, find};
use crate::base::glob::{self, CaseFold};

/// What a CONFIG SET has changed, and how to take it back.
#[derive(Clone, Debug)]
pub struct Changes {
    before: Box<Config>,
    rows: Vec<(&'static str, &'static Directive)>,
}

impl Changes {
    /// Whether every value was set to what it was.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the directive called `name` in the table has another value now.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.rows.iter().any(|(_, row)| row.name == name)
    }

    /// The names by which the changed directives were set, in the order of the request, with
    /// their rows.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static Directive)> {
        self.rows.iter().copied()
    }

    /// The configuration as it was.
    #[must_use]
    pub const fn before(&self) -> &Config {
        &self.before
    }

    /// Makes `config` what it was, after a side effect has failed.
    pub fn take_back(self, config: &mut Config) {
        *config = *self.before;
    }
}

impl Config {
    /// CONFIG GET: names and values of the directives that match any of `patterns`, sorted.
    ///
    /// A pattern without special characters is a name and comes back as the client spelled it;
    /// only so are hidden directives found. A directive with aliases appears under each name that
    /// matches, and no name twice.
    #[must_use]
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(&'static str, Vec<u8>, &'static Directive)> = Vec::new();
        let mut add = |known: &'static str, shown: &[u8], row: &'static Directive| {
            if !found.iter().any(|(other, ..)| *other == known) {
                found.push((known, shown.to_vec(), row));
            }
        };
        for pattern in patterns {
            if glob::is_pattern(pattern) {
                for row in all().filter(|row| row.visibility == Visibility::Shown) {
                    let matching = row.names().filter(|name| {
                        glob::matches(pattern, name.as_bytes(), CaseFold::Insensitive)
                    });
                    matching.for_each(|name| add(name, name.as_bytes(), row));
                }
            } else if let Some((known, row)) = settable(pattern) {
                add(known, pattern, row);
            }
        }
        found.sort_by_key(|(known, ..)| *known);
        found
            .into_iter()
            .map(|(_, shown, row)| (shown, row.value(self)))
            .collect()
    }

    /// CONFIG SET: sets all of `pairs` or none.
    ///
    /// `locality` is where the client comes from, which may allow protected directives.
    ///
    /// # Errors
    /// The first pair that cannot be set; nothing has changed then.
    pub fn set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        locality: Locality,
    ) -> Result<Changes, SetError> {
        let mut rows: Vec<(&'static str, &'static Directive)> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let found = settable(name).ok_or_else(|| SetError::Unknown(name.to_vec()))?;
            let (known, row) = found;
            let refuse = |reason| {
                Err(SetError::Failed {
                    name: known,
                    reason,
                })
            };
            if row.mutability == Mutability::StartOnly {
                return refuse(ConfigError::Immutable);
            }
            let open = self.security.enable_protected_configs.admits(locality);
            if row.mutability == Mutability::Protected && !open {
                return refuse(ConfigError::Protected);
            }
            if rows.iter().any(|(other, _)| *other == known) {
                return refuse(ConfigError::Duplicate);
            }
            rows.push(found);
        }
        let mut next = self.clone();
        for ((name, row), (_, value)) in rows.iter().zip(pairs) {
            row.set(&mut next, &[value], Source::Client)
                .map_err(|reason| SetError::Failed { name, reason })?;
        }
        rows.retain(|(_, row)| !row.same(self, &next));
        let before = Box::new(std::mem::replace(self, next));
        Ok(Changes { before, rows })
    }
}

/// The directive called `name` if it is a value at all.
fn settable(name: &[u8]) -> Option<(&'static str, &'static Directive)> {
    find(name).filter(|(_, row)| row.visibility != Visibility::FileOnly)
}
