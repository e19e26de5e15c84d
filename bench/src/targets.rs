//! COLD: every ratio beside its target.

use serde::Serialize;

use crate::contest::Time;
use crate::measure::{DecodeTable, Figures, PathClass, PathTable};
use crate::percentiles::PERCENTILES;
use crate::receive::ReceiveTable;
use crate::send::SendTable;

/// Which side of the limit is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The figure must be this large.
    AtLeast,
    /// The figure must be this small.
    AtMost,
}

/// One target.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// What is held to it.
    pub what: String,
    /// Which side is good.
    pub limit: Limit,
    /// The limit.
    pub target: f64,
    /// `x`, `ns` or nothing.
    pub unit: &'static str,
    /// The figure; none if it was not measured.
    pub measured: Option<f64>,
    /// Where the figure comes from, or why there is none.
    pub note: String,
}

impl Target {
    fn at_least(what: impl Into<String>, target: f64, measured: Option<f64>, note: impl Into<String>) -> Target {
        Target { what: what.into(), limit: Limit::AtLeast, target, unit: "x", measured, note: note.into() }
    }

    /// A row with an upper limit.
    pub(crate) fn at_most(
        what: impl Into<String>,
        target: f64,
        unit: &'static str,
        measured: Option<f64>,
        note: impl Into<String>,
    ) -> Target {
        Target { what: what.into(), limit: Limit::AtMost, target, unit, measured, note: note.into() }
    }

    /// Its unit as it stands behind a figure.
    #[must_use]
    pub fn unit_text(&self) -> String {
        match self.unit {
            "x" => "×".into(),
            "" => String::new(),
            unit => format!(" {unit}"),
        }
    }

    /// Whether it is met; none if it was not measured.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let measured = self.measured?;
        Some(match self.limit {
            Limit::AtLeast => measured >= self.target,
            Limit::AtMost => measured <= self.target,
        })
    }

    /// The verdict in words: met, or missed by how much, or not measured.
    #[must_use]
    pub fn verdict(&self) -> String {
        let Some(measured) = self.measured else {
            return format!("not measured: {}", self.note);
        };
        let by = if self.target == 0.0 {
            format!("by {measured:.0}")
        } else {
            let percent = (measured / self.target - 1.0).abs() * 100.0;
            if percent < 10.0 { format!("by {percent:.1} %") } else { format!("by {percent:.0} %") }
        };
        match self.is_met() {
            Some(true) => "met".into(),
            _ => format!("missed {by}"),
        }
    }
}

/// Other people's books, as `bench/peers` names them, and how many times faster ours must be.
const BOOK_PEERS: [(&str, f64); 4] = [
    ("hftbacktest ROIVectorMarketDepth", 1.8),
    ("hftbacktest HashMapMarketDepth", 7.0),
    ("barter-data OrderBook", 25.0),
    ("nautilus-model OrderBook", 25.0),
];

/// All targets with what was measured.
#[must_use]
pub fn targets(figures: &Figures) -> Vec<Target> {
    let mut all = decode_targets(&figures.decode, &figures.decode_native);
    for table in &figures.book {
        let ratio = table.times.first().zip(table.times.get(2)).map(|(ours, bare)| ours.ns / bare.ns);
        let what = format!("book, {}: a level over a bare store of its quantity", table.what);
        all.push(Target::at_most(what, 4.0, "x", ratio, ns_note(&table.times, 0, 2)));
    }
    book_targets(figures, &mut all);
    figures.path.iter().for_each(|table| path_targets(table, &mut all));
    figures.receive.iter().for_each(|table| receive_targets(table, &mut all));
    figures.send.iter().for_each(|table| send_targets(table, &mut all));
    all.extend(figures.wire.targets());
    all
}

fn ns_note(times: &[Time], one: usize, other: usize) -> String {
    let of = |index: usize| times.get(index).map_or(f64::NAN, |time| time.ns);
    let digits = if of(one) < 20.0 { 2 } else { 0 };
    format!("{:.digits$} ns, {:.digits$} ns", of(one), of(other))
}

/// One target a table and scanner: of the two builds the one in which the peers come closer counts.
fn decode_targets(tables: &[DecodeTable], native: &[DecodeTable]) -> Vec<Target> {
    let mut all = Vec::new();
    for (scanner, what, target) in [(0, "best scanner", 5.0), (1, "portable scanner", 3.0)] {
        for table in tables {
            let twin = native.iter().find(|twin| twin.what == table.what).map(|twin| (twin, ", peers' own build"));
            let builds = [Some((table, "")), twin];
            let ratio = |table: &DecodeTable| table.ratio(scanner).unwrap_or(f64::NAN);
            let harder = builds.into_iter().flatten().min_by(|one, other| ratio(one.0).total_cmp(&ratio(other.0)));
            let Some((table, build)) = harder else { continue };
            let note = match (table.times.get(scanner), table.best_peer()) {
                (Some(ours), Some(peer)) => format!("{:.0} ns, {} {:.0} ns{build}", ours.ns, peer.name, peer.ns),
                _ => String::new(),
            };
            let what = format!("decode, {}: {what} over the best peer", table.what);
            all.push(Target::at_least(what, target, table.ratio(scanner), note));
        }
    }
    all
}

