//! COLD: the first questions of a start, asked again for a while where the failure may pass, with the reason shown.

use std::time::{Duration, Instant};

use crate::error::Failure;

/// The pause after the first failure; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Asks until there is an answer, a failure that will not pass, or `within` is over since the first question.
///
/// # Errors
/// The last failure.
pub fn ask<T>(within: Duration, question: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    ask_with(within, &mut Instant::now, &mut std::thread::sleep, question)
}

/// The same on any clock.
fn ask_with<T>(
    within: Duration,
    now: &mut dyn FnMut() -> Instant,
    sleep: &mut dyn FnMut(Duration),
    mut question: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (begun, mut pause) = (now(), PAUSE_FIRST);
    loop {
        let failure = match question() {
            Err(failure) if failure.may_pass => failure,
            answer => return answer,
        };
        let left = within.saturating_sub(now().saturating_duration_since(begun));
        if left.is_zero() {
            return Err(failure);
        }
        let wait = pause.min(left);
        let (place, why) = (failure.place.as_deref().unwrap_or("-"), failure.why.as_deref().unwrap_or("-"));
        tracing::warn!(
            "{} ({place}): {why}; asked again in {} ms, for {} s at most",
            failure.what,
            wait.as_millis(),
            left.as_millis().div_ceil(1000)
        );
        sleep(wait);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn passing() -> Failure {
        Failure::failed("GET time failed").because("cut").passing()
    }

    /// What became of `failures` failures in a row, and how long it took.
    fn play(within: Duration, failures: u32, failure: &Failure) -> (Result<u32, Failure>, Duration) {
        let (begun, spent, asked) = (Instant::now(), Cell::new(Duration::ZERO), Cell::new(0));
        let answer = ask_with(within, &mut || begun + spent.get(), &mut |span| spent.set(spent.get() + span), || {
            asked.set(asked.get() + 1);
            if asked.get() <= failures { Err(failure.clone()) } else { Ok(asked.get()) }
        });
        (answer, spent.get())
    }

    #[test]
    fn what_may_pass_is_asked_again_until_its_time_is_over() {
        let seconds = Duration::from_secs;
        assert_eq!(play(seconds(30), 0, &passing()), (Ok(1), Duration::ZERO));
        assert_eq!(play(seconds(30), 1, &passing()), (Ok(2), PAUSE_FIRST));
        let (answer, spent) = play(seconds(30), 1_000, &passing());
        assert_eq!((answer, spent), (Err(passing()), seconds(30)));
        assert_eq!(play(Duration::ZERO, 1, &passing()), (Err(passing()), Duration::ZERO));
        let lasting = Failure::usage("the venue does not accept the credentials");
        assert_eq!(play(seconds(30), 1, &lasting), (Err(lasting.clone()), Duration::ZERO));
    }
}
