//! From a word of the command line to what it names, and from a file to what is to be said of it.

use super::folder;
use super::log::{self, Reading};
use super::report::{Checked, Damage, FileReport, Role, Unreadable, Verdict};
use super::snapshot;
use super::source::Pieces;
use dovetail_engine::codec::aof::names::BaseFormat;
use dovetail_engine::codec::aof::{Manifest, Tail};
use dovetail_engine::codec::rdb::{Fault, RdbError, Source as _};
use dovetail_engine::resp::words;
use std::io;
use std::path::{Path, PathBuf};

/// Words with which a line of a manifest can begin.
const MANIFEST_KEYS: [&[u8]; 5] = [b"file", b"seq", b"type", b"startoffset", b"endoffset"];

/// What is to be found out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// How many of the biggest keys.
    pub(crate) top: usize,
    /// The longest word of a command.
    pub(crate) word_bytes: u64,
    /// Where a log can be cut so that it has nothing later than this.
    pub(crate) until: Option<i64>,
}

/// Whether more files of a log follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Last,
    Before,
}

/// What a file is, by its beginning and, where that says nothing, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Snapshot,
    Log,
    Manifest,
    EmptySnapshot,
}

/// Checks what `path` names.
pub(crate) fn check(path: &Path, asked: &Asked) -> Checked {
    let manifest = if path.is_dir() {
        match folder::manifest_in(path) {
            Ok(manifest) => Some(manifest),
            Err(why) => return unreadable(path, why),
        }
    } else {
        match is_manifest(path) {
            Ok(is_manifest) => is_manifest.then(|| path.to_owned()),
            Err(why) => return unreadable(path, why),
        }
    };
    match manifest {
        Some(manifest) => check_manifest(path, manifest, asked),
        None => Checked {
            path: path.to_owned(),
            history: Vec::new(),
            files: vec![file(path.to_owned(), Role::Alone, Place::Last, asked)],
        },
    }
}

fn unreadable(path: &Path, why: Unreadable) -> Checked {
    let verdict = Verdict::Unreadable(why);
    Checked {
        path: path.to_owned(),
        history: Vec::new(),
        files: vec![FileReport::bare(path.to_owned(), Role::Alone, verdict)],
    }
}

fn is_manifest(path: &Path) -> Result<bool, Unreadable> {
    let pieces = Pieces::open(path)?;
    let head = pieces.head();
    Ok(form_of(head, path) == Some(Form::Manifest))
}

fn reading(error: io::Error) -> Unreadable {
    Unreadable::Io("read", error)
}

fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.extension().is_some_and(|own| own == suffix)
}

/// What a file that begins with `head` is; `None` if nothing tells.
fn form_of(head: &[u8], path: &Path) -> Option<Form> {
    if BaseFormat::of(head) == BaseFormat::Rdb {
        return Some(Form::Snapshot);
    }
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    // Comments of a manifest and annotations of a log begin alike.
    let telling = lines.find(|line| !line.starts_with(b"#"));
    let is_manifest_line = |line: &[u8]| {
        let words = words::split(line).unwrap_or_default();
        let first = words.first();
        first.is_some_and(|word| {
            MANIFEST_KEYS
                .iter()
                .any(|key| word.eq_ignore_ascii_case(key))
        })
    };
    match telling {
        Some([b'*', ..]) => return Some(Form::Log),
        Some(line) if is_manifest_line(line) => return Some(Form::Manifest),
        _ => {}
    }
    if has_suffix(path, "manifest") {
        Some(Form::Manifest)
    } else if has_suffix(path, "rdb") {
        Some(if head.is_empty() {
            Form::EmptySnapshot
        } else {
            Form::Snapshot
        })
    } else if has_suffix(path, "aof") || telling.is_none() {
        Some(Form::Log)
    } else {
        None
    }
}

fn check_manifest(path: &Path, manifest: PathBuf, asked: &Asked) -> Checked {
    let mut report = FileReport::bare(manifest, Role::Manifest, Verdict::Whole);
    let listed = match folder::read_manifest(&report.path) {
        Ok(text) => {
            report.bytes = text.len() as u64;
            Manifest::parse(&text).unwrap_or_else(|error| {
                report.verdict = Verdict::Damaged(Damage::Manifest(error));
                Manifest::default()
            })
        }
        Err(why) => {
            report.verdict = Verdict::Unreadable(why);
            Manifest::default()
        }
    };
    let beside = report.path.parent().map(Path::to_owned).unwrap_or_default();
    let mut files = vec![report];
    let count = listed.loaded().count();
    for (index, entry) in listed.loaded().enumerate() {
        let role = if index == 0 && listed.base.is_some() {
            Role::Base
        } else {
            Role::Increment
        };
        let place = if index + 1 == count {
            Place::Last
        } else {
            Place::Before
        };
        files.push(file(beside.join(&entry.name), role, place, asked));
    }
    Checked {
        path: path.to_owned(),
        history: listed.history.into_iter().map(|file| file.name).collect(),
        files,
    }
}

/// Checks one file.
fn file(path: PathBuf, role: Role, place: Place, asked: &Asked) -> FileReport {
    let mut report = FileReport::bare(path, role, Verdict::Whole);
    let verdict = look(&mut report, place, asked).unwrap_or_else(|why| match why {
        Unreadable::Io(_, error)
            if role != Role::Alone && error.kind() == io::ErrorKind::NotFound =>
        {
            Verdict::Damaged(Damage::Missing)
        }
        why => Verdict::Unreadable(why),
    });
    report.verdict = verdict;
    report
}

