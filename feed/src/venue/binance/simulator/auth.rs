//! COLD: who sends a request, and whether they may: key, time and signature.

use super::errors::ApiError;
use super::params::Params;
use crate::crypto::credentials::{Credentials, Secret};
use crate::sim::api::{AccountId, AccountKey};
use crate::sim::world::World;
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

const RECV_WINDOW_DEFAULT_MS: i64 = 5_000;
const RECV_WINDOW_MAX_MS: i64 = 60_000;
/// How far ahead of the server a timestamp may be.
const AHEAD_MAX_MS: i64 = 1_000;

/// The account of an API key.
///
/// # Errors
/// -2014 for a key that cannot be one, -2015 for one that no account has.
pub fn account_of(world: &World, api_key: Option<&str>) -> Result<AccountId, ApiError> {
    let key = api_key.unwrap_or("");
    let well_formed = !key.is_empty()
        && key.len() <= 128
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !well_formed {
        return Err(ApiError::new(-2014, "API-key format invalid.").status(401));
    }
    world
        .account_of(key)
        .ok_or_else(|| ApiError::new(-2015, "Invalid API-key, IP, or permissions for action.").status(401))
}

/// Checks time and, unless a session is logged on, the signature.
///
/// # Errors
/// -1102 for what is missing, -1021 for the time, -1022 for the signature.
pub fn check(
    world: &World,
    account: AccountId,
    params: &Params,
    signed: bool,
    server_time_ms: i64,
) -> Result<(), ApiError> {
    let timestamp = params.integer("timestamp")?.ok_or_else(|| ApiError::missing("timestamp"))?;
    let window = match params.text("recvWindow") {
        None => RECV_WINDOW_DEFAULT_MS,
        Some(text) => {
            whole_millis(text).ok_or_else(|| ApiError::illegal("recvWindow", "^[0-9]{1,5}(\\.[0-9]{1,3})?$"))?
        }
    };
    if window > RECV_WINDOW_MAX_MS {
        return Err(ApiError::new(-1131, "recvWindow must be less than 60000."));
    }
    let signature = if signed { Some(params.required("signature")?) } else { None };
    // Microseconds are told from milliseconds by their size, as the venue does.
    let timestamp = if timestamp > 10_000_000_000_000 { timestamp / 1000 } else { timestamp };
    if timestamp >= server_time_ms + AHEAD_MAX_MS {
        let text = "Timestamp for this request was 1000ms ahead of the server's time.";
        return Err(ApiError::new(-1021, text));
    }
    if server_time_ms - timestamp > window {
        return Err(ApiError::new(-1021, "Timestamp for this request is outside of the recvWindow."));
    }
    match signature {
        Some(signature) if !verifies(world.key_of(account), params.payload.as_bytes(), signature) => {
            Err(ApiError::new(-1022, "Signature for this request is not valid."))
        }
        _ => Ok(()),
    }
}

/// A receive window in ms, up to three decimals cut off.
fn whole_millis(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    if digits { whole.parse().ok().filter(|millis| *millis >= 0) } else { None }
}

fn verifies(key: &AccountKey, payload: &[u8], signature: &str) -> bool {
    match key {
        AccountKey::HmacSecret(secret) => {
            let Ok(text) = std::str::from_utf8(secret) else {
                return false;
            };
            let Ok(credentials) = Credentials::hmac("simulated-account", &Secret::new(text.to_owned())) else {
                return false;
            };
            let mut expected = String::new();
            credentials.sign_onto(payload, &mut expected);
            expected.eq_ignore_ascii_case(signature)
        }
        AccountKey::Ed25519Public(public) => BASE64
            .decode(signature)
            .is_ok_and(|bytes| UnparsedPublicKey::new(&ED25519, public).verify(payload, &bytes).is_ok()),
        AccountKey::RsaPublic(public) => BASE64.decode(signature).is_ok_and(|bytes| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(payload, &bytes).is_ok()
        }),
    }
}
