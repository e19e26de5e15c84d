//! COLD: percentile curves as an SVG, from histograms: time upward, nines to the right, both logarithmic.

use std::fmt::Write;

use hdrhistogram::Histogram;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 96.0;
const COLOURS: [&str; 6] = ["#0b6e4f", "#c1440e", "#b58900", "#6c3fa0", "#2a6fb0", "#555555"];
/// Right end of the axis: 1 in this many is slower.
const RARITY_MAX: f64 = 100_000.0;

/// Where a percentile lies: 0 at p0, one step a nine.
fn across(quantile: f64) -> f64 {
    let nines = (1.0 / (1.0 - quantile).max(1.0 / RARITY_MAX)).log10();
    LEFT + (WIDTH - LEFT - RIGHT) * nines / RARITY_MAX.log10()
}

/// Where a time lies between the bounds.
fn up(ns: f64, (low, high): (f64, f64)) -> f64 {
    let share = (ns.max(low) / low).ln() / (high / low).ln();
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
}

fn bounds(curves: &[(String, Histogram<u64>)]) -> (f64, f64) {
    let at = |histogram: &Histogram<u64>, quantile: f64| histogram.value_at_quantile(quantile).max(1) as f64;
    let low = curves.iter().map(|(_, histogram)| at(histogram, 0.001)).fold(f64::INFINITY, f64::min);
    let high = curves.iter().map(|(_, histogram)| at(histogram, 1.0 - 1.0 / RARITY_MAX)).fold(1.0, f64::max);
    (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil().max(low.log10().floor() + 1.0)))
}

fn axes(svg: &mut String, title: &str, range: (f64, f64)) -> std::fmt::Result {
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{title}</text>"
    )?;
    for quantile in [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999] {
        let x = across(quantile);
        let label = format!("{}", (quantile * 10_000_000.0f64).round() / 100_000.0);
        writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">p{label}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 16.0
        )?;
    }
    let mut decade = range.0;
    while decade <= range.1 * 1.01 {
        for factor in [1.0, 2.0, 5.0] {
            let (ns, y) = (decade * factor, up(decade * factor, range));
            if ns > range.1 * 1.01 {
                break;
            }
            let label = if ns >= 1_000.0 { format!("{} µs", ns / 1_000.0) } else { format!("{ns} ns") };
            writeln!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#eee\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0
            )?;
        }
        decade *= 10.0;
    }
    Ok(())
}

fn draw(title: &str, curves: &[(String, Histogram<u64>)]) -> Result<String, std::fmt::Error> {
    let (mut svg, range) = (String::new(), bounds(curves));
    axes(&mut svg, title, range)?;
    for (place, (name, histogram)) in curves.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let points: Vec<String> = (0..=250)
            .map(|step| {
                let quantile = 1.0 - RARITY_MAX.powf(-f64::from(step) / 250.0);
                let ns = histogram.value_at_quantile(quantile) as f64;
                format!("{:.1},{:.1}", across(quantile), up(ns.max(1.0), range))
            })
            .collect();
        let (x, y) = (LEFT + 420.0 * (place % 2) as f64, HEIGHT - BOTTOM + 38.0 + 18.0 * (place / 2) as f64);
        writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\
             <line x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"3\"/>\
             <text x=\"{:.1}\" y=\"{y:.1}\">{name}</text>",
            points.join(" "),
            y - 4.0,
            x + 24.0,
            y - 4.0,
            x + 30.0
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// The curves of several histograms of ns as one SVG.
#[must_use]
pub fn svg(title: &str, curves: &[(String, Histogram<u64>)]) -> String {
    draw(title, curves).expect("a String takes any text")
}

#[cfg(test)]
mod tests {
    use super::svg;
    use crate::percentiles::histogram;

    #[test]
    fn each_curve_is_drawn_and_named() {
        let (mut fast, mut slow) = (histogram(), histogram());
        for ns in 1..10_000u64 {
            fast.saturating_record(100 + ns / 10);
            slow.saturating_record(1_000 + ns);
        }
        let drawn = svg("test", &[("fast".into(), fast), ("slow".into(), slow)]);
        assert_eq!(drawn.matches("<polyline").count(), 2);
        assert!(drawn.contains(">fast<") && drawn.contains(">slow<") && drawn.ends_with("</svg>\n"));
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
    }
}
