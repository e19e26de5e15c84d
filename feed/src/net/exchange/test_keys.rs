//! COLD: fresh API keys for a simulated exchange: worth nothing anywhere else.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rcgen::{KeyPair, PKCS_ED25519};

/// Letters that keys are made of.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Length of a key, as the venue's are.
const KEY_LENGTH: usize = 64;

/// An Ed25519 pair.
#[derive(Clone, Debug)]
pub struct Ed25519Pair {
    /// PKCS#8 PEM.
    pub private_key_pem: String,
    /// The public half.
    pub public_key: [u8; 32],
}

/// The machine's randomness cannot be read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

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

/// A new Ed25519 pair.
///
/// # Errors
/// No randomness.
pub fn ed25519_pair() -> Result<Ed25519Pair, NoRandomness> {
    let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(|_| NoRandomness)?;
    let public_key = pair.public_key_raw().try_into().map_err(|_| NoRandomness)?;
    Ok(Ed25519Pair { private_key_pem: pair.serialize_pem(), public_key })
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
        let pair = ed25519_pair().expect("randomness");
        assert!(pair.private_key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert_ne!(pair.public_key, ed25519_pair().expect("randomness").public_key);
    }
}
