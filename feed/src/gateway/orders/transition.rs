//! COLD: what an order is, and what each fact makes of it: the one table of legal transitions.

use super::{FinalStatus, Phase};

/// Something that was learned of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The venue has it, or had it at some time.
    Alive,
    /// The venue does not tell what became of it.
    Doubt,
    /// The venue refused it, or it is proved that it never came to be.
    Refused,
    /// The venue ended it.
    Ended(FinalStatus),
    /// Every execution that the venue stated has arrived.
    Settled,
    /// Executions for all that was ordered have arrived.
    FilledWhole,
}

/// What a fact makes of an order: the new phase, or `None` where it changes nothing. Evidence of life always re-opens an
/// order that was taken for refused, whatever proved that; an end that the venue reported stays one.
pub(super) const fn next_phase(phase: Phase, fact: Fact) -> Option<Phase> {
    use FinalStatus::{Canceled, Expired, Filled, Rejected};
    use Phase::{Closing, Done, Sent, Unknown, Working};
    match (phase, fact) {
        (Sent | Unknown | Done(Rejected), Fact::Alive) => Some(Working),
        (Working | Closing(_) | Done(Filled | Canceled | Expired), Fact::Alive) => None,

        (Sent | Working | Done(Rejected), Fact::Doubt) => Some(Unknown),
        (Unknown | Closing(_) | Done(Filled | Canceled | Expired), Fact::Doubt) => None,

        (Sent | Unknown, Fact::Refused) => Some(Done(Rejected)),
        // It was seen alive: the refusal proves nothing.
        (Working | Closing(_) | Done(_), Fact::Refused) => None,

        (Sent | Working | Unknown, Fact::Ended(end)) => Some(Closing(end)),
        // Whichever of two ends came first: the one that says more holds.
        (Closing(known), Fact::Ended(end)) => {
            if rank(end) > rank(known) {
                Some(Closing(end))
            } else {
                None
            }
        }
        (Done(Rejected), Fact::Ended(end)) => {
            if rank(end) > rank(Rejected) {
                Some(Closing(end))
            } else {
                None
            }
        }
        (Done(Filled | Canceled | Expired), Fact::Ended(_)) => None,

        (Closing(end), Fact::Settled) => Some(Done(end)),
        (Sent | Working | Unknown | Done(_), Fact::Settled) => None,

        (Sent | Working | Unknown | Closing(_) | Done(Rejected), Fact::FilledWhole) => Some(Done(Filled)),
        (Done(Filled | Canceled | Expired), Fact::FilledWhole) => None,
    }
}

/// How much an end says.
const fn rank(end: FinalStatus) -> u8 {
    match end {
        FinalStatus::Rejected => 0,
        FinalStatus::Expired => 1,
        FinalStatus::Canceled => 2,
        FinalStatus::Filled => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [FinalStatus; 4] =
        [FinalStatus::Filled, FinalStatus::Canceled, FinalStatus::Expired, FinalStatus::Rejected];

    fn phases() -> Vec<Phase> {
        let open = [Phase::Sent, Phase::Working, Phase::Unknown];
        open.into_iter().chain(ENDS.map(Phase::Closing)).chain(ENDS.map(Phase::Done)).collect()
    }

    #[test]
    fn only_a_refused_order_comes_back_and_only_for_evidence_of_life() {
        let facts = [Fact::Alive, Fact::Doubt, Fact::Refused, Fact::Settled, Fact::FilledWhole];
        let facts: Vec<Fact> = facts.into_iter().chain(ENDS.map(Fact::Ended)).collect();
        for phase in phases() {
            for fact in &facts {
                let next = next_phase(phase, *fact);
                assert_ne!(next, Some(phase), "{phase:?} {fact:?}: nothing new is no transition");
                let reopened = matches!(phase, Phase::Done(_)) && next.is_some();
                let refused = phase == Phase::Done(FinalStatus::Rejected);
                assert!(!reopened || refused, "{phase:?} {fact:?}: an end that the venue reported stays");
                if refused && matches!(fact, Fact::Alive | Fact::Doubt) {
                    assert!(reopened, "{fact:?} is evidence of life");
                }
            }
        }
    }

    #[test]
    fn of_two_ends_the_one_that_says_more_holds_until_it_is_settled() {
        use FinalStatus::{Canceled, Expired, Filled, Rejected};
        let by_rank = [Rejected, Expired, Canceled, Filled];
        for (place, known) in by_rank.into_iter().enumerate() {
            for (told_place, told) in by_rank.into_iter().enumerate() {
                let more = (told_place > place).then_some(Phase::Closing(told));
                assert_eq!(next_phase(Phase::Closing(known), Fact::Ended(told)), more, "{known:?} {told:?}");
                // What ended otherwise was never refused; what the venue reported stays.
                let of_refused = more.filter(|_| known == Rejected);
                assert_eq!(next_phase(Phase::Done(known), Fact::Ended(told)), of_refused, "{known:?} {told:?}");
            }
            assert_eq!(next_phase(Phase::Closing(known), Fact::Settled), Some(Phase::Done(known)));
        }
    }
}
