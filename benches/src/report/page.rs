//! One page that holds all it needs: text, tables, and charts; light or dark as its reader likes.

use std::fmt::Write as _;

use super::Table;
use super::chart::Chart;

/// The colours and shapes of everything. Colours of lines are told apart by those who see few, and
/// are as many as `chart::COLOURS`.
const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#ffffff;--ink:#1b1f24;--soft:#5b6570;--grid:#e4e8ec;\
--rule:#aab3bd;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b8478f;--c4:#8a6d00;--c5:#56789a;\
--c6:#6b4fbb;--c7:#4d4d4d}
@media(prefers-color-scheme:dark){:root{--paper:#14181d;--ink:#e6e9ed;--soft:#9aa5b1;\
--grid:#2a3038;--rule:#55606c;--c0:#4db2ee;--c1:#ff9248;--c2:#35cf9f;--c3:#ee8fcb;--c4:#e0c341;\
--c5:#9fc1e3;--c6:#b3a0ff;--c7:#c9c9c9}}
body{margin:0 auto;max-width:1000px;padding:24px 20px 60px;background:var(--paper);\
color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 4px}\
h3{font-size:15px;margin:26px 0 2px}
p{margin:4px 0 10px;color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;white-space:nowrap}
th,td{padding:4px 9px;text-align:right;border-bottom:1px solid var(--grid)}
th{color:var(--soft);font-weight:500;border-bottom-color:var(--rule)}
th:first-child,td:first-child,td:last-child{text-align:left}
svg.chart{display:block;width:100%;height:auto}
.chart text{fill:var(--ink);font:12px system-ui,sans-serif}
.chart text.note{fill:var(--soft)}
.chart text.end{text-anchor:end}.chart text.middle{text-anchor:middle}
.chart path{fill:none}
.grid{stroke:var(--grid)}.axis{stroke:var(--rule)}
.mark{stroke:var(--soft);stroke-dasharray:5 4}
.line{stroke-width:1.8;stroke-linejoin:round}.dashes{stroke-dasharray:6 3}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}\
.c4{stroke:var(--c4)}.c5{stroke:var(--c5)}.c6{stroke:var(--c6)}.c7{stroke:var(--c7)}
";

/// A page that grows from above to below.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    title: String,
    body: String,
}

impl Page {
    /// With its title alone.
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: escape(title),
            body: String::new(),
        }
    }

    /// Begins a part.
    pub(crate) fn heading(&mut self, text: &str) {
        self.element("h2", text);
    }

    /// Names what follows.
    pub(crate) fn caption(&mut self, text: &str) {
        self.element("h3", text);
    }

    /// A paragraph.
    pub(crate) fn text(&mut self, text: &str) {
        self.element("p", text);
    }

    /// A chart.
    pub(crate) fn chart(&mut self, chart: &Chart) {
        self.body.push_str(&chart.svg());
    }

    /// A table, the first row its header.
    pub(super) fn table(&mut self, table: &Table) {
        self.body.push_str("<div class=\"wide\"><table>\n");
        for (row, cells) in table.rows.iter().enumerate() {
            let kind = if row == 0 { "th" } else { "td" };
            self.body.push_str("<tr>");
            for cell in cells {
                self.element(kind, cell);
            }
            self.body.push_str("</tr>\n");
        }
        self.body.push_str("</table></div>\n");
    }

    fn element(&mut self, kind: &str, text: &str) {
        // Writing to a string cannot fail.
        write!(self.body, "<{kind}>{}</{kind}>", escape(text)).ok();
        if kind.starts_with(['h', 'p']) {
            self.body.push('\n');
        }
    }

    /// The whole of it.
    pub(crate) fn render(&self) -> String {
        let (title, body) = (&self.title, &self.body);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
        )
    }
}

/// Text that means itself.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::chart::COLOURS;
    use super::*;

    #[test]
    fn page_is_complete_and_refers_to_nothing_outside() {
        let mut page = Page::new("a & b");
        page.heading("part");
        page.text("<script>");
        let mut table = Table::new(&["", "x"]);
        table.row(vec!["row".to_owned(), "1".to_owned()]);
        page.table(&table);
        let text = page.render();
        assert!(text.contains("<title>a &amp; b</title>"));
        assert!(text.contains("<p>&lt;script&gt;</p>"));
        assert!(text.contains("<tr><th></th><th>x</th></tr>\n<tr><td>row</td><td>1</td></tr>"));
        for outside in ["http", "src=", "href=", "<script", "url(", "@import"] {
            assert!(!text.contains(outside), "{outside}");
        }
    }

    #[test]
    fn every_colour_is_there_in_both_themes() {
        for colour in 0..COLOURS {
            assert_eq!(STYLE.matches(&format!("--c{colour}:#")).count(), 2);
            assert_eq!(STYLE.matches(&format!(".c{colour}{{")).count(), 1);
        }
    }
}
