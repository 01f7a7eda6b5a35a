//! Settings of several words: save points, buffer limits, percentiles, addresses and the like.

use super::error::ConfigError;
use super::number;
use super::setting::{Kind, Line, Need, Setting, Source, Text};
use super::text::word_text;
use std::fmt::Write as _;

/// Save a snapshot after so many seconds if so many changes have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last snapshot.
    pub seconds: u64,
    /// Changes since the last snapshot.
    pub changes: u32,
}

/// The save points; none means that no snapshot is taken by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavePoints(pub Vec<SavePoint>);

impl SavePoints {
    pub(super) fn standard() -> Self {
        let point = |seconds, changes| SavePoint { seconds, changes };
        Self(vec![point(3600, 1), point(300, 100), point(60, 10_000)])
    }
}

impl Setting for SavePoints {
    fn parse(&self, _: &Kind, words: &[&[u8]], source: Source) -> Result<Self, ConfigError> {
        if words.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let mut points = match source {
            Source::LaterLine => self.0.clone(),
            Source::Client | Source::FirstLine => Vec::new(),
        };
        for pair in words.chunks(2) {
            points.push(save_point(pair).ok_or(ConfigError::SavePoints)?);
        }
        Ok(Self(points))
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        let words = self
            .0
            .iter()
            .map(|point| format!("{} {}", point.seconds, point.changes));
        words.collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn lines(&self, _: &Kind, default: &Self) -> Vec<Line> {
        let needed = if self == default {
            Need::Together
        } else {
            Need::Always
        };
        if self.0.is_empty() {
            return vec![Line {
                value: b"\"\"".to_vec(),
                needed,
            }];
        }
        let text = |point: &SavePoint| format!("{} {}", point.seconds, point.changes).into_bytes();
        self.0
            .iter()
            .map(|point| Line {
                value: text(point),
                needed,
            })
            .collect()
    }
}

fn save_point(pair: &[&[u8]]) -> Option<SavePoint> {
    let [seconds, changes] = pair else {
        return None;
    };
    let seconds = u64::try_from(number::c_integer(seconds, 10)?)
        .ok()
        .filter(|n| *n >= 1)?;
    let changes = u32::try_from(number::c_integer(changes, 10)?).ok()?;
    Some(SavePoint { seconds, changes })
}

/// Limits of one class of clients on what waits to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// A connection with more bytes is closed at once; 0 is no limit.
    pub hard_bytes: u64,
    /// A connection with more bytes for `soft_secs` is closed; 0 is no limit.
    pub soft_bytes: u64,
    /// How long the soft limit may be exceeded, in seconds.
    pub soft_secs: u64,
}

/// Classes of clients with an output limit; the numbers index the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    /// Ordinary clients and monitors.
    Normal = 0,
    /// Replicas.
    Replica = 1,
    /// Clients with a subscription.
    PubSub = 2,
}

/// The output limits of all classes, indexed by [`ClientClass`].
pub type OutputLimits = [OutputLimit; 3];

pub(super) const STANDARD_OUTPUT_LIMITS: OutputLimits = [
    OutputLimit {
        hard_bytes: 0,
        soft_bytes: 0,
        soft_secs: 0,
    },
    OutputLimit {
        hard_bytes: 256 << 20,
        soft_bytes: 64 << 20,
        soft_secs: 60,
    },
    OutputLimit {
        hard_bytes: 32 << 20,
        soft_bytes: 8 << 20,
        soft_secs: 60,
    },
];

impl Setting for OutputLimits {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        if !words.len().is_multiple_of(4) {
            return Err(ConfigError::BufferLimitArity);
        }
        let mut limits = *self;
        for four in words.chunks_exact(4) {
            let class = client_class(four[0]).ok_or(ConfigError::BufferLimitClass)?;
            limits[class as usize] = output_limit(four).ok_or(ConfigError::BufferLimitNumbers)?;
        }
        Ok(limits)
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        let mut text = String::new();
        for (class, limit) in ["normal", "slave", "pubsub"].iter().zip(self) {
            let OutputLimit {
                hard_bytes,
                soft_bytes,
                soft_secs,
            } = limit;
            let gap = if text.is_empty() { "" } else { " " };
            let _infallible = write!(text, "{gap}{class} {hard_bytes} {soft_bytes} {soft_secs}");
        }
        text.into_bytes()
    }

    fn lines(&self, _: &Kind, default: &Self) -> Vec<Line> {
        let classes = ["normal", "replica", "pubsub"]
            .iter()
            .zip(self.iter().zip(default));
        classes
            .map(|(class, (limit, default))| Line {
                value: format!(
                    "{class} {} {} {}",
                    number::memory_text(limit.hard_bytes),
                    number::memory_text(limit.soft_bytes),
                    limit.soft_secs
                )
                .into_bytes(),
                needed: if limit == default {
                    Need::IfPresent
                } else {
                    Need::Always
                },
            })
            .collect()
    }
}

fn client_class(name: &[u8]) -> Option<ClientClass> {
    let is = |word: &str| word.as_bytes().eq_ignore_ascii_case(name);
    if is("normal") {
        Some(ClientClass::Normal)
    } else if is("replica") || is("slave") {
        Some(ClientClass::Replica)
    } else if is("pubsub") {
        Some(ClientClass::PubSub)
    } else {
        None
    }
}

