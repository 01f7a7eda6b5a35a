//! The notation of a row's arguments, read into the tree that COMMAND DOCS answers.
//!
//! Shape: `word` is a value, `WORD` a token, `[x]` is optional, `<a | b>` is one of several, and
//! `x [x ...]` repeats x. A token takes what follows it: `[LIMIT offset count]` is an optional
//! block under the token LIMIT, `[EX seconds]` a value under the token EX.

/// What an argument is; words get their kind from their name, by `kinds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
    /// A word whose kind has not been looked up.
    Unknown,
}

impl Kind {
    /// The word that COMMAND DOCS uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String | Self::Unknown => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Key => "key",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }
}

/// How often an argument may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// Once.
    #[default]
    Once,
    /// Any number of times.
    Many,
    /// Any number of times, each with its token.
    ManyWithToken,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The word in front of it, or that it is.
    pub token: Option<String>,
    /// It may be left out.
    pub is_optional: bool,
    /// How often it may stand.
    pub times: Times,
    /// Which key specification finds it.
    pub key_spec: Option<usize>,
    /// What a block or a choice consists of.
    pub arguments: Vec<Self>,
}

impl Argument {
    fn new(name: impl Into<String>, kind: Kind, arguments: Vec<Self>) -> Self {
        Self {
            name: name.into(),
            kind,
            token: None,
            is_optional: false,
            times: Times::Once,
            key_spec: None,
            arguments,
        }
    }

    /// The flags that COMMAND DOCS shows.
    #[must_use]
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = Vec::new();
        if self.is_optional {
            flags.push("optional");
        }
        match self.times {
            Times::Once => {}
            Times::Many => flags.push("multiple"),
            Times::ManyWithToken => flags.extend(["multiple", "multiple_token"]),
        }
        flags
    }
}

/// A piece of the notation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Word(String),
    Optional(Vec<Vec<Self>>),
    Choice(Vec<Vec<Self>>),
    Dots,
}

/// The arguments that `syntax` describes.
///
/// # Errors
/// What is wrong with the brackets.
pub fn parse(syntax: &str) -> Result<Vec<Argument>, &'static str> {
    let lexemes = lexemes(syntax);
    let mut rest = lexemes.as_slice();
    let mut alternatives = alternatives(&mut rest)?;
    if !rest.is_empty() {
        return Err("a bracket is closed that was not opened");
    }
    match alternatives.len() {
        1 => Ok(sequence(&alternatives.swap_remove(0))),
        _ => Err("alternatives need brackets"),
    }
}

/// Words and brackets; inside quotes everything is a word.
fn lexemes(syntax: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    let mut is_quoted = false;
    for (at, letter) in syntax.char_indices() {
        let is_bracket = !is_quoted && "[]<>|".contains(letter);
        if is_bracket || letter == ' ' {
            found.extend(start.take().map(|start| &syntax[start..at]));
        } else {
            start = start.or(Some(at));
        }
        if is_bracket {
            found.push(&syntax[at..=at]);
        }
        is_quoted ^= letter == '"';
    }
    found.extend(start.map(|start| &syntax[start..]));
    found
}

/// Sequences parted by bars, up to a closing bracket or the end.
fn alternatives(rest: &mut &[&str]) -> Result<Vec<Vec<Node>>, &'static str> {
    let mut all = vec![Vec::new()];
    while let Some((&lexeme, behind)) = rest.split_first() {
        if matches!(lexeme, "]" | ">") {
            break;
        }
        *rest = behind;
        let node = match lexeme {
            "|" => {
                all.push(Vec::new());
                continue;
            }
            "[" => Node::Optional(bracketed(rest, "]")?),
            "<" => Node::Choice(bracketed(rest, ">")?),
            "..." => Node::Dots,
            word => Node::Word(word.to_owned()),
        };
        if let Some(last) = all.last_mut() {
            last.push(node);
        }
    }
    if all.len() > 1 && all.iter().any(Vec::is_empty) {
        return Err("an alternative is empty");
    }
    Ok(all)
}

fn bracketed(rest: &mut &[&str], closing: &str) -> Result<Vec<Vec<Node>>, &'static str> {
    let inner = alternatives(rest)?;
    match rest.split_first() {
        Some((lexeme, behind)) if *lexeme == closing => {
            *rest = behind;
            Ok(inner)
        }
        _ => Err("a bracket is not closed"),
    }
}

/// Neighbouring nodes that are read as one, and whether they repeat.
#[derive(Debug)]
struct Item {
    nodes: Vec<Node>,
    repeats: bool,
}

