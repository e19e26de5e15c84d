//! HOT: what a session wants done and said, in bounded queues of its own.

use crate::session::SessionAction;
use crate::venue::market::RequestText;

/// A bounded queue of actions.
#[derive(Debug)]
pub(super) struct Actions {
    pub(super) slots: Box<[Option<SessionAction>]>,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Actions {
    pub(super) fn is_full(&self) -> bool {
        self.count == self.slots.len()
    }

    pub(super) fn append(&mut self, action: SessionAction) -> bool {
        if self.is_full() {
            return false;
        }
        let at = (self.first + self.count) % self.slots.len();
        self.slots[at] = Some(action);
        self.count += 1;
        true
    }

    pub(super) fn take(&mut self) -> Option<SessionAction> {
        let action = self.slots[self.first].take()?;
        self.first = (self.first + 1) % self.slots.len();
        self.count -= 1;
        Some(action)
    }
}

/// Texts of requests that wait to be sent, in the order of their actions.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) texts: Box<[RequestText]>,
    pub(super) next: usize,
    pub(super) waiting: usize,
}

impl Requests {
    /// Space for a new text; `None`: too many wait to be sent.
    pub(super) fn begin(&mut self) -> Option<&mut RequestText> {
        // The text behind the last action that was taken may still be read.
        if self.waiting + 1 >= self.texts.len() {
            return None;
        }
        let text = &mut self.texts[self.next];
        text.clear();
        Some(text)
    }

    /// Keeps the text just written, and gives its number.
    pub(super) fn keep(&mut self) -> u16 {
        let number = self.next;
        self.next = (self.next + 1) % self.texts.len();
        self.waiting += 1;
        number as u16
    }
}
