//! What a source file declares and names: its `mod` lines, its paths, and which parts are tests.
//!
//! A path counts wherever it stands, in a `use` line or in the middle of an expression, so that a
//! layer cannot be passed by writing the path out.

use super::tokens::{Kind, Token};

/// A `mod name;` line: a file this one brings into the crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModLine {
    /// The inline modules around it, then its name.
    pub(crate) path: Vec<String>,
    /// The file named by `#[path = "..."]`, if there is one.
    pub(crate) file: Option<String>,
}

/// A path as written, with `crate`, `self` and `super` resolved to a leading `crate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathUse {
    /// `["crate", "keyspace", "Db"]` or `["bytes", "Bytes"]`; a glob ends with `*`.
    pub(crate) segments: Vec<String>,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// Whether it stands under `#[cfg(test)]`.
    pub(crate) in_test: bool,
}

/// What was found in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The files this file declares.
    pub(crate) mods: Vec<ModLine>,
    /// The paths this file names.
    pub(crate) paths: Vec<PathUse>,
}

/// Reads a file whose module is `module` (without `crate`); `outside` are the crates it may name.
pub(crate) fn contents(tokens: &[Token<'_>], module: &[String], outside: &[String]) -> Contents {
    let mut reader = Reader {
        tokens,
        module,
        outside,
        inline: Vec::new(),
        depth: 0,
        test_ends: 0,
        found: Contents::default(),
    };
    let mut at = 0;
    while at < tokens.len() {
        at = reader.step(at);
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    module: &'a [String],
    outside: &'a [String],
    /// Inline modules that are open, each with the brace depth at which it closes.
    inline: Vec<(String, usize)>,
    depth: usize,
    /// The token after the last one that belongs to a test item.
    test_ends: usize,
    found: Contents,
}

impl Reader<'_> {
    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(text))
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens
            .get(at)
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.text)
    }

    /// Looks at the token `at`; returns where to look next.
    fn step(&mut self, at: usize) -> usize {
        if self.is(at, "#") && is_test_attribute(self.tokens, at) {
            self.test_ends = self.test_ends.max(item_end(self.tokens, at));
        } else if self.is(at, "{") {
            self.depth += 1;
        } else if self.is(at, "}") {
            self.depth = self.depth.saturating_sub(1);
            if self
                .inline
                .last()
                .is_some_and(|(_, depth)| *depth == self.depth)
            {
                self.inline.pop();
            }
        } else if self.is(at, "mod") {
            return self.mod_item(at);
        } else if let Some(next) = self.path(at) {
            return next;
        }
        at + 1
    }

    fn mod_item(&mut self, at: usize) -> usize {
        let Some(name) = self.word(at + 1) else {
            return at + 1;
        };
        let name = name.trim_start_matches("r#").to_string();
        if self.is(at + 2, "{") {
            self.inline.push((name, self.depth));
            self.depth += 1;
            return at + 3;
        }
        if self.is(at + 2, ";") {
            let mut path: Vec<String> = self.inline.iter().map(|(name, _)| name.clone()).collect();
            path.push(name);
            self.found.mods.push(ModLine {
                path,
                file: path_attribute(self.tokens, at),
            });
        }
        at + 2
    }

    /// Records the path or tree of paths that starts at `at`; returns the token after it.
    fn path(&mut self, at: usize) -> Option<usize> {
        let first = self.word(at)?;
        let before = at.checked_sub(1).map(|before| self.tokens[before].text);
        let names_item = self.is(at + 1, "::") || before == Some("use");
        if !names_item || before == Some("::") || before == Some(".") {
            return None;
        }
        let rooted = matches!(first, "crate" | "self" | "super");
        let foreign = matches!(first, "std" | "core" | "alloc") || self.names_crate(first);
        if !rooted && !foreign {
            return None;
        }
        let mut trees = Vec::new();
        let end = tree(self.tokens, at, &mut Vec::new(), &mut trees);
        for (segments, line) in trees {
            let segments = if rooted {
                self.absolute(segments)
            } else {
                segments
            };
            self.found.paths.push(PathUse {
                segments,
                line,
                in_test: at < self.test_ends,
            });
        }
        Some(end)
    }

    fn names_crate(&self, name: &str) -> bool {
        self.outside.iter().any(|outside| outside == name)
    }

    /// Resolves `self` and `super` against the module and the inline modules that are open.
    fn absolute(&self, segments: Vec<String>) -> Vec<String> {
        let mut place: Vec<String> = self.module.to_vec();
        place.extend(self.inline.iter().map(|(name, _)| name.clone()));
        let mut rest = segments.into_iter().peekable();
        while let Some(segment) = rest.next_if(|s| matches!(s.as_str(), "crate" | "self" | "super"))
        {
            match segment.as_str() {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                _ => {}
            }
        }
        std::iter::once("crate".to_string())
            .chain(place)
            .chain(rest)
            .collect()
    }
}

