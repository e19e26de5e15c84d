//! HOT: what every venue's market-data side gives: judged messages, fixed scratch, symbols without allocation.

use spinbook_engine::types::{Level, Nanos, Side};

use super::instrument::{Instrument, SYMBOL_BYTES_MAX, Symbol};
pub use crate::padding::FRAME_PADDING;
pub use crate::scan::LevelScratch;
pub use crate::sync::UpdateIds;

/// What a frame said. Levels lie in the decoder's [`LevelScratch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Changed levels of one symbol.
    Depth {
        /// Index of the symbol among the decoder's instruments.
        symbol: usize,
        /// Update ids.
        ids: UpdateIds,
        /// The venue's event time.
        event_time: Nanos,
    },
    /// A whole book.
    Snapshot {
        /// The update it contains last.
        last: u64,
        /// The venue's event time; zero where the product sends none.
        event_time: Nanos,
    },
    /// The venue's best bid and ask, each at most one level in the scratch.
    Touch {
        /// Index of the symbol.
        symbol: usize,
        /// Update id, in the same space as depth.
        sequence: u64,
        /// The venue's event time; zero where the product sends none.
        event_time: Nanos,
    },
    /// One public trade.
    Trade {
        /// Index of the symbol.
        symbol: usize,
        /// Side of the aggressor: [`Side::Bid`] if it bought.
        aggressor: Side,
        /// Price and quantity.
        level: Level,
        /// The venue's event time.
        event_time: Nanos,
    },
    /// A request was carried out.
    Acknowledged {
        /// The request's id; `None` if it was not a whole number.
        id: Option<u64>,
    },
    /// A request was refused.
    Refused {
        /// The request's id, where the venue repeats it.
        id: Option<u64>,
        /// The venue's own code.
        code: i32,
    },
    /// The server is about to close the connection.
    Shutdown,
    /// A message of a channel that nobody uses.
    Ignored,
}

/// Finds a subscribed symbol by its bytes: open addressing, built once, never allocates again.
#[derive(Debug)]
pub struct SymbolTable {
    /// Index plus one; zero is empty.
    slots: Box<[u16]>,
    names: Box<[Symbol]>,
    lowercase: Box<[Symbol]>,
    last_found: usize,
}

impl SymbolTable {
    /// The symbols of `instruments`, in their order.
    #[must_use]
    pub fn new(instruments: &[Instrument]) -> SymbolTable {
        let names: Box<[Symbol]> = instruments.iter().map(|instrument| instrument.symbol).collect();
        let lowercase = names.iter().map(|name| name.to_lowercase()).collect();
        let size = (names.len() * 4).next_power_of_two().max(8);
        let mut slots = vec![0u16; size].into_boxed_slice();
        for (index, name) in names.iter().enumerate() {
            let mut at = hash(name.as_bytes()) & (size - 1);
            while slots[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            slots[at] = u16::try_from(index + 1).expect("the engine holds far fewer instruments");
        }
        SymbolTable { slots, names, lowercase, last_found: 0 }
    }

    /// The index of a symbol as payloads have it.
    #[inline]
    pub fn find(&mut self, name: &[u8]) -> Option<usize> {
        // Frames of one symbol come in runs.
        if self.names.get(self.last_found).is_some_and(|last| last.as_bytes() == name) {
            return Some(self.last_found);
        }
        if name.len() > SYMBOL_BYTES_MAX {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash(name) & mask;
        loop {
            let index = usize::from(self.slots[at].checked_sub(1)?);
            if self.names[index].as_bytes() == name {
                self.last_found = index;
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }

    /// Whether `name` (ASCII letters in lower case) is the symbol at `index`.
    #[inline]
    #[must_use]
    pub fn is_lowercase_of(&self, index: usize, name: &[u8]) -> bool {
        self.lowercase[index].as_bytes() == name
    }

    /// The symbol that a stream name's first part means, if it is subscribed.
    #[must_use]
    pub fn find_lowercase(&self, name: &[u8]) -> Option<usize> {
        self.lowercase.iter().position(|symbol| symbol.as_bytes() == name)
    }

    /// The symbol at `index`.
    #[must_use]
    pub fn symbol(&self, index: usize) -> Symbol {
        self.names[index]
    }

    /// How many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[inline]
fn hash(name: &[u8]) -> usize {
    let mut state = 0xcbf2_9ce4_8422_2325u64;
    for byte in name {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (state ^ (state >> 32)) as usize
}
