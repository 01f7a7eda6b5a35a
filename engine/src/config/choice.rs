//! Settings that are one word of a few.

use super::error::ConfigError;
use super::setting::{Kind, Setting, Source, single};

/// A type whose values are spelled by fixed words.
pub trait Choice: Copy + PartialEq + 'static {
    /// The words, in the order in which Redis lists them.
    const WORDS: &'static [&'static str];
    /// The value of each word, in the same order.
    const VALUES: &'static [Self];
}

/// The syntax of a choice.
pub(super) const fn choice<T: Choice>() -> Kind {
    Kind::Choice(T::WORDS)
}

fn parse_choice<T: Choice>(words: &[&[u8]]) -> Result<T, ConfigError> {
    let word = single(words)?;
    let known = T::WORDS
        .iter()
        .position(|known| known.as_bytes().eq_ignore_ascii_case(word));
    known
        .map(|index| T::VALUES[index])
        .ok_or(ConfigError::NotOneOf(T::WORDS))
}

macro_rules! choices {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident { $( $(#[doc = $value_doc:literal])+ $value:ident = $word:literal ),+ $(,)? }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $( $(#[doc = $value_doc])+ $value ),+ }

        impl $name {
            /// The word that stands for this value.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $( Self::$value => $word ),+ }
            }
        }

        impl Choice for $name {
            const WORDS: &'static [&'static str] = &[$($word),+];
            const VALUES: &'static [Self] = &[$(Self::$value),+];
        }

        impl Setting for $name {
            fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
                parse_choice(words)
            }

            fn render(&self, _: &Kind) -> Vec<u8> {
                self.word().as_bytes().to_vec()
            }
        }
    )+};
}

impl MaxmemoryPolicy {
    /// Whether it looks at how often keys are used, and not at when they were used last.
    #[must_use]
    pub const fn counts_frequency(self) -> bool {
        matches!(self, Self::AllkeysLfu | Self::VolatileLfu)
    }
}