fn output_limit(four: &[&[u8]]) -> Option<OutputLimit> {
    let [_, hard, soft, secs] = four else {
        return None;
    };
    Some(OutputLimit {
        hard_bytes: number::parse_memory(hard)?,
        soft_bytes: number::parse_memory(soft)?,
        soft_secs: u64::try_from(number::c_integer(secs, 10)?).ok()?,
    })
}

/// Percentiles, each from 0 to 100.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Setting for Percentiles {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        let parse = |word: &&[u8]| {
            let text = std::str::from_utf8(word).map_err(|_| ConfigError::Percentile)?;
            let value: f64 = text.parse().map_err(|_| ConfigError::Percentile)?;
            match value {
                _ if value.is_nan() => Err(ConfigError::Percentile),
                0.0..=100.0 => Ok(value),
                _ => Err(ConfigError::PercentileRange),
            }
        };
        words.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        let text = |value: &f64| {
            let fixed = format!("{value:.6}");
            fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        self.0
            .iter()
            .map(text)
            .collect::<Vec<_>>()
            .join(" ")
            .into_bytes()
    }

    fn file_text(&self, kind: &Kind) -> Vec<u8> {
        if self.0.is_empty() {
            b"\"\"".to_vec()
        } else {
            self.render(kind)
        }
    }
}

/// Adjustments of the out-of-memory score: of a primary, a replica, and a background child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScores(pub [i32; 3]);

impl Setting for OomScores {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        let mut scores = [0; 3];
        if words.len() != scores.len() {
            return Err(ConfigError::WrongArity);
        }
        for (score, word) in scores.iter_mut().zip(words) {
            let value = number::c_integer(word, 10).and_then(|value| i32::try_from(value).ok());
            *score = value
                .filter(|v| (-2000..=2000).contains(v))
                .ok_or(ConfigError::OomScore)?;
        }
        Ok(Self(scores))
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        let [primary, replica, child] = self.0;
        format!("{primary} {replica} {child}").into_bytes()
    }
}

/// Addresses to listen on; a leading `-` makes one optional, `*` is every address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(pub Vec<Text>);

/// The most addresses that `bind` takes.
pub const MAX_BIND_ADDRESSES: usize = 16;

impl Setting for Addresses {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        if words.len() > MAX_BIND_ADDRESSES {
            return Err(ConfigError::TooManyAddresses);
        }
        let words = words.iter().filter(|word| !word.is_empty());
        Ok(Self(words.map(|word| Text::from(*word)).collect()))
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        self.0
            .iter()
            .map(Text::as_bytes)
            .collect::<Vec<_>>()
            .join(&b' ')
    }

    fn file_text(&self, _: &Kind) -> Vec<u8> {
        let words: Vec<_> = self
            .0
            .iter()
            .map(|word| word_text(word.as_bytes()))
            .collect();
        if words.is_empty() {
            b"\"\"".to_vec()
        } else {
            words.join(&b' ')
        }
    }
}

/// The primary to follow: host and port; `None` for a primary itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaOf(pub Option<(Text, u16)>);

impl Setting for ReplicaOf {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        let [host, port] = words else {
            return Err(ConfigError::WrongArity);
        };
        if host.is_empty() || host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one")
        {
            return Ok(Self(None));
        }
        let port = number::c_integer(port, 10).and_then(|port| u16::try_from(port).ok());
        Ok(Self(Some((
            Text::from(*host),
            port.ok_or(ConfigError::MasterPort)?,
        ))))
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        match &self.0 {
            Some((host, port)) => format!("{host} {port}").into_bytes(),
            None => Vec::new(),
        }
    }

    fn lines(&self, _: &Kind, _: &Self) -> Vec<Line> {
        let Some((host, port)) = &self.0 else {
            return Vec::new();
        };
        let value = [&word_text(host.as_bytes()), format!(" {port}").as_bytes()].concat();
        vec![Line {
            value,
            needed: Need::Always,
        }]
    }
}

/// How a signal ends the server; nothing set means its default way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownOptions {
    /// Save a snapshot even without save points.
    pub save: bool,
    /// Save no snapshot even with save points.
    pub nosave: bool,
    /// Do not wait for replicas that lag behind.
    pub now: bool,
    /// Go even if saving fails.
    pub force: bool,
}

impl ShutdownOptions {
    pub(super) const WORDS: &'static [&'static str] =
        &["default", "save", "nosave", "now", "force"];
}

impl Setting for ShutdownOptions {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        let mut options = Self::default();
        if words.is_empty() {
            return Err(ConfigError::NotOneOf(Self::WORDS));
        }
        for word in words {
            match word.to_ascii_lowercase().as_slice() {
                b"default" => {}
                b"save" => options.save = true,
                b"nosave" => options.nosave = true,
                b"now" => options.now = true,
                b"force" => options.force = true,
                _ => return Err(ConfigError::NotOneOf(Self::WORDS)),
            }
        }
        if options.save && options.nosave {
            return Err(ConfigError::SaveAndNoSave);
        }
        Ok(options)
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        let Self {
            save,
            nosave,
            now,
            force,
        } = *self;
        let words = [
            ("save", save),
            ("nosave", nosave),
            ("now", now),
            ("force", force),
        ];
        let set: Vec<_> = words
            .iter()
            .filter(|(_, on)| *on)
            .map(|(word, _)| *word)
            .collect();
        if set.is_empty() {
            b"default".to_vec()
        } else {
            set.join(" ").into_bytes()
        }
    }
}
