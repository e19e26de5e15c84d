//! COLD: the parameters of REST queries and WebSocket requests, in the exact bytes that are signed.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::crypto::credentials::{Credentials, hex_digit};

/// The characters that go into a query unchanged besides letters and digits (RFC 3986's unreserved ones).
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A REST query under construction. Values are percent-encoded before they are signed: the venue checks the
/// signature over exactly the bytes sent.
#[derive(Clone, Debug, Default)]
pub struct Query {
    text: String,
}

impl Query {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Query {
        Query::default()
    }

    /// Adds `name=value`, the value percent-encoded.
    pub fn push(&mut self, name: &str, value: &str) {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, QUERY_VALUE));
    }

    /// Adds `name=value` for a whole number.
    pub fn push_number(&mut self, name: &str, value: i64) {
        self.push(name, &value.to_string());
    }

    /// Signs what is there and adds the signature, itself percent-encoded.
    pub fn sign(&mut self, credentials: &Credentials) {
        let mut signature = String::new();
        credentials.sign_onto(self.text.as_bytes(), &mut signature);
        self.push("signature", &signature);
    }

    /// The query without `?`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a parameter is text (quoted in JSON) or a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ParameterKind {
    Text,
    Number,
}

#[derive(Clone, Copy, Debug)]
struct Parameter {
    name: &'static str,
    start: usize,
    end: usize,
    kind: ParameterKind,
}

/// The parameters of one WebSocket request, kept sorted by name. Reused from request to request: once its
/// buffers have grown to the largest request, nothing allocates.
#[derive(Debug, Default)]
pub struct Parameters {
    values: String,
    list: Vec<Parameter>,
    payload: String,
    signature: String,
}

impl Parameters {
    /// With room for any request.
    #[must_use]
    pub fn new() -> Parameters {
        Parameters {
            values: String::with_capacity(512),
            list: Vec::with_capacity(16),
            payload: String::with_capacity(512),
            signature: String::with_capacity(128),
        }
    }

    /// Forgets the last request.
    pub fn clear(&mut self) {
        self.values.clear();
        self.list.clear();
        self.payload.clear();
        self.signature.clear();
    }

    /// Adds a text.
    pub fn text(&mut self, name: &'static str, value: &str) {
        let start = self.values.len();
        self.values.push_str(value);
        self.insert(name, start, ParameterKind::Text);
    }

    /// Adds a whole number.
    pub fn number(&mut self, name: &'static str, value: i64) {
        let start = self.values.len();
        push_integer(value, &mut self.values);
        self.insert(name, start, ParameterKind::Number);
    }

    /// Adds a whole number as text: its digits, or a mark that stands for them.
    pub(super) fn number_text(&mut self, name: &'static str, digits: &str) {
        let start = self.values.len();
        self.values.push_str(digits);
        self.insert(name, start, ParameterKind::Number);
    }

    fn insert(&mut self, name: &'static str, start: usize, kind: ParameterKind) {
        let entry = Parameter { name, start, end: self.values.len(), kind };
        let place = self.list.partition_point(|other| other.name < name);
        self.list.insert(place, entry);
    }

    /// Signs everything added so far: `name=value` sorted by name, joined by `&`, raw UTF-8.
    pub fn sign(&mut self, credentials: &Credentials) {
        self.gather();
        self.signature.clear();
        credentials.sign_onto(self.payload.as_bytes(), &mut self.signature);
    }

    /// Gathers what will be signed; `mark` stands for the signature.
    pub(super) fn signature_to_come(&mut self, mark: &str) {
        self.gather();
        self.signature.clear();
        self.signature.push_str(mark);
    }

    fn gather(&mut self) {
        self.payload.clear();
        for (index, entry) in self.list.iter().enumerate() {
            if index > 0 {
                self.payload.push('&');
            }
            self.payload.push_str(entry.name);
            self.payload.push('=');
            self.payload.push_str(&self.values[entry.start..entry.end]);
        }
    }

    /// What was signed last.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// The signature made last, empty if none.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.signature.is_empty()
    }

    /// Appends the parameters as a JSON object, the signature last.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, entry) in self.list.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_json_text(entry.name, out);
            out.push(b':');
            let value = &self.values[entry.start..entry.end];
            match entry.kind {
                ParameterKind::Text => push_json_text(value, out),
                ParameterKind::Number => out.extend_from_slice(value.as_bytes()),
            }
        }
        if !self.signature.is_empty() {
            if !self.list.is_empty() {
                out.push(b',');
            }
            out.extend_from_slice(b"\"signature\":");
            push_json_text(&self.signature, out);
        }
        out.push(b'}');
    }
}

/// Appends a JSON string.
pub(crate) fn push_json_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                let digits = [hex_digit(byte >> 4), hex_digit(byte & 15)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends a whole number in decimal.
pub(crate) fn push_integer(value: i64, out: &mut String) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    out.extend(digits[start..].iter().map(|&digit| char::from(digit)));
}
