//! The process: where it lives, how it starts and ends.

use super::COUNT;
use crate::config::choice::{OomScoreAdj, Supervision, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::error::ConfigError;
use crate::config::lists::{OomScores, ShutdownOptions};
use crate::config::setting::{Kind, Setting, Text};

/// Variables that a process title may name.
const TITLE_VARIABLES: [&[u8]; 7] = [
    b"title",
    b"listen-addr",
    b"server-mode",
    b"port",
    b"tls-port",
    b"unixsocket",
    b"config-file",
];

/// Every `{name}` must be known, and something besides `{title}` must be there to show.
fn check_title(template: &[u8]) -> Result<(), ConfigError> {
    let (mut rest, mut shows) = (template, false);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'{' {
            shows = true;
        } else if behind.first() == Some(&b'{') {
            (rest, shows) = (&behind[1..], true);
        } else {
            let end = behind.iter().position(|byte| *byte == b'}');
            let (name, after) = behind.split_at(end.ok_or(ConfigError::TitleTemplate)?);
            if !TITLE_VARIABLES.contains(&name) {
                return Err(ConfigError::TitleTemplate);
            }
            shows |= name != b"title";
            rest = &after[1..];
        }
    }
    if shows {
        Ok(())
    } else {
        Err(ConfigError::TitleTemplate)
    }
}

group! {
    /// The process: where it lives, how it starts and ends.
    Process at process {
        /// Working directory: files with relative names are looked for and written here.
        dir: Text = Text::from("./"),
        "dir", Kind::PlainText, Protected, Live;

        /// Whether the server detaches from its terminal and runs in the background.
        daemonize: bool = false,
        "daemonize", Kind::Bool, StartOnly, Live;

        /// File for the process id; empty writes none, unless `daemonize` is on.
        pidfile: Text = Text::default(),
        "pidfile", Kind::Text, StartOnly, Live;

        /// Which supervisor is told when the server is ready: `systemd`, `upstart`, `auto` for
        /// whichever the environment names, or `no`.
        supervised: Supervision = Supervision::No,
        "supervised", choice::<Supervision>(), StartOnly, Live;

        /// How many seconds a shutdown waits for replicas that lag behind; 0 does not wait.
        shutdown_timeout_secs: u32 = 10,
        "shutdown-timeout", COUNT, Mutable, Live;

        /// What SIGINT does: `default`, or some of `save`, `nosave`, `now`, `force`, which mean
        /// what they mean for the command SHUTDOWN.
        shutdown_on_sigint: ShutdownOptions = ShutdownOptions::default(),
        "shutdown-on-sigint", Kind::Choices(ShutdownOptions::WORDS), Mutable, Live;

        /// What SIGTERM does, in the same words.
        shutdown_on_sigterm: ShutdownOptions = ShutdownOptions::default(),
        "shutdown-on-sigterm", Kind::Choices(ShutdownOptions::WORDS), Mutable, Live;

        /// Whether the process title tells what the server is doing.
        set_proc_title: bool = true,
        "set-proc-title", Kind::Bool, StartOnly, Later;

        /// The process title. Variables: `{title}`, `{listen-addr}`, `{server-mode}`, `{port}`,
        /// `{tls-port}`, `{unixsocket}`, `{config-file}`.
        proc_title_template: Text = Text::from("{title} {listen-addr} {server-mode}"),
        "proc-title-template",
        Kind::Checked { shape: "string with variables", check: check_title }, Mutable, Later;

        /// Whether the process tells the kernel how readily to kill it when memory runs out.
        oom_score_adj: OomScoreAdj = OomScoreAdj::No,
        "oom-score-adj", choice::<OomScoreAdj>(), Mutable, Later;

        /// The scores told: of a primary, of a replica, of a background child.
        oom_score_adj_values: OomScores = OomScores([0, 200, 800]),
        "oom-score-adj-values", Kind::List { shape: "three integers from -2000 to 2000" },
        Mutable, Later;

        /// Whether transparent huge pages are switched off for the process where the kernel gives
        /// them unasked; where they come only when advised, the table's memory is advised.
        disable_thp: bool = true,
        "disable-thp", Kind::Bool, StartOnly, Live;

        /// Processors on which the main thread may run.
        server_cpulist: Text = Text::default(),
        "server-cpulist" | "server_cpulist", Kind::Text, StartOnly, Later;

        /// Processors on which background threads may run.
        bio_cpulist: Text = Text::default(),
        "bio-cpulist" | "bio_cpulist", Kind::Text, StartOnly, Later;

        /// Processors on which rewrites of the append-only file may run.
        aof_rewrite_cpulist: Text = Text::default(),
        "aof-rewrite-cpulist" | "aof_rewrite_cpulist", Kind::Text, StartOnly, Later;

        /// Processors on which background saves may run.
        bgsave_cpulist: Text = Text::default(),
        "bgsave-cpulist" | "bgsave_cpulist", Kind::Text, StartOnly, Later;

        /// Locale by which SORT compares text; empty takes the environment's.
        locale_collate: Text = Text::default(),
        "locale-collate", Kind::PlainText, Mutable, Later;

        /// Names of start-up warnings that shall not stop the server.
        ignore_warnings: Text = Text::default(),
        "ignore-warnings", Kind::PlainText, Mutable, Later;

        /// Whether INFO and HELLO answer for tools that insist on the name Redis.
        extended_redis_compatibility: bool = false,
        "extended-redis-compatibility", Kind::Bool, Mutable, Later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_name_known_variables_and_show_something() {
        for good in [
            "a",
            "}",
            "{{title}}",
            "{title} x",
            "{title} {port}",
            "x{title}",
        ] {
            assert_eq!(check_title(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "",
            "{",
            "{}",
            "{title}",
            "{title",
            "{foo}",
            "{title} {port} {foo",
        ] {
            assert_eq!(
                check_title(bad.as_bytes()),
                Err(ConfigError::TitleTemplate),
                "{bad}"
            );
        }
    }
}
