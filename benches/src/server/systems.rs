//! What stands in the matrix: Dovetail and the null responder over each poller, and peers.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::peers;

/// What a system is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Dovetail over a poller.
    Dovetail(String),
    /// The null responder over a poller.
    Null(String),
    /// Another server.
    Peer,
}

/// One thing to be measured and how it is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct System {
    /// Its name in tables.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Program and arguments, without the port.
    pub(crate) words: Vec<String>,
}

/// What the user wants in the matrix.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// Dovetail's server, if it is not beside this program.
    pub(crate) server: Option<PathBuf>,
    /// Poller names; empty for all that work here.
    pub(crate) pollers: Vec<String>,
    /// `name=COMMAND` each.
    pub(crate) peers: Vec<String>,
    /// Name prefixes to keep; empty for all.
    pub(crate) only: Vec<String>,
    /// Which of our own responders take part.
    pub(crate) floor: Floor,
}

/// Whether the null responder takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    /// Once per poller.
    Measured,
    /// Not at all.
    Omitted,
}

impl System {
    /// The whole command with a port, and `options` at its end. A peer's words may say where the
    /// port goes as `{port}`; otherwise it is appended in the words of `redis-server`, with
    /// persistence off. Options that come later win.
    pub(crate) fn command(&self, port: u16, options: &[String]) -> Vec<String> {
        let port = port.to_string();
        let mut words: Vec<String> = self
            .words
            .iter()
            .map(|word| word.replace("{port}", &port))
            .collect();
        if words != self.words {
            words.extend_from_slice(options);
            return words;
        }
        words.extend(["--port".to_owned(), port]);
        let more: &[&str] = match &self.kind {
            Kind::Null(_) => &[],
            Kind::Dovetail(_) => &["--bind", "127.0.0.1", "--save", ""],
            Kind::Peer => &["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        };
        words.extend(more.iter().map(|&word| word.to_owned()));
        words.extend_from_slice(options);
        words
    }
}

impl Selection {
    /// The systems to measure: ours first, then peers, then the floors.
    ///
    /// # Errors
    /// If something that was asked for is not there.
    pub(crate) fn systems(&self) -> Result<Vec<System>> {
        let pollers = self.usable_pollers()?;
        let mut systems = Vec::new();
        if let Some(program) = self.find_server()? {
            let program = program.display().to_string();
            systems.extend(pollers.iter().map(|poller| dovetail(&program, poller)));
        }
        systems.extend(peers::installed());
        for text in &self.peers {
            let peer = peers::parse(text)?;
            systems.retain(|system: &System| system.name != peer.name);
            systems.push(peer);
        }
        if self.floor == Floor::Measured {
            let program = std::env::current_exe().context("finding this program")?;
            let program = program.display().to_string();
            systems.extend(pollers.iter().map(|poller| null(&program, poller)));
        }
        if !self.only.is_empty() {
            systems.retain(|system| self.only.iter().any(|only| system.name.starts_with(only)));
        }
        if systems.is_empty() {
            bail!("nothing to measure: no server was found, or --only keeps none");
        }
        Ok(systems)
    }

    fn usable_pollers(&self) -> Result<Vec<String>> {
        let known = crate::null::poller_names();
        let all = self.pollers.is_empty() || self.pollers.iter().any(|name| name == "all");
        if all {
            return Ok(known
                .into_iter()
                .filter(|name| crate::null::is_usable(name))
                .collect());
        }
        for name in &self.pollers {
            if !known.contains(name) {
                bail!(
                    "no poller is called '{name}'; there are {}",
                    known.join(", ")
                );
            }
        }
        Ok(self.pollers.clone())
    }

    fn find_server(&self) -> Result<Option<PathBuf>> {
        if let Some(path) = &self.server {
            let path = path
                .canonicalize()
                .with_context(|| format!("{}", path.display()))?;
            return Ok(Some(path));
        }
        let beside = std::env::current_exe()?.with_file_name("dovetail-server");
        Ok(beside.is_file().then_some(beside))
    }
}

fn dovetail(program: &str, poller: &str) -> System {
    let words = [program, "--poller", poller].map(str::to_owned).to_vec();
    System {
        name: format!("dovetail-{poller}"),
        kind: Kind::Dovetail(poller.to_owned()),
        words,
    }
}

fn null(program: &str, poller: &str) -> System {
    let words = [program, "null", "--poller", poller]
        .map(str::to_owned)
        .to_vec();
    System {
        name: format!("null-{poller}"),
        kind: Kind::Null(poller.to_owned()),
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_goes_where_the_words_say() {
        let peer = peers::parse("pogo=pogocache -p {port} --quiet").unwrap();
        assert_eq!(peer.command(7, &[]), ["pogocache", "-p", "7", "--quiet"]);
    }

    #[test]
    fn redis_like_servers_get_their_options_appended() {
        let words = dovetail("server", "epoll").command(7, &[]);
        let expected = "server --poller epoll --port 7 --bind 127.0.0.1 --save ";
        assert_eq!(words.join(" "), expected);
        assert_eq!(
            null("bench", "poll").command(9, &[]).join(" "),
            "bench null --poller poll --port 9"
        );
        let peer = peers::parse("old=./redis-server --io-threads 1").unwrap();
        assert!(
            peer.command(7, &[])
                .join(" ")
                .ends_with("--save  --appendonly no")
        );
    }

    #[test]
    fn options_of_a_measurement_come_last() {
        let options = ["--appendonly", "yes"].map(str::to_owned);
        for text in ["old=redis-server", "new=redis-server --port {port}"] {
            let words = peers::parse(text).unwrap().command(7, &options);
            assert_eq!(words[words.len() - 2..], options, "{text}");
        }
    }
}
