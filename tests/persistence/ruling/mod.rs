//! The commands and settings that rule what is kept, what they answer and what INFO says.

mod ending;
mod loading;
mod logging;
mod reporting;
mod saving;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::field;
use dovetail_tests::value::Value;
use dovetail_tests::{Client, Server, until};

/// So many keys that a child who is slow with each of them is there for minutes.
const MANY: u32 = 500;

/// A rewrite has begun.
const REWRITING: &str = "+Background append only file rewriting started\r\n";

/// `MANY` keys, `key:0` and so on, with their numbers.
fn fill(client: &mut Client) -> Result<()> {
    let sets: Vec<Vec<String>> = (0..MANY)
        .map(|n| vec!["SET".to_owned(), format!("key:{n}"), n.to_string()])
        .collect();
    for reply in client.pipeline(&sets)? {
        ensure!(reply == Value::ok(), "{reply}");
    }
    Ok(())
}

/// From now on children take so many microseconds for each key.
fn slow_down(client: &mut Client, micros: u32) -> Result<()> {
    client.expect(
        &format!("CONFIG SET rdb-key-save-delay {micros}"),
        "+OK\r\n",
    )
}

/// A field of INFO that is a number.
fn count(client: &mut Client, name: &str) -> Result<i64> {
    let text = field(client, name)?;
    text.parse().with_context(|| format!("{name}:{text}"))
}

/// Says one thing after the other, each with the reply that it must get.
fn converse(client: &mut Client, lines: &[(&str, &str)]) -> Result<()> {
    for (words, reply) in lines {
        client.expect(words, &format!("{reply}\r\n"))?;
    }
    Ok(())
}

/// Waits until the server's folder has a file of this name.
fn await_file(server: &Server, name: &str) -> Result<()> {
    let path = server.dir().join(name);
    until(&format!("the file {name}"), || {
        Ok(path.is_file().then_some(()))
    })
}
