//! Rules that look at a file as text: length, first line, ASCII, leftovers, paths of a machine.

use super::{CODE, Finding, SourceFile, has_extension};
use crate::layers::LONG_TABLES;

/// The ceiling of lines in a source file.
const LINES_MAX: usize = 1_000;

/// Words that mark unfinished work. Written in halves, so that this file passes its own rule.
const LEFTOVERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Where people and build machines keep their things.
const PLACES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/t", "mp/"),
    concat!("C:", "\\Users\\"),
];

/// Applies the rules of this file.
pub(super) fn check(file: &SourceFile, findings: &mut Vec<Finding>) {
    if file.is_rust() {
        length(file, findings);
        first_line(file, findings);
    }
    if has_extension(&file.path, CODE) {
        ascii(file, findings);
        leftovers(file, findings);
    }
    places(file, findings);
}

fn length(file: &SourceFile, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if lines > LINES_MAX && !LONG_TABLES.contains(&file.path.as_str()) {
        let what = format!("{lines} lines, the ceiling is {LINES_MAX}: make it a folder");
        findings.push(file.finding(0, "length", what));
    }
}

/// Attributes come after the module comment, so the rule needs no exception for them.
fn first_line(file: &SourceFile, findings: &mut Vec<Finding>) {
    let says_something = file
        .text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("//! "))
        .is_some_and(|sentence| !sentence.trim().is_empty());
    if !says_something {
        findings.push(file.finding(1, "first-line", "the first line is not `//! One sentence.`"));
    }
}

fn ascii(file: &SourceFile, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        if let Some(found) = line.chars().find(|character| !character.is_ascii()) {
            let code = u32::from(found);
            findings.push(file.finding(index + 1, "ascii", format!("U+{code:04X} in a source")));
        }
    }
}

fn leftovers(file: &SourceFile, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if let Some(word) = words.find(|word| LEFTOVERS.contains(word)) {
            findings.push(file.finding(index + 1, "leftover", format!("{word}: do it or drop it")));
        }
    }
}

fn places(file: &SourceFile, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        for place in PLACES {
            let is_start = |at: usize| {
                let before = line[..at].bytes().next_back();
                before
                    .is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"_-.$~}/".contains(&byte))
            };
            if line.match_indices(place).any(|(at, _)| is_start(at)) {
                let what = format!("`{place}` is a path of one machine");
                findings.push(file.finding(index + 1, "machine-path", what));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Finding, SourceFile};

    fn findings(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let mut findings: Vec<Finding> = Vec::new();
        super::check(
            &SourceFile {
                path: path.to_string(),
                text: text.to_string(),
            },
            &mut findings,
        );
        findings
            .iter()
            .map(|finding| (finding.line, finding.rule))
            .collect()
    }

    #[test]
    fn a_file_over_the_ceiling_is_found() {
        let text = format!("//! A.\n{}", "\n".repeat(1_000));
        assert_eq!(findings("a.rs", &text), [(0, "length")]);
        assert_eq!(findings("a.rs", &text[..text.len() - 1]), []);
    }

    #[test]
    fn a_file_without_a_module_comment_is_found() {
        assert_eq!(findings("a.rs", "use a::b;\n"), [(1, "first-line")]);
        assert_eq!(findings("a.rs", "//! \nuse a::b;\n"), [(1, "first-line")]);
        assert_eq!(findings("a.rs", ""), [(1, "first-line")]);
    }

    #[test]
    fn an_attribute_before_the_module_comment_is_found() {
        assert_eq!(
            findings("a.rs", "#![forbid(unsafe_code)]\n//! A.\n"),
            [(1, "first-line")]
        );
        assert_eq!(findings("a.rs", "//! A.\n#![forbid(unsafe_code)]\n"), []);
    }

    #[test]
    fn a_character_outside_ascii_is_found_in_code_and_not_in_prose() {
        assert_eq!(findings("a.rs", "//! A.\n// \u{2192}\n"), [(2, "ascii")]);
        assert_eq!(findings("a.md", "\u{2192}\n"), []);
    }

    #[test]
    fn unfinished_work_is_found_as_a_word() {
        for word in super::LEFTOVERS {
            assert_eq!(
                findings("a.rs", &format!("//! A.\n// {word}: x\n")),
                [(2, "leftover")]
            );
            assert_eq!(findings("a.rs", &format!("//! A.\n// {word}ED_x\n")), []);
        }
    }

    #[test]
    fn a_path_of_a_machine_is_found_in_every_text() {
        for place in super::PLACES {
            assert_eq!(
                findings("a.md", &format!("see {place}ann/x")),
                [(1, "machine-path")]
            );
            assert_eq!(findings("a.md", &format!("see docs{place}x")), []);
        }
    }
}
