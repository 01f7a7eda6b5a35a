//! Rules that look at a file's tokens: where `unsafe` lives, and tests that nobody runs.

use super::tokens::{Token, tokens};
use super::{Finding, SourceFile};
use crate::layers::UNSAFE_HOMES;

/// Applies the rules of this file.
pub(super) fn check(file: &SourceFile, findings: &mut Vec<Finding>) {
    let tokens = tokens(&file.text);
    unsafe_homes(file, &tokens, findings);
    ignored_tests(file, &tokens, findings);
}

fn unsafe_homes(file: &SourceFile, tokens: &[Token<'_>], findings: &mut Vec<Finding>) {
    if UNSAFE_HOMES.iter().any(|home| file.path.starts_with(home)) {
        return;
    }
    for token in tokens.iter().filter(|token| token.is("unsafe")) {
        let what = format!("`unsafe` lives in {} only", UNSAFE_HOMES.join(" and "));
        findings.push(file.finding(token.line, "unsafe", what));
    }
}

fn ignored_tests(file: &SourceFile, tokens: &[Token<'_>], findings: &mut Vec<Finding>) {
    for window in tokens.windows(3) {
        if window[0].is("#") && window[1].is("[") && window[2].is("ignore") {
            let what = "a test that nobody runs: run it, or take it out";
            findings.push(file.finding(window[2].line, "ignored-test", what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Finding, SourceFile};

    fn findings(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let mut findings: Vec<Finding> = Vec::new();
        let file = SourceFile {
            path: path.to_string(),
            text: text.to_string(),
        };
        super::check(&file, &mut findings);
        findings
            .iter()
            .map(|finding| (finding.line, finding.rule))
            .collect()
    }

    #[test]
    fn unsafe_outside_its_homes_is_found() {
        let text = "fn f() {\n    unsafe { g() }\n}\n";
        assert_eq!(
            findings("engine/src/value/string.rs", text),
            [(2, "unsafe")]
        );
        assert_eq!(findings("engine/memory/src/slab.rs", text), []);
        assert_eq!(findings("backends/src/sys/ring.rs", text), []);
        assert_eq!(findings("backends/src/system.rs", text), [(2, "unsafe")]);
    }

    #[test]
    fn the_word_unsafe_in_prose_and_lint_names_is_not_found() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\nconst A: &str = \"unsafe\";\n";
        assert_eq!(findings("engine/src/lib.rs", text), []);
    }

    #[test]
    fn an_ignored_test_is_found_with_and_without_a_reason() {
        assert_eq!(
            findings("a.rs", "#[ignore]\n#[test]\nfn a() {}\n"),
            [(1, "ignored-test")]
        );
        assert_eq!(
            findings("a.rs", "#[test]\n#[ignore = \"slow\"]\n"),
            [(2, "ignored-test")]
        );
        assert_eq!(findings("a.rs", "// #[ignore]\n"), []);
    }
}
