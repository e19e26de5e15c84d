//! COLD: what the keys of the screen mean: bytes to keys, and keys to what is shown and what is asked for.

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenKey {
    /// `q`.
    Quit,
    /// `p`.
    Pause,
    /// Tab, right, down or `n`.
    Next,
    /// Shift-Tab, left, up or `b`.
    Previous,
    /// `1` to `9`: the place in the list of symbols, from zero.
    Symbol(usize),
    /// `?` or `h`.
    Help,
    /// Escape.
    Close,
}

/// The keys with what they do, as help lists them.
pub(super) const LIST: [(&str, &str); 8] = [
    ("p", "pause: pulls every quote; again: goes on"),
    ("q", "quit: cancels everything, waits for it, reports"),
    ("Tab n → ↓", "next symbol"),
    ("b ← ↑", "previous symbol"),
    ("1 to 9", "that symbol"),
    ("? h", "this help; Esc closes it"),
    ("Ctrl-C", "as q; a second one leaves at once"),
    ("Ctrl-Z", "nothing: quotes are never left alone"),
];

/// What a key asks of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The end, in order.
    Quit,
    /// A pause, or its end.
    Pause,
}

/// What of the state is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScreenView {
    /// The symbol in front, by its place.
    pub selected: usize,
    /// Whether the list of keys is shown.
    pub help: bool,
}

impl ScreenView {
    /// What a key makes of it where there are so many symbols, and what it asks of the run.
    #[must_use]
    pub fn on_key(self, key: ScreenKey, symbols: usize) -> (ScreenView, Option<Command>) {
        let count = symbols.max(1);
        let at = |selected: usize| ScreenView { selected, ..self };
        match key {
            ScreenKey::Quit => (self, Some(Command::Quit)),
            ScreenKey::Pause => (self, Some(Command::Pause)),
            ScreenKey::Next => (at((self.selected + 1) % count), None),
            ScreenKey::Previous => (at((self.selected + count - 1) % count), None),
            ScreenKey::Symbol(place) if place < count => (at(place), None),
            ScreenKey::Symbol(_) => (self, None),
            ScreenKey::Help => (ScreenView { help: !self.help, ..self }, None),
            ScreenKey::Close => (ScreenView { help: false, ..self }, None),
        }
    }
}

/// Where in a key's bytes the last read ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    /// Between two keys.
    #[default]
    Nothing,
    /// Behind an escape: the key itself, or the first byte of another.
    Escape,
    /// In the parameters of a longer one.
    Sequence,
}

/// Turns bytes of a terminal into keys, however they are cut into reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyParser(Within);

impl KeyParser {
    /// The key that ends with this byte.
    pub(super) fn on_byte(&mut self, byte: u8) -> Option<ScreenKey> {
        let within = core::mem::take(&mut self.0);
        match (within, byte) {
            (_, 0x1b) => {
                self.0 = Within::Escape;
                // An escape before this one stood for itself.
                (within == Within::Escape).then_some(ScreenKey::Close)
            }
            (Within::Escape, b'[' | b'O') | (Within::Sequence, 0x20..=0x3f) => {
                self.0 = Within::Sequence;
                None
            }
            (Within::Escape, _) => None,
            (Within::Sequence, b'C' | b'B') => Some(ScreenKey::Next),
            (Within::Sequence, b'D' | b'A' | b'Z') => Some(ScreenKey::Previous),
            (Within::Sequence, _) => None,
            (Within::Nothing, b'q' | b'Q') => Some(ScreenKey::Quit),
            (Within::Nothing, b'p' | b'P') => Some(ScreenKey::Pause),
            (Within::Nothing, b'\t' | b'n' | b'N') => Some(ScreenKey::Next),
            (Within::Nothing, b'b' | b'B') => Some(ScreenKey::Previous),
            (Within::Nothing, b'?' | b'h' | b'H') => Some(ScreenKey::Help),
            (Within::Nothing, b'1'..=b'9') => Some(ScreenKey::Symbol(usize::from(byte - b'1'))),
            (Within::Nothing, _) => None,
        }
    }

    /// No further byte has come for a while: an escape stood for itself.
    pub(super) fn on_silence(&mut self) -> Option<ScreenKey> {
        (core::mem::take(&mut self.0) == Within::Escape).then_some(ScreenKey::Close)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(reads: &[&[u8]]) -> Vec<ScreenKey> {
        let mut parser = KeyParser::default();
        let mut found: Vec<ScreenKey> = reads.concat().iter().filter_map(|byte| parser.on_byte(*byte)).collect();
        found.extend(parser.on_silence());
        found
    }

    #[test]
    fn keys_are_found_in_bytes_however_they_are_cut() {
        assert_eq!(
            keys(&[b"pq?1", b"9\t"]),
            [
                ScreenKey::Pause,
                ScreenKey::Quit,
                ScreenKey::Help,
                ScreenKey::Symbol(0),
                ScreenKey::Symbol(8),
                ScreenKey::Next
            ]
        );
        let arrows = [
            ScreenKey::Next,
            ScreenKey::Previous,
            ScreenKey::Next,
            ScreenKey::Previous,
            ScreenKey::Previous,
            ScreenKey::Next,
        ];
        assert_eq!(keys(&[b"\x1b[C\x1b", b"[D\x1bOB\x1bOA\x1b[", b"Z\x1b[1;5C"]), arrows);
        assert_eq!(keys(&[b"\x1b"]), [ScreenKey::Close]);
        assert_eq!(keys(&[b"\x1b\x1b"]), [ScreenKey::Close, ScreenKey::Close]);
    }

    #[test]
    fn what_is_no_key_asks_for_nothing() {
        // Function keys, Alt with a letter, a letter beyond ASCII, and what a terminal reports of itself.
        for bytes in [&b"\x1b[15~"[..], b"\x1bq", "ü".as_bytes(), b"\x1b[24;80R", b"\x1b[?1;2c", b"\r\n 0"] {
            assert_eq!(keys(&[bytes]), [], "{bytes:?}");
        }
    }

    #[test]
    fn symbols_go_round_and_only_pause_and_quit_reach_the_run() {
        let mut view = ScreenView::default();
        let mut press = |key, symbols| {
            let (next, command) = view.on_key(key, symbols);
            view = next;
            (view.selected, view.help, command)
        };
        assert_eq!(press(ScreenKey::Next, 3), (1, false, None));
        assert_eq!(press(ScreenKey::Next, 3), (2, false, None));
        assert_eq!(press(ScreenKey::Next, 3), (0, false, None));
        assert_eq!(press(ScreenKey::Previous, 3), (2, false, None));
        assert_eq!(press(ScreenKey::Symbol(1), 3), (1, false, None));
        assert_eq!(press(ScreenKey::Symbol(3), 3), (1, false, None), "there is no fourth");
        assert_eq!(press(ScreenKey::Help, 3), (1, true, None));
        assert_eq!(press(ScreenKey::Pause, 3), (1, true, Some(Command::Pause)));
        assert_eq!(press(ScreenKey::Close, 3), (1, false, None));
        assert_eq!(press(ScreenKey::Quit, 3), (1, false, Some(Command::Quit)));
        assert_eq!(press(ScreenKey::Next, 1), (0, false, None), "one symbol follows itself");
        assert_eq!(press(ScreenKey::Previous, 0), (0, false, None));
    }
}
