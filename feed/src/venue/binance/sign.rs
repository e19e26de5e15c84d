//! COLD: Binance keys and signatures: HMAC-SHA256 and Ed25519, for REST queries and WebSocket parameters.
//!
//! A key's content never leaves this file: the secret is wiped after the key schedule is made, and what can be
//! printed of a key id is its first 8 and last 4 characters.

use core::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A key id longer than this is a mistake (a whole file pasted, for example); Binance's have 64 characters.
const KEY_ID_CHARACTERS_MAX: usize = 256;
/// A key id of at least this length is taken as real without looking for words in it.
const KEY_ID_CHARACTERS_RANDOM: usize = 48;
/// Length of an Ed25519 private key in its PKCS#8 form without the public key.
const PKCS8_BYTES: usize = 48;
/// Length of an Ed25519 seed.
const SEED_BYTES: usize = 32;

/// Why a key was refused, in words that say what to do. Never contains the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing was given.
    #[error("the {0} is empty: paste the value that the venue showed when the key was created")]
    Empty(KeyPart),
    /// A value from an example was left in place.
    #[error("the {0} is still the example's placeholder: replace it by the key you created at the venue")]
    Placeholder(KeyPart),
    /// A blank, tab or line break inside or around it.
    #[error("the {0} contains white space: it was probably cut or pasted with a line break; paste it again whole")]
    WhiteSpace(KeyPart),
    /// A character that no key of the venue contains.
    #[error("the {0} contains characters outside printable ASCII: paste it again from the venue's page")]
    NotAscii(KeyPart),
    /// Longer than any key.
    #[error("the {0} is longer than any key of the venue: give the key alone, not the whole file")]
    TooLong(KeyPart),
    /// The private key is not in a form that is understood.
    #[error(
        "the Ed25519 private key is neither PKCS#8 PEM, its base64 body, nor a 32-byte seed in base64 or hex: export it with `openssl genpkey -algorithm ed25519`"
    )]
    PrivateKeyForm,
    /// The private key has the right form but is not an Ed25519 key.
    #[error(
        "the private key is not an Ed25519 key (RSA and other kinds are not used): create one with `openssl genpkey -algorithm ed25519`"
    )]
    NotEd25519,
}

/// Which part of the credentials an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// The key id that is sent with each request.
    ApiKey,
    /// The HMAC secret.
    Secret,
    /// The Ed25519 private key.
    PrivateKey,
}

impl fmt::Display for KeyPart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            KeyPart::ApiKey => "API key",
            KeyPart::Secret => "API secret",
            KeyPart::PrivateKey => "Ed25519 private key",
        })
    }
}

/// Text that is wiped from memory when dropped and cannot be printed: the form in which secrets are read.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller keeps no copy.
    #[must_use]
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(hidden)")
    }
}

/// The key id. Not a secret by itself, but shown only as [`ApiKey::masked`].
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Checks the key id's form.
    ///
    /// # Errors
    /// What is wrong with it: empty, placeholder, white space, not ASCII, too long.
    pub fn new(text: &str) -> Result<ApiKey, CredentialError> {
        check_text(text, KeyPart::ApiKey)?;
        if text.len() > KEY_ID_CHARACTERS_MAX {
            return Err(CredentialError::TooLong(KeyPart::ApiKey));
        }
        Ok(ApiKey(text.to_owned()))
    }

    /// The whole key id, as it goes into requests.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What may be shown: the first 8 and the last 4 characters, less for a short one.
    #[must_use]
    pub fn masked(&self) -> String {
        let characters = self.0.len();
        if characters < 16 {
            return "…".to_owned();
        }
        format!("{}…{}", &self.0[..8], &self.0[characters - 4..])
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ApiKey({})", self.masked())
    }
}

/// An HMAC-SHA256 key with its schedule (both padded blocks already hashed) kept.
pub struct HmacKey {
    keyed: Hmac<Sha256>,
}