choices! {
    /// How the server waits for its sockets.
    PollerChoice {
        /// The best that the system supports.
        Auto = "auto",
        /// select(2).
        Select = "select",
        /// poll(2).
        Poll = "poll",
        /// epoll(7).
        Epoll = "epoll",
        /// io_uring(7).
        IoUring = "io_uring",
    }
    /// Who may use a guarded feature.
    Permission {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Clients on the same machine.
        Local = "local",
    }
    /// What is logged; each level contains the following ones.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// Events that are rarely useful.
        Verbose = "verbose",
        /// What happens in production.
        Notice = "notice",
        /// What somebody should look at.
        Warning = "warning",
        /// Nothing.
        Nothing = "nothing",
    }
    /// The shape of a log line.
    LogFormat {
        /// Process, role, time, level mark and text.
        Legacy = "legacy",
        /// `key=value` pairs.
        Logfmt = "logfmt",
        /// One JSON object.
        Json = "json",
    }
    /// The shape of a log line's time.
    LogTimestamp {
        /// Day, month name, year and local time.
        Legacy = "legacy",
        /// ISO 8601 with milliseconds and zone.
        Iso8601 = "iso8601",
        /// Milliseconds since 1970.
        Milliseconds = "milliseconds",
    }
    /// The syslog facility.
    SyslogFacility {
        /// user
        User = "user",
        /// local0
        Local0 = "local0",
        /// local1
        Local1 = "local1",
        /// local2
        Local2 = "local2",
        /// local3
        Local3 = "local3",
        /// local4
        Local4 = "local4",
        /// local5
        Local5 = "local5",
        /// local6
        Local6 = "local6",
        /// local7
        Local7 = "local7",
    }
    /// Which supervisor is told of the server's state.
    Supervision {
        /// upstart, by stopping oneself with SIGSTOP.
        Upstart = "upstart",
        /// systemd, by its notification socket.
        Systemd = "systemd",
        /// Whichever the environment names.
        Auto = "auto",
        /// None.
        No = "no",
    }
    /// When the append-only file is forced to the disk.
    AppendFsync {
        /// Once a second.
        EverySec = "everysec",
        /// Before any reply leaves.
        Always = "always",
        /// When the system likes.
        No = "no",
    }
    /// How strict payloads are checked before they are taken.
    SanitizePayload {
        /// Not deeply.
        No = "no",
        /// Deeply.
        Yes = "yes",
        /// Deeply when they come from clients.
        Clients = "clients",
    }
    /// Whether snapshots of a newer version are read.
    RdbVersionCheck {
        /// They are refused.
        Strict = "strict",
        /// They are read as far as they are understood.
        Relaxed = "relaxed",
    }
    /// How a replica takes a snapshot without a file.
    DisklessLoad {
        /// Not at all.
        Disabled = "disabled",
        /// When it has no data.
        OnEmptyDb = "on-empty-db",
        /// Beside the old data, which is dropped afterwards.
        SwapDb = "swapdb",
    }
    /// What follows when a replicated command fails.
    PropagationError {
        /// A line in the log.
        Ignore = "ignore",
        /// The end of the process.
        Panic = "panic",
        /// The end of the process, on replicas.
        PanicOnReplicas = "panic-on-replicas",
    }
    /// Which keys go when memory is full.
    MaxmemoryPolicy {
        /// Least recently used, of those with a deadline.
        VolatileLru = "volatile-lru",
        /// Least frequently used, of those with a deadline.
        VolatileLfu = "volatile-lfu",
        /// Any, of those with a deadline.
        VolatileRandom = "volatile-random",
        /// Least frequently used for its age, of those with a deadline.
        VolatileHyperbolic = "volatile-hyperbolic",
        /// Least recently used without sampling, of those with a deadline.
        VolatileExactLru = "volatile-exact-lru",
        /// By a hand that spares what was used, of those with a deadline.
        VolatileSieve = "volatile-sieve",
        /// By three queues, of those with a deadline.
        VolatileS3Fifo = "volatile-s3fifo",
        /// By a window and a contest of frequencies, of those with a deadline.
        VolatileWTinyLfu = "volatile-wtinylfu",
        /// Nearest deadline.
        VolatileTtl = "volatile-ttl",
        /// Least recently used.
        AllkeysLru = "allkeys-lru",
        /// Least frequently used.
        AllkeysLfu = "allkeys-lfu",
        /// Any.
        AllkeysRandom = "allkeys-random",
        /// Least frequently used for its age.
        AllkeysHyperbolic = "allkeys-hyperbolic",
        /// Least recently used without sampling.
        AllkeysExactLru = "allkeys-exact-lru",
        /// By a hand that spares what was used.
        AllkeysSieve = "allkeys-sieve",
        /// By three queues.
        AllkeysS3Fifo = "allkeys-s3fifo",
        /// By a window and a contest of frequencies.
        AllkeysWTinyLfu = "allkeys-wtinylfu",
        /// None: writes are refused.
        NoEviction = "noeviction",
    }
    /// How keys are found whose deadline has passed.
    ExpiryCycle {
        /// By an index, in the order of deadlines.
        Ordered = "ordered",
        /// By looking at random ones.
        Sampled = "sampled",
    }
    /// How the kernel's out-of-memory score is adjusted.
    OomScoreAdj {
        /// Not at all.
        No = "no",
        /// Relative to the initial score; same as `relative`.
        Yes = "yes",
        /// Relative to the initial score.
        Relative = "relative",
        /// To the given values.
        Absolute = "absolute",
    }
    /// Which channels a new user may use.
    PubsubDefault {
        /// All.
        AllChannels = "allchannels",
        /// None.
        ResetChannels = "resetchannels",
    }
    /// Whether TLS clients must show a certificate.
    TlsAuthClients {
        /// They need not.
        No = "no",
        /// They must.
        Yes = "yes",
        /// It is checked if shown.
        Optional = "optional",
    }
    /// Which field of a TLS client's certificate names its user.
    TlsClientUser {
        /// The common name.
        CommonName = "CN",
        /// The URI.
        Uri = "URI",
        /// None.
        Off = "off",
    }
    /// What clients are told as a cluster node's address.
    EndpointType {
        /// Its IP address.
        Ip = "ip",
        /// Its host name.
        Hostname = "hostname",
        /// Nothing: they keep the address they know.
        UnknownEndpoint = "unknown-endpoint",
    }
    /// How the cluster's node file is written.
    ClusterConfigSave {
        /// With a sync each time; failure ends the process.
        Sync = "sync",
        /// Failure is logged.
        BestEffort = "best-effort",
    }
}

impl Permission {
    /// Whether a client that comes from `locality` may.
    #[must_use]
    pub const fn admits(self, locality: Locality) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Local => matches!(locality, Locality::Local),
        }
    }
}

/// Where a client's connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locality {
    /// The loopback interface or a unix socket.
    Local,
    /// Anywhere else.
    Remote,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case_and_printed_in_their_own() {
        let kind = choice::<AppendFsync>();
        let always = AppendFsync::No
            .parse(&kind, &[b"ALWAYS"], Source::Client)
            .unwrap();
        assert_eq!(always, AppendFsync::Always);
        assert_eq!(always.render(&kind), b"always");
    }

    #[test]
    fn other_words_are_refused_with_the_list() {
        let kind = choice::<AppendFsync>();
        let error = AppendFsync::No
            .parse(&kind, &[b"x"], Source::Client)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "argument(s) must be one of the following: everysec, always, no"
        );
    }

    #[test]
    fn local_permission_admits_local_clients_only() {
        assert!(Permission::Local.admits(Locality::Local));
        assert!(!Permission::Local.admits(Locality::Remote));
        assert!(Permission::Yes.admits(Locality::Remote));
        assert!(!Permission::No.admits(Locality::Local));
    }
}
