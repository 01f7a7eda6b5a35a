//! Templates of commands: words, slots `{k}`, choices `(a|b)`, options `[a|b]`, repeats `<a|b>`,
//! long repeats `^(a|b)`, and `;` between commands that belong together.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use super::Command;
use super::members::repeats;
use super::vocabulary::{Bound, word};

/// One parsed template.
#[derive(Clone, Debug)]
pub(super) struct Template {
    commands: Vec<Vec<Node>>,
}

#[derive(Clone, Debug)]
enum Node {
    Word(Vec<u8>),
    Slot(String),
    OneOf(Vec<Vec<Self>>),
    Maybe(Vec<Vec<Self>>),
    Some(Vec<Vec<Self>>),
    Many(Vec<Vec<Self>>),
}

impl Template {
    /// Parses `text`.
    ///
    /// # Panics
    /// When brackets don't match: templates are constants of the tests.
    #[must_use]
    pub(super) fn parse(text: &str) -> Self {
        let commands = text
            .split(';')
            .map(|command| {
                let mut parser = Parser {
                    rest: command.as_bytes(),
                };
                let nodes = parser.sequence();
                assert!(parser.rest.is_empty(), "unmatched bracket in {command:?}");
                nodes
            })
            .collect();
        Self { commands }
    }

    /// Writes out the commands with random choices; `{K}` is one key throughout.
    pub(super) fn expand(&self, rng: &mut SmallRng) -> Vec<Command> {
        let bound = Bound::new(rng);
        self.commands
            .iter()
            .map(|nodes| {
                let mut words = Vec::new();
                expand(nodes, rng, &bound, &mut words);
                words
            })
            .collect()
    }
}

fn expand(nodes: &[Node], rng: &mut SmallRng, bound: &Bound, out: &mut Command) {
    for node in nodes {
        match node {
            Node::Word(text) => out.push(text.clone()),
            Node::Slot(name) => out.push(word(name, rng, bound)),
            Node::OneOf(choices) => expand(pick(choices, rng), rng, bound, out),
            Node::Maybe(choices) => {
                if rng.random_bool(0.5) {
                    expand(pick(choices, rng), rng, bound, out);
                }
            }
            Node::Some(choices) => {
                for _ in 0..rng.random_range(1..=4) {
                    expand(pick(choices, rng), rng, bound, out);
                }
            }
            Node::Many(choices) => {
                for _ in 0..repeats(rng) {
                    expand(pick(choices, rng), rng, bound, out);
                }
            }
        }
    }
}

fn pick<'a>(choices: &'a [Vec<Node>], rng: &mut SmallRng) -> &'a [Node] {
    choices.choose(rng).map_or(&[], Vec::as_slice)
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl Parser<'_> {
    fn sequence(&mut self) -> Vec<Node> {
        let mut nodes = Vec::new();
        loop {
            match self.rest.first() {
                None | Some(b'|' | b')' | b']' | b'>') => return nodes,
                Some(b' ') => self.rest = &self.rest[1..],
                Some(b'(') => nodes.push(Node::OneOf(self.choices(b')'))),
                Some(b'[') => nodes.push(Node::Maybe(self.choices(b']'))),
                Some(b'<') => nodes.push(Node::Some(self.choices(b'>'))),
                Some(b'^') => {
                    self.rest = &self.rest[1..];
                    nodes.push(Node::Many(self.choices(b')')));
                }
                Some(b'{') => {
                    let name = self.until(b"}");
                    self.rest = &self.rest[1..];
                    let name = String::from_utf8_lossy(&name[1..]).into_owned();
                    nodes.push(Node::Slot(name));
                }
                Some(_) => nodes.push(Node::Word(self.until(b" |)]>([<{"))),
            }
        }
    }

    fn choices(&mut self, close: u8) -> Vec<Vec<Node>> {
        let mut choices = Vec::new();
        loop {
            self.rest = &self.rest[1..];
            choices.push(self.sequence());
            match self.rest.first() {
                Some(b'|') => {}
                Some(byte) if *byte == close => {
                    self.rest = &self.rest[1..];
                    return choices;
                }
                other => panic!("want {:?}, got {other:?}", char::from(close)),
            }
        }
    }

    fn until(&mut self, ends: &[u8]) -> Vec<u8> {
        let length = self
            .rest
            .iter()
            .position(|b| ends.contains(b))
            .unwrap_or(self.rest.len());
        let word = self.rest[..length].to_vec();
        self.rest = &self.rest[length..];
        word
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_template_expands_to_words_of_its_grammar() {
        let template = Template::parse("SET a (NX|XX) [GET]; DEL a");
        let mut rng = SmallRng::seed_from_u64(1);
        for _ in 0..50 {
            let commands = template.expand(&mut rng);
            assert_eq!(commands.len(), 2);
            assert_eq!(commands[1], [b"DEL".to_vec(), b"a".to_vec()]);
            assert!(commands[0][2] == b"NX" || commands[0][2] == b"XX");
            assert!(commands[0].len() == 3 || commands[0][3] == b"GET");
        }
    }
}
