//! The declaration of a command: one row, from which dispatch, COMMAND, ACL categories, help and the
//! documentation all derive.

use super::{Ctx, Outcome};
use crate::resp::Args;

/// What runs a command: reads all arguments and rejects what is wrong; looks; changes and answers.
pub type Handler = for<'c, 'a> fn(&mut Ctx<'c>, &Args<'a>) -> Outcome;

macro_rules! bit_set {
    ($(#[$doc:meta])* $name:ident : $int:ty { $($(#[$bit_doc:meta])* $bit:ident = $at:expr, $text:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$bit_doc])* pub const $bit: Self = Self(1 << $at);)*
            /// Every bit with its name, in the order in which it is reported.
            pub const NAMES: &[(Self, &'static str)] = &[$((Self::$bit, $text)),*];

            /// No bit.
            #[must_use]
            pub const fn none() -> Self { Self(0) }

            /// Both sets together.
            #[must_use]
            pub const fn and(self, other: Self) -> Self { Self(self.0 | other.0) }

            /// This set without `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self { Self(self.0 & !other.0) }

            /// Whether any bit of `other` is in this set.
            #[must_use]
            #[inline]
            pub const fn has(self, other: Self) -> bool { self.0 & other.0 != 0 }

            /// Names of the bits that are set.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| *name)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self { self.and(other) }
        }
    };
}

bit_set! {
    /// How a command behaves; names as COMMAND reports them.
    Flags: u32 {
        /// May change the dataset.
        WRITE = 0, "write";
        /// Reads the dataset and does not change it.
        READONLY = 1, "readonly";
        /// May grow memory: refused when there is none.
        DENYOOM = 2, "denyoom";
        /// For operators.
        ADMIN = 3, "admin";
        /// Part of publish and subscribe.
        PUBSUB = 4, "pubsub";
        /// Not from scripts.
        NOSCRIPT = 5, "noscript";
        /// May block the client.
        BLOCKING = 6, "blocking";
        /// Allowed while the dataset is loaded.
        LOADING = 7, "loading";
        /// Allowed on a replica with stale data.
        STALE = 8, "stale";
        /// Not shown to MONITOR.
        SKIP_MONITOR = 9, "skip_monitor";
        /// Not in the slow log.
        SKIP_SLOWLOG = 10, "skip_slowlog";
        /// Cluster: accepted while a slot is imported.
        ASKING = 11, "asking";
        /// Constant or logarithmic time.
        FAST = 12, "fast";
        /// Allowed before authentication.
        NO_AUTH = 13, "no_auth";
        /// May be called with no keys though it takes keys.
        NO_MANDATORY_KEYS = 14, "no_mandatory_keys";
        /// Not while loading asynchronously.
        NO_ASYNC_LOADING = 15, "no_async_loading";
        /// Not inside MULTI.
        NO_MULTI = 16, "no_multi";
        /// Keys cannot be told from the positions alone.
        MOVABLE_KEYS = 17, "movablekeys";
        /// Answered while a script keeps the server busy.
        ALLOW_BUSY = 18, "allow_busy";
        /// Refused while clients' writes are paused, though it writes only sometimes.
        MAY_REPLICATE = 19, "may_replicate";
    }
}

bit_set! {
    /// ACL categories; names without the `@`.
    Categories: u32 {
        /// Reads or changes keys irrespective of type.
        KEYSPACE = 0, "keyspace";
        /// Reads.
        READ = 1, "read";
        /// Writes.
        WRITE = 2, "write";
        /// Sets.
        SET = 3, "set";
        /// Sorted sets.
        SORTEDSET = 4, "sortedset";
        /// Lists.
        LIST = 5, "list";
        /// Hashes.
        HASH = 6, "hash";
        /// Strings.
        STRING = 7, "string";
        /// Bitmaps.
        BITMAP = 8, "bitmap";
        /// HyperLogLogs.
        HYPERLOGLOG = 9, "hyperloglog";
        /// Geo.
        GEO = 10, "geo";
        /// Streams.
        STREAM = 11, "stream";
        /// Publish and subscribe.
        PUBSUB = 12, "pubsub";
        /// Operators.
        ADMIN = 13, "admin";
        /// Fast.
        FAST = 14, "fast";
        /// Not fast.
        SLOW = 15, "slow";
        /// May block.
        BLOCKING = 16, "blocking";
        /// Dangerous in the wrong hands.
        DANGEROUS = 17, "dangerous";
        /// Connections.
        CONNECTION = 18, "connection";
        /// Transactions.
        TRANSACTION = 19, "transaction";
        /// Scripts.
        SCRIPTING = 20, "scripting";
    }
}

bit_set! {
    /// What a command does with the keys of one specification.
    KeyFlags: u16 {
        /// Reads and writes.
        RW = 0, "RW";
        /// Reads only.
        RO = 1, "RO";
        /// Overwrites without looking.
        OW = 2, "OW";
        /// Removes without looking.
        RM = 3, "RM";
        /// Returns or keeps the user's data.
        ACCESS = 4, "access";
        /// Changes existing data.
        UPDATE = 5, "update";
        /// Adds data.
        INSERT = 6, "insert";
        /// Removes data.
        DELETE = 7, "delete";
        /// Looks like a key but is none.
        NOT_KEY = 8, "not_key";
        /// There may be more keys than this specification finds.
        INCOMPLETE = 9, "incomplete";
        /// The flags depend on the arguments.
        VARIABLE_FLAGS = 10, "variable_flags";
    }
}

/// The groups of the command reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    Hyperloglog,
    List,
    Pubsub,
    Scripting,
    Sentinel,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The name that COMMAND DOCS reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::Hyperloglog => "hyperloglog",
            Self::List => "list",
            Self::Pubsub => "pubsub",
            Self::Scripting => "scripting",
            Self::Sentinel => "sentinel",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}

/// Where a specification's keys begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this word.
    Index(u16),
    /// Behind this keyword, looked for from this word on (from the end when negative).
    Keyword(&'static str, i16),
    /// The same, but what is told of the command says that it cannot be told, as real servers do.
    Untold(&'static str, i16),
    /// Cannot be told.
    Unknown,
}

/// Which words from there on are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Up to `last` words further (negative: from the end), every `step`th, at most one `limit`th.
    Range {
        /// Relative to the first key; -1 is the last word.
        last: i16,
        /// Distance between keys.
        step: u16,
        /// 0 or 1: no limit; n: only the first nth of the words.
        limit: u16,
    },
    /// As many as a count says.
    KeyNum {
        /// Where the count stands, relative to the beginning.
        count: u16,
        /// Where the first key stands, relative to the beginning.
        first: u16,
        /// Distance between keys.
        step: u16,
    },
    /// Cannot be told.
    Unknown,
}

/// One key specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// What happens to the keys.
    pub flags: KeyFlags,
    /// Where they begin.
    pub begin: Begin,
    /// Which words they are.
    pub find: Find,
    /// A remark for readers; may be empty.
    pub notes: &'static str,
}

