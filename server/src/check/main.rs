//! The program `dovetail-check`: whether snapshots and append-only logs are whole, and what is in
//! them.
//!
//! | module | what it does |
//! | --- | --- |
//! | `args` | the command line |
//! | `check` | finds out what a file is and has it read |
//! | `folder` | manifests |
//! | `source` | files in pieces, and the progress |
//! | `snapshot`, `log` | count what goes by |
//! | `counts` | counters of bounded size |
//! | `report` | what has been found out |
//! | `text`, `machine`, `json` | says it |
//! | `repair`, `words` | cuts logs, after asking |
//!
//! Not here: the formats themselves, which are the engine's codec.

#![forbid(unsafe_code)]

mod args;
mod check;
mod counts;
mod folder;
mod json;
mod log;
mod machine;
mod repair;
mod report;
mod snapshot;
mod source;
mod text;
mod words;

use args::Arguments;
use check::Asked;
use clap::Parser as _;
use machine::Entry;
use repair::{Consent, Outcome, Wish};
use report::{Checked, Status};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let status = run(&Arguments::parse());
    ExitCode::from(match status {
        Status::Whole => 0,
        Status::Damaged => 1,
        Status::Unreadable => 2,
    })
}

/// Prints to standard output; a reader that went away (`| head`) does not change the exit code.
fn say(text: &str) {
    io::stdout().write_all(text.as_bytes()).ok();
}

fn run(args: &Arguments) -> Status {
    let mut status = Status::Whole;
    let mut entries = Vec::new();
    for path in &args.files {
        let (entry, own) = one(path, args);
        status = status.max(own);
        if args.json {
            entries.push(entry);
        }
    }
    if args.json {
        say(&format!("{}\n", machine::document(&entries, status)));
    }
    status
}

/// Checks what one word names, and cuts it if that is wished.
fn one(path: &Path, args: &Arguments) -> (Entry, Status) {
    let asked = Asked {
        top: args.top,
        word_bytes: args.proto_max_bulk_len,
        until: args.truncate_to_timestamp,
    };
    let checked = check::check(path, &asked);
    if !args.json {
        say(&text::whole_text(&checked));
    }
    let wish = match args.truncate_to_timestamp {
        Some(until) => Wish::Later(until),
        None if args.fix => Wish::Tail,
        None => {
            let status = checked.status();
            return (Entry::new(checked), status);
        }
    };
    wished(checked, wish, args, &asked)
}

fn wished(checked: Checked, wish: Wish, args: &Arguments, asked: &Asked) -> (Entry, Status) {
    let consent = if args.yes {
        Consent::Given
    } else {
        Consent::Asked
    };
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let talk: &mut dyn Write = if args.json { &mut err } else { &mut out };
    let outcome = repair::repair(&checked, wish, consent, &mut io::stdin().lock(), talk);
    let mut entry = Entry::new(checked);
    let remark = match outcome {
        Ok(Outcome::Done(cut)) => {
            let again = Asked {
                until: None,
                ..*asked
            };
            entry.checked = check::check(&entry.checked.path, &again);
            let remark = format!(
                "Cut to {} bytes, and on the disk. Checked again:\n{}",
                text::grouped(cut.to),
                text::verdict_text(&entry.checked)
            );
            entry.cut = Some(cut);
            remark
        }
        Ok(Outcome::Nothing) => "Nothing to cut.\n".to_owned(),
        Ok(Outcome::Declined) => {
            entry.not_cut = Some("the answer was not yes".to_owned());
            "\nNothing was cut.\n".to_owned()
        }
        Err(refusal) => {
            entry.not_cut = Some(refusal.to_string());
            format!("Nothing was cut: {refusal}\n")
        }
    };
    if !args.json {
        say(&remark);
    }
    // A log that still has what is later than it may be is not what was asked for, however whole.
    let is_left = entry.not_cut.is_some() && matches!(wish, Wish::Later(_));
    let least = if is_left {
        Status::Unreadable
    } else {
        Status::Whole
    };
    let status = entry.checked.status().max(least);
    (entry, status)
}
