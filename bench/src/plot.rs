//! COLD: percentile curves as an SVG, from histograms: time upward, nines to the right, both logarithmic.

use std::fmt::{Result, Write};
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use crate::histogram::hgrm;
use crate::text::{file_name, format_duration, write_file};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 36.0;
const TOP: f64 = 76.0;
/// The lower edge of the curves' area.
const FLOOR: f64 = 420.0;
/// The first line of the legend, and the distance of its lines.
const LEGEND: f64 = 508.0;
const LEGEND_STEP: f64 = 20.0;
/// Where the legend's columns of figures end.
const COLUMNS: [(f64, f64); 4] = [(0.5, 560.0), (0.9, 670.0), (0.99, 780.0), (0.999, 890.0)];
/// Right end of the axis: 1 in this many is slower.
const RARITY_MAX: f64 = 10_000.0;
/// Strokes on light and on dark ground; the first is ours.
const COLOURS: [(&str, &str); 6] = [
    ("#0b7a55", "#3ddc97"),
    ("#c1440e", "#ff8a5c"),
    ("#a87900", "#f2c14e"),
    ("#6c3fa0", "#c39bf5"),
    ("#1f6fb5", "#6cb6ff"),
    ("#6e6e6e", "#a8a8a8"),
];

/// One drawing.
#[derive(Clone, Debug)]
pub struct Plot {
    /// The heading.
    pub title: String,
    /// The line below it: what was measured and on how much.
    pub subtitle: String,
    /// Names and histograms of ns; the first is drawn bold.
    pub curves: Vec<(String, Histogram<u64>)>,
}

impl Plot {
    /// Writes the drawing into a file of `folder` that is named after `words`; gives back its path.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path, words: &[&str]) -> std::result::Result<PathBuf, String> {
        write_file(folder, &file_name(words, "svg"), &self.svg())
    }

    /// Writes each curve as a `.hgrm` file, in ns, named after `words` and the curve; gives back the paths.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_histograms(&self, folder: &Path, words: &[&str]) -> std::result::Result<Vec<PathBuf>, String> {
        let write = |(name, histogram): &(String, Histogram<u64>)| {
            write_file(folder, &file_name(&[words, &[name.as_str()]].concat(), "hgrm"), &hgrm(histogram))
        };
        self.curves.iter().map(write).collect()
    }

    /// The drawing, for light and dark ground.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut out = String::new();
        self.draw(&mut out).expect("a String takes any text");
        out
    }

    fn draw(&self, out: &mut String) -> Result {
        let range = bounds(&self.curves);
        self.head(out)?;
        axes(out, range)?;
        // The bold one is drawn last, above the others.
        for (place, (_, histogram)) in self.curves.iter().enumerate().rev() {
            let width = if place == 0 { 3.0 } else { 1.8 };
            let steps = (0..=300).map(|step| 1.0 - RARITY_MAX.powf(-f64::from(step) / 300.0));
            let points: Vec<String> = steps
                .map(|quantile| format!("{:.1},{:.1}", across(quantile), up(at(histogram, quantile), range)))
                .collect();
            writeln!(
                out,
                "<polyline class=\"c{0}\" fill=\"none\" stroke=\"{1}\" stroke-width=\"{width}\" \
                 stroke-linejoin=\"round\" points=\"{2}\"/>",
                place % COLOURS.len(),
                COLOURS[place % COLOURS.len()].0,
                points.join(" ")
            )?;
        }
        self.legend(out)?;
        out.push_str("</svg>\n");
        Ok(())
    }

    /// The ground, the colours on dark ground, and the headings. Light colours stand in the elements themselves, so
    /// that readers without style sheets show them.
    fn head(&self, out: &mut String) -> Result {
        let height = LEGEND + LEGEND_STEP * (self.curves.len() as f64) + 8.0;
        let dark: Vec<String> =
            COLOURS.iter().enumerate().map(|(place, (_, dark))| format!(".c{place}{{stroke:{dark}}}")).collect();
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"12.5\" fill=\"#24292f\">\n\
             <style>@media (prefers-color-scheme: dark){{svg{{fill:#e6edf3}}.ground{{fill:#0d1117}}\
             .faint{{fill:#9198a1}}.grid{{stroke:#21262d}}.major{{stroke:#3d444d}}{}}}</style>\n\
             <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"34\" font-size=\"18\" font-weight=\"600\">{}</text>\n\
             <text class=\"faint\" x=\"{LEFT}\" y=\"55\" fill=\"#59636e\">{}</text>",
            dark.concat(),
            escaped(&self.title),
            escaped(&self.subtitle)
        )
    }

    /// Every curve's name with its figures.
    fn legend(&self, out: &mut String) -> Result {
        for (quantile, x) in COLUMNS {
            writeln!(
                out,
                "<text class=\"faint\" x=\"{x}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#59636e\">{}</text>",
                LEGEND - LEGEND_STEP,
                percent(quantile)
            )?;
        }
        for (place, (name, histogram)) in self.curves.iter().enumerate() {
            let y = LEGEND + LEGEND_STEP * place as f64;
            let (weight, width) = if place == 0 { ("600", 4) } else { ("400", 3) };
            writeln!(
                out,
                "<line class=\"c{0}\" x1=\"{LEFT}\" y1=\"{1:.1}\" x2=\"{2:.1}\" y2=\"{1:.1}\" stroke=\"{3}\" \
                 stroke-width=\"{width}\"/><text x=\"{4:.1}\" y=\"{y:.1}\" font-weight=\"{weight}\">{5}</text>",
                place % COLOURS.len(),
                y - 4.0,
                LEFT + 26.0,
                COLOURS[place % COLOURS.len()].0,
                LEFT + 36.0,
                escaped(name)
            )?;
            for (quantile, x) in COLUMNS {
                let time = format_duration(at(histogram, quantile));
                writeln!(
                    out,
                    "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\" font-weight=\"{weight}\">{time}</text>"
                )?;
            }
        }
        Ok(())
    }
}