/// Joins `x [x ...]` to one repeating item.
fn items(nodes: &[Node]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for node in nodes {
        let body = match node {
            Node::Optional(inner) => match inner.as_slice() {
                [one] if one.last() == Some(&Node::Dots) => &one[..one.len() - 1],
                _ => &[],
            },
            _ => &[],
        };
        let before = items.iter().rev().take(body.len());
        let repeated = !body.is_empty()
            && items.len() >= body.len()
            && before.zip(body.iter().rev()).all(|(item, node)| {
                !item.repeats && item.nodes.as_slice() == std::slice::from_ref(node)
            });
        if repeated {
            items.truncate(items.len() - body.len());
            items.push(Item {
                nodes: body.to_vec(),
                repeats: true,
            });
        } else {
            items.push(Item {
                nodes: vec![node.clone()],
                repeats: false,
            });
        }
    }
    items
}

/// The arguments that stand one behind the other.
fn sequence(nodes: &[Node]) -> Vec<Argument> {
    let items = items(nodes);
    let mut arguments = Vec::new();
    let mut at = 0;
    while let Some(item) = items.get(at) {
        at += 1;
        match token_of(item) {
            Some(token) => {
                let taken: Vec<Argument> = items[at..]
                    .iter()
                    .take_while(|item| token_of(item).is_none() && !is_optional(item))
                    .filter_map(argument)
                    .collect();
                at += taken.len();
                arguments.push(under_token(token, taken));
            }
            None => arguments.extend(argument(item)),
        }
    }
    arguments
}

/// The token that an item is, if it is one.
fn token_of(item: &Item) -> Option<&str> {
    match item.nodes.as_slice() {
        [Node::Word(word)] if !item.repeats && is_token(word) => Some(word),
        _ => None,
    }
}

fn is_optional(item: &Item) -> bool {
    matches!(item.nodes.as_slice(), [Node::Optional(_)])
}

/// Tokens are in upper case, or are no words at all.
fn is_token(word: &str) -> bool {
    !word.chars().any(|letter| letter.is_ascii_lowercase())
}

fn under_token(token: &str, mut taken: Vec<Argument>) -> Argument {
    let name = token_name(token);
    let mut argument = match taken.len() {
        0 => Argument::new(name, Kind::PureToken, taken),
        1 if taken[0].token.is_none() => {
            let mut only = taken.swap_remove(0);
            if matches!(only.kind, Kind::OneOf | Kind::Block) {
                only.name = name;
            }
            only
        }
        _ => Argument::new(name, Kind::Block, taken),
    };
    argument.token = Some(token.trim_matches('"').to_owned());
    argument
}

fn token_name(token: &str) -> String {
    match token {
        "=" => "equal".to_owned(),
        "~" => "approximately".to_owned(),
        "*" => "auto-id".to_owned(),
        "$" => "new-id".to_owned(),
        "\"\"" => "empty-string".to_owned(),
        _ => token.to_lowercase(),
    }
}

/// The argument that an item without a token is; three dots alone are none.
fn argument(item: &Item) -> Option<Argument> {
    if item.repeats {
        let mut inner = sequence(&item.nodes);
        if inner.len() > 1 {
            inner = vec![Argument::new("data", Kind::Block, inner)];
        }
        let mut argument = inner.pop()?;
        let has_token = argument.token.is_some() && argument.kind != Kind::PureToken;
        argument.times = if has_token {
            Times::ManyWithToken
        } else {
            Times::Many
        };
        return Some(argument);
    }
    match item.nodes.first()? {
        Node::Word(word) => Some(Argument::new(
            word.trim_matches('"'),
            Kind::Unknown,
            Vec::new(),
        )),
        Node::Optional(inner) => {
            let mut argument = one_of(inner)?;
            argument.is_optional = true;
            Some(argument)
        }
        Node::Choice(inner) => one_of(inner),
        Node::Dots => None,
    }
}

/// One of several sequences, each read as one argument.
fn one_of(alternatives: &[Vec<Node>]) -> Option<Argument> {
    let mut choices: Vec<Argument> = alternatives
        .iter()
        .filter_map(|nodes| grouped(nodes))
        .collect();
    if choices.len() < 2 {
        return choices.pop();
    }
    let name = choice_name(&choices);
    Some(Argument::new(name, Kind::OneOf, choices))
}

/// A sequence as one argument.
fn grouped(nodes: &[Node]) -> Option<Argument> {
    let mut inner = sequence(nodes);
    match inner.len() {
        0 | 1 => inner.pop(),
        _ => Some(Argument::new("data", Kind::Block, inner)),
    }
}

/// What a choice is called, after its first member.
fn choice_name(choices: &[Argument]) -> &'static str {
    let first = choices.first().and_then(|choice| choice.token.as_deref());
    match first.unwrap_or_default() {
        "NX" | "XX" | "GT" | "LT" | "FNX" | "FXX" => "condition",
        "EX" | "PX" => "expiration",
        "ASC" | "DESC" => "order",
        "M" | "KM" => "unit",
        "BYTE" => "unit",
        "ASYNC" | "SYNC" => "flush-type",
        "LEFT" | "RIGHT" | "MIN" | "MAX" | "BEFORE" | "AFTER" => "where",
        "MAXLEN" | "MINID" => "strategy",
        "=" | "~" => "operator",
        "ON" | "YES" => "mode",
        _ => "choice",
    }
}
