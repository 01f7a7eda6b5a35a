//! Charts of lines as SVG, to stand within a page that defines their colours.
//!
//! Units: those of the data; lengths in the picture are pixels of its own coordinates.

use std::fmt::Write as _;

use super::page::escape;

/// Width of a picture.
const WIDTH: f64 = 900.0;
/// What lies to the left of the plot, to its right, below it, and above it without a legend.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 18.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 14.0;
/// A row of the legend, and what a letter takes there.
const LEGEND_ROW: f64 = 20.0;
const LETTER: f64 = 7.2;
/// How many ticks an axis has, about.
const TICKS: f64 = 6.0;
/// Colours that a page defines, `--c0` and so on.
pub(crate) const COLOURS: usize = 8;

/// How values become lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// In proportion.
    Linear,
    /// In proportion to the logarithm; what is not above 0 is not drawn.
    Log,
}

/// One direction of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What it shows, with its unit.
    pub(crate) title: String,
    /// How values become lengths.
    pub(crate) scale: Scale,
    /// From where to where; more than the data, if several charts are to be compared.
    pub(crate) range: (f64, f64),
    /// How a value is written at a tick.
    pub(crate) label: fn(f64) -> String,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Its name in the legend.
    pub(crate) name: String,
    /// Which of the page's colours it has; beyond the last one they come again, with dashes.
    pub(crate) colour: usize,
    /// Its points, from left to right.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    fn class(&self) -> String {
        let dashes = if self.colour < COLOURS { "" } else { " dashes" };
        format!("line c{}{dashes}", self.colour % COLOURS)
    }
}

/// A value that is worth a line of its own across the chart.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Where on the vertical axis.
    pub(crate) at: f64,
    /// What is said of it.
    pub(crate) text: String,
}

/// Whether lines are named above the plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Legend {
    /// They are.
    Shown,
    /// The text around the chart names them.
    Omitted,
}

/// A chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What is read aloud in its place.
    pub(crate) title: String,
    /// Height of the plot.
    pub(crate) height: f64,
    /// From left to right.
    pub(crate) x: Axis,
    /// From below to above.
    pub(crate) y: Axis,
    /// The lines; later ones lie above.
    pub(crate) series: Vec<Series>,
    /// Values worth a line across.
    pub(crate) marks: Vec<Mark>,
    /// Whether lines are named.
    pub(crate) legend: Legend,
}

impl Axis {
    /// Where a value lies, from 0 to 1; `None` where there is no such place.
    fn place(&self, value: f64) -> Option<f64> {
        let (from, to) = self.range;
        let place = match self.scale {
            Scale::Linear => (value - from) / (to - from),
            Scale::Log => (value / from).ln() / (to / from).ln(),
        };
        place.is_finite().then_some(place)
    }

    /// Values that are worth a number.
    fn ticks(&self) -> Vec<f64> {
        let (from, to) = self.range;
        let mut ticks = Vec::new();
        match self.scale {
            Scale::Linear => {
                let step = round_step((to - from) / TICKS);
                let mut tick = (from / step).ceil();
                while tick * step <= to + step * 1e-9 && ticks.len() < 100 {
                    ticks.push(tick * step);
                    tick += 1.0;
                }
            }
            Scale::Log => {
                let mut tick = 10_f64.powf(from.log10().ceil());
                while tick <= to * (1.0 + 1e-9) && ticks.len() < 100 {
                    ticks.push(tick);
                    tick *= 10.0;
                }
            }
        }
        ticks
    }
}

/// The next of 1, 2, 5, 10, ... that is not less.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let digits = [1.0, 2.0, 5.0, 10.0];
    let digit = digits
        .into_iter()
        .find(|digit| digit * power >= step * (1.0 - 1e-9));
    digit.unwrap_or(10.0) * power
}

