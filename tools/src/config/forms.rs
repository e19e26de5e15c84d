//! COLD: the form of texts in the configuration: URLs, streams, symbols; each says what it expected.

use rust_decimal::Decimal;
use spinbook_feed::venue::ProductLine;

/// The most bytes of a symbol.
const SYMBOL_BYTES_MAX: usize = 32;

/// A base URL of requests, without a slash at its end.
///
/// # Errors
/// What is wrong with it.
pub fn https_url(text: &str) -> Result<String, String> {
    url(text, "https://")
}

/// A base URL of connections, without a slash at its end.
///
/// # Errors
/// What is wrong with it.
pub fn wss_url(text: &str) -> Result<String, String> {
    url(text, "wss://")
}

/// A base URL: the scheme given (always encrypted), a host, perhaps a port and a path; nothing else.
fn url(text: &str, scheme: &str) -> Result<String, String> {
    let Some(rest) = text.strip_prefix(scheme) else {
        return Err(format!("expected {scheme}HOST[:PORT]; unencrypted connections are never made"));
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let port_is_wrong = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']') && port.parse::<u16>().map_or(true, |port| port == 0));
    let why = if authority.is_empty() || authority.starts_with(':') {
        "has no host"
    } else if authority.contains('@') {
        "holds a user name or password; credentials come from a 0600 file"
    } else if text.contains(['?', '#']) || text.chars().any(char::is_whitespace) {
        "expected no query, fragment or whitespace"
    } else if port_is_wrong {
        "the port is not a number from 1 to 65535"
    } else {
        return Ok(text.trim_end_matches('/').to_owned());
    };
    Err(why.to_owned())
}

/// The depth stream's name: `depth`, perhaps with an interval.
///
/// # Errors
/// It is not one.
pub fn depth_stream(text: &str) -> Result<String, String> {
    let interval_ms = match text.strip_prefix("depth") {
        Some("") => Some(0),
        Some(rest) => {
            rest.strip_prefix('@').and_then(|rest| rest.strip_suffix("ms")).and_then(|ms| ms.parse::<u32>().ok())
        }
        None => None,
    };
    match interval_ms {
        Some(0..=1_000) => Ok(text.to_owned()),
        _ => Err("expected depth, depth@100ms or the like".to_owned()),
    }
}

/// An asset and its price, as in `BNB=612.5`.
///
/// # Errors
/// It is not one, or the price is nothing.
pub fn asset_price(text: &str) -> Result<String, String> {
    split_asset_price(text).map(|_| text.to_owned())
}

/// The same in its two parts.
///
/// # Errors
/// As [`asset_price`].
pub fn split_asset_price(text: &str) -> Result<(&str, Decimal), String> {
    let expected = || "expected ASSET=PRICE, such as BNB=612.5".to_owned();
    let (asset, price) = text.split_once('=').ok_or_else(expected)?;
    let named =
        (1..=16).contains(&asset.len()) && asset.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let plain = price.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !price.starts_with('.');
    if !named || !plain {
        return Err(expected());
    }
    let price = Decimal::from_str_exact(price).map_err(|_| expected())?;
    match price > Decimal::ZERO && price.scale() <= 18 {
        true => Ok((asset, price)),
        false => Err("the price must be more than 0, with at most 18 decimals".to_owned()),
    }
}

/// A SHA-256 in lower-case hexadecimal digits, as `sha256sum` prints it.
///
/// # Errors
/// It is none.
pub fn sha_256(text: &str) -> Result<String, String> {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match text.len() == 64 && text.bytes().all(digit) {
        true => Ok(text.to_owned()),
        false => Err("expected the 64 digits that `sha256sum` prints of the token without a line end".to_owned()),
    }
}

/// The word for the last public trade as a second reference of the price collar.
pub const LAST_TRADE: &str = "trade";

/// A second reference of the price collar: the last public trade, or the name of a venue.
///
/// # Errors
/// It is neither.
pub fn reference(text: &str) -> Result<String, String> {
    if text == LAST_TRADE || ProductLine::from_name(text).is_some() {
        return Ok(text.to_owned());
    }
    let venues: Vec<&str> = ProductLine::all().map(ProductLine::name).collect();
    Err(format!("expected {LAST_TRADE} or another market's venue, one of {}", venues.join(", ")))
}

/// A symbol's form, as a venue spells them.
///
/// # Errors
/// What is wrong with it.
pub fn symbol(symbol: &str, line: ProductLine) -> Result<(), String> {
    if symbol.is_empty() || symbol.len() > SYMBOL_BYTES_MAX {
        Err(format!("expected 1 to {SYMBOL_BYTES_MAX} bytes"))
    } else if symbol.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        Err("holds whitespace".to_owned())
    } else {
        spelling(symbol, line)
    }
}

/// Whether a symbol is written as its venue writes them.
fn spelling(symbol: &str, line: ProductLine) -> Result<(), String> {
    let (title, form) = (line.card().title, line.card().symbols);
    // Symbols in scripts without case are listed; an accent on a Latin letter is a slip of the keyboard.
    let foreign = |letter: &char| !letter.is_ascii() && (letter.is_lowercase() || letter.is_uppercase());
    if let Some(letter) = symbol.chars().find(foreign) {
        return Err(format!("`{letter}` stands in no symbol of {title}, they look like {}", form.example));
    }
    if symbol.chars().any(|letter| !letter.is_alphanumeric() && !form.separators.contains(&letter)) {
        let others: String = form.separators.iter().map(|separator| format!(" other than `{separator}`")).collect();
        return Err(format!("{title} writes symbols without separators{others}, such as {}", form.example));
    }
    let (case, mended) =
        if form.upper_case { ("upper", symbol.to_ascii_uppercase()) } else { ("lower", symbol.to_ascii_lowercase()) };
    if mended != symbol {
        return Err(format!("{title} writes symbols in {case} case, did you mean `{mended}`?"));
    }
    Ok(())
}
