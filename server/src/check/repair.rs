//! Cutting logs: what may be cut, the question before it, and the cut.

use super::folder;
use super::log::Swallowed;
use super::report::{Checked, FileReport, Role, Status, Unreadable, Verdict};
use super::text::{date_text, grouped, plural, swallowed_text};
use super::words::first_words;
use dovetail_engine::codec::aof::Manifest;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

/// What is wished to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A torn tail.
    Tail,
    /// Everything later than this, in unix seconds.
    Later(i64),
}

/// Whether somebody is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Before each cut.
    Asked,
    /// It was given on the command line.
    Given,
}

/// A file that has been cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The length that it had.
    pub(crate) len: u64,
    /// The length that it has.
    pub(crate) to: u64,
}

/// What has become of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is nothing to be cut.
    Nothing,
    /// It was cut.
    Done(Cut),
    /// Whoever was asked has not agreed.
    Declined,
}

/// Why something is not cut.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A file is damaged in another way.
    Damage(PathBuf, String),
    /// More files of the log follow behind this one; the manifest that says so.
    NotLast(PathBuf, PathBuf),
    /// It has no commands.
    NoLog,
    /// Its commands have no times.
    NoTimes,
    /// Nothing would be left: the first annotation is later.
    NothingLeft(i64),
    /// What it begins with was written later.
    BaseLater(PathBuf, i64),
    /// It is probably not just torn.
    Doubtful(Swallowed),
    /// It has another length than a moment ago.
    Changed(PathBuf),
    /// A manifest beside it cannot be read.
    Manifest(PathBuf, Unreadable),
    /// The system refuses to do this.
    Io(&'static str, PathBuf, io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage(path, verdict) => {
                write!(out, "{} is no torn tail: {verdict}", path.display())
            }
            Self::NotLast(path, manifest) => write!(
                out,
                "{} is not the last file that {} names; what it lacks at its end, those behind it \
                 build upon",
                path.display(),
                manifest.display()
            ),
            Self::NoLog => out.write_str("there are no commands that could be cut"),
            Self::NoTimes => out.write_str(
                "there is no annotation of time (aof-timestamp-enabled was off), so nobody knows \
                 where",
            ),
            Self::NothingLeft(time) => write!(
                out,
                "nothing would be left: the first annotation of time is {time} ({})",
                date_text(*time)
            ),
            Self::BaseLater(path, time) => write!(
                out,
                "the snapshot in {} was written later: {time} ({})",
                path.display(),
                date_text(*time)
            ),
            Self::Doubtful(swallowed) => write!(
                out,
                "{}; without --yes it is asked whether to cut all the same",
                swallowed_text(swallowed)
            ),
            Self::Changed(path) => write!(
                out,
                "{} has another length than a moment ago: somebody writes to it",
                path.display()
            ),
            Self::Manifest(path, why) => write!(out, "{}: {why}", path.display()),
            Self::Io(doing, path, error) => {
                write!(out, "cannot {doing} {}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// What is to be cut.
#[derive(Debug)]
struct Plan<'c> {
    file: &'c FileReport,
    to: u64,
    why: String,
    doubt: Option<Swallowed>,
}

/// Does what is wished, if it may be done. Questions go to `talk`, answers come from `answers`.
pub(crate) fn repair(
    checked: &Checked,
    wish: Wish,
    consent: Consent,
    answers: &mut dyn BufRead,
    talk: &mut dyn Write,
) -> Result<Outcome, Refusal> {
    let plan = match wish {
        Wish::Tail => tail_plan(checked)?,
        Wish::Later(until) => time_plan(checked, until)?,
    };
    let Some(plan) = plan else {
        return Ok(Outcome::Nothing);
    };
    if plan.file.role == Role::Alone {
        refuse_before_others(&plan.file.path)?;
    }
    if let (Some(doubt), Consent::Given) = (plan.doubt, consent) {
        return Err(Refusal::Doubtful(doubt));
    }
    let said = explain(&plan, talk).and_then(|()| match consent {
        Consent::Given => Ok(true),
        Consent::Asked => ask(answers, talk),
    });
    match said {
        Ok(true) => cut(&plan).map(Outcome::Done),
        Ok(false) => Ok(Outcome::Declined),
        Err(error) => Err(Refusal::Io("ask about", plan.file.path.clone(), error)),
    }
}

fn damage(file: &FileReport) -> Refusal {
    Refusal::Damage(file.path.clone(), file.verdict.to_string())
}

/// A torn tail is at the end of the last file, and nothing before it is wrong.
fn tail_plan(checked: &Checked) -> Result<Option<Plan<'_>>, Refusal> {
    if checked.status() == Status::Whole {
        return Ok(None);
    }
    let is_wrong =
        |file: &&FileReport| matches!(file.verdict, Verdict::Damaged(_) | Verdict::Unreadable(_));
    if let Some(file) = checked.files.iter().find(is_wrong) {
        return Err(damage(file));
    }
    for file in &checked.files {
        if let Verdict::Torn { tail, swallowed } = &file.verdict {
            return Ok(tail.cut().map(|to| Plan {
                file,
                to,
                why: file.verdict.to_string(),
                doubt: *swallowed,
            }));
        }
    }
    let first = checked
        .files
        .iter()
        .find(|file| file.verdict.status() != Status::Whole);
    first.map_or(Ok(None), |file| Err(damage(file)))
}

