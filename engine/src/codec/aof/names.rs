//! What the files of an append-only log are called, from `appendfilename`.

use crate::base::number::parse_u64;

/// How a base file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseFormat {
    /// A snapshot (`aof-use-rdb-preamble yes`).
    Rdb,
    /// Commands.
    Commands,
}

impl BaseFormat {
    /// The format of a base that begins with `bytes`: its name does not tell.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY") {
            Self::Rdb
        } else {
            Self::Commands
        }
    }
}

/// What a file's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The base of this number.
    Base(u64),
    /// The increment of this number.
    Incr(u64),
    /// The manifest.
    Manifest,
    /// Something unfinished, of no use to a next process.
    Temporary,
}

/// The manifest.
#[must_use]
pub fn manifest(prefix: &str) -> String {
    format!("{prefix}.manifest")
}

/// The manifest while it is written.
#[must_use]
pub fn manifest_temporary(prefix: &str) -> String {
    format!("temp-{prefix}.manifest")
}

/// Base number `seq`.
#[must_use]
pub fn base(prefix: &str, seq: u64, format: BaseFormat) -> String {
    let suffix = match format {
        BaseFormat::Rdb => "rdb",
        BaseFormat::Commands => "aof",
    };
    format!("{prefix}.{seq}.base.{suffix}")
}

/// Increment number `seq`.
#[must_use]
pub fn incr(prefix: &str, seq: u64) -> String {
    format!("{prefix}.{seq}.incr.aof")
}

/// The increment while the log is being switched on and has no base yet.
#[must_use]
pub fn incr_temporary(prefix: &str) -> String {
    format!("temp-{prefix}.incr")
}

/// What the child `pid` of a rewrite writes, in the folder above the log's.
#[must_use]
pub fn rewrite_temporary(pid: u32) -> String {
    format!("temp-rewriteaof-{pid}.aof")
}

/// The same when it is whole.
#[must_use]
pub fn rewrite_done(pid: u32) -> String {
    format!("temp-rewriteaof-bg-{pid}.aof")
}

/// Whether a file in the folder above the log's is an unfinished rewrite of some process.
#[must_use]
pub fn is_rewrite(name: &str) -> bool {
    name.strip_prefix("temp-rewriteaof-")
        .and_then(|rest| rest.strip_suffix(".aof"))
        .map(|rest| rest.strip_prefix("bg-").unwrap_or(rest))
        .is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What the file `name` in the log's folder is; `None` when it is not the log's.
#[must_use]
pub fn part(prefix: &str, name: &str) -> Option<Part> {
    if name == manifest(prefix) {
        return Some(Part::Manifest);
    }
    if name == manifest_temporary(prefix) || name == incr_temporary(prefix) {
        return Some(Part::Temporary);
    }
    let rest = name.strip_prefix(prefix)?.strip_prefix('.')?;
    let (seq, kind) = rest.split_once('.')?;
    let seq = parse_u64(seq.as_bytes()).filter(|seq| *seq > 0)?;
    match kind {
        "base.rdb" | "base.aof" => Some(Part::Base(seq)),
        "incr.aof" => Some(Part::Incr(seq)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_real_servers() {
        let p = "appendonly.aof";
        assert_eq!(manifest(p), "appendonly.aof.manifest");
        assert_eq!(manifest_temporary(p), "temp-appendonly.aof.manifest");
        assert_eq!(base(p, 2, BaseFormat::Rdb), "appendonly.aof.2.base.rdb");
        assert_eq!(
            base(p, 2, BaseFormat::Commands),
            "appendonly.aof.2.base.aof"
        );
        assert_eq!(incr(p, 7), "appendonly.aof.7.incr.aof");
        assert_eq!(incr_temporary(p), "temp-appendonly.aof.incr");
        assert_eq!(rewrite_temporary(42), "temp-rewriteaof-42.aof");
        assert_eq!(rewrite_done(42), "temp-rewriteaof-bg-42.aof");
    }

    #[test]
    fn a_files_part_is_read_from_its_name() {
        let p = "a.b";
        let cases = [
            (base(p, 3, BaseFormat::Rdb), Some(Part::Base(3))),
            (base(p, 4, BaseFormat::Commands), Some(Part::Base(4))),
            (incr(p, 5), Some(Part::Incr(5))),
            (manifest(p), Some(Part::Manifest)),
            (manifest_temporary(p), Some(Part::Temporary)),
            (incr_temporary(p), Some(Part::Temporary)),
            ("a.b".to_owned(), None),
            ("a.b.0.incr.aof".to_owned(), None),
            ("a.b.x.incr.aof".to_owned(), None),
            ("a.b.1.incr.rdb".to_owned(), None),
            ("a.c.1.incr.aof".to_owned(), None),
            ("a.b.99999999999999999999.incr.aof".to_owned(), None),
        ];
        for (name, expected) in cases {
            assert_eq!(part(p, &name), expected, "{name}");
        }
        assert!(is_rewrite(&rewrite_done(1)) && is_rewrite(&rewrite_temporary(1)));
        assert!(!is_rewrite("temp-rewriteaof-bg-.aof") && !is_rewrite("dump.rdb"));
    }

    #[test]
    fn a_bases_format_is_read_from_its_bytes() {
        assert_eq!(BaseFormat::of(b"REDIS0010"), BaseFormat::Rdb);
        assert_eq!(BaseFormat::of(b"VALKEY080"), BaseFormat::Rdb);
        assert_eq!(BaseFormat::of(b"*1\r\n"), BaseFormat::Commands);
        assert_eq!(BaseFormat::of(b""), BaseFormat::Commands);
    }
}
