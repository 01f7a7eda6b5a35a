//! The report of a broken invariant: where, why, and the way there, into the log.

use crate::log::append;
use std::backtrace::Backtrace;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::path::PathBuf;

/// From now on a panic writes a report to `logfile`, or to standard output without one.
///
/// The hook goes round the log on purpose: the panic may have come from there.
pub(crate) fn install(logfile: Option<PathBuf>) {
    std::panic::set_hook(Box::new(move |info| {
        let report = report(info, &Backtrace::force_capture());
        let file = logfile.as_deref().and_then(|path| append(path).ok());
        // There is nobody left to tell of a failure.
        let _unheard = match file {
            Some(mut file) => file.write_all(report.as_bytes()),
            None => std::io::stdout().write_all(report.as_bytes()),
        };
    }));
}

fn report(info: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    let place = info
        .location()
        .map_or_else(String::new, ToString::to_string);
    render(message, &place, &backtrace.to_string())
}

fn render(message: &str, place: &str, backtrace: &str) -> String {
    let kind = match message.starts_with("assertion") {
        true => "=== ASSERTION FAILED ===",
        false => "Guru Meditation",
    };
    let version = env!("CARGO_PKG_VERSION");
    let pid = std::process::id();
    format!(
        "\n=== DOVETAIL BUG REPORT START: Cut & paste starting from here ===\n\
         Dovetail {version}, process {pid}, has met what cannot be, and stops.\n\
         {kind}: {message}\n==> {place}\n\
         ------ STACK TRACE ------\n{backtrace}\n\
         === DOVETAIL BUG REPORT END. ===\n\
         Please report everything between the two lines, and what led to it.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_where_and_how() {
        let report = render("assertion failed: a == b", "x.rs:1:2", "  0: main");
        for part in [
            "BUG REPORT START",
            "ASSERTION FAILED",
            "x.rs:1:2",
            "STACK TRACE",
            "0: main",
        ] {
            assert!(report.contains(part), "{part} in {report}");
        }
        assert!(render("odd", "", "").contains("Guru Meditation: odd"));
    }
}