/// The first annotation that is later than `until` is in the last file, and nothing before it is
/// wrong. What is wrong behind it goes with the rest.
fn time_plan(checked: &Checked, until: i64) -> Result<Option<Plan<'_>>, Refusal> {
    let logs = || checked.files.iter().filter_map(|file| file.log.as_ref());
    let found = checked.files.iter().position(|file| {
        let later = file.log.as_ref().and_then(|log| log.later);
        later.is_some()
    });
    let before = &checked.files[..found.unwrap_or(checked.files.len())];
    let is_wrong =
        |file: &&FileReport| matches!(file.verdict, Verdict::Damaged(_) | Verdict::Unreadable(_));
    if let Some(file) = before.iter().find(is_wrong) {
        return Err(damage(file));
    }
    let Some((index, later)) = found.zip(logs().find_map(|log| log.later)) else {
        return match logs().map(|log| log.stamps).sum::<u64>() {
            _ if logs().next().is_none() => Err(Refusal::NoLog),
            0 => Err(Refusal::NoTimes),
            _ => Ok(None),
        };
    };
    let file = &checked.files[index];
    if index + 1 < checked.files.len() {
        let manifest = checked.files[0].path.clone();
        return Err(Refusal::NotLast(file.path.clone(), manifest));
    }
    for file in &checked.files[..=index] {
        let written = file
            .snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.aux("ctime"));
        let written = written.and_then(|text| str::from_utf8(text).ok()?.parse::<i64>().ok());
        if let Some(written) = written.filter(|written| *written > until) {
            return Err(Refusal::BaseLater(file.path.clone(), written));
        }
    }
    let has_before = before
        .iter()
        .any(|file| file.bytes > 0 && file.role != Role::Manifest);
    if later.cut == 0 && !has_before {
        return Err(Refusal::NothingLeft(later.time));
    }
    let why = format!(
        "what follows was written at {} ({})",
        later.time,
        date_text(later.time)
    );
    Ok(Some(Plan {
        file,
        to: later.cut,
        why,
        doubt: None,
    }))
}

/// A file that was named by itself may be one of several, and not the last.
fn refuse_before_others(path: &Path) -> Result<(), Refusal> {
    let folder = folder::folder_of(path);
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Ok(());
    };
    let failed = |why| Refusal::Manifest(folder.to_owned(), why);
    for manifest in folder::manifests_in(folder).map_err(failed)? {
        let manifest = folder.join(manifest);
        let text = folder::read_manifest(&manifest);
        let text = text.map_err(|why| Refusal::Manifest(manifest.clone(), why))?;
        let listed = Manifest::parse(&text).unwrap_or_default();
        let names: Vec<&str> = listed.loaded().map(|file| file.name.as_str()).collect();
        let place = names.iter().position(|known| *known == name);
        if place.is_some_and(|place| place + 1 < names.len()) {
            return Err(Refusal::NotLast(path.to_owned(), manifest));
        }
    }
    Ok(())
}

/// Says what is going to be cut.
fn explain(plan: &Plan<'_>, talk: &mut dyn Write) -> io::Result<()> {
    let (path, len) = (plan.file.path.display(), plan.file.bytes);
    let removed = plural(len - plan.to, "byte");
    writeln!(talk, "{path}: {}", plan.why)?;
    if let Some(doubt) = &plan.doubt {
        writeln!(talk, "WARNING: {}", swallowed_text(doubt))?;
    }
    writeln!(talk, "To be removed: {removed}, from byte {} on:", plan.to)?;
    for line in first_words(&plan.file.path, plan.to)? {
        writeln!(talk, "  {line}")?;
    }
    writeln!(
        talk,
        "{path} is going to have {} bytes instead of {}.",
        grouped(plan.to),
        grouped(len)
    )
}

/// Asks whether to go on. No answer is a no.
fn ask(answers: &mut dyn BufRead, talk: &mut dyn Write) -> io::Result<bool> {
    write!(talk, "Continue? [y/N]: ")?;
    talk.flush()?;
    let mut answer = Vec::new();
    answers.read_until(b'\n', &mut answer)?;
    Ok(answer
        .first()
        .is_some_and(|first| first.eq_ignore_ascii_case(&b'y')))
}

fn cut(plan: &Plan<'_>) -> Result<Cut, Refusal> {
    let path = &plan.file.path;
    let failed = |doing| move |error| Refusal::Io(doing, path.clone(), error);
    let file = OpenOptions::new().write(true).open(path);
    let file = file.map_err(failed("open"))?;
    let len = file.metadata().map_err(failed("look at"))?.len();
    if len != plan.file.bytes {
        return Err(Refusal::Changed(path.clone()));
    }
    file.set_len(plan.to).map_err(failed("cut"))?;
    file.sync_all().map_err(failed("sync"))?;
    Ok(Cut {
        path: path.clone(),
        len,
        to: plan.to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        let cases: [(&[u8], bool); 7] = [
            (b"y\n", true),
            (b"Yes\n", true),
            (b"y", true),
            (b"n\n", false),
            (b"\n", false),
            (b"", false),
            (b" y\n", false),
        ];
        for (mut answer, expected) in cases {
            let shown = answer.escape_ascii().to_string();
            let mut talk = Vec::new();
            assert_eq!(ask(&mut answer, &mut talk).unwrap(), expected, "{shown}");
            assert_eq!(talk, b"Continue? [y/N]: ");
        }
    }
}
