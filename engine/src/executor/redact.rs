//! Secrets among a command's words, which neither MONITOR nor the slow log may show.

use crate::command::options::is;
use crate::command::table::Row;
use crate::config::{self, Kind};
use crate::resp::{Args, OwnedArgs};

/// What is shown in their place.
const REDACTED: &[u8] = b"(redacted)";

/// The request with its secrets replaced; `None` when it can hold none.
pub(super) fn redacted(row: &Row, args: &Args<'_>) -> Option<OwnedArgs> {
    let is_secret: fn(&Args<'_>, usize) -> bool = match &*row.full_name {
        "auth" => |_, index| index > 0,
        "hello" => is_login,
        "migrate" => is_login_elsewhere,
        "config|set" => is_secret_setting,
        _ => return None,
    };
    let words = (0..args.len()).map(|index| {
        if is_secret(args, index) {
            REDACTED
        } else {
            args.get(index)
        }
    });
    Some(OwnedArgs::from_words(&words.collect::<Vec<_>>()))
}

/// User and password behind the AUTH of a HELLO.
fn is_login(args: &Args<'_>, index: usize) -> bool {
    let follows_auth = |by: usize| index >= by + 2 && is(args.get(index - by), "auth");
    follows_auth(1) || follows_auth(2)
}

/// User and password for the other side of a MIGRATE.
fn is_login_elsewhere(args: &Args<'_>, index: usize) -> bool {
    // Names of keys follow KEYS, whatever they look like.
    let mut at = 6;
    while at < index {
        let word = args.get(at);
        let secrets = if is(word, "auth") {
            1
        } else if is(word, "auth2") {
            2
        } else if is(word, "keys") {
            return false;
        } else {
            0
        };
        if index <= at + secrets {
            return true;
        }
        at += 1 + secrets;
    }
    false
}

/// The value of a directive that nobody is to see.
fn is_secret_setting(args: &Args<'_>, index: usize) -> bool {
    if index < 3 || index.is_multiple_of(2) {
        return false;
    }
    let directive = config::find(args.get(index - 1));
    directive.is_some_and(|(_, row)| matches!(row.kind, Kind::Secret) || row.name == "masteruser")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::CommandTable;
    use crate::commands::FAMILIES;

    fn shown(request: &str) -> Option<String> {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let owned = OwnedArgs::from_words(&words);
        let table = CommandTable::new(FAMILIES);
        let id = table.resolve(&owned.args()).unwrap();
        let redacted = redacted(table.row(id), &owned.args())?;
        let words: Vec<&[u8]> = redacted.args().iter_from(0).collect();
        Some(String::from_utf8(words.join(&b' ')).unwrap())
    }

    #[test]
    fn passwords_are_not_shown() {
        for (request, expected) in [
            ("AUTH pw", "AUTH (redacted)"),
            ("auth user pw", "auth (redacted) (redacted)"),
            (
                "HELLO 3 AUTH u p SETNAME n",
                "HELLO 3 AUTH (redacted) (redacted) SETNAME n",
            ),
            ("HELLO 3", "HELLO 3"),
            (
                "MIGRATE h 1 k 0 5 COPY AUTH auth2 REPLACE AUTH2 u p",
                "MIGRATE h 1 k 0 5 COPY AUTH (redacted) REPLACE AUTH2 (redacted) (redacted)",
            ),
            (
                "migrate auth 1 auth 0 auth KEYS auth k",
                "migrate auth 1 auth 0 auth KEYS auth k",
            ),
        ] {
            assert_eq!(shown(request).as_deref(), Some(expected));
        }
        assert_eq!(shown("GET auth"), None);
    }

    #[test]
    fn values_of_secret_directives_are_not_shown() {
        let request = "CONFIG SET maxmemory 0 requirepass pw";
        let table = CommandTable::new(FAMILIES);
        if table.find_full(b"config|set").is_some() {
            let expected = "CONFIG SET maxmemory 0 requirepass (redacted)";
            assert_eq!(shown(request).as_deref(), Some(expected));
        }
    }
}