/// Ours beside other people's books on every recording, in the peers' build. Of several set-ups of a peer its fastest
/// counts.
fn book_targets(figures: &Figures, all: &mut Vec<Target>) {
    let why = match &figures.peers_missing {
        Some(_) => "bench/peers did not run; why and what to do stands at the end",
        None => "bench/peers has no figures of this recording",
    };
    for table in &figures.book {
        let twin = figures.book_native.iter().find(|twin| twin.what == table.what);
        for (peer, target) in BOOK_PEERS {
            let what = format!("book, {}: over {peer}", table.what);
            let best = twin.and_then(|twin| twin.best_of(peer).map(|row| (twin, row)));
            let (ratio, note) = match best {
                Some((twin, row)) => {
                    let (ours, theirs, about) = (twin.ours.ns, row.time.ns, &row.about);
                    let note = format!("{ours:.2} ns, {theirs:.2} ns ({}; {})", about.version, about.setup);
                    (Some(twin.ratio(row)), note)
                }
                None => (None, why.to_owned()),
            };
            all.push(Target::at_least(what, target, ratio, note));
        }
    }
}

fn path_targets(table: &PathTable, all: &mut Vec<Target>) {
    let Some(depth) = table.classes.iter().find(|class| class.what == "depth frames") else {
        return;
    };
    let what = |text: &str| format!("frame to order, {}: {text}", table.what);
    for (percentile, target) in [(50.0, 6.0), (99.0, 7.0)] {
        let (ratio, note) = ratio_at(depth, percentile);
        all.push(Target::at_least(what(&format!("p{percentile} over the plain pipeline")), target, ratio, note));
    }
    let line = depth.rows.first().and_then(|row| row.line);
    let fit = "least squares over the levels of depth frames";
    all.push(Target::at_most(what("fixed part"), 120.0, "ns", line.map(|line| line.intercept), fit));
    all.push(Target::at_most(what("a level"), 7.0, "ns", line.map(|line| line.slope), fit));
    let why = if table.allocations.is_some() { "allocator calls, whole recording" } else { "no counting allocator" };
    all.push(Target::at_most(what("allocations"), 0.0, "", table.allocations.map(|calls| calls as f64), why));
}

fn receive_targets(table: &ReceiveTable, all: &mut Vec<Target>) {
    let name = table.layout.name;
    let what = format!("receive, {name}: over bare AES-128-GCM");
    all.push(Target::at_most(what, 1.2, "x", Some(table.over_bare), ns_note(&table.times, 1, 0)));
    let what = format!("receive, {name}: over the best tungstenite + rustls");
    let ns = |time: Option<&Time>| time.map_or(f64::NAN, |time| time.ns);
    let best = table.times.iter().skip(3).min_by(|one, other| one.ns.total_cmp(&other.ns));
    let note = format!("{:.0} ns, {:.0} ns", ns(table.times.get(1)), ns(best));
    all.push(Target::at_least(what, 1.6, Some(table.peer_over_ours), note));
}

/// Signing is held to a time, sealing to the bare cipher; the other steps are shown only.
fn send_targets(table: &SendTable, all: &mut Vec<Target>) {
    if table.what.starts_with("HMAC") {
        let ns = table.times.get(1).map(|time| time.ns);
        all.push(Target::at_most(format!("send, {}", table.what), 200.0, "ns", ns, "kept midstates"));
    } else if table.what.starts_with("frame and seal") {
        let what = format!("send, {}: over the bare seal", table.what);
        all.push(Target::at_most(what, 1.2, "x", Some(table.over_yardstick), ns_note(&table.times, 1, 0)));
    }
}

/// Plain over ours at a percentile.
fn ratio_at(class: &PathClass, percentile: f64) -> (Option<f64>, String) {
    let Some(place) = PERCENTILES.iter().position(|&one| one == percentile) else {
        return (None, String::new());
    };
    let [ours, plain, ..] = &class.rows[..] else {
        return (None, String::new());
    };
    (Some(plain.ns[place] / ours.ns[place]), format!("{:.0} ns, {:.0} ns", ours.ns[place], plain.ns[place]))
}

#[cfg(test)]
mod tests {
    use super::{Limit, Target};

    #[test]
    fn a_verdict_says_by_how_much() {
        let target = |limit, target, measured| Target {
            what: String::new(),
            limit,
            target,
            unit: "x",
            measured,
            note: "why".into(),
        };
        assert_eq!(target(Limit::AtLeast, 5.0, Some(5.1)).verdict(), "met");
        assert_eq!(target(Limit::AtLeast, 5.0, Some(4.0)).verdict(), "missed by 20 %");
        assert_eq!(target(Limit::AtMost, 120.0, Some(150.0)).verdict(), "missed by 25 %");
        assert_eq!(target(Limit::AtMost, 0.0, Some(3.0)).verdict(), "missed by 3");
        assert_eq!(target(Limit::AtMost, 7.0, None).verdict(), "not measured: why");
    }
}
