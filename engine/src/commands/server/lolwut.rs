//! LOLWUT: a drawing, different each time.

use crate::base::rng::Rng;
use crate::command::options::{integer, is};
use crate::command::{Ctx, Flags, Group, Outcome, Spec};
use crate::config::REDIS_VERSION;
use crate::resp::Args;

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("lolwut", -1, lolwut)
    .of(Group::Server, "5.0.0", "O(1)")
    .flags(Flags::READONLY.and(Flags::FAST))
    .doc(
        "[VERSION version]",
        "Draws something, and tells the version.",
    )];

/// Columns of the drawing.
const WIDTH: usize = 64;
/// Rows of one joint.
const HEIGHT: usize = 5;
/// Joints drawn, one below the other.
const JOINTS: usize = 3;

/// LOLWUT [VERSION version]
///
/// Words that are no version are meant for drawings of other servers and change nothing.
fn lolwut(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if let (Some(word), Some(version)) = (args.try_get(1), args.try_get(2))
        && is(word, "version")
    {
        integer(version)?;
    }
    let text = format!("{}Redis ver. {REDIS_VERSION}\n", drawing(ctx.rng));
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Boards that are joined by dovetails of random widths.
fn drawing(rng: &mut Rng) -> String {
    let mut text = String::from("\n");
    for _ in 0..JOINTS {
        let edges = edges(rng);
        for row in 0..HEIGHT {
            text.push_str("  ");
            text.extend((0..WIDTH).map(|column| wood(&edges, row, column)));
            text.push('\n');
        }
    }
    text.push_str("\n  Dovetailed boards hold without glue.\n\n");
    text
}

/// Where tails and sockets part on the middle row of a joint.
fn edges(rng: &mut Rng) -> Vec<usize> {
    let mut edges = Vec::new();
    let mut at = 0;
    loop {
        at += 7 + usize::try_from(rng.below(6)).unwrap_or(0);
        if at + HEIGHT >= WIDTH {
            return edges;
        }
        edges.push(at);
    }
}

/// What is seen at one place: the slanted edge of a tail, a tail, or a socket.
fn wood(edges: &[usize], row: usize, column: usize) -> char {
    let mut is_tail = true;
    for (index, edge) in edges.iter().enumerate() {
        // A tail's edges lean outwards, in turns.
        let leans_right = index % 2 == 0;
        let lean = if leans_right { row } else { HEIGHT - 1 - row };
        let at = edge + lean - HEIGHT / 2;
        if column == at {
            return if leans_right { '\\' } else { '/' };
        }
        if column > at {
            is_tail = !is_tail;
        }
    }
    if is_tail { '=' } else { '.' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_differ_and_have_their_size() {
        let (one, other) = (drawing(&mut Rng::new(1)), drawing(&mut Rng::new(2)));
        assert_ne!(one, other);
        assert_eq!(
            one.lines().filter(|line| line.len() == WIDTH + 2).count(),
            JOINTS * HEIGHT
        );
    }
}
