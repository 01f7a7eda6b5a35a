//! The log: one line an event, in the shape and at the loudness that the configuration asks for.
//!
//! Shape: a line is made whole and handed to the system with one write, so that lines of several
//! processes in one file do not mix. Nothing is kept back.
//! Not here: the panic report, which must work while everything else is broken (`panic.rs`).

use dovetail_backends::sys::clock::{self, LocalTime};
use dovetail_engine::config::{self, Config, LogFormat, LogTimestamp};
use dovetail_engine::seam::host::LogLevel;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// What the process is, as the classic line says it with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads its configuration; `C`.
    Starting,
    /// Serves; `M`.
    Primary,
}

impl Role {
    const fn letter(self) -> char {
        match self {
            Self::Starting => 'C',
            Self::Primary => 'M',
        }
    }
}

/// Everything a line says.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    pid: u32,
    role: Role,
    level: LogLevel,
    unix_ms: u64,
    local: LocalTime,
    text: &'a str,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    format: LogFormat,
    timestamp: LogTimestamp,
}

/// Where lines go, and which.
#[derive(Debug)]
pub(crate) struct Log {
    /// The file of the directive `logfile`; `None` is standard output.
    path: Option<PathBuf>,
    file: RefCell<Option<File>>,
    level: Cell<config::LogLevel>,
    shape: Cell<Shape>,
    role: Cell<Role>,
}

impl Log {
    /// Opens the log that `config` describes; a relative file name is taken from here.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub(crate) fn open(config: &Config) -> io::Result<Self> {
        let name = &config.logging.logfile;
        let path = match name.is_empty() {
            true => None,
            false => Some(std::path::absolute(name.to_text())?),
        };
        let file = path.as_deref().map(append).transpose()?;
        let log = Self {
            path,
            file: RefCell::new(file),
            level: Cell::new(config::LogLevel::Notice),
            shape: Cell::new(Shape {
                format: LogFormat::Legacy,
                timestamp: LogTimestamp::Legacy,
            }),
            role: Cell::new(Role::Starting),
        };
        log.apply(config);
        Ok(log)
    }

    /// Takes over level and shape of `config`; the file stays.
    pub(crate) fn apply(&self, config: &Config) {
        let logging = &config.logging;
        self.level.set(logging.loglevel);
        self.shape.set(Shape {
            format: logging.log_format,
            timestamp: logging.log_timestamp_format,
        });
    }

    /// From now on the process is something else.
    pub(crate) fn set_role(&self, role: Role) {
        self.role.set(role);
    }

    /// The file that is written, `None` for standard output.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether lines are what a person expects to read, so that a drawing may stand among them.
    pub(crate) fn is_classic(&self) -> bool {
        self.shape.get().format == LogFormat::Legacy
    }

    /// Opens the file anew: what was renamed by a rotation is let go.
    pub(crate) fn reopen(&self) {
        let Some(path) = &self.path else { return };
        match append(path) {
            Ok(file) => *self.file.borrow_mut() = Some(file),
            Err(error) => {
                self.line(
                    LogLevel::Warning,
                    &format!("Can't reopen the log file: {error}"),
                );
            }
        }
    }

    /// Writes one line, if its level is loud enough.
    pub(crate) fn line(&self, level: LogLevel, text: &str) {
        if !level.is_logged_at(self.level.get()) {
            return;
        }
        let now = clock::now();
        let entry = Entry {
            pid: std::process::id(),
            role: self.role.get(),
            level,
            unix_ms: now.unix_ms(),
            local: clock::local_time(now.unix_secs()),
            text,
        };
        self.write(&render(&entry, self.shape.get()));
    }

    /// Writes `text` as it is, at the level of a notice.
    pub(crate) fn raw(&self, text: &str) {
        if LogLevel::Notice.is_logged_at(self.level.get()) {
            self.write(text);
        }
    }

    /// A log that cannot be written (a full disk, a reader that has gone) is no reason to stop.
    fn write(&self, text: &str) {
        let _unheard = match &mut *self.file.borrow_mut() {
            Some(file) => file.write_all(text.as_bytes()),
            None => write_out(text),
        };
    }
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Opens `path` for appending; what is there stays.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn render(entry: &Entry<'_>, shape: Shape) -> String {
    let time = time_text(entry, shape.timestamp);
    let Entry {
        pid,
        role,
        level,
        text,
        ..
    } = entry;
    match shape.format {
        LogFormat::Legacy => {
            format!("{pid}:{} {time} {} {text}\n", role.letter(), mark(*level))
        }
        LogFormat::Logfmt => format!(
            "pid={pid} role=primary timestamp=\"{time}\" level={} message=\"{}\"\n",
            word(*level),
            logfmt_text(text)
        ),
        LogFormat::Json => format!(
            "{{\"pid\":{pid},\"role\":\"primary\",\"timestamp\":\"{time}\",\"level\":\"{}\",\
             \"message\":\"{}\"}}\n",
            word(*level),
            json_text(text)
        ),
    }
}

