//! COLD: edits of a market message's text: what its own keys say is replaced, everything else stays as it was recorded.

use super::frames::Parts;
use std::ops::Range;

/// Where the values of a message's own keys lie.
#[derive(Debug, Default)]
pub struct Fields {
    /// Key and value as they lie in the frame, a text without its quotation marks.
    values: Vec<(Range<usize>, Range<usize>)>,
}

impl Fields {
    /// Those of the object at `object` of a frame; what is no JSON object has none behind the place where it breaks.
    #[must_use]
    pub fn of(frame: &[u8], object: &Range<usize>) -> Fields {
        let mut fields = Fields::default();
        let mut at = object.start + 1;
        while let Some(key) = text(frame, &mut at, object.end) {
            let Some(value) = value(frame, &mut at, object.end) else { break };
            fields.values.push((key, value));
        }
        fields
    }

    /// The value of a key.
    #[must_use]
    pub fn find(&self, frame: &[u8], key: &str) -> Option<Range<usize>> {
        self.values.iter().find(|(name, _)| &frame[name.clone()] == key.as_bytes()).map(|(_, value)| value.clone())
    }

    /// The value of a key that is a whole number.
    #[must_use]
    pub fn number(&self, frame: &[u8], key: &str) -> Option<u64> {
        std::str::from_utf8(&frame[self.find(frame, key)?]).ok()?.parse().ok()
    }
}

/// The next text between quotation marks before anything that closes the object.
fn text(frame: &[u8], at: &mut usize, end: usize) -> Option<Range<usize>> {
    while *at < end && frame[*at] != b'"' {
        if frame[*at] == b'}' {
            return None;
        }
        *at += 1;
    }
    let start = *at + 1;
    let mut place = start;
    while place < end {
        match frame[place] {
            b'\\' => place += 1,
            b'"' => {
                *at = place + 1;
                return Some(start..place);
            }
            _ => {}
        }
        place += 1;
    }
    None
}

/// The value behind a key's colon.
fn value(frame: &[u8], at: &mut usize, end: usize) -> Option<Range<usize>> {
    while *at < end && (frame[*at] == b':' || frame[*at].is_ascii_whitespace()) {
        *at += 1;
    }
    let start = *at;
    match *frame.get(start).filter(|_| start < end)? {
        b'"' => text(frame, at, end),
        b'[' | b'{' => {
            let mut depth = 0_usize;
            while *at < end {
                match frame[*at] {
                    b'"' => {
                        text(frame, at, end)?;
                        continue;
                    }
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth -= 1,
                    _ => {}
                }
                *at += 1;
                if depth == 0 {
                    return Some(start..*at);
                }
            }
            None
        }
        _ => {
            while *at < end && !matches!(frame[*at], b',' | b'}') {
                *at += 1;
            }
            Some(start..*at - frame[start..*at].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count())
        }
    }
}

/// What is to stand where.
#[derive(Debug, Default)]
pub struct Edits {
    list: Vec<(Range<usize>, Vec<u8>)>,
}

impl Edits {
    /// Puts a text in the place of what lies there; twice in one place is not meant.
    pub fn put(&mut self, place: Option<Range<usize>>, text: impl Into<Vec<u8>>) {
        self.list.extend(place.map(|place| (place, text.into())));
    }

    /// The frame with all edits, and where its message lies then.
    #[must_use]
    pub fn apply(mut self, frame: &[u8], parts: &Parts) -> (Parts, Vec<u8>) {
        self.list.sort_by_key(|(place, _)| place.start);
        let mut bytes = Vec::with_capacity(frame.len() + 64);
        let mut done = 0;
        for (place, text) in self.list {
            bytes.extend_from_slice(&frame[done..place.start]);
            bytes.extend_from_slice(&text);
            done = place.end;
        }
        let tail = frame.len() - parts.data.end;
        bytes.extend_from_slice(&frame[done..]);
        let data = parts.data.start..bytes.len() - tail;
        (Parts { stream: parts.stream.clone(), data }, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::binance::simulator::frames::split;

    #[test]
    fn only_what_is_named_changes_and_the_rest_stays_byte_for_byte() {
        let frame = br#"{"stream":"a@depth","data":{"e":"depthUpdate", "E": 17 ,"s":"A\"B","b":[["1.0","2"],["}","]"]],"m":true,"u":9}}"#;
        let parts = split(frame).expect("a frame");
        let fields = Fields::of(frame, &parts.data);
        assert_eq!(fields.number(frame, "E"), Some(17));
        assert_eq!(fields.number(frame, "u"), Some(9));
        let text = |key: &str| fields.find(frame, key).map(|place| String::from_utf8_lossy(&frame[place]).into_owned());
        assert_eq!(text("s").as_deref(), Some(r#"A\"B"#));
        assert_eq!(text("b").as_deref(), Some(r#"[["1.0","2"],["}","]"]]"#));
        assert_eq!((text("m").as_deref(), text("U")), (Some("true"), None));
        let mut edits = Edits::default();
        edits.put(fields.find(frame, "u"), "10");
        edits.put(fields.find(frame, "E"), "18");
        edits.put(fields.find(frame, "U"), "nowhere");
        let (parts, edited) = edits.apply(frame, &parts);
        let expected = String::from_utf8_lossy(frame).replace("17", "18").replace("\"u\":9", "\"u\":10");
        assert_eq!(String::from_utf8_lossy(&edited), expected);
        assert!(edited[parts.data].ends_with(b"\"u\":10}"));
    }

    #[test]
    fn what_is_no_message_has_no_fields_and_breaks_nothing() {
        for text in ["{", "{}", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":[", "{\"a\":[\"", "{\"a\":\"\\", "{]"] {
            let fields = Fields::of(text.as_bytes(), &(0..text.len()));
            assert_eq!(fields.number(text.as_bytes(), "a"), None, "{text}");
        }
    }
}
