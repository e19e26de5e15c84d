//! COLD: a recording is played at a market's pace: groups of frames with pauses before them, and what is learned first.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use spinbook_feed::random::Random;

use crate::inputs::InputArgs;
use crate::markets::{PERP, SPOT};
use crate::plain::{MessageKind, kind_of};
use crate::threads;
use crate::wire::CoreLayout;
use crate::wire::script::{Script, ScriptSettings};
use crate::workload::Workload;

use super::cell::{PacedCell, Passed, Pause, Warmth};
use super::hot::HotSide;
use super::table::{self, PacedSample, PacedTable, PacedTotals};

/// Frames of a group before the one that causes an order: their pauses have the core in the state that such pauses leave.
const FRAMES_BEFORE: usize = 3;
/// Frames without a pause between two groups, at least: they undo what the last group's pauses did.
const FRAMES_BETWEEN_MIN: usize = 16;
/// Pauses of the recording that are longer are cut to this.
const PAUSE_NS_MAX: u64 = 50_000_000;
/// How often every group is played without pauses ahead of the others: the median time of each frame counts.
const BACK_TO_BACK_PASSES: usize = 3;
/// Time between two words on progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// How long it is measured, and where.
#[derive(Clone, Copy, Debug)]
pub struct PacedSettings {
    /// How long, behind the first pass.
    pub span: Duration,
    /// Who runs where.
    pub layout: CoreLayout,
}

fn text(error: io::Error) -> String {
    error.to_string()
}

/// Where a recording is played, and what was learned of it.
struct Play<'a> {
    script: Arc<Script>,
    settings: &'a PacedSettings,
    /// What is still to be drawn before all cells are drawn anew: so each gets as many groups as any other.
    cells: Vec<PacedCell>,
    random: Random,
    /// No other cell is drawn.
    only: Option<PacedCell>,
    /// Which frames cause an order.
    ordering: Vec<bool>,
    /// Which are best bid/asks.
    touches: Vec<bool>,
    samples: Vec<PacedSample>,
    totals: PacedTotals,
}

/// Plays a recording until the time is over.
///
/// # Errors
/// The recording has no snapshot or too few frames, a connection fails, or nothing causes an order.
pub fn measure(recording: &Workload, settings: &PacedSettings, say: &dyn Fn(&str)) -> Result<PacedTable, String> {
    let chosen = ScriptSettings {
        frames_max: usize::MAX,
        pause_ns_max: PAUSE_NS_MAX,
        pick_every: 100,
        pick_apart_ns: 0,
        warm_picks: 0,
    };
    let script = Arc::new(Script::new(recording, &chosen)?);
    let mut play = Play {
        ordering: vec![false; script.frames.len()],
        touches: (0..script.frames.len())
            .map(|frame| kind_of(script.frames.frame(frame)) == MessageKind::Touch)
            .collect(),
        script,
        settings,
        only: None,
        cells: Vec::new(),
        random: Random::new(1),
        samples: Vec::new(),
        totals: PacedTotals::default(),
    };
    play.learn()?;
    let orders = play.ordering.iter().filter(|ordering| **ordering).count();
    if orders == 0 {
        return Err(format!("{}: no frame causes an order", recording.name));
    }
    // What all the others are compared with, frame by frame.
    play.only = Some(PacedCell { pause: Pause::None, warmth: Warmth::Off });
    for _ in 0..BACK_TO_BACK_PASSES {
        play.pass(&mut |_| true)?;
    }
    play.only = None;
    let (begun, mut said) = (Instant::now(), Instant::now());
    let seconds = settings.span.as_secs_f64();
    while begun.elapsed() < settings.span {
        let before = play.totals.groups;
        play.pass(&mut |groups| {
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                let elapsed = begun.elapsed().as_secs_f64();
                say(&format!("{}, paced: {elapsed:.0} of {seconds:.0} s, {groups} groups of frames", recording.name));
            }
            begun.elapsed() < settings.span
        })?;
        if play.totals.groups == before {
            return Err(format!("{}: no order has {FRAMES_BETWEEN_MIN} frames without one before it", recording.name));
        }
    }
    play.totals.orders_learned = orders;
    play.totals.seconds = begun.elapsed().as_secs_f64();
    Ok(table::table(&recording.name, &play.samples, play.totals))
}