impl Chart {
    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let legend = self.legend_rows();
        let top = TOP + LEGEND_ROW * legend.len() as f64;
        let height = top + self.height + BOTTOM;
        let mut out = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{}\">\n",
            escape(&self.title)
        );
        for (row, names) in legend.iter().enumerate() {
            let middle = 12.0 + LEGEND_ROW * row as f64;
            for &(series, x) in names {
                // Writing to a string cannot fail.
                writeln!(
                    out,
                    "<path class=\"{}\" d=\"M{x} {middle}h18\"/>\
                     <text x=\"{}\" y=\"{}\">{}</text>",
                    series.class(),
                    x + 24.0,
                    middle + 4.0,
                    escape(&series.name)
                )
                .ok();
            }
        }
        self.draw_grid(top, &mut out);
        for mark in &self.marks {
            if let Some(place) = self.y.place(mark.at).filter(|at| (0.0..=1.0).contains(at)) {
                let y = top + self.height * (1.0 - place);
                let (end, text) = (WIDTH - RIGHT, escape(&mark.text));
                writeln!(
                    out,
                    "<path class=\"mark\" d=\"M{LEFT} {y:.1}H{end}\"/>\
                     <text class=\"end note\" x=\"{end}\" y=\"{:.1}\">{text}</text>",
                    y - 5.0
                )
                .ok();
            }
        }
        for series in &self.series {
            let path = self.path(series, top);
            if !path.is_empty() {
                writeln!(
                    out,
                    "<path class=\"{}\" d=\"{path}\"><title>{}</title></path>",
                    series.class(),
                    escape(&series.name)
                )
                .ok();
            }
        }
        out.push_str("</svg>\n");
        out
    }

    fn draw_grid(&self, top: f64, out: &mut String) {
        let (bottom, right) = (top + self.height, WIDTH - RIGHT);
        for tick in self.y.ticks() {
            let Some(place) = self.y.place(tick) else {
                continue;
            };
            let y = bottom - self.height * place;
            let label = escape(&(self.y.label)(tick));
            writeln!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>\
                 <text class=\"end\" x=\"{}\" y=\"{:.1}\">{label}</text>",
                LEFT - 8.0,
                y + 4.0
            )
            .ok();
        }
        for tick in self.x.ticks() {
            let Some(place) = self.x.place(tick) else {
                continue;
            };
            let x = LEFT + (right - LEFT) * place;
            let label = escape(&(self.x.label)(tick));
            writeln!(
                out,
                "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/>\
                 <text class=\"middle\" x=\"{x:.1}\" y=\"{}\">{label}</text>",
                bottom + 17.0
            )
            .ok();
        }
        writeln!(
            out,
            "<path class=\"axis\" d=\"M{LEFT} {top}V{bottom}H{right}\"/>\
             <text class=\"end note\" x=\"{right}\" y=\"{}\">{}</text>\
             <text class=\"middle note\" transform=\"translate(14 {}) rotate(-90)\">{}</text>",
            bottom + 34.0,
            escape(&self.x.title),
            top + self.height / 2.0,
            escape(&self.y.title)
        )
        .ok();
    }

    /// A line's path, cut where there is no place for a point, and held within the plot.
    fn path(&self, series: &Series, top: f64) -> String {
        let mut path = String::new();
        let mut is_down = false;
        for &(x, y) in &series.points {
            let places = self.x.place(x).zip(self.y.place(y));
            let Some((x, y)) = places.filter(|(x, _)| (-1e-9..=1.0 + 1e-9).contains(x)) else {
                is_down = false;
                continue;
            };
            let x = LEFT + (WIDTH - RIGHT - LEFT) * x;
            let y = top + self.height * (1.0 - y.clamp(0.0, 1.0));
            let letter = if is_down { 'L' } else { 'M' };
            write!(path, "{letter}{x:.1} {y:.1}").ok();
            is_down = true;
        }
        path
    }

    /// The names of the legend in rows, each with its place from the left.
    fn legend_rows(&self) -> Vec<Vec<(&Series, f64)>> {
        let mut rows: Vec<Vec<(&Series, f64)>> = Vec::new();
        if self.legend == Legend::Omitted {
            return rows;
        }
        let mut x = WIDTH;
        for series in &self.series {
            let width = 46.0 + LETTER * series.name.len() as f64;
            if x + width > WIDTH - RIGHT {
                rows.push(Vec::new());
                x = LEFT;
            }
            if let Some(row) = rows.last_mut() {
                row.push((series, x));
            }
            x += width;
        }
        rows
    }
}

