//! COLD: what is measured on, and how often: the recorded chains, or the files that a user names.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use spinbook_engine::types::Nanos;
use spinbook_feed::testkit::data_path;

use crate::markets::CHAINS;
use crate::workload::Workload;

/// One of [`CHAINS`] by its place; `None` where there is no recorded data.
///
/// # Errors
/// As [`Workload::read`].
pub fn chain(place: usize) -> Result<Option<Workload>, String> {
    chain_until(place, Nanos::NEVER)
}

/// The first `span` of one of [`CHAINS`].
///
/// # Errors
/// As [`Workload::read`].
pub fn chain_until(place: usize, span: Nanos) -> Result<Option<Workload>, String> {
    let (name, files) = CHAINS[place];
    let files: Vec<PathBuf> = files.iter().map(|file| data_path().join(file)).collect();
    if files.iter().any(|file| !file.exists()) {
        return Ok(None);
    }
    Workload::read_until(name, &files, span).map(Some)
}

/// What every measuring program takes from its command line.
#[derive(Args, Clone, Debug, Default)]
pub struct InputArgs {
    /// One chain of recordings in the order of recording, instead of the recorded chains.
    #[arg(value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// Few rounds: shows that everything runs, its figures are rough.
    #[arg(long)]
    pub quick: bool,
}

impl InputArgs {
    /// Reads the files, or those of the recorded chains `places` that there are, and hands each recording to `use_it`;
    /// `missing` is told the name of each chain that is not there.
    ///
    /// # Errors
    /// As [`Workload::read`], and as `use_it`.
    pub fn each<E: From<String>>(
        &self,
        places: &[usize],
        missing: &mut dyn FnMut(&str),
        mut use_it: impl FnMut(Workload) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(first) = self.files.first() {
            let name = first.file_name().map_or("FILES".into(), |name| name.to_string_lossy().into_owned());
            return use_it(Workload::read(&name, &self.files)?);
        }
        for &place in places {
            match chain(place)? {
                Some(recording) => use_it(recording)?,
                None => missing(CHAINS[place].0),
            }
        }
        Ok(())
    }

    /// All recordings at once.
    ///
    /// # Errors
    /// As [`Workload::read`].
    pub fn recordings(&self, missing: &mut dyn FnMut(&str)) -> Result<Vec<Workload>, String> {
        let mut all = Vec::new();
        self.each(&[0, 1, 2], missing, |recording| {
            all.push(recording);
            Ok::<(), String>(())
        })?;
        Ok(all)
    }

    /// How often to measure.
    #[must_use]
    pub fn samples(&self) -> SampleCount {
        if self.quick { SampleCount::QUICK } else { SampleCount::FULL }
    }
}

/// How often everything is measured.
#[derive(Clone, Copy, Debug)]
pub struct SampleCount {
    /// Rounds of a contest over synthetic frames or a book's stream.
    pub rounds: usize,
    /// Rounds of a contest over a recording.
    pub replays: usize,
    /// Rounds of the ring contest.
    pub ring_rounds: usize,
    /// Rounds of a contest of receiving or sending.
    pub step_rounds: usize,
    /// Orders from a decision into the kernel.
    pub orders: usize,
    /// Words of an operator to the wire.
    pub words: usize,
    /// Rounds of each side of the wire.
    pub wire_rounds: usize,
    /// Frames of a round of the wire at most.
    pub wire_frames_max: usize,
    /// How long a recording is played at a market's pace.
    pub paced: Duration,
}

impl SampleCount {
    /// For tables.
    pub const FULL: SampleCount = SampleCount {
        rounds: 31,
        replays: 9,
        ring_rounds: 20,
        step_rounds: 101,
        orders: 20_000,
        words: 1_000,
        wire_rounds: 8,
        wire_frames_max: 12_000,
        paced: Duration::from_secs(45),
    };
    /// To see that everything runs.
    pub const QUICK: SampleCount = SampleCount {
        rounds: 5,
        replays: 3,
        ring_rounds: 3,
        step_rounds: 9,
        orders: 2_000,
        words: 100,
        wire_rounds: 2,
        wire_frames_max: 4_000,
        paced: Duration::from_secs(4),
    };
}