fn look(report: &mut FileReport, place: Place, asked: &Asked) -> Result<Verdict, Unreadable> {
    let pieces = Pieces::open(&report.path)?;
    report.bytes = pieces.len();
    let head = pieces.head();
    let form = match report.role {
        Role::Increment => Form::Log,
        // Its name says nothing if its content does.
        Role::Base => match form_of(head, &report.path) {
            Some(Form::Manifest) | None => Form::Log,
            Some(form) => form,
        },
        Role::Alone | Role::Manifest => form_of(head, &report.path).ok_or(Unreadable::Unknown)?,
    };
    match form {
        Form::EmptySnapshot => Ok(Verdict::Damaged(Damage::Empty)),
        Form::Snapshot => look_at_snapshot(report, pieces, place, asked),
        Form::Log => look_at_log(report, pieces, Begun::default(), place, asked),
        // It has become a manifest since it was looked at first.
        Form::Manifest => Err(Unreadable::Unknown),
    }
}

fn look_at_snapshot(
    report: &mut FileReport,
    pieces: Pieces,
    place: Place,
    asked: &Asked,
) -> Result<Verdict, Unreadable> {
    let snapshot::Outcome { snapshot, rest } =
        snapshot::read(pieces, asked.top).map_err(reading)?;
    let end = snapshot.end;
    let is_base = snapshot.is_base();
    let is_none = matches!(&rest, Err(error) if error.fault == Fault::NoSnapshot);
    report.snapshot = (!is_none).then_some(snapshot);
    let mut pieces = match rest {
        Ok(pieces) => pieces,
        Err(error) => return not_a_snapshot(report, error),
    };
    report.unused = report.bytes - end;
    if report.unused == 0 {
        return Ok(Verdict::Whole);
    }
    let mut next = vec![0];
    pieces.fill(&mut next).map_err(reading)?;
    let is_log = report.role == Role::Base
        || is_base
        || matches!(next[0], b'*' | b'#')
        || has_suffix(&report.path, "aof");
    if !is_log {
        return Ok(Verdict::Whole);
    }
    report.unused = 0;
    look_at_log(report, pieces, Begun { at: end, next }, place, asked)
}

/// The snapshot could not be read to its end. What is not understood need not be damage: the
/// checksum tells, where the snapshot is all of the file.
fn not_a_snapshot(report: &mut FileReport, error: RdbError) -> Result<Verdict, Unreadable> {
    let is_telling = !matches!(
        error.fault,
        Fault::Checksum { .. } | Fault::Truncated | Fault::NoSnapshot
    );
    if is_telling {
        let again = Pieces::open(&report.path)?;
        let is_right = snapshot::is_sum_right(again).map_err(reading)?;
        // Perhaps it is the end of a log behind the snapshot that is no checksum.
        let is_all = has_suffix(&report.path, "rdb");
        report.is_sum_right = is_right.filter(|is_right| *is_right || is_all);
    }
    let is_foreign = match error.fault {
        Fault::NotHere(_) | Fault::Module(_) | Fault::Version(_) => {
            report.is_sum_right != Some(false)
        }
        Fault::UnknownMark(_) => report.is_sum_right == Some(true),
        _ => false,
    };
    Ok(if is_foreign {
        Verdict::Refused(error)
    } else {
        Verdict::Damaged(Damage::Snapshot(error))
    })
}

/// Where a log begins, and what has been read of it.
#[derive(Debug, Default)]
struct Begun {
    at: u64,
    next: Vec<u8>,
}

fn look_at_log(
    report: &mut FileReport,
    pieces: Pieces,
    begun: Begun,
    place: Place,
    asked: &Asked,
) -> Result<Verdict, Unreadable> {
    let how = Reading {
        from: begun.at,
        word_bytes: asked.word_bytes,
        until: asked.until,
    };
    let outcome = log::read(pieces, begun.next, how).map_err(reading)?;
    report.log = Some(outcome.log);
    let tail = match outcome.end {
        Ok(tail) => tail,
        Err(error) => return Ok(Verdict::Damaged(Damage::Log(error))),
    };
    Ok(match (tail, place) {
        (Tail::Whole, _) => Verdict::Whole,
        (tail, Place::Before) => Verdict::Damaged(Damage::Middle(tail)),
        (tail, Place::Last) => {
            let swallowed = match tail {
                Tail::Record { .. } => {
                    let (at, len) = (outcome.unfinished, report.bytes);
                    log::swallowed(&report.path, at, len, asked.word_bytes).map_err(reading)?
                }
                _ => None,
            };
            Verdict::Torn { tail, swallowed }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_beginning_says_and_then_what_its_name_says() {
        let log = Some(Form::Log);
        let cases: [(&[u8], &str, Option<Form>); 14] = [
            (b"REDIS0010", "a.aof", Some(Form::Snapshot)),
            (b"VALKEY080", "a", Some(Form::Snapshot)),
            (b"*1\r\n$4\r\nPING\r\n", "a.rdb", log),
            (b"#TS:17\r\n*1\r\n", "a.manifest", log),
            (b"#TS:17\r\n", "a", log),
            (b"# list\nfile a seq 1 type b\n", "a", Some(Form::Manifest)),
            (b"SEQ 1 file a type b\n", "a.aof", Some(Form::Manifest)),
            (b"nonsense\n", "a.manifest", Some(Form::Manifest)),
            (b"", "a.manifest", Some(Form::Manifest)),
            (b"", "a.aof", log),
            (b"", "a.rdb", Some(Form::EmptySnapshot)),
            (b"\0\0\0", "a.aof", log),
            (b"REDI", "a.rdb", Some(Form::Snapshot)),
            (b"\x7fELF", "a", None),
        ];
        for (head, name, expected) in cases {
            let found = form_of(head, Path::new(name));
            assert_eq!(found, expected, "{} in {name}", head.escape_ascii());
        }
    }
}
