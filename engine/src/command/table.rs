//! All commands of a server: lookup by name, with renames applied.
//!
//! Shape: rows in a flat vector, subcommands behind their containers; an open-addressed index over
//! folded names, so that a lookup hashes two words and compares one name.

use super::spec::{Flags, Spec};
use crate::resp::Args;

/// A row's number.
pub type CommandId = u16;

/// One command or subcommand.
#[derive(Debug)]
pub struct Row {
    /// Its declaration.
    pub spec: &'static Spec,
    /// `get`, `config|get`.
    pub full_name: Box<str>,
    /// The name it is called by now; differs from the declaration's after `rename-command`.
    pub called: Box<str>,
    /// The container of a subcommand.
    pub container: Option<CommandId>,
    /// Rows of its subcommands.
    pub subcommands: Vec<CommandId>,
    /// The first key's word, when the positions alone tell it; 0 when there is none.
    pub first_key: u16,
    /// The word that names an element of what the first key holds, where no option is given; 0 when
    /// there is none.
    pub element: u16,
    /// Flags with those that follow from the keys.
    pub flags: Flags,
}

/// Why a request names no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No command of that name.
    Command,
    /// The container (this row) has no such subcommand.
    Subcommand(CommandId),
}

/// All rows.
#[derive(Debug)]
pub struct CommandTable {
    rows: Vec<Row>,
    index: Vec<Place>,
    top_level: usize,
}

const FREE: u16 = u16::MAX;

/// One place of the index.
#[derive(Clone, Copy, Debug)]
struct Place {
    folded: u64,
    len: u16,
    row: CommandId,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            folded: 0,
            len: 0,
            row: FREE,
        }
    }
}

impl CommandTable {
    /// The table of these families' commands under their own names.
    ///
    /// # Panics
    /// When a name stands twice.
    #[must_use]
    pub fn new(families: &[&'static [Spec]]) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            index: Vec::new(),
            top_level: 0,
        };
        for spec in families.iter().flat_map(|family| family.iter()) {
            let id = table.push(spec, None);
            for sub in spec.subcommands {
                let sub_id = table.push(sub, Some(id));
                table.rows[usize::from(id)].subcommands.push(sub_id);
            }
            table.top_level += 1;
        }
        table.reindex();
        table
    }

    fn push(&mut self, spec: &'static Spec, container: Option<CommandId>) -> CommandId {
        let id = CommandId::try_from(self.rows.len()).expect("there are fewer than 65535 commands");
        let full_name = match container {
            Some(container) => format!(
                "{}|{}",
                self.rows[usize::from(container)].full_name,
                spec.name
            ),
            None => spec.name.to_owned(),
        };
        self.rows.push(Row {
            spec,
            full_name: full_name.into(),
            called: spec.name.into(),
            container,
            subcommands: Vec::new(),
            first_key: super::keys::fixed_first_key(spec),
            element: super::keys::element_word(spec),
            flags: super::keys::implied_flags(spec),
        });
        id
    }

    fn reindex(&mut self) {
        let size = (self.top_level * 8).next_power_of_two();
        self.index = vec![Place::default(); size];
        for id in 0..self.rows.len() {
            let row = &self.rows[id];
            if row.container.is_some() || row.called.is_empty() {
                continue;
            }
            assert!(
                self.find(row.called.as_bytes()).is_none(),
                "{} stands twice",
                row.called
            );
            let (folded, len) = (fold(row.called.as_bytes()), row.called.len());
            let mut at = self.start_of(folded, len);
            while self.index[at].row != FREE {
                at = (at + 1) & (size - 1);
            }
            let row = CommandId::try_from(id).unwrap_or(FREE);
            self.index[at] = Place {
                folded,
                len: u16::try_from(len).unwrap_or(u16::MAX),
                row,
            };
        }
    }

    #[inline]
    fn start_of(&self, folded: u64, len: usize) -> usize {
        usize::try_from(spread(folded, len) >> 40).unwrap_or(0) & (self.index.len() - 1)
    }

