//! From a poller's name to its row, with the reasons for whatever was not taken.

use crate::front::fault_text;
use dovetail_backends::poller::select::Select;
use dovetail_backends::poller::{AUTO, POLLERS, PollerEntry};
use dovetail_backends::sys::select::LIMIT;
use dovetail_engine::seam::host::Refusal;
use dovetail_engine::seam::poller::Poller as _;

/// A row and how it was come by.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// The row.
    pub(crate) entry: &'static PollerEntry,
    /// For `auto`: what was tried first, and why not; each `name unavailable: reason`.
    pub(crate) passed_over: Vec<String>,
    is_auto: bool,
}

impl Chosen {
    /// What the log says of it.
    pub(crate) fn line(&self) -> String {
        let name = self.entry.name;
        match (self.is_auto, self.passed_over.is_empty()) {
            (false, _) => format!("Waiting with {name}"),
            (true, true) => format!("Waiting with {name} (auto)"),
            (true, false) => {
                format!(
                    "Waiting with {name} (auto: {})",
                    self.passed_over.join("; ")
                )
            }
        }
    }
}

/// The row called `name`, or for `auto` the first that works here. A name that was asked for is
/// taken or refused, never replaced.
///
/// # Errors
/// Why not, in words for a client.
pub(crate) fn poller(name: &str) -> Result<Chosen, Refusal> {
    among(POLLERS, name)
}

/// Refuses a live change to a poller that cannot hold every descriptor that is `in_use`.
///
/// # Errors
/// In words for a client.
pub(crate) fn check_room(entry: &PollerEntry, in_use: usize) -> Result<(), Refusal> {
    if entry.name != Select::NAME || in_use < LIMIT {
        return Ok(());
    }
    let name = entry.name;
    Err(Refusal(format!(
        "{name} can hold {LIMIT} descriptors and {in_use} are in use"
    )))
}

fn among(rows: &'static [PollerEntry], name: &str) -> Result<Chosen, Refusal> {
    if name == AUTO {
        return first_that_works(rows);
    }
    let Some(entry) = rows.iter().find(|entry| entry.name == name) else {
        let names: Vec<_> = rows.iter().map(|entry| entry.name).collect();
        let names = names.join(", ");
        return Err(Refusal(format!(
            "There is no poller '{name}'; there are {AUTO}, {names}"
        )));
    };
    match (entry.probe)() {
        Ok(()) => Ok(Chosen {
            entry,
            passed_over: Vec::new(),
            is_auto: false,
        }),
        Err(fault) => Err(Refusal(format!(
            "{name} unavailable: {}",
            fault_text(fault)
        ))),
    }
}

fn first_that_works(rows: &'static [PollerEntry]) -> Result<Chosen, Refusal> {
    let mut passed_over = Vec::new();
    for entry in rows {
        match (entry.probe)() {
            Ok(()) => {
                return Ok(Chosen {
                    entry,
                    passed_over,
                    is_auto: true,
                });
            }
            Err(fault) => {
                passed_over.push(format!("{} unavailable: {}", entry.name, fault_text(fault)));
            }
        }
    }
    Err(Refusal(passed_over.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dovetail_engine::seam::drive::Ended;
    use dovetail_engine::seam::poller::Fault;

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

    #[test]
    fn auto_takes_the_first_that_works_and_says_why_not_the_others() {
        let chosen = among(ROWS, AUTO).unwrap();
        assert_eq!(
            chosen.line(),
            "Waiting with old (auto: new unavailable: new_setup: Function not implemented)"
        );
        assert_eq!(
            among(&ROWS[1..], AUTO).unwrap().line(),
            "Waiting with old (auto)"
        );
        assert_eq!(
            among(&ROWS[..1], AUTO).unwrap_err().0,
            "new unavailable: new_setup: Function not implemented"
        );
    }

    #[test]
    fn select_is_refused_when_it_would_have_to_drop_clients() {
        let select = poller("select").unwrap().entry;
        assert_eq!(check_room(select, 1000), Ok(()));
        let refusal = check_room(select, 5000).unwrap_err();
        assert_eq!(
            refusal.0,
            "select can hold 1024 descriptors and 5000 are in use"
        );
        assert_eq!(check_room(poller("poll").unwrap().entry, 5000), Ok(()));
    }

    #[test]
    fn a_name_is_taken_or_refused() {
        assert_eq!(among(ROWS, "old").unwrap().line(), "Waiting with old");
        assert_eq!(
            among(ROWS, "new").unwrap_err().0,
            "new unavailable: new_setup: Function not implemented"
        );
        assert_eq!(
            among(ROWS, "odd").unwrap_err().0,
            "There is no poller 'odd'; there are auto, new, old"
        );
    }
}