impl HmacKey {
    /// Makes the key schedule; the secret itself is not kept.
    ///
    /// # Errors
    /// What is wrong with the secret: empty, placeholder, white space, not ASCII.
    pub fn new(secret: &Secret) -> Result<HmacKey, CredentialError> {
        check_text(secret.expose(), KeyPart::Secret)?;
        let keyed = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose().as_bytes())
            .expect("HMAC takes a key of any length");
        Ok(HmacKey { keyed })
    }

    fn digest(&self, payload: &[u8]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(payload);
        mac.finalize().into_bytes().into()
    }
}

/// An Ed25519 private key.
pub struct Ed25519Key {
    pair: Ed25519KeyPair,
}

impl Ed25519Key {
    /// From a PKCS#8 PEM text, its base64 body, or a 32-byte seed in base64 or hex.
    ///
    /// # Errors
    /// The form is none of these, or the key inside is of another kind.
    pub fn new(text: &Secret) -> Result<Ed25519Key, CredentialError> {
        let body = pem_body(text.expose())?;
        if body.is_empty() {
            return Err(CredentialError::Empty(KeyPart::PrivateKey));
        }
        if is_placeholder(&body) {
            return Err(CredentialError::Placeholder(KeyPart::PrivateKey));
        }
        let bytes = match hex_bytes(&body) {
            Some(bytes) => bytes,
            None => Zeroizing::new(
                BASE64
                    .decode(body.as_bytes())
                    .map_err(|_| CredentialError::PrivateKeyForm)?,
            ),
        };
        let pair = match bytes.len() {
            SEED_BYTES => Ed25519KeyPair::from_seed_unchecked(&bytes),
            length if length >= PKCS8_BYTES => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes),
            _ => return Err(CredentialError::PrivateKeyForm),
        };
        let pair = pair.map_err(|_| CredentialError::NotEd25519)?;
        Ok(Ed25519Key { pair })
    }

    /// The public key, which the venue knows.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

/// A private key of either kind.
pub enum Key {
    /// Shared secret; signs every request.
    Hmac(HmacKey),
    /// Private key; logs on once where the venue allows it.
    Ed25519(Ed25519Key),
}

/// What an account is reached with. Printing it shows the masked key id alone.
pub struct Credentials {
    /// The key id, sent with each request.
    pub api_key: ApiKey,
    /// What signs.
    pub key: Key,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Credentials({}, {})", self.api_key.masked(), self.kind())
    }
}

impl Credentials {
    /// A key id with an HMAC secret.
    ///
    /// # Errors
    /// What is wrong with either, in words.
    pub fn hmac(api_key: &str, secret: &Secret) -> Result<Credentials, CredentialError> {
        Ok(Credentials {
            api_key: ApiKey::new(api_key)?,
            key: Key::Hmac(HmacKey::new(secret)?),
        })
    }

    /// A key id with an Ed25519 private key.
    ///
    /// # Errors
    /// What is wrong with either, in words.
    pub fn ed25519(api_key: &str, private_key: &Secret) -> Result<Credentials, CredentialError> {
        Ok(Credentials {
            api_key: ApiKey::new(api_key)?,
            key: Key::Ed25519(Ed25519Key::new(private_key)?),
        })
    }