impl Keys {
    /// One key at word 1.
    #[must_use]
    pub const fn first(flags: KeyFlags) -> Self {
        Self::at(1, flags)
    }

    /// One key at word `index`.
    #[must_use]
    pub const fn at(index: u16, flags: KeyFlags) -> Self {
        Self::range(index, 0, 1, flags)
    }

    /// Every word from 1 on.
    #[must_use]
    pub const fn all(flags: KeyFlags) -> Self {
        Self::range(1, -1, 1, flags)
    }

    /// Words from `index` to `last` (relative to `index`, negative from the end), every `step`th.
    #[must_use]
    pub const fn range(index: u16, last: i16, step: u16, flags: KeyFlags) -> Self {
        let find = Find::Range {
            last,
            step,
            limit: 0,
        };
        Self {
            flags,
            begin: Begin::Index(index),
            find,
            notes: "",
        }
    }

    /// A count at word `index` and as many keys behind it.
    #[must_use]
    pub const fn counted(index: u16, flags: KeyFlags) -> Self {
        let find = Find::KeyNum {
            count: 0,
            first: 1,
            step: 1,
        };
        Self {
            flags,
            begin: Begin::Index(index),
            find,
            notes: "",
        }
    }

    /// A count at word `index` and as many keys behind it, every `step`th.
    #[must_use]
    pub const fn counted_step(index: u16, step: u16, flags: KeyFlags) -> Self {
        let find = Find::KeyNum {
            count: 0,
            first: 1,
            step,
        };
        Self {
            flags,
            begin: Begin::Index(index),
            find,
            notes: "",
        }
    }

    /// One key behind `keyword`, looked for from word `from` on.
    #[must_use]
    pub const fn after(keyword: &'static str, from: i16, flags: KeyFlags) -> Self {
        let find = Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        };
        Self {
            flags,
            begin: Begin::Keyword(keyword, from),
            find,
            notes: "",
        }
    }

    /// One key behind `keyword`, which is not told of.
    #[must_use]
    pub const fn untold(keyword: &'static str, flags: KeyFlags) -> Self {
        Self {
            begin: Begin::Untold(keyword, 2),
            ..Self::after(keyword, 2, flags)
        }
    }

    /// Keys that cannot be told.
    #[must_use]
    pub const fn unknown(flags: KeyFlags) -> Self {
        Self {
            flags,
            begin: Begin::Unknown,
            find: Find::Unknown,
            notes: "",
        }
    }

    /// The same with a remark.
    #[must_use]
    pub const fn note(self, notes: &'static str) -> Self {
        Self { notes, ..self }
    }
}

