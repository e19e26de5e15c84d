//! COLD: parameters of a request, and the exact bytes that were signed.

use super::errors::ApiError;
use crate::sim::side::HttpRequest;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Parameters by name, and what a signature over them must have covered.
#[derive(Clone, Debug, Default)]
pub struct Params {
    values: Vec<(String, String)>,
    /// The signed bytes.
    pub payload: String,
}

impl Params {
    /// From query and form body; the payload is both as sent, without the signature.
    ///
    /// # Errors
    /// A text that is not UTF-8 after decoding.
    pub fn from_http(request: &HttpRequest<'_>) -> Result<Params, ApiError> {
        let (_, query) = request.path_and_query();
        let body = std::str::from_utf8(request.body)
            .map_err(|_| ApiError::new(-1100, "Illegal characters found in a parameter."))?;
        let mut params = Params::default();
        for part in [query, body] {
            let kept: Vec<&str> = part.split('&').filter(|pair| !pair.is_empty()).collect();
            for pair in &kept {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let decode = |text: &str| {
                    let text = text.replace('+', " ");
                    percent_decode_str(&text)
                        .decode_utf8()
                        .map(|text| text.into_owned())
                        .map_err(|_| ApiError::new(-1100, "Illegal characters found in a parameter."))
                };
                // A base64 signature may come unencoded: its plus signs are not spaces.
                let value = if name == "signature" { value.replace('+', "%2B") } else { value.to_owned() };
                params.values.push((decode(name)?, decode(&value)?));
            }
            let signed: Vec<&str> = kept.into_iter().filter(|pair| !pair.starts_with("signature=")).collect();
            params.payload.push_str(&signed.join("&"));
        }
        Ok(params)
    }

    /// From the `params` of a WebSocket request; the payload is sorted by name, raw.
    ///
    /// # Errors
    /// A parameter that is neither text, number nor truth value.
    pub fn from_object(object: &Map<String, Value>) -> Result<Params, ApiError> {
        let mut params = Params::default();
        for (name, value) in object {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null => continue,
                Value::Array(_) => value.to_string(),
                Value::Object(_) => return Err(ApiError::illegal(name, "a single value")),
            };
            params.values.push((name.clone(), text));
        }
        let mut sorted: Vec<&(String, String)> = params.values.iter().filter(|(name, _)| name != "signature").collect();
        sorted.sort();
        let pairs: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
        params.payload = pairs.join("&");
        Ok(params)
    }

    /// A parameter, if it was sent and is not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// -1102.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::missing(name))
    }

    /// A whole number, if it was sent.
    ///
    /// # Errors
    /// -1100 if it is none.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| ApiError::illegal(name, "^[0-9]{1,20}$")),
        }
    }

    /// A truth value, however it is written, if it was sent.
    ///
    /// # Errors
    /// -1130 if it is none.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::invalid(name)),
        }
    }

    /// Names of everything that was sent, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }
}