    /// The command called `name`, in any case.
    #[must_use]
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<CommandId> {
        let folded = fold(name);
        let mut at = self.start_of(folded, name.len());
        loop {
            let place = self.index[at];
            if place.row == FREE {
                return None;
            }
            if place.folded == folded
                && usize::from(place.len) == name.len()
                && (name.len() <= 8 || self.is_called(place.row, name))
            {
                return Some(place.row);
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }

    fn is_called(&self, id: CommandId, name: &[u8]) -> bool {
        self.rows[usize::from(id)]
            .called
            .as_bytes()
            .eq_ignore_ascii_case(name)
    }

    /// The subcommand of `container` called `name`, in any case.
    #[must_use]
    pub fn find_sub(&self, container: CommandId, name: &[u8]) -> Option<CommandId> {
        let subs = &self.row(container).subcommands;
        subs.iter().copied().find(|id| {
            self.row(*id)
                .spec
                .name
                .as_bytes()
                .eq_ignore_ascii_case(name)
        })
    }

    /// The row that a request names; a container without a second word is its own row.
    ///
    /// # Errors
    /// When there is no such command or subcommand.
    #[inline]
    pub fn resolve(&self, args: &Args<'_>) -> Result<CommandId, Unknown> {
        let id = self.find(args.get(0)).ok_or(Unknown::Command)?;
        if self.row(id).subcommands.is_empty() {
            return Ok(id);
        }
        match args.try_get(1) {
            None => Ok(id),
            Some(word) => self.find_sub(id, word).ok_or(Unknown::Subcommand(id)),
        }
    }

    /// The command with this full name (`config|get`), in any case.
    #[must_use]
    pub fn find_full(&self, name: &[u8]) -> Option<CommandId> {
        match name.iter().position(|byte| *byte == b'|') {
            None => self.find(name),
            Some(at) => self.find_sub(self.find(&name[..at])?, &name[at + 1..]),
        }
    }

    /// A row.
    #[must_use]
    #[inline]
    pub fn row(&self, id: CommandId) -> &Row {
        &self.rows[usize::from(id)]
    }

    /// All rows with their numbers, subcommands behind their containers.
    pub fn rows(&self) -> impl Iterator<Item = (CommandId, &Row)> {
        self.rows
            .iter()
            .enumerate()
            .map(|(id, row)| (CommandId::try_from(id).unwrap_or(FREE), row))
    }

    /// Top-level commands with their numbers, removed ones left out.
    pub fn top_level(&self) -> impl Iterator<Item = (CommandId, &Row)> {
        self.rows()
            .filter(|(_, row)| row.container.is_none() && !row.called.is_empty())
    }

    /// Rows in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// There is no command.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Calls the command `from` by the name `to` from now on; an empty `to` removes it.
    ///
    /// # Errors
    /// The reason, as the configuration file's reader words it.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), &'static str> {
        let id = self
            .find(from.as_bytes())
            .ok_or("No such command in rename-command")?;
        if !to.is_empty() && self.find(to.as_bytes()).is_some() {
            return Err("Target command name already exists");
        }
        self.rows[usize::from(id)].called = to.to_lowercase().into();
        self.reindex();
        Ok(())
    }
}

/// A name of up to eight bytes as one word, or the ends of a longer one, in lower case; names of
/// commands hold no byte that lower-casing by one bit could confuse.
#[inline]
fn fold(name: &[u8]) -> u64 {
    const CASE: u64 = 0x2020_2020_2020_2020;
    let half = |at: usize| {
        let bytes = name.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u64::from(u32::from_le_bytes(bytes.unwrap_or_default()))
    };
    let word = match name.len() {
        0 => 0,
        len @ 1..=3 => {
            let (first, middle, last) = (name[0], name[len / 2], name[len - 1]);
            u64::from(first) | u64::from(middle) << 8 | u64::from(last) << 16
        }
        len @ 4..=8 => half(0) | half(len - 4) << 32,
        len => {
            let (head, tail) = (half(0) | half(4) << 32, half(len - 8) | half(len - 4) << 32);
            return (head | CASE) ^ (tail | CASE).rotate_left(23);
        }
    };
    word | CASE
}

/// Spreads a folded name and its length over the index.
#[inline]
fn spread(folded: u64, len: usize) -> u64 {
    (folded ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests;
