//! HOT: a table of deadlines, one a slot.

use spinbook_engine::types::Nanos;

/// Deadlines by slot; an unset one is [`Nanos::NEVER`].
#[derive(Debug)]
pub struct DeadlineTable {
    at: Box<[Nanos]>,
    /// No deadline is earlier than this; exact after [`DeadlineTable::pop_due`] found nothing.
    earliest: Nanos,
}

impl DeadlineTable {
    /// `slots` deadlines, none set (set-up).
    #[must_use]
    pub fn new(slots: usize) -> DeadlineTable {
        DeadlineTable { at: vec![Nanos::NEVER; slots].into_boxed_slice(), earliest: Nanos::NEVER }
    }

    /// Sets or moves a deadline.
    #[inline]
    pub fn set(&mut self, slot: usize, at: Nanos) {
        self.at[slot] = at;
        self.earliest = self.earliest.min(at);
    }

    /// Unsets a deadline.
    #[inline]
    pub fn clear(&mut self, slot: usize) {
        self.at[slot] = Nanos::NEVER;
    }

    /// The deadline of a slot.
    #[inline]
    #[must_use]
    pub fn get(&self, slot: usize) -> Nanos {
        self.at[slot]
    }

    /// No deadline comes earlier than this (it may be that of a deadline that was moved or unset since).
    #[inline]
    #[must_use]
    pub fn earliest(&self) -> Nanos {
        self.earliest
    }

    /// Takes one deadline that has come: its slot, unset now.
    pub fn pop_due(&mut self, now: Nanos) -> Option<usize> {
        if self.earliest > now {
            return None;
        }
        let mut earliest = Nanos::NEVER;
        let mut due = None;
        for (slot, at) in self.at.iter_mut().enumerate() {
            if due.is_none() && *at <= now && *at != Nanos::NEVER {
                *at = Nanos::NEVER;
                due = Some(slot);
            }
            earliest = earliest.min(*at);
        }
        self.earliest = earliest;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_deadlines_come_once_and_the_earliest_is_known() {
        let mut table = DeadlineTable::new(3);
        assert_eq!(table.earliest(), Nanos::NEVER);
        assert_eq!(table.pop_due(Nanos(i64::MAX - 1)), None);
        table.set(0, Nanos(30));
        table.set(2, Nanos(10));
        assert_eq!(table.earliest(), Nanos(10));
        assert_eq!(table.pop_due(Nanos(9)), None);
        assert_eq!(table.pop_due(Nanos(10)), Some(2));
        assert_eq!(table.pop_due(Nanos(10)), None);
        assert_eq!(table.earliest(), Nanos(30));
        table.clear(0);
        assert_eq!(table.pop_due(Nanos(100)), None);
        assert_eq!(table.earliest(), Nanos::NEVER);
    }
}