/// The least and the greatest that is above 0, moved apart to powers of ten; `None` of nothing.
pub(crate) fn decades(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let values = values.into_iter().filter(|value| *value > 0.0);
    let (from, to) = values.fold((f64::INFINITY, 0.0_f64), |(from, to), value| {
        (value.min(from), value.max(to))
    });
    if to <= 0.0 {
        return None;
    }
    let (from, to) = (from.log10().floor(), to.log10().ceil());
    Some((10_f64.powf(from), 10_f64.powf(to.max(from + 1.0))))
}

/// A number with a letter for its thousands.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{}M", plain(value / 1e6)),
        size if size >= 1e3 => format!("{}k", plain(value / 1e3)),
        _ => plain(value),
    }
}

/// Microseconds in the unit that suits them.
pub(crate) fn micros(value: f64) -> String {
    match value {
        size if size >= 1e6 => format!("{} s", plain(value / 1e6)),
        size if size >= 1e3 => format!("{} ms", plain(value / 1e3)),
        _ => format!("{} us", plain(value)),
    }
}

/// A number with as many digits as it needs, up to three behind the point.
pub(crate) fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale, range: (f64, f64)) -> Axis {
        Axis {
            title: "t".to_owned(),
            scale,
            range,
            label: plain,
        }
    }

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "a <b>".to_owned(),
            height: 100.0,
            x: axis(Scale::Linear, (0.0, 10.0)),
            y: axis(Scale::Log, (1.0, 100.0)),
            series: vec![Series {
                name: "x & y".to_owned(),
                colour: 9,
                points,
            }],
            marks: vec![Mark {
                at: 10.0,
                text: "goal".to_owned(),
            }],
            legend: Legend::Shown,
        }
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        assert_eq!(
            axis(Scale::Linear, (-1.0, 4.6)).ticks(),
            [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
        );
        assert_eq!(
            axis(Scale::Log, (10.0, 1000.0)).ticks(),
            [10.0, 100.0, 1000.0]
        );
        assert_eq!(
            [0.7, 1.0, 3.0, 60.0].map(round_step),
            [1.0, 1.0, 5.0, 100.0]
        );
    }

    #[test]
    fn line_is_cut_where_a_point_has_no_place() {
        let chart = chart(vec![
            (0.0, 1.0),
            (1.0, 0.0),
            (2.0, 100.0),
            (3.0, 1e9),
            (11.0, 1.0),
        ]);
        let path = chart.path(&chart.series[0], 0.0);
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path, "M74.0 100.0M235.6 0.0L316.4 0.0");
    }

    #[test]
    fn picture_names_its_lines_and_escapes_what_it_is_given() {
        let svg = chart(vec![(0.0, 1.0), (1.0, 2.0)]).svg();
        for text in [
            "aria-label=\"a &lt;b&gt;\"",
            "x &amp; y",
            "class=\"line c1 dashes\"",
            ">goal<",
        ] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn long_legends_have_rows() {
        let mut chart = chart(vec![]);
        chart.series = vec![chart.series[0].clone(); 30];
        assert!(chart.legend_rows().len() > 1);
        chart.legend = Legend::Omitted;
        assert!(chart.legend_rows().is_empty());
    }

    #[test]
    fn ranges_reach_the_next_powers_of_ten() {
        assert_eq!(decades([30.0, 0.0, 2_000.0]), Some((10.0, 10_000.0)));
        assert_eq!(decades([10.0]), Some((10.0, 100.0)));
        assert_eq!(decades([0.0]), None);
    }

    #[test]
    fn numbers_are_written_short() {
        assert_eq!(
            [0.0, 250.0, 2_500.0, 1e6].map(short),
            ["0", "250", "2.5k", "1M"]
        );
        assert_eq!([10.0, 1e3, 2.5e6].map(micros), ["10 us", "1 ms", "2.5 s"]);
        assert_eq!(plain(-0.0), "0");
    }
}
