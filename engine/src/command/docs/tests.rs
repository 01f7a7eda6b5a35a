//! The documentation follows from the rows, and is what clients expect.

use super::*;
use crate::commands::FAMILIES;
use crate::resp::{Protocol, ReplyBuf};

fn table() -> CommandTable {
    CommandTable::new(FAMILIES)
}

/// One line per argument: name, kind, token, flags; what is inside stands in parentheses.
fn sketch(arguments: &[Argument]) -> String {
    let one = |argument: &Argument| {
        let mut text = format!("{}:{}", argument.name, argument.kind.name());
        if let Some(index) = argument.key_spec {
            text.push_str(&format!("#{index}"));
        }
        if let Some(token) = &argument.token {
            text.push_str(&format!("={token}"));
        }
        for flag in argument.flags() {
            text.push_str(&format!("+{flag}"));
        }
        if !argument.arguments.is_empty() {
            text.push_str(&format!("({})", sketch(&argument.arguments)));
        }
        text
    };
    arguments.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn of(command: &str) -> String {
    let table = table();
    let row = table.row(table.find_full(command.as_bytes()).unwrap());
    sketch(&arguments_of(row.spec).unwrap())
}

fn parsed(text: &str) -> String {
    sketch(&syntax::parse(text).unwrap())
}

#[test]
fn every_syntax_can_be_read() {
    for (_, row) in table().rows() {
        let read = arguments_of(row.spec);
        assert!(
            read.is_ok(),
            "{}: {} in `{}`",
            row.full_name,
            read.unwrap_err(),
            row.spec.syntax
        );
        let count = read.map(|arguments| arguments.len()).unwrap_or(0);
        assert_eq!(count == 0, row.spec.syntax.is_empty(), "{}", row.full_name);
    }
}

/// Checked by hand against what redis-server answers.
#[test]
fn arguments_are_those_that_redis_tells() {
    assert_eq!(of("get"), "key:key#0");
    assert_eq!(of("ping"), "message:string+optional");
    assert_eq!(of("mget"), "key:key#0+multiple");
    assert_eq!(of("mset"), "data:block+multiple(key:key#0 value:string)");
    assert_eq!(of("incrbyfloat"), "key:key#0 increment:double");
    assert_eq!(
        of("lcs"),
        "key1:key#0 key2:key#0 len:pure-token=LEN+optional \
        idx:pure-token=IDX+optional min-match-len:integer=MINMATCHLEN+optional \
        withmatchlen:pure-token=WITHMATCHLEN+optional"
    );
    assert_eq!(of("unsubscribe"), "channel:string+optional+multiple");
    assert_eq!(
        of("config|set"),
        "data:block+multiple(parameter:string value:string)"
    );
    assert_eq!(of("config|get"), "parameter:string+multiple");
    assert_eq!(
        of("memory|usage"),
        "key:key#0 count:integer=SAMPLES+optional"
    );
    assert_eq!(
        of("flushall"),
        "flush-type:oneof+optional(async:pure-token=ASYNC sync:pure-token=SYNC)"
    );
    assert_eq!(of("auth"), "username:string+optional password:string");
    assert_eq!(
        of("hello"),
        "data:block+optional(protover:integer auth:block=AUTH+optional(username:string \
         password:string) clientname:string=SETNAME+optional)"
    );
    assert_eq!(
        of("command|list"),
        "filterby:oneof=FILTERBY+optional(module-name:string=MODULE category:string=ACLCAT \
         pattern:pattern=PATTERN)"
    );
}

#[test]
fn tokens_take_what_follows_them() {
    assert_eq!(
        parsed("[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]"),
        "count:string=COUNT+optional milliseconds:string=BLOCK+optional \
         streams:block=STREAMS(key:string+multiple id:string+multiple)"
    );
    assert_eq!(
        parsed("key [GET pattern [GET pattern ...]] [LIMIT offset count]"),
        "key:string pattern:string=GET+optional+multiple+multiple_token \
         limit:block=LIMIT+optional(offset:string count:string)"
    );
    assert_eq!(
        parsed("<host port | NO ONE>"),
        "choice:oneof(data:block(host:string port:string) \
         data:block(no:pure-token=NO one:pure-token=ONE))"
    );
    assert_eq!(
        parsed("[COUNT count [ANY]] <key | \"\">"),
        "data:block+optional(count:string=COUNT any:pure-token=ANY+optional) \
         choice:oneof(key:string empty-string:pure-token=)"
    );
}

#[test]
fn unbalanced_brackets_are_refused() {
    for text in ["[a", "a]", "<a | b", "[a>", "a | b", "<a | >"] {
        assert!(syntax::parse(text).is_err(), "{text}");
    }
}

#[test]
fn documents_hold_as_many_fields_as_their_heads_say() {
    let table = table();
    let ids: Vec<CommandId> = table.top_level().map(|(id, _)| id).collect();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut buf = ReplyBuf::new();
        write_all(
            &mut Reply {
                buf: &mut buf,
                protocol,
            },
            &table,
            &ids,
        );
        let text = buf.to_vec();
        assert_eq!(skip_value(&text), text.len(), "{protocol:?}");
    }
}

/// Where the value at the front of `text` ends.
fn skip_value(text: &[u8]) -> usize {
    let line = text.windows(2).position(|pair| pair == b"\r\n").unwrap();
    let number = || {
        str::from_utf8(&text[1..line])
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    let mut at = line + 2;
    let inner = match text[0] {
        b'$' => return at + number() + 2,
        b'*' | b'~' => number(),
        b'%' => 2 * number(),
        _ => 0,
    };
    for _ in 0..inner {
        at += skip_value(&text[at..]);
    }
    at
}

#[test]
fn the_command_reference_is_up_to_date() {
    let written = include_str!("../../../../docs/commands.md");
    let rendered = render_markdown(&table());
    assert!(
        written == rendered,
        "docs/commands.md is old; `cargo x docs` writes it anew"
    );
}
