//! Which connections CLIENT LIST shows and CLIENT KILL closes.

use super::client_id;
use crate::base::{ConnId, Endpoint, Micros};
use crate::command::options::is;
use crate::command::{CmdError, Options};
use crate::conn::{Conn, SessionFlags};
use crate::resp::Args;

/// Whether the asking connection is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SkipMe {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// What TYPE tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Primary,
    Replica,
    Pubsub,
}

/// One thing that must hold.
#[derive(Clone, Debug)]
enum Test<'a> {
    Kind(Kind),
    Ids(Vec<u64>),
    User(&'a [u8]),
    Peer(&'a [u8]),
    Local(&'a [u8]),
    AgeAtLeast(u64),
    Name(&'a [u8]),
    IdleAtLeast(u64),
    Flags(&'a [u8]),
    LibName(&'a [u8]),
    LibVer(&'a [u8]),
    Db(u32),
    Capa(&'a [u8]),
    Ip(&'a [u8]),
}

/// All that must hold, each with whether it must not.
#[derive(Clone, Debug)]
pub(super) struct Filter<'a> {
    tests: Vec<(Test<'a>, bool)>,
    skip_me: SkipMe,
}

impl<'a> Filter<'a> {
    /// Reads `name value` pairs from word `from` on; ID takes several values.
    pub(super) fn parse(args: &Args<'a>, from: usize, skip: SkipMe) -> Result<Self, CmdError> {
        let mut filter = Self {
            tests: Vec::new(),
            skip_me: skip,
        };
        let mut options = Options::from(args, from);
        let bad_id = || {
            CmdError::fixed(match skip {
                SkipMe::Yes => "ERR client-id should be greater than 0",
                SkipMe::No => "ERR Invalid client ID",
            })
        };
        while let Some(word) = options.next() {
            let (name, negated) = match word {
                [b'n' | b'N', b'o' | b'O', b't' | b'T', b'-', rest @ ..] => (rest, true),
                _ => (word, false),
            };
            if is(word, "skipme") {
                filter.skip_me = match options.value()? {
                    value if is(value, "yes") => SkipMe::Yes,
                    value if is(value, "no") => SkipMe::No,
                    _ => return Err(CmdError::Syntax),
                };
            } else if is(name, "id") {
                let mut ids = vec![client_id(options.value()?).ok_or(bad_id())?];
                while let Some(next) = options.peek()
                    && next.iter().all(u8::is_ascii_digit)
                {
                    ids.push(client_id(next).ok_or(bad_id())?);
                    options.next();
                }
                ids.sort_unstable();
                filter.tests.push((Test::Ids(ids), negated));
            } else {
                let value = options.value()?;
                let is_odd = !options.left().is_multiple_of(2);
                let test = single(name, value)
                    .map_err(|error| if is_odd { CmdError::Syntax } else { error })?;
                filter.tests.push((test, negated));
            }
        }
        Ok(filter)
    }

    /// Whether `conn` passes, asked for by `me`.
    pub(super) fn matches(&self, conn: &Conn, me: ConnId, now: Micros) -> bool {
        // Who is being closed is gone as far as others can see.
        let is_gone = conn.session.flags.has(SessionFlags::CLOSE_ASAP);
        if is_gone || (self.skip_me == SkipMe::Yes && conn.id == me) {
            return false;
        }
        self.tests
            .iter()
            .all(|(test, negated)| test.holds(conn, now) != *negated)
    }
}

/// A test with one value.
fn single<'a>(name: &[u8], value: &'a [u8]) -> Result<Test<'a>, CmdError> {
    let number = |error: &'static str| {
        crate::base::number::parse_i64(value)
            .and_then(|n| u64::try_from(n).ok())
            .ok_or(CmdError::fixed(error))
    };
    Ok(match name {
        name if is(name, "type") => Test::Kind(kind(value)?),
        name if is(name, "user") => match value {
            b"default" => Test::User(value),
            _ => {
                return Err(CmdError::quoting("ERR No such user '", value, "'"));
            }
        },
        name if is(name, "addr") => Test::Peer(value),
        name if is(name, "laddr") => Test::Local(value),
        name if is(name, "maxage") => {
            let secs = crate::base::number::parse_i64(value).ok_or(CmdError::fixed(
                "ERR maxage is not an integer or out of range",
            ))?;
            let Some(secs) = u64::try_from(secs).ok().filter(|secs| *secs > 0) else {
                return Err(CmdError::fixed("ERR maxage should be greater than 0"));
            };
            Test::AgeAtLeast(secs)
        }
        name if is(name, "name") => Test::Name(value),
        name if is(name, "idle") => {
            Test::IdleAtLeast(number("ERR idle is not an integer or out of range")?)
        }
        name if is(name, "flags") => Test::Flags(value),
        name if is(name, "lib-name") => Test::LibName(value),
        name if is(name, "lib-ver") => Test::LibVer(value),
        name if is(name, "db") => {
            let db = number("ERR DB is not an integer or out of range")?;
            Test::Db(u32::try_from(db).map_err(|_| CmdError::DbOutOfRange)?)
        }
        name if is(name, "capa") => Test::Capa(value),
        name if is(name, "ip") => Test::Ip(value),
        _ => return Err(CmdError::Syntax),
    })
}

fn kind(value: &[u8]) -> Result<Kind, CmdError> {
    let table = [
        ("normal", Kind::Normal),
        ("master", Kind::Primary),
        ("primary", Kind::Primary),
        ("slave", Kind::Replica),
        ("replica", Kind::Replica),
        ("pubsub", Kind::Pubsub),
    ];
    table
        .iter()
        .find(|(name, _)| is(value, name))
        .map(|(_, kind)| *kind)
        .ok_or_else(|| CmdError::quoting("ERR Unknown client type '", value, "'"))
}

impl Test<'_> {
    fn holds(&self, conn: &Conn, now: Micros) -> bool {
        let session = &conn.session;
        match self {
            Self::Kind(kind) => {
                let is_pubsub = session.flags.has(SessionFlags::PUBSUB);
                *kind
                    == if is_pubsub {
                        Kind::Pubsub
                    } else {
                        Kind::Normal
                    }
            }
            Self::Ids(ids) => ids.binary_search(&session.client_id).is_ok(),
            Self::User(user) => session.user == *user,
            Self::Peer(addr) => session.peer_text().as_bytes() == *addr,
            Self::Local(addr) => session.arrival.local.to_string().as_bytes() == *addr,
            Self::AgeAtLeast(secs) => now.minus(session.created).as_secs() >= *secs,
            Self::Name(name) => session.name == *name,
            Self::IdleAtLeast(secs) => now.minus(session.last_active).as_secs() >= *secs,
            Self::Flags(wanted) => {
                let letters = session.flag_letters();
                wanted
                    .iter()
                    .all(|letter| letters.as_bytes().contains(letter))
            }
            Self::LibName(name) => session.lib_name == *name,
            Self::LibVer(version) => session.lib_ver == *version,
            Self::Db(db) => session.db.0 == *db,
            Self::Capa(capa) => {
                session.flags.has(SessionFlags::CAPA_REDIRECT) && (*capa == b"r" || capa.is_empty())
            }
            Self::Ip(ip) => match &session.arrival.peer {
                Endpoint::Ip(addr) => addr.ip().to_string().as_bytes() == *ip,
                Endpoint::Unix(_) => false,
            },
        }
    }
}