const fn mark(level: LogLevel) -> char {
    match level {
        LogLevel::Debug => '.',
        LogLevel::Verbose => '-',
        LogLevel::Notice => '*',
        LogLevel::Warning => '#',
    }
}

const fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Verbose => "verbose",
        LogLevel::Notice => "notice",
        LogLevel::Warning => "warning",
    }
}

fn time_text(entry: &Entry<'_>, shape: LogTimestamp) -> String {
    let LocalTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        offset_secs,
    } = entry.local;
    let millis = entry.unix_ms % 1000;
    match shape {
        LogTimestamp::Legacy => {
            let month = MONTHS[usize::from(month.clamp(1, 12)) - 1];
            format!("{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{millis:03}")
        }
        LogTimestamp::Iso8601 => {
            let sign = if offset_secs < 0 { '-' } else { '+' };
            let minutes = offset_secs.unsigned_abs() / 60;
            format!(
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}\
                 {sign}{:02}:{:02}",
                minutes / 60,
                minutes % 60
            )
        }
        LogTimestamp::Milliseconds => entry.unix_ms.to_string(),
    }
}

/// The text as it can stand between the quotes of a logfmt pair: that shape knows no escapes.
fn logfmt_text(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

/// The text as it can stand between the quotes of a JSON string.
fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry<'_> {
        let local = LocalTime {
            year: 2026,
            month: 11,
            day: 2,
            hour: 15,
            minute: 4,
            second: 5,
            offset_secs: -12_600,
        };
        let unix_ms = 1_793_644_445_007;
        Entry {
            pid: 77,
            role: Role::Primary,
            level: LogLevel::Notice,
            unix_ms,
            local,
            text,
        }
    }

    fn rendered(text: &str, format: LogFormat, timestamp: LogTimestamp) -> String {
        render(&entry(text), Shape { format, timestamp })
    }

    #[test]
    fn the_classic_line_has_process_role_time_mark_and_text() {
        let line = rendered("a \"b\"", LogFormat::Legacy, LogTimestamp::Legacy);
        assert_eq!(line, "77:M 02 Nov 2026 15:04:05.007 * a \"b\"\n");
        let line = rendered("x", LogFormat::Legacy, LogTimestamp::Iso8601);
        assert_eq!(line, "77:M 2026-11-02T15:04:05.007-03:30 * x\n");
        let line = rendered("x", LogFormat::Legacy, LogTimestamp::Milliseconds);
        assert_eq!(line, "77:M 1793644445007 * x\n");
    }

    #[test]
    fn logfmt_keeps_a_message_in_one_pair() {
        let line = rendered("a \"b\"\nc", LogFormat::Logfmt, LogTimestamp::Legacy);
        assert_eq!(
            line,
            "pid=77 role=primary timestamp=\"02 Nov 2026 15:04:05.007\" level=notice \
             message=\"a 'b' c\"\n"
        );
    }

    #[test]
    fn json_escapes_what_a_string_cannot_hold() {
        let line = rendered(
            "a \"b\"\\\n\u{1}",
            LogFormat::Json,
            LogTimestamp::Milliseconds,
        );
        assert_eq!(
            line,
            "{\"pid\":77,\"role\":\"primary\",\"timestamp\":\"1793644445007\",\
             \"level\":\"notice\",\"message\":\"a \\\"b\\\"\\\\\\n\\u0001\"}\n"
        );
    }
}