/// Where a percentile lies: 0 at the left, one step a nine.
fn across(quantile: f64) -> f64 {
    let nines = (1.0 / (1.0 - quantile).max(1.0 / RARITY_MAX)).log10();
    LEFT + (WIDTH - LEFT - RIGHT) * nines / RARITY_MAX.log10()
}

/// Where a time lies between the bounds.
fn up(ns: f64, (low, high): (f64, f64)) -> f64 {
    let share = (ns.clamp(low, high) / low).ln() / (high / low).ln();
    FLOOR - (FLOOR - TOP) * share
}

fn at(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile).max(1) as f64
}

/// The steps of the time axis: 1, 2 and 5 of every decade.
fn steps() -> impl Iterator<Item = f64> {
    (0..11).flat_map(|decade| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(decade)))
}

/// The nearest steps of the axis outside all curves.
fn bounds(curves: &[(String, Histogram<u64>)]) -> (f64, f64) {
    let ends = |quantile: f64| curves.iter().map(move |(_, histogram)| at(histogram, quantile));
    let least = ends(0.01).fold(f64::INFINITY, f64::min);
    let most = ends(1.0 - 1.0 / RARITY_MAX).fold(1.0, f64::max);
    let low = steps().filter(|&step| step <= least).last().unwrap_or(1.0);
    let high = steps().find(|&step| step >= most && step > low).unwrap_or(low * 10.0);
    (low, high)
}

/// A step of the time axis, without needless zeros.
fn step_name(ns: f64) -> String {
    match ns {
        ns if ns >= 1_000_000.0 => format!("{} ms", ns / 1_000_000.0),
        ns if ns >= 1_000.0 => format!("{} µs", ns / 1_000.0),
        ns => format!("{ns} ns"),
    }
}

fn percent(quantile: f64) -> String {
    format!("p{}", (quantile * 1_000_000.0).round() / 10_000.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn axes(out: &mut String, range: (f64, f64)) -> Result {
    let right = WIDTH - RIGHT;
    for ns in steps().filter(|&ns| ns >= range.0 && ns <= range.1) {
        let y = up(ns, range);
        let is_decade = ns.log10().fract().abs() < 1e-9;
        let (class, stroke) = if is_decade { ("major", "#d1d9e0") } else { ("grid", "#eceff2") };
        writeln!(
            out,
            "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"{stroke}\"/>\
             <text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#59636e\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            step_name(ns)
        )?;
    }
    for quantile in [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999] {
        let (x, label) = (across(quantile), percent(quantile));
        writeln!(
            out,
            "<line class=\"major\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{FLOOR}\" stroke=\"#d1d9e0\"/>\
             <text class=\"faint\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#59636e\">{label}</text>",
            FLOOR + 18.0
        )?;
    }
    let (middle, centre) = ((TOP + FLOOR) / 2.0, (LEFT + right) / 2.0);
    writeln!(
        out,
        "<text x=\"20\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 20 {middle})\">time \
         (logarithmic)</text><text x=\"{centre}\" y=\"{:.1}\" text-anchor=\"middle\">percentile: each step is ten \
         times rarer</text>",
        FLOOR + 38.0
    )
}

#[cfg(test)]
mod tests {
    use super::{Plot, step_name};
    use crate::histogram::histogram;

    #[test]
    fn each_curve_is_drawn_and_named() {
        let (mut fast, mut slow) = (histogram(), histogram());
        for ns in 1..10_000u64 {
            fast.saturating_record(1_000 + ns / 10);
            slow.saturating_record(10 * (1_000 + ns / 10));
        }
        let curves = vec![("fast".to_owned(), fast), ("slow & <old>".to_owned(), slow)];
        let drawn = Plot { title: "test".into(), subtitle: String::new(), curves }.svg();
        assert_eq!(drawn.matches("<polyline").count(), 2);
        assert!(drawn.contains(">fast<") && drawn.contains(">slow &amp; &lt;old&gt;<") && drawn.ends_with("</svg>\n"));
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
        assert_eq!((step_name(200.0), step_name(5_000.0)), ("200 ns".into(), "5 µs".into()));
    }
}
