//! COLD: API keys for a simulated exchange, made or read: worth nothing anywhere else.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::sim::api::AccountKey;

/// Letters that keys are made of.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Length of a key, as the venue's are.
const KEY_LENGTH: usize = 64;
/// What stands before the seed in an Ed25519 key as PKCS#8 version 1, the form without the public key: OpenSSL 3.0,
/// node and Python read no other.
const ED25519_PRIVATE: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What stands before an Ed25519 public key.
const ED25519_PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const SEED_BYTES: usize = 32;
/// Letters a line of a PEM text.
const PEM_LINE: usize = 64;

/// A private key and what the exchange checks its signatures with.
#[derive(Clone, Debug)]
pub struct PrivateKeyPem {
    /// PKCS#8 version 1, PEM.
    pub private_key: String,
    /// The public half.
    pub public: AccountKey,
}

/// The machine's randomness cannot be read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// A PEM text that is no key an account may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an Ed25519 nor an RSA key of at least 2048 bits: PKCS#8 (`PRIVATE KEY`) or X.509 (`PUBLIC KEY`), PEM")]
pub struct NoAccountKey;

/// A random text of letters and digits, for API keys and secrets.
///
/// # Errors
/// No randomness.
pub fn random_key() -> Result<String, NoRandomness> {
    let mut bytes = [0; KEY_LENGTH];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect())
}

/// A random number, for seeds.
///
/// # Errors
/// No randomness.
pub fn random_seed() -> Result<u64, NoRandomness> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(u64::from_le_bytes(bytes))
}

/// A new Ed25519 key.
///
/// # Errors
/// No randomness.
pub fn new_ed25519() -> Result<PrivateKeyPem, NoRandomness> {
    let mut seed = [0; SEED_BYTES];
    SystemRandom::new().fill(&mut seed).map_err(|_| NoRandomness)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NoRandomness)?;
    let public = ed25519_public(pair.public_key().as_ref()).ok_or(NoRandomness)?;
    let der: Vec<u8> = ED25519_PRIVATE.iter().chain(&seed).copied().collect();
    Ok(PrivateKeyPem { private_key: pem("PRIVATE KEY", &der), public })
}

/// A new RSA key of 2048 bits: takes some tenths of a second.
///
/// # Errors
/// No randomness.
pub fn new_rsa() -> Result<PrivateKeyPem, NoRandomness> {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| NoRandomness)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| NoRandomness)?;
    let public = AccountKey::RsaPublic(pair.public_key().as_ref().to_vec());
    Ok(PrivateKeyPem { private_key: pem("PRIVATE KEY", der.as_ref()), public })
}

/// What the exchange checks with of somebody's key, which may be given as private or as public.
///
/// # Errors
/// It is no key that an account may have.
pub fn account_key(text: &str) -> Result<AccountKey, NoAccountKey> {
    let body: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64.decode(body).map_err(|_| NoAccountKey)?;
    if text.contains("PUBLIC KEY") {
        if let Some(raw) = der.strip_prefix(&ED25519_PUBLIC) {
            return ed25519_public(raw).ok_or(NoAccountKey);
        }
        let key = rsa::PublicKey::from_der(&der).map_err(|_| NoAccountKey)?;
        return Ok(AccountKey::RsaPublic(key.as_ref().to_vec()));
    }
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
        return ed25519_public(pair.public_key().as_ref()).ok_or(NoAccountKey);
    }
    let pair = rsa::KeyPair::from_pkcs8(&der).map_err(|_| NoAccountKey)?;
    Ok(AccountKey::RsaPublic(pair.public_key().as_ref().to_vec()))
}

fn ed25519_public(raw: &[u8]) -> Option<AccountKey> {
    raw.try_into().ok().map(AccountKey::Ed25519Public)
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_look_like_the_venues() {
        let (one, other) = (random_key().expect("randomness"), random_key().expect("randomness"));
        assert_ne!(one, other);
        assert!(one.len() == 64 && one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(random_seed().expect("randomness"), random_seed().expect("randomness"));
        let made = new_ed25519().expect("randomness");
        assert_ne!(made.private_key, new_ed25519().expect("randomness").private_key);
    }

    #[test]
    fn ed25519_keys_are_version_1_without_the_public_key() {
        let made = new_ed25519().expect("randomness");
        let lines: Vec<&str> = made.private_key.lines().collect();
        assert!(lines.len() == 3 && lines[0] == "-----BEGIN PRIVATE KEY-----", "{}", made.private_key);
        // 48 bytes, version 0 (which is named 1): what OpenSSL writes itself.
        assert!(lines[1].len() == 64 && lines[1].starts_with("MC4CAQAwBQYDK2VwBCIEI"), "{}", lines[1]);
        assert_eq!(account_key(&made.private_key), Ok(made.public));
    }

    #[test]
    fn keys_of_other_programs_are_read_and_nonsense_is_not() {
        // RFC 8410's own example and its public half.
        let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        assert_eq!(account_key(private), account_key(public));
        assert!(account_key(private).is_ok());
        let made = new_rsa().expect("randomness");
        assert_eq!(account_key(&made.private_key), Ok(made.public));
        for nonsense in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "secret", &public[..60]]
        {
            assert_eq!(account_key(nonsense), Err(NoAccountKey), "{nonsense}");
        }
    }
}
