//! From a name to a row of the table, with the reasons for whatever was not taken.

use super::{POLLERS, PollerEntry};
use dovetail_engine::seam::poller::Fault;
use std::fmt;

/// The name that stands for the first member that works here.
pub const AUTO: &str = "auto";

/// A row and how it was come by.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The row.
    pub entry: &'static PollerEntry,
    /// For [`AUTO`]: what was tried first, and why not.
    pub passed_over: Option<Vec<Unavailable>>,
}

impl fmt::Display for Chosen {
    /// `epoll`, `io_uring (auto)`, or `epoll (auto: io_uring unavailable: ...)`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.entry.name)?;
        match self.passed_over.as_deref() {
            None => Ok(()),
            Some([]) => out.write_str(" (auto)"),
            Some(others) => write!(out, " (auto: {})", join(others)),
        }
    }
}

/// A member that does not work here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Its name.
    pub name: &'static str,
    /// What the kernel refuses.
    pub fault: Fault,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} unavailable: {}", self.name, self.fault)
    }
}

/// Why a name is no poller here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPoller {
    /// No row has that name.
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The kernel refuses it, or with [`AUTO`] all of them.
    Refused(Vec<Unavailable>),
}

impl fmt::Display for NoPoller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, known } => {
                let known = known.join(", ");
                write!(
                    out,
                    "There is no poller '{name}'; there are {AUTO}, {known}"
                )
            }
            Self::Refused(tried) => out.write_str(&join(tried)),
        }
    }
}

impl std::error::Error for NoPoller {}

fn join(members: &[Unavailable]) -> String {
    let texts: Vec<_> = members.iter().map(Unavailable::to_string).collect();
    texts.join("; ")
}

/// The row called `name`, or for [`AUTO`] the first that works here. A name that was asked for is
/// taken or refused, never replaced.
///
/// # Errors
/// When there is no such row or the kernel refuses it.
pub fn choose(name: &str) -> Result<Chosen, NoPoller> {
    among(POLLERS, name)
}

fn among(rows: &'static [PollerEntry], name: &str) -> Result<Chosen, NoPoller> {
    if name == AUTO {
        return first_that_works(rows);
    }
    let Some(entry) = rows.iter().find(|entry| entry.name == name) else {
        return Err(NoPoller::Unknown {
            name: name.to_owned(),
            known: rows.iter().map(|entry| entry.name).collect(),
        });
    };
    match (entry.probe)() {
        Ok(()) => Ok(Chosen {
            entry,
            passed_over: None,
        }),
        Err(fault) => Err(NoPoller::Refused(vec![Unavailable {
            name: entry.name,
            fault,
        }])),
    }
}

fn first_that_works(rows: &'static [PollerEntry]) -> Result<Chosen, NoPoller> {
    let mut tried = Vec::new();
    for entry in rows {
        match (entry.probe)() {
            Ok(()) => {
                return Ok(Chosen {
                    entry,
                    passed_over: Some(tried),
                });
            }
            Err(fault) => tried.push(Unavailable {
                name: entry.name,
                fault,
            }),
        }
    }
    Err(NoPoller::Refused(tried))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dovetail_engine::seam::drive::Ended;

    const fn row(name: &'static str, probe: fn() -> Result<(), Fault>) -> PollerEntry {
        PollerEntry {
            name,
            probe,
            run: |_, _, _, _| Ok(Ended::Finished),
        }
    }

    static ROWS: &[PollerEntry] = &[
        row("new", || {
            Err(Fault {
                op: "new_setup",
                errno: 38,
            })
        }),
        row("old", || Ok(())),
    ];

    fn text(rows: &'static [PollerEntry], name: &str) -> String {
        match among(rows, name) {
            Ok(chosen) => chosen.to_string(),
            Err(error) => format!("no: {error}"),
        }
    }

    #[test]
    fn auto_takes_the_first_that_works_and_says_why_not_the_others() {
        let why = "new unavailable: new_setup: Function not implemented";
        assert_eq!(text(ROWS, AUTO), format!("old (auto: {why})"));
        assert_eq!(text(&ROWS[1..], AUTO), "old (auto)");
        assert_eq!(text(&ROWS[..1], AUTO), format!("no: {why}"));
    }

    #[test]
    fn a_name_is_taken_or_refused() {
        assert_eq!(text(ROWS, "old"), "old");
        assert_eq!(
            text(ROWS, "new"),
            "no: new unavailable: new_setup: Function not implemented"
        );
        assert_eq!(
            text(ROWS, "odd"),
            "no: There is no poller 'odd'; there are auto, new, old"
        );
    }

    #[test]
    fn names_differ_and_none_is_auto() {
        for (at, entry) in POLLERS.iter().enumerate() {
            assert_ne!(entry.name, AUTO);
            assert!(POLLERS[..at].iter().all(|other| other.name != entry.name));
        }
        assert_eq!(choose("poll").unwrap().entry.name, "poll");
    }
}