impl Play<'_> {
    /// Plays the recording once without pauses.
    fn learn(&mut self) -> Result<(), String> {
        let mut hot = HotSide::open(&self.script, self.settings.layout)?;
        for frame in hot.next_frame()..self.script.frames.len() {
            self.ordering[frame] = hot.frame(None).map_err(text)?.ordered;
        }
        hot.close(&mut PacedTotals::default());
        Ok(())
    }

    /// Plays the recording once, up to its last group; `goes_on` is told how many groups there were before each of them,
    /// and ends the pass with false.
    fn pass(&mut self, goes_on: &mut dyn FnMut(usize) -> bool) -> Result<(), String> {
        let mut hot = HotSide::open(&self.script, self.settings.layout)?;
        let mut frame = hot.next_frame();
        while let Some(start) = self.next_group(frame).filter(|_| goes_on(self.totals.groups)) {
            for _ in frame..start {
                hot.frame(None).map_err(text)?;
            }
            self.group(&mut hot, start).map_err(text)?;
            frame = start + FRAMES_BEFORE + 1;
        }
        self.totals.passes += 1;
        hot.close(&mut self.totals);
        Ok(())
    }

    /// Where the next group begins, at `from` or behind, with frames without a pause before it.
    fn next_group(&self, from: usize) -> Option<usize> {
        let first = from + FRAMES_BETWEEN_MIN + FRAMES_BEFORE;
        let found = self.ordering.get(first..)?.iter().position(|ordering| *ordering)?;
        Some(first + found - FRAMES_BEFORE)
    }

    /// The frames from `start` on up to one that causes an order, with the pauses and the warmth of a cell that is drawn.
    fn group(&mut self, hot: &mut HotSide, start: usize) -> io::Result<()> {
        let cell = self.draw();
        hot.keep(cell.warmth);
        for frame in start..=start + FRAMES_BEFORE {
            let pause = self.pause_before(frame, cell.pause);
            let passed = hot.frame(pause)?;
            // The first one has another pause, or none, before its own.
            if frame > start {
                self.note(cell, frame, &passed);
            }
        }
        hot.keep(Warmth::Off);
        self.totals.groups += 1;
        Ok(())
    }

    fn draw(&mut self) -> PacedCell {
        if let Some(only) = self.only {
            return only;
        }
        if self.cells.is_empty() {
            self.cells = PacedCell::all();
        }
        self.cells.swap_remove(self.random.below(self.cells.len() as u64) as usize)
    }

    /// Nanoseconds before a frame; none: it has arrived before the loop turns again.
    fn pause_before(&mut self, frame: usize, pause: Pause) -> Option<u64> {
        match pause {
            Pause::None => None,
            Pause::Nanos(ns) => Some(u64::from(ns) * (750 + self.random.below(500)) / 1_000),
            Pause::Recorded => Some(self.script.due_ns[frame] - self.script.due_ns[frame - 1]),
        }
    }

    fn note(&mut self, cell: PacedCell, frame: usize, passed: &Passed) {
        self.totals.unlearned += usize::from(passed.ordered != self.ordering[frame]);
        if passed.stalled {
            // What came during a stall of the whole thread is applied before it is decided on: no frame of its own.
            self.totals.stalled += 1;
            return;
        }
        self.samples.push(PacedSample::of(cell, (frame, self.touches[frame]), passed));
    }
}

/// All that is measured at a market's pace.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PacedFigures {
    /// A table a recording.
    pub tables: Vec<PacedTable>,
    /// What was skipped and why.
    pub skipped: Vec<String>,
}

/// Measures on a user's files, or on a recorded chain of each product line, `span` each; `say` is told of progress.
#[must_use]
pub fn figures(inputs: &InputArgs, span: Duration, say: &(dyn Fn(&str) + Sync)) -> PacedFigures {
    let (mut tables, mut skipped, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let Some(layout) = CoreLayout::of_two_cores() else {
        return PacedFigures { tables, skipped: vec!["frame to order, paced: it takes two cores".to_owned()] };
    };
    let settings = PacedSettings { span, layout };
    let read = inputs.each(
        &[PERP, SPOT],
        &mut |name| missing.push(format!("frame to order, paced, {name}: no recorded data")),
        |recording| {
            say(&format!("{}, paced", recording.name));
            match threads::alone(|| measure(&recording, &settings, &|what| say(what))) {
                Ok(table) => tables.push(table),
                Err(why) => skipped.push(format!("frame to order, paced, {}: {why}", recording.name)),
            }
            Ok::<(), String>(())
        },
    );
    skipped.extend(read.err().map(|why| format!("frame to order, paced: {why}")));
    skipped.extend(missing);
    PacedFigures { tables, skipped }
}
