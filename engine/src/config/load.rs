//! Reading the configuration from text: lines in order, files that include others.

use super::directive::{Directive, Visibility};
use super::error::ConfigError;
use super::setting::Source;
use super::{Config, REDIS_VERSION, find, text};
use crate::base::glob;
use std::fmt;

/// How many files may include each other.
const MAX_INCLUDE_DEPTH: usize = 16;

/// What reading a configuration needs of the world.
pub trait ConfigSource {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The system's reason, such as `No such file or directory`.
    fn read(&mut self, path: &[u8]) -> Result<Vec<u8>, String>;

    /// The files that match `pattern`, sorted; none is fine.
    fn expand(&mut self, pattern: &[u8]) -> Vec<Vec<u8>>;

    /// Makes `path` the working directory, against which later names are read.
    ///
    /// # Errors
    /// The system's reason, such as `No such file or directory`.
    fn change_directory(&mut self, path: &[u8]) -> Result<(), String>;

    /// Whether there is a command called `name`, in any case.
    fn has_command(&self, name: &[u8]) -> bool;
}

/// Why a configuration was not read. `Display` is the whole text for the standard error output.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// A line was refused.
    Line {
        /// Its number in its file, from 1; options come behind the file's lines.
        number: usize,
        /// The line without surrounding white space.
        line: Vec<u8>,
        /// Why.
        reason: ConfigError,
    },
    /// A file could not be read.
    Open {
        /// Its path.
        path: Vec<u8>,
        /// The system's reason.
        reason: String,
    },
    /// Lines contradict each other.
    Conflict(&'static str),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headline = |f: &mut fmt::Formatter<'_>| {
            writeln!(
                f,
                "\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***"
            )
        };
        match self {
            Self::Line {
                number,
                line,
                reason,
            } => {
                headline(f)?;
                writeln!(f, "Reading the configuration file, at line {number}")?;
                writeln!(f, ">>> '{}'", String::from_utf8_lossy(line))?;
                writeln!(f, "{reason}")
            }
            Self::Open { path, reason } => {
                let path = String::from_utf8_lossy(path);
                writeln!(f, "Fatal error, can't open config file '{path}': {reason}")
            }
            Self::Conflict(reason) => {
                headline(f)?;
                writeln!(f, "{reason}")
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl Config {
    /// Applies the lines of `text` in order, and those of the files that they include.
    ///
    /// # Errors
    /// The first line that is refused; those before it have been applied.
    pub fn load(&mut self, text: &[u8], source: &mut dyn ConfigSource) -> Result<(), LoadError> {
        let mut loader = Loader {
            config: self,
            source,
            seen: Vec::new(),
            depth: 0,
        };
        loader.apply_text(text)?;
        if self.cluster.cluster_enabled && self.replication.replicaof.0.is_some() {
            return Err(LoadError::Conflict(
                "replicaof directive not allowed in cluster mode",
            ));
        }
        Ok(())
    }
}

struct Loader<'a> {
    config: &'a mut Config,
    source: &'a mut dyn ConfigSource,
    /// Directives that a line has set already.
    seen: Vec<&'static str>,
    depth: usize,
}

/// Why a line was not applied.
enum Stop {
    /// The line itself is at fault.
    Refused(ConfigError),
    /// A file that it includes is.
    Included(LoadError),
}

impl Loader<'_> {
    fn apply_text(&mut self, text: &[u8]) -> Result<(), LoadError> {
        for (number, line) in text::lines(text) {
            if text::is_silent(line) {
                continue;
            }
            self.apply_line(line).map_err(|stop| match stop {
                Stop::Refused(reason) => LoadError::Line {
                    number,
                    line: line.to_vec(),
                    reason,
                },
                Stop::Included(error) => error,
            })?;
        }
        Ok(())
    }

    fn apply_line(&mut self, line: &[u8]) -> Result<(), Stop> {
        let words = text::split(line).map_err(Stop::Refused)?;
        let Some((name, values)) = words.split_first() else {
            return Ok(());
        };
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let (_, row) = find(name).ok_or(Stop::Refused(ConfigError::BadDirective))?;
        if row.visibility == Visibility::FileOnly {
            self.check_declaration(row, &values)
                .map_err(Stop::Refused)?;
        }
        let origin = match self.seen.contains(&row.name) {
            true => Source::LaterLine,
            false => Source::FirstLine,
        };
        row.set(self.config, &values, origin)
            .map_err(Stop::Refused)?;
        self.seen.push(row.name);
        match (row.name, values.as_slice()) {
            ("include", [path]) => self.include(path),
            ("dir", [path]) => self
                .source
                .change_directory(path)
                .map_err(|reason| Stop::Refused(ConfigError::Other(reason))),
            _ => Ok(()),
        }
    }

    /// What the lines of a file that are no values must satisfy, beyond their own syntax.
    fn check_declaration(&self, row: &Directive, values: &[&[u8]]) -> Result<(), ConfigError> {
        let security = &self.config.security;
        match (row.name, values) {
            ("include", [_]) => Ok(()),
            ("include", _) => Err(ConfigError::BadDirective),
            ("user", [name, ..])
                if security
                    .users
                    .0
                    .iter()
                    .any(|user| user[0].as_bytes() == *name) =>
            {
                Err(ConfigError::DuplicateUser(
                    String::from_utf8_lossy(name).into_owned(),
                ))
            }
            ("rename-command", [from, to]) => {
                let taken = |name| {
                    security
                        .rename_command
                        .is_taken(name, self.source.has_command(name))
                };
                if !taken(from) {
                    Err(ConfigError::NoSuchCommand)
                } else if !to.is_empty() && !from.eq_ignore_ascii_case(to) && taken(to) {
                    Err(ConfigError::CommandExists)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    fn include(&mut self, path: &[u8]) -> Result<(), Stop> {
        if self.depth == MAX_INCLUDE_DEPTH {
            return Err(Stop::Refused(ConfigError::IncludeDepth));
        }
        let files = if glob::is_pattern(path) {
            self.source.expand(path)
        } else {
            vec![path.to_vec()]
        };
        self.depth += 1;
        for path in files {
            let text = self
                .source
                .read(&path)
                .map_err(|reason| Stop::Included(LoadError::Open { path, reason }))?;
            self.apply_text(&text).map_err(Stop::Included)?;
        }
        self.depth -= 1;
        Ok(())
    }
}