/// A command's row.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name, lower case; of a subcommand only its own word.
    pub name: &'static str,
    /// Words including the name (both words of a subcommand); negative: at least that many.
    pub arity: i16,
    /// What runs it.
    pub run: Handler,
    /// How it behaves.
    pub flags: Flags,
    /// ACL categories besides those that follow from flags and group.
    pub categories: Categories,
    /// Its keys.
    pub keys: &'static [Keys],
    /// Its group.
    pub group: Group,
    /// The Redis version that brought it.
    pub since: &'static str,
    /// What it costs.
    pub cost: &'static str,
    /// Its arguments, behind the name, in the notation of the command reference.
    pub syntax: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// What later versions brought: (version, sentence).
    pub history: &'static [(&'static str, &'static str)],
    /// Since when it should not be used, and what instead.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Whether it is meant for servers among themselves or tests.
    pub internal: bool,
    /// Its subcommands.
    pub subcommands: &'static [Self],
}

impl Spec {
    /// A row with its name, arity and handler; the rest follows by the methods below.
    #[must_use]
    pub const fn new(name: &'static str, arity: i16, run: Handler) -> Self {
        Self {
            name,
            arity,
            run,
            flags: Flags::none(),
            categories: Categories::none(),
            keys: &[],
            group: Group::Generic,
            since: "",
            cost: "",
            syntax: "",
            summary: "",
            tips: &[],
            history: &[],
            deprecated: None,
            internal: false,
            subcommands: &[],
        }
    }

    /// Sets the group, the version and the cost.
    #[must_use]
    pub const fn of(self, group: Group, since: &'static str, cost: &'static str) -> Self {
        Self {
            group,
            since,
            cost,
            ..self
        }
    }

    /// Sets the flags.
    #[must_use]
    pub const fn flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    /// Sets categories that do not follow from flags and group.
    #[must_use]
    pub const fn categories(self, categories: Categories) -> Self {
        Self { categories, ..self }
    }

    /// Sets the key specifications.
    #[must_use]
    pub const fn keys(self, keys: &'static [Keys]) -> Self {
        Self { keys, ..self }
    }

    /// Sets the syntax and the summary.
    #[must_use]
    pub const fn doc(self, syntax: &'static str, summary: &'static str) -> Self {
        Self {
            syntax,
            summary,
            ..self
        }
    }

    /// Sets the tips.
    #[must_use]
    pub const fn tips(self, tips: &'static [&'static str]) -> Self {
        Self { tips, ..self }
    }

    /// Sets the history.
    #[must_use]
    pub const fn history(self, history: &'static [(&'static str, &'static str)]) -> Self {
        Self { history, ..self }
    }

    /// Says since when it should not be used, and what instead.
    #[must_use]
    pub const fn deprecated(self, since: &'static str, instead: &'static str) -> Self {
        Self {
            deprecated: Some((since, instead)),
            ..self
        }
    }

    /// Gives it subcommands.
    #[must_use]
    pub const fn subcommands(self, subcommands: &'static [Self]) -> Self {
        Self {
            subcommands,
            ..self
        }
    }

    /// Whether `words` words are acceptable.
    #[must_use]
    #[inline]
    pub const fn accepts(&self, words: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 {
            words >= wanted
        } else {
            words == wanted
        }
    }

    /// All categories: the row's own and those that follow from flags and group.
    #[must_use]
    pub fn all_categories(&self) -> Categories {
        let mut all = self.categories;
        // A container's group shows in its subcommands; WAIT is filed under keys and concerns the
        // connection, SORT three types.
        let elsewhere = Categories::CONNECTION.and(Categories::SORTEDSET);
        if self.subcommands.is_empty() && !self.categories.has(elsewhere) {
            all = all.and(group_category(self.group));
        }
        let implied = [
            (Flags::WRITE, Categories::WRITE),
            (Flags::ADMIN, Categories::ADMIN.and(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::BLOCKING, Categories::BLOCKING),
            (Flags::FAST, Categories::FAST),
        ];
        for (flag, category) in implied {
            if self.flags.has(flag) {
                all = all.and(category);
            }
        }
        if self.flags.has(Flags::READONLY) && !all.has(Categories::SCRIPTING) {
            all = all.and(Categories::READ);
        }
        if all.has(Categories::FAST) {
            all
        } else {
            all.and(Categories::SLOW)
        }
    }
}

const fn group_category(group: Group) -> Categories {
    match group {
        Group::Bitmap => Categories::BITMAP,
        Group::Connection => Categories::CONNECTION,
        Group::Generic => Categories::KEYSPACE,
        Group::Geo => Categories::GEO,
        Group::Hash => Categories::HASH,
        Group::Hyperloglog => Categories::HYPERLOGLOG,
        Group::List => Categories::LIST,
        Group::Scripting => Categories::SCRIPTING,
        Group::Set => Categories::SET,
        Group::SortedSet => Categories::SORTEDSET,
        Group::Stream => Categories::STREAM,
        Group::String => Categories::STRING,
        Group::Transactions => Categories::TRANSACTION,
        // Publishing and listening follow from the flag.
        Group::Pubsub => Categories::none(),
        Group::Cluster | Group::Sentinel | Group::Server => Categories::none(),
    }
}