    /// The name of the kind of key: `HMAC-SHA256` or `Ed25519`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.key {
            Key::Hmac(_) => "HMAC-SHA256",
            Key::Ed25519(_) => "Ed25519",
        }
    }

    /// Whether a WebSocket session can be logged on with this key, which spares a signature per request.
    #[must_use]
    pub fn can_log_on(&self) -> bool {
        matches!(self.key, Key::Ed25519(_))
    }

    /// Appends the signature of `payload`: hex for HMAC, base64 for Ed25519.
    pub fn sign_onto(&self, payload: &[u8], out: &mut String) {
        match &self.key {
            Key::Hmac(key) => push_hex(&key.digest(payload), out),
            Key::Ed25519(key) => BASE64.encode_string(key.pair.sign(payload).as_ref(), out),
        }
    }
}

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

    fn insert(&mut self, name: &'static str, start: usize, kind: ParameterKind) {
        let entry = Parameter {
            name,
            start,
            end: self.values.len(),
            kind,
        };
        let place = self.list.partition_point(|other| other.name < name);
        self.list.insert(place, entry);
    }

    /// Signs everything added so far: `name=value` sorted by name, joined by `&`, raw UTF-8.
    pub fn sign(&mut self, credentials: &Credentials) {
        self.payload.clear();
        for (index, entry) in self.list.iter().enumerate() {
            if index > 0 {
                self.payload.push('&');
            }
            self.payload.push_str(entry.name);
            self.payload.push('=');
            self.payload.push_str(&self.values[entry.start..entry.end]);
        }
        self.signature.clear();
        credentials.sign_onto(self.payload.as_bytes(), &mut self.signature);
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

const fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

fn push_hex(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        out.push(char::from(hex_digit(byte >> 4)));
        out.push(char::from(hex_digit(byte & 15)));
    }
}

fn check_text(text: &str, part: KeyPart) -> Result<(), CredentialError> {
    if text.trim().is_empty() {
        return Err(CredentialError::Empty(part));
    }
    if text.chars().any(char::is_whitespace) {
        return Err(CredentialError::WhiteSpace(part));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CredentialError::NotAscii(part));
    }
    if is_placeholder(text) {
        return Err(CredentialError::Placeholder(part));
    }
    Ok(())
}

/// Words that only an example contains, or one character repeated. A long random key is not searched for
/// words, since chance would put a short one into some of them.
fn is_placeholder(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next();
    if bytes.all(|byte| Some(byte) == first) {
        return true;
    }
    if text.len() >= KEY_ID_CHARACTERS_RANDOM {
        return false;
    }
    let lower: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    const WORDS: [&str; 9] = [
        "your",
        "changeme",
        "replaceme",
        "placeholder",
        "insert",
        "pastehere",
        "xxxx",
        "apikeyhere",
        "secrethere",
    ];
    const WHOLE: [&str; 8] = [
        "apikey",
        "secret",
        "key",
        "secretkey",
        "apisecret",
        "privatekey",
        "none",
        "null",
    ];
    text.contains('<') || WORDS.iter().any(|word| lower.contains(word)) || WHOLE.contains(&lower.as_str())
}

/// The base64 text between the PEM lines, or the text itself where there are none.
fn pem_body(text: &str) -> Result<Zeroizing<String>, CredentialError> {
    const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
    const END: &str = "-----END PRIVATE KEY-----";
    let text = text.trim();
    let body = match text.strip_prefix(BEGIN) {
        Some(rest) => rest.split_once(END).ok_or(CredentialError::PrivateKeyForm)?.0,
        None if text.starts_with("-----") => return Err(CredentialError::PrivateKeyForm),
        None if text.chars().any(char::is_whitespace) => {
            return Err(CredentialError::WhiteSpace(KeyPart::PrivateKey));
        }
        None => text,
    };
    Ok(Zeroizing::new(
        body.chars().filter(|character| !character.is_whitespace()).collect(),
    ))
}

