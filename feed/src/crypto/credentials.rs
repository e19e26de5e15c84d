//! COLD: an account's keys as they are read, and signatures made with them: HMAC-SHA256 and Ed25519.
//!
//! A key's content never leaves this file: the secret is wiped after the key schedule is made, and what can be
//! printed of a key id is its first 8 and last 4 characters.

use core::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::hmac::{HmacStates, hex};

/// A key id longer than this is a mistake (a whole file pasted, for example).
const KEY_ID_CHARACTERS_MAX: usize = 256;
/// A key id of at least this length is taken as real without looking for words in it.
const KEY_ID_CHARACTERS_RANDOM: usize = 48;
/// Length of an Ed25519 private key in its PKCS#8 form without the public key.
const PKCS8_BYTES: usize = 48;
/// The longest signature as text: Ed25519 in base64.
pub const SIGNATURE_BYTES_MAX: usize = 88;
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
    /// The passphrase that some venues ask for beside key and secret.
    Passphrase,
}

impl fmt::Display for KeyPart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            KeyPart::ApiKey => "API key",
            KeyPart::Secret => "API secret",
            KeyPart::PrivateKey => "Ed25519 private key",
            KeyPart::Passphrase => "API passphrase",
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
    states: HmacStates,
}

impl HmacKey {
    /// Makes the key schedule; the secret itself is not kept.
    ///
    /// # Errors
    /// What is wrong with the secret: empty, placeholder, white space, not ASCII.
    pub fn new(secret: &Secret) -> Result<HmacKey, CredentialError> {
        check_text(secret.expose(), KeyPart::Secret)?;
        Ok(HmacKey { states: HmacStates::new(secret.expose().as_bytes()) })
    }

    /// What signs without the key schedule being made again.
    pub(crate) fn states(&self) -> &HmacStates {
        &self.states
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
            None => Zeroizing::new(BASE64.decode(body.as_bytes()).map_err(|_| CredentialError::PrivateKeyForm)?),
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
    passphrase: Option<Secret>,
}

/// How an HMAC is written; an Ed25519 signature is base64 everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureText {
    /// 64 hexadecimal digits in lower case.
    Hex,
    /// 44 characters of base64.
    Base64,
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
        Ok(Credentials { api_key: ApiKey::new(api_key)?, key: Key::Hmac(HmacKey::new(secret)?), passphrase: None })
    }

    /// A key id with an Ed25519 private key.
    ///
    /// # Errors
    /// What is wrong with either, in words.
    pub fn ed25519(api_key: &str, private_key: &Secret) -> Result<Credentials, CredentialError> {
        Ok(Credentials {
            api_key: ApiKey::new(api_key)?,
            key: Key::Ed25519(Ed25519Key::new(private_key)?),
            passphrase: None,
        })
    }

    /// The same with the passphrase that the venue asks for beside them.
    ///
    /// # Errors
    /// What is wrong with the passphrase, in words.
    pub fn with_passphrase(self, passphrase: Secret) -> Result<Credentials, CredentialError> {
        check_text(passphrase.expose(), KeyPart::Passphrase)?;
        Ok(Credentials { passphrase: Some(passphrase), ..self })
    }

    /// The passphrase as it goes into requests; `None` if there is none.
    #[must_use]
    pub fn passphrase(&self) -> Option<&str> {
        self.passphrase.as_ref().map(Secret::expose)
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
        self.sign_as(SignatureText::Hex, payload, out);
    }

    /// Appends the signature of `payload`, an HMAC in the form that the venue reads.
    pub fn sign_as(&self, text: SignatureText, payload: &[u8], out: &mut String) {
        match (&self.key, text) {
            (Key::Hmac(key), SignatureText::Hex) => out.extend(hex(&key.states.code(payload)).map(char::from)),
            (Key::Hmac(key), SignatureText::Base64) => BASE64.encode_string(key.states.code(payload), out),
            (Key::Ed25519(key), _) => BASE64.encode_string(key.pair.sign(payload).as_ref(), out),
        }
    }

    /// Writes the signature of `payload` and gives its length: the same text as [`Credentials::sign_onto`].
    #[must_use]
    pub fn sign_into(&self, payload: &[u8], out: &mut [u8; SIGNATURE_BYTES_MAX]) -> usize {
        match &self.key {
            Key::Hmac(key) => {
                let text = hex(&key.states.code(payload));
                out[..text.len()].copy_from_slice(&text);
                text.len()
            }
            Key::Ed25519(key) => {
                BASE64.encode_slice(key.pair.sign(payload).as_ref(), out).expect("64 bytes are 88 characters")
            }
        }
    }
}

pub(crate) const fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
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
    let lower: String = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    const WORDS: [&str; 9] =
        ["your", "changeme", "replaceme", "placeholder", "insert", "pastehere", "xxxx", "apikeyhere", "secrethere"];
    const WHOLE: [&str; 8] = ["apikey", "secret", "key", "secretkey", "apisecret", "privatekey", "none", "null"];
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
    Ok(Zeroizing::new(body.chars().filter(|character| !character.is_whitespace()).collect()))
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
