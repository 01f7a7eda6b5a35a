//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// What stands behind the list of options.
const MORE: &str = "\
What FILE is, is found by its content:
  a snapshot         an RDB file, of any version up to Redis 8.0 and Valkey 9.1
  a log              an AOF file: commands, or a snapshot and commands behind it
  a manifest         of a log of several files: each file that it names is looked for beside it
                     and checked, in order
  a folder           such as appendonlydir: the manifest that is in it

A torn tail is what a crash leaves: the last file of a log ends within a record or a transaction, or
with zeros. --fix cuts it off. Damage in the middle, in a snapshot, or in a file that is not the last
of its log is never cut. Stop the server before a file of it is cut.

Exit status, the highest of all files:
  0  whole (with --fix or --truncate-to-timestamp: as the file is after that)
  1  damaged
  2  cannot be read, holds what this version cannot hold, was not cut at the timestamp as asked, or
     the command line is wrong";

/// Checks snapshots (RDB) and append-only logs (AOF): what is in them, and whether they are whole.
///
/// Files are read in pieces; memory is needed for the largest single value or command.
#[derive(Debug, Parser)]
#[command(name = "dovetail-check", version, max_term_width = 100, after_help = MORE)]
#[command(after_long_help = MORE)]
pub(crate) struct Arguments {
    /// Snapshots, logs, manifests, or folders with a manifest
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How many of the biggest keys are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top: usize,
    /// Cut off a torn tail of a log, after asking
    #[arg(long, conflicts_with = "truncate_to_timestamp")]
    pub(crate) fix: bool,
    /// Cut a log before the first annotation (#TS:) that is later than this, after asking
    #[arg(long, value_name = "UNIX_SECS")]
    pub(crate) truncate_to_timestamp: Option<i64>,
    /// Do not ask; what is probably not just a torn tail is not cut without being asked
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Print JSON; questions go to standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// The longest word of a command in a log, as the server's directive of this name says
    #[arg(long, value_name = "BYTES", default_value_t = WORD_BYTES)]
    pub(crate) proto_max_bulk_len: u64,
}

/// As the directive's default has it.
const WORD_BYTES: u64 = dovetail_engine::codec::aof::record::WORD_BYTES_MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_file_is_wanted_and_only_one_way_to_cut() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["x"], words].concat());
        assert!(parse(&[]).is_err());
        assert!(parse(&["a", "--fix", "--truncate-to-timestamp", "1"]).is_err());
        let parsed = parse(&["a", "b", "--top", "0", "--fix", "-y"]).unwrap();
        assert_eq!((parsed.files.len(), parsed.top), (2, 0));
        assert!(parsed.fix && parsed.yes && !parsed.json);
    }

    #[test]
    fn the_exit_codes_are_documented() {
        let help = Arguments::command().render_help().to_string();
        for line in ["0  whole", "1  damaged", "2  cannot be read"] {
            assert!(help.contains(line), "{help}");
        }
    }
}
