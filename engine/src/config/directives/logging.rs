//! What is logged, where, and in which shape.

use crate::config::choice::{LogFormat, LogLevel, LogTimestamp, SyslogFacility, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::setting::{Kind, Setting, Text};

group! {
    /// What is logged, where, and in which shape.
    Logging at logging {
        /// What is logged: `debug`, `verbose`, `notice`, `warning` or `nothing`; each contains
        /// those behind it.
        loglevel: LogLevel = LogLevel::Notice,
        "loglevel", choice::<LogLevel>(), Mutable, Live;

        /// File to which the log is appended; empty logs to standard output.
        logfile: Text = Text::default(),
        "logfile", Kind::PlainText, StartOnly, Live;

        /// Shape of a log line: `legacy` as Redis writes it, `logfmt` for key=value pairs, `json`
        /// for one object a line.
        log_format: LogFormat = LogFormat::Legacy,
        "log-format", choice::<LogFormat>(), Mutable, Live;

        /// Shape of a log line's time: `legacy`, `iso8601` or `milliseconds` since 1970.
        log_timestamp_format: LogTimestamp = LogTimestamp::Legacy,
        "log-timestamp-format", choice::<LogTimestamp>(), Mutable, Live;

        /// Whether keys and arguments are kept out of the log.
        hide_user_data_from_log: bool = false,
        "hide-user-data-from-log", Kind::Bool, Mutable, Live;

        /// Whether the start-up banner is logged even if the log does not go to a terminal.
        always_show_logo: bool = false,
        "always-show-logo", Kind::Bool, StartOnly, Live;

        /// Whether the log also goes to syslog.
        syslog_enabled: bool = false,
        "syslog-enabled", Kind::Bool, StartOnly, Later;

        /// The name under which syslog files it.
        syslog_ident: Text = Text::from("redis"),
        "syslog-ident", Kind::PlainText, StartOnly, Later;

        /// The facility under which syslog files it.
        syslog_facility: SyslogFacility = SyslogFacility::Local0,
        "syslog-facility", choice::<SyslogFacility>(), StartOnly, Later;

        /// Whether a crash leaves a report in the log.
        crash_log_enabled: bool = true,
        "crash-log-enabled", Kind::Bool, Mutable, Later;

        /// Whether that report contains a quick test of the memory.
        crash_memcheck_enabled: bool = true,
        "crash-memcheck-enabled", Kind::Bool, Mutable, Later;
    }
}
