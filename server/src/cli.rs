//! The command line: a file, options that are directives, or a question about the program.

use anyhow::{Result, bail};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// What the program was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// To say what it is.
    Version,
    /// To say how it is used.
    Help,
    /// To serve.
    Serve(Sources),
}

/// Where the configuration comes from; later ones win.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    /// A file.
    pub(crate) file: Option<PathBuf>,
    /// Whether standard input follows the file.
    pub(crate) stdin: StandardInput,
    /// `--directive value...`, as the words of the command line.
    pub(crate) options: Vec<Vec<u8>>,
}

/// Whether standard input holds configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StandardInput {
    /// It does not.
    #[default]
    Unused,
    /// It does.
    Read,
}

/// Reads the words behind the program's name.
///
/// A question about the program must be the only word: behind others it is an option like any.
///
/// # Errors
/// When the first word is a lone dash with letters, which is neither a file nor a directive.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation> {
    let mut words: Vec<OsString> = arguments.into_iter().collect();
    if let [only] = words.as_slice() {
        match only.as_bytes() {
            b"-v" | b"--version" => return Ok(Invocation::Version),
            b"-h" | b"--help" => return Ok(Invocation::Help),
            _ => {}
        }
    }
    let mut sources = Sources::default();
    match words.first().map(|word| word.as_bytes()) {
        None => {}
        Some(b"-") => {
            sources.stdin = StandardInput::Read;
            words.remove(0);
        }
        Some([b'-', b'-', ..]) => {}
        Some([b'-', ..]) => bail!(
            "'{}' is no option: options are directives, such as --port 7777; see --help",
            words[0].to_string_lossy()
        ),
        Some(_) => sources.file = Some(PathBuf::from(words.remove(0))),
    }
    if words.last().is_some_and(|word| word == "-") {
        sources.stdin = StandardInput::Read;
        words.pop();
    }
    sources.options = words.into_iter().map(OsStringExt::into_vec).collect();
    Ok(Invocation::Serve(sources))
}

/// The answer to `--help`.
pub(crate) const HELP: &str = "\
Dovetail, a key-value server that speaks the protocol of Redis.

Usage:
  dovetail-server [FILE] [--DIRECTIVE VALUE...]... [-]
  dovetail-server - [--DIRECTIVE VALUE...]...
  dovetail-server --version | --help

Arguments:
  FILE                   configuration file, one directive a line; dovetail.conf in the
                         repository holds every directive with its default
  -                      read configuration from standard input, behind that of FILE
  --DIRECTIVE VALUE...   any directive of the configuration file; options win over FILE,
                         later ones over earlier ones

Options:
  -v, --version          print the version and exit
  -h, --help             print this help and exit

Directives asked for most often:
  --port 6379            TCP port; 0 for none
  --bind 127.0.0.1       addresses to listen on; '*' is every IPv4 address, '::*' every IPv6
                         one; a leading '-' makes one optional
  --unixsocket PATH      unix socket to listen on as well
  --poller auto          how to wait for sockets: io_uring, epoll, poll, select, or auto;
                         CONFIG SET poller changes it later, without closing a connection
  --requirepass WORD     password that clients must give
  --maxclients 10000     connections at once
  --loglevel notice      debug, verbose, notice, warning or nothing
  --logfile PATH         append the log to a file instead of standard output
  --dir PATH             working directory
  --daemonize yes        run in the background

Examples:
  dovetail-server
  dovetail-server /etc/dovetail.conf
  dovetail-server --port 7777 --poller epoll
  dovetail-server /etc/dovetail.conf --loglevel verbose
  echo 'port 7777' | dovetail-server -

Without FILE the defaults hold: port 6379 on this machine's own addresses, nothing written
to disk. The exit status is 0 after an orderly shutdown and 1 after a failed start.
";

/// The answer to `--version`, in the shape that tools take apart.
pub(crate) fn version_line() -> String {
    format!(
        "Dovetail server v={} (Redis {} compatible) sha=00000000:0 malloc={} bits={}",
        env!("CARGO_PKG_VERSION"),
        dovetail_engine::config::REDIS_VERSION,
        dovetail_backends::sys::alloc::name(),
        usize::BITS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Invocation {
        parse(words.iter().map(OsString::from)).unwrap()
    }

    fn serve(file: Option<&str>, stdin: StandardInput, options: &[&str]) -> Invocation {
        Invocation::Serve(Sources {
            file: file.map(PathBuf::from),
            stdin,
            options: options
                .iter()
                .map(|word| word.as_bytes().to_vec())
                .collect(),
        })
    }

    #[test]
    fn a_question_must_stand_alone() {
        assert_eq!(parsed(&["--version"]), Invocation::Version);
        assert_eq!(parsed(&["-v"]), Invocation::Version);
        assert_eq!(parsed(&["-h"]), Invocation::Help);
        let options = serve(None, StandardInput::Unused, &["--port", "1", "--version"]);
        assert_eq!(parsed(&["--port", "1", "--version"]), options);
    }

    #[test]
    fn the_first_word_without_dashes_is_the_file() {
        assert_eq!(parsed(&[]), serve(None, StandardInput::Unused, &[]));
        assert_eq!(
            parsed(&["a.conf"]),
            serve(Some("a.conf"), StandardInput::Unused, &[])
        );
        assert_eq!(
            parsed(&["a.conf", "--port", "1"]),
            serve(Some("a.conf"), StandardInput::Unused, &["--port", "1"])
        );
        assert_eq!(
            parsed(&["--port", "1"]),
            serve(None, StandardInput::Unused, &["--port", "1"])
        );
    }

    #[test]
    fn a_dash_reads_standard_input_first_or_last() {
        let with = |file, options| serve(file, StandardInput::Read, options);
        assert_eq!(parsed(&["-"]), with(None, &[]));
        assert_eq!(parsed(&["-", "--port", "1"]), with(None, &["--port", "1"]));
        assert_eq!(
            parsed(&["a", "--port", "1", "-"]),
            with(Some("a"), &["--port", "1"])
        );
    }

    #[test]
    fn other_words_with_one_dash_are_refused() {
        assert!(parse([OsString::from("-p"), OsString::from("1")]).is_err());
    }

    #[test]
    fn the_version_line_has_the_fields_that_tools_look_for() {
        let line = version_line();
        assert!(
            line.contains(concat!(" v=", env!("CARGO_PKG_VERSION"), " ")),
            "{line}"
        );
        assert!(line.contains(" malloc=jemalloc-5"), "{line}");
        assert!(line.ends_with("bits=64"), "{line}");
    }
}
