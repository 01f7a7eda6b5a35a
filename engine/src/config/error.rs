//! Why a value, a line or a CONFIG SET was refused, with the texts that Redis uses.

use std::fmt;

/// Why a value of a directive was refused. `Display` is the reason alone, without the directive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not a decimal integer.
    NotInteger,
    /// Not an octal number.
    NotOctal,
    /// Not an integer with an optional unit.
    NotMemory,
    /// Neither a memory value nor a percentage.
    NotMemoryOrPercent,
    /// More than 100%.
    PercentTooHigh,
    /// A number outside of its range; both bounds belong to it.
    OutOfRange {
        /// The lowest allowed number.
        low: i128,
        /// The highest allowed number.
        high: i128,
    },
    /// An octal number outside of its range; both bounds belong to it and are printed in octal.
    OctalOutOfRange {
        /// The highest allowed number.
        high: u32,
    },
    /// Neither yes nor no.
    NotYesNo,
    /// None of these words.
    NotOneOf(&'static [&'static str]),
    /// Too few or too many values.
    WrongArity,
    /// A line whose name is unknown, or whose shape is wrong altogether.
    BadDirective,
    /// A line with an open quote, or with something behind a closing one.
    UnbalancedQuotes,
    /// Settable at start only.
    Immutable,
    /// Settable only as far as `enable-protected-configs` allows.
    Protected,
    /// Named twice in one CONFIG SET.
    Duplicate,
    /// Save points are pairs of a positive and a non-negative number.
    SavePoints,
    /// Buffer limits come in fours.
    BufferLimitArity,
    /// There is no such class of clients.
    BufferLimitClass,
    /// A buffer limit or its duration is not a number.
    BufferLimitNumbers,
    /// No such class of events.
    EventClass,
    /// An adjustment that the kernel would refuse.
    OomScore,
    /// A percentile that is not a number.
    Percentile,
    /// A percentile below 0 or above 100.
    PercentileRange,
    /// More addresses than are supported.
    TooManyAddresses,
    /// A process title that names an unknown variable or stays empty.
    TitleTemplate,
    /// SAVE and NOSAVE at once.
    SaveAndNoSave,
    /// A primary's port that is no port.
    MasterPort,
    /// A user declared twice.
    DuplicateUser(String),
    /// A command to be renamed that does not exist.
    NoSuchCommand,
    /// A new name of a command that is taken.
    CommandExists,
    /// Files include each other without end.
    IncludeDepth,
    /// A reason in fixed words.
    Words(&'static str),
    /// A reason that comes from elsewhere, such as the system or a failed side effect.
    Other(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { low, high } => {
                write!(f, "argument must be between {low} and {high} inclusive")
            }
            Self::OctalOutOfRange { high } => {
                write!(f, "argument must be between 0 and {high:o} inclusive")
            }
            Self::NotOneOf(words) => {
                write!(
                    f,
                    "argument(s) must be one of the following: {}",
                    words.join(", ")
                )
            }
            Self::DuplicateUser(name) => write!(
                f,
                "Error in user declaration '{name}': Duplicate user found. A user can only be \
                 defined once in config files"
            ),
            Self::Other(reason) => f.write_str(reason),
            other => f.write_str(other.fixed_text()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// The text of the reasons that carry nothing; empty for the others.
    const fn fixed_text(&self) -> &'static str {
        match self {
            Self::NotInteger => "argument couldn't be parsed into an integer",
            Self::NotOctal => "argument couldn't be parsed as an octal number",
            Self::NotMemory => "argument must be a memory value",
            Self::NotMemoryOrPercent => "argument must be a memory or percent value",
            Self::PercentTooHigh => "percentage argument must be less or equal to 100",
            Self::NotYesNo => "argument must be 'yes' or 'no'",
            Self::WrongArity => "wrong number of arguments",
            Self::BadDirective => "Bad directive or wrong number of arguments",
            Self::UnbalancedQuotes => "Unbalanced quotes in configuration line",
            Self::Immutable => "can't set immutable config",
            Self::Protected => "can't set protected config",
            Self::Duplicate => "duplicate parameter",
            Self::SavePoints => "Invalid save parameters",
            Self::BufferLimitArity => "Wrong number of arguments in buffer limit configuration.",
            Self::BufferLimitClass => {
                "Invalid client class specified in buffer limit configuration."
            }
            Self::BufferLimitNumbers => {
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
            }
            Self::EventClass => "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
            Self::OomScore => {
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
            }
            Self::Percentile => "Invalid latency-tracking-info-percentiles parameters",
            Self::PercentileRange => {
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
            }
            Self::TooManyAddresses => "Too many bind addresses specified.",
            Self::TitleTemplate => "template format is invalid or contains unknown variables",
            Self::SaveAndNoSave => "shutdown options SAVE and NOSAVE can't be used simultaneously",
            Self::MasterPort => "Invalid master port",
            Self::NoSuchCommand => "No such command in rename-command",
            Self::CommandExists => "Target command name already exists",
            Self::IncludeDepth => "too many levels of include",
            Self::Words(words) => words,
            Self::OutOfRange { .. }
            | Self::OctalOutOfRange { .. }
            | Self::NotOneOf(_)
            | Self::DuplicateUser(_)
            | Self::Other(_) => "",
        }
    }
}

/// Why a CONFIG SET was refused as a whole. `Display` is Redis's reply without its `ERR ` prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetError {
    /// There is no such directive; the name as the client wrote it.
    Unknown(Vec<u8>),
    /// A directive could not be set.
    Failed {
        /// The name in the table: a directive's or an alias's.
        name: &'static str,
        /// Why.
        reason: ConfigError,
    },
}

impl SetError {
    /// The refusal of a side effect of `name`, such as a port that cannot be opened.
    #[must_use]
    pub const fn refused(name: &'static str, reason: String) -> Self {
        Self::Failed {
            name,
            reason: ConfigError::Other(reason),
        }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(
                f,
                "Unknown option or number of arguments for CONFIG SET - '{}'",
                String::from_utf8_lossy(name)
            ),
            Self::Failed { name, reason } => {
                write!(
                    f,
                    "CONFIG SET failed (possibly related to argument '{name}') - {reason}"
                )
            }
        }
    }
}

impl std::error::Error for SetError {}
