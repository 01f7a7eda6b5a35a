//! DEBUG PROTOCOL: a value of every type, for the tests of clients.

use crate::command::options::is;
use crate::command::{CmdError, Ctx, Outcome};
use crate::resp::{Args, Reply};

#[expect(
    clippy::approx_constant,
    reason = "the number that other servers answer"
)]
const DOUBLE: f64 = 3.141;

/// Writes a value of one type.
type Writer = fn(&mut Reply<'_>);

/// Types by name, with what writes a value of each.
const TYPES: &[(&str, Writer)] = &[
    ("string", |reply| reply.bulk(b"Hello World")),
    ("integer", |reply| reply.integer(12345)),
    ("double", |reply| reply.double(DOUBLE)),
    ("bignum", |reply| {
        reply.big_number("1234567999999999999999999999999999999")
    }),
    ("null", |reply| reply.null()),
    ("array", |reply| {
        reply.array(3);
        (0..3).for_each(|number| reply.integer(number));
    }),
    ("set", |reply| {
        reply.set(3);
        (0..3).for_each(|number| reply.integer(number));
    }),
    ("map", |reply| {
        reply.map(3);
        for number in 0..3 {
            reply.integer(number);
            reply.boolean(number == 1);
        }
    }),
    ("attrib", attribute),
    ("push", push),
    ("verbatim", |reply| {
        reply.verbatim("txt", b"This is a verbatim\nstring")
    }),
    ("true", |reply| reply.boolean(true)),
    ("false", |reply| reply.boolean(false)),
];

/// DEBUG PROTOCOL type
pub(super) fn protocol(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let word = args.get(2);
    let Some((name, write)) = TYPES.iter().find(|(name, _)| is(word, name)) else {
        let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        return Err(CmdError::text(format!(
            "ERR Wrong protocol type name. Please use one of the following: {}",
            names.join("|")
        )));
    };
    if *name == "push" && !ctx.reply.is_resp3() {
        return Err(CmdError::fixed(
            "ERR RESP2 is not supported by this command",
        ));
    }
    write(&mut ctx.reply);
    Ok(())
}

/// An attribute stands before the reply that it belongs to; RESP2 has none.
fn attribute(reply: &mut Reply<'_>) {
    if reply.is_resp3() {
        reply.attribute(1);
        reply.bulk(b"key-popularity");
        reply.array(2);
        reply.bulk(b"key:123");
        reply.integer(90);
    }
    reply.bulk(b"Some real reply following the attribute");
}

/// The push follows the reply, though the reply says otherwise; clients' tests expect it so.
fn push(reply: &mut Reply<'_>) {
    reply.bulk(b"Some real reply following the push reply");
    reply.push(2);
    reply.bulk(b"server-cpu-usage");
    reply.integer(42);
}