/// Reads `a::b::{c, d::*}` from `at`, adding each full path; returns the token after it.
fn tree(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let kept = prefix.len();
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            at = group(tokens, at + 1, prefix, found);
            prefix.truncate(kept);
            return at;
        }
        if token.kind != Kind::Word && !token.is("*") {
            break;
        }
        prefix.push(token.text.trim_start_matches("r#").to_string());
        at += 1;
        if !tokens.get(at).is_some_and(|token| token.is("::")) {
            break;
        }
        at += 1;
    }
    if prefix.len() > kept {
        found.push((prefix.clone(), line));
    }
    prefix.truncate(kept);
    at
}

fn group(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        if token.is("}") {
            return at + 1;
        }
        at = if token.is(",") {
            at + 1
        } else {
            tree(tokens, at, prefix, found).max(at + 1)
        };
        if tokens.get(at).is_some_and(|token| token.is("as")) {
            at += 2;
        }
    }
    at
}

/// True at the `#` of `#[cfg(test)]`, `#[cfg(any(test, ...))]` or `#[test]`.
fn is_test_attribute(tokens: &[Token<'_>], at: usize) -> bool {
    let end = attribute_end(tokens, at);
    let inside = tokens.get(at + 2..end).unwrap_or_default();
    let starts = inside
        .first()
        .is_some_and(|token| token.is("cfg") || token.is("test"));
    let negated = inside.iter().any(|token| token.is("not"));
    tokens.get(at + 1).is_some_and(|token| token.is("["))
        && starts
        && !negated
        && inside.iter().any(|token| token.is("test"))
}

/// The token after the attribute whose `#` is at `at`.
fn attribute_end(tokens: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        if token.is("[") {
            depth += 1;
        } else if token.is("]") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index + 1;
            }
        }
    }
    tokens.len()
}

/// The token after the item that the attribute at `at` belongs to.
fn item_end(tokens: &[Token<'_>], at: usize) -> usize {
    let mut index = at;
    while tokens.get(index).is_some_and(|token| token.is("#")) {
        index = attribute_end(tokens, index);
    }
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(index) {
        index += 1;
        if token.is(";") && depth == 0 {
            return index;
        } else if token.is("{") {
            depth += 1;
        } else if token.is("}") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index;
            }
        }
    }
    index
}

/// The file named by a `#[path = "..."]` right before the `mod` at `at`.
fn path_attribute(tokens: &[Token<'_>], at: usize) -> Option<String> {
    let ends = |token: &Token<'_>| token.is(";") || token.is("{") || token.is("}");
    let start = tokens
        .get(..at)?
        .iter()
        .rposition(ends)
        .map_or(0, |end| end + 1);
    let before = tokens.get(start..at)?;
    let start = before
        .windows(3)
        .position(|w| w[0].is("[") && w[1].is("path") && w[2].is("="))?;
    Some(before.get(start + 3)?.text.trim_matches('"').to_string())
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::{Contents, ModLine, contents};

    fn read(source: &str, module: &[&str]) -> Contents {
        let module: Vec<String> = module.iter().map(ToString::to_string).collect();
        contents(&tokens(source), &module, &["bytes".to_string()])
    }

    fn paths(source: &str, module: &[&str]) -> Vec<String> {
        read(source, module)
            .paths
            .iter()
            .map(|path| path.segments.join("::"))
            .collect()
    }

    #[test]
    fn a_use_tree_is_read_to_its_leaves() {
        let source = "use crate::{a::{B, c::*}, d as e}; use bytes; use bytes::{Bytes, Buf};";
        assert_eq!(
            paths(source, &["x"]),
            [
                "crate::a::B",
                "crate::a::c::*",
                "crate::d",
                "bytes",
                "bytes::Bytes",
                "bytes::Buf"
            ]
        );
    }

    #[test]
    fn a_path_in_an_expression_counts() {
        let source = "fn f() { crate::a::g(); other::h(); x.crate_(); bytes::Bytes::new() }";
        assert_eq!(paths(source, &["x"]), ["crate::a::g", "bytes::Bytes::new"]);
    }

    #[test]
    fn super_and_self_are_resolved_through_inline_modules() {
        let source = "use super::y; mod inner { use super::z; use self::w; } use super::super::v;";
        let expected = [
            "crate::a::y",
            "crate::a::b::z",
            "crate::a::b::inner::w",
            "crate::v",
        ];
        assert_eq!(paths(source, &["a", "b"]), expected);
    }

    #[test]
    fn paths_of_tests_are_marked() {
        let source = "use crate::a; #[cfg(test)] mod tests { use crate::b; } use crate::c; \
                      #[cfg(not(test))] use crate::d;";
        let marks: Vec<bool> = read(source, &[])
            .paths
            .iter()
            .map(|path| path.in_test)
            .collect();
        assert_eq!(marks, [false, true, false, false]);
    }

    #[test]
    fn mod_lines_are_found_with_their_file() {
        let source = "pub mod a; #[path = \"z/b.rs\"] mod b; mod c { pub(crate) mod d; }";
        let line = |path: &[&str], file: Option<&str>| ModLine {
            path: path.iter().map(ToString::to_string).collect(),
            file: file.map(str::to_string),
        };
        assert_eq!(
            read(source, &[]).mods,
            [
                line(&["a"], None),
                line(&["b"], Some("z/b.rs")),
                line(&["c", "d"], None)
            ]
        );
    }
}