fn hex_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.len() != 2 * SEED_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(SEED_BYTES));
    for pair in text.as_bytes().chunks_exact(2) {
        let text = core::str::from_utf8(pair).expect("hex digits are ASCII");
        bytes.push(u8::from_str_radix(text, 16).expect("both are hex digits"));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_ID: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn hmac_credentials(secret: &str) -> Credentials {
        Credentials::hmac(KEY_ID, &Secret::new(secret.to_owned())).unwrap()
    }

    fn signature(credentials: &Credentials, payload: &str) -> String {
        let mut out = String::new();
        credentials.sign_onto(payload.as_bytes(), &mut out);
        out
    }

    fn rest_order(symbol: &str) -> Query {
        let mut query = Query::new();
        query.push("symbol", symbol);
        query.push("side", "BUY");
        query.push("type", "LIMIT");
        query.push("timeInForce", "GTC");
        query.push("quantity", "1");
        query.push("price", "0.1");
        query.push_number("recvWindow", 5000);
        query.push_number("timestamp", 1_499_827_319_559);
        query
    }

    #[test]
    fn rest_hmac_check_values() {
        let credentials = hmac_credentials(SECRET);
        let mut query = rest_order("LTCBTC");
        query.sign(&credentials);
        assert_eq!(
            query.as_str(),
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000\
             &timestamp=1499827319559&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
        );
        let mut query = rest_order("１２３４５６");
        assert!(
            query
                .as_str()
                .starts_with("symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&")
        );
        query.sign(&credentials);
        assert!(
            query
                .as_str()
                .ends_with("&signature=e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3")
        );
    }

    fn websocket_order(symbol: &str, price: &str, quantity: &str, side: &str, window: i64) -> Parameters {
        let mut parameters = Parameters::new();
        // Not in order: sorting is the type's own work.
        parameters.text("symbol", symbol);
        parameters.text("side", side);
        parameters.text("type", "LIMIT");
        parameters.text("timeInForce", "GTC");
        parameters.text("quantity", quantity);
        parameters.text("price", price);
        parameters.number("timestamp", 1_645_423_376_532);
        parameters.text("apiKey", KEY_ID);
        parameters.number("recvWindow", window);
        parameters
    }

    #[test]
    fn websocket_hmac_check_values() {
        let credentials = hmac_credentials(SECRET);
        let mut parameters = websocket_order("BTCUSDT", "52000.00", "0.01000000", "SELL", 100);
        parameters.sign(&credentials);
        assert_eq!(
            parameters.payload(),
            format!(
                "apiKey={KEY_ID}&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT\
                 &timeInForce=GTC&timestamp=1645423376532&type=LIMIT"
            )
        );
        assert_eq!(
            parameters.signature(),
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
        );
        let mut parameters = websocket_order("１２３４５６", "0.10000000", "1.00000000", "BUY", 5000);
        parameters.sign(&credentials);
        assert_eq!(
            parameters.signature(),
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd"
        );
        let mut json = Vec::new();
        parameters.write_json(&mut json);
        let text = String::from_utf8(json).unwrap();
        assert!(
            text.contains("\"symbol\":\"１２３４５６\""),
            "raw UTF-8 in the message: {text}"
        );
    }

    #[test]
    fn futures_hmac_check_value() {
        let credentials = hmac_credentials("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9");
        let payload = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000\
                       &timestamp=1591702613943";
        assert_eq!(
            signature(&credentials, payload),
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
        );
    }

    #[test]
    fn ed25519_check_values_from_every_form_of_the_key() {
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{PKCS8}\n-----END PRIVATE KEY-----\n");
        let seed_hex: String = (0u8..32).map(|byte| format!("{byte:02x}")).collect();
        let seed_base64 = BASE64.encode((0u8..32).collect::<Vec<_>>());
        for form in [PKCS8, &pem, &seed_hex, &seed_base64] {
            let credentials = Credentials::ed25519("EXAMPLEKEY", &Secret::new(form.to_owned())).unwrap();
            let Key::Ed25519(key) = &credentials.key else {
                panic!("an Ed25519 key")
            };
            let mut public = String::new();
            push_hex(key.public_key(), &mut public);
            assert_eq!(
                public,
                "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
            );
            let mut parameters = Parameters::new();
            parameters.number("timestamp", 1_649_729_878_532);
            parameters.text("apiKey", credentials.api_key.as_str());
            parameters.sign(&credentials);
            assert_eq!(
                parameters.signature(),
                "sssWHgJ3Y7Rnv6MkTXBOnzUm4hpRvbcG3To/muf2W1ZQ3rhVJS8JQbWf59vnGT253IgKDhUg+aoT0zWBLAyxBA=="
            );
            let payload = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1.0000000&price=0.20\
                           &timestamp=1668481559918";
            assert_eq!(
                signature(&credentials, payload),
                "iQvH3dOIUlkfQoehraA3ZKK+fTET/p45eFzMQ+5yHEA+0cK/EG1tUff0vnklzMJCMT9MV2vR+9k7P3ShiJqQBw=="
            );
        }
    }

    #[test]
    fn an_ed25519_signature_is_percent_encoded_in_a_query() {
        let credentials = Credentials::ed25519("EXAMPLEKEY", &Secret::new(PKCS8.to_owned())).unwrap();
        let mut query = Query::new();
        query.push("apiKey", "EXAMPLEKEY");
        query.push_number("timestamp", 1_649_729_878_532);
        query.sign(&credentials);
        assert!(
            query
                .as_str()
                .contains("&signature=sssWHgJ3Y7Rnv6MkTXBOnzUm4hpRvbcG3To%2Fmuf2W1ZQ3rhVJS8JQbWf59vn")
        );
        assert!(query.as_str().ends_with("%2BaoT0zWBLAyxBA%3D%3D"));
    }

    #[test]
    fn wrong_keys_are_refused_with_advice() {
        let secret = || Secret::new(SECRET.to_owned());
        let refused = |text: &str| Credentials::hmac(text, &secret()).unwrap_err();
        assert_eq!(refused(""), CredentialError::Empty(KeyPart::ApiKey));
        assert_eq!(refused("  "), CredentialError::Empty(KeyPart::ApiKey));
        for placeholder in [
            "your-api-key",
            "YOUR_API_KEY_HERE",
            "changeme",
            "xxx",
            "xxxxxxxxxxxx",
            "<api key>",
            "secret",
        ] {
            let error = refused(placeholder);
            assert!(
                matches!(error, CredentialError::Placeholder(_) | CredentialError::WhiteSpace(_)),
                "{placeholder}: {error}"
            );
        }
        assert_eq!(
            refused(&format!("{KEY_ID}\n")),
            CredentialError::WhiteSpace(KeyPart::ApiKey)
        );
        assert_eq!(
            refused(&format!(" {KEY_ID}")),
            CredentialError::WhiteSpace(KeyPart::ApiKey)
        );
        assert_eq!(refused("schlüssel"), CredentialError::NotAscii(KeyPart::ApiKey));
        assert_eq!(refused(&KEY_ID.repeat(5)), CredentialError::TooLong(KeyPart::ApiKey));
        let wrong_secret = |text: &str| Credentials::hmac(KEY_ID, &Secret::new(text.to_owned())).unwrap_err();
        assert_eq!(wrong_secret("changeme"), CredentialError::Placeholder(KeyPart::Secret));
        assert_eq!(
            wrong_secret(&format!("{SECRET} ")),
            CredentialError::WhiteSpace(KeyPart::Secret)
        );
        let wrong_key = |text: &str| Credentials::ed25519(KEY_ID, &Secret::new(text.to_owned())).unwrap_err();
        assert_eq!(
            wrong_key("not base64!"),
            CredentialError::WhiteSpace(KeyPart::PrivateKey)
        );
        assert_eq!(wrong_key("n!t"), CredentialError::PrivateKeyForm);
        assert_eq!(wrong_key(&BASE64.encode([7u8; 64])), CredentialError::NotEd25519);
        assert!(wrong_secret("").to_string().contains("paste the value"));
    }

    #[test]
    fn nothing_printable_contains_a_secret() {
        let credentials = hmac_credentials(SECRET);
        let shown = format!(
            "{credentials:?} {:?} {:?}",
            credentials.api_key,
            Secret::new(SECRET.to_owned())
        );
        assert!(!shown.contains(SECRET) && !shown.contains(KEY_ID));
        assert!(!shown.contains(&SECRET[..8]));
        assert!(shown.contains("vmPUZE6m…Eh8A"), "{shown}");
    }
}
