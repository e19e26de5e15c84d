//! COLD: what single arguments say: spans, symbols with a price, balances, speeds.

use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;
use spinbook_feed::venue::simulator_side::ChosenSymbol;

/// Seconds, also in decimals: from a tenth of one to `seconds_max`.
pub(super) fn span(text: &str, seconds_max: u64) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no number of seconds from 0.1 to {seconds_max}, as in 30 or 1.5");
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = text.parse::<f64>().ok().filter(|_| plain).ok_or_else(wrong)?;
    let span = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    let allowed = Duration::from_millis(100)..=Duration::from_secs(seconds_max);
    if allowed.contains(&span) { Ok(span) } else { Err(wrong()) }
}

/// A symbol, and a price where one is given: `FOOUSDT=1.25`.
pub(super) fn chosen_symbol(text: &str) -> Result<ChosenSymbol, String> {
    let (symbol, price) = text.split_once('=').map_or((text, None), |(symbol, price)| (symbol, Some(price)));
    let wrong = || format!("`{text}` is not a symbol and a price, as in ETHUSDT or FOOUSDT=1.25");
    let price = price.map(|price| price.parse::<Decimal>().map_err(|_| wrong())).transpose()?;
    let legal = !symbol.is_empty() && symbol.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if legal { Ok(ChosenSymbol { symbol: symbol.to_owned(), price }) } else { Err(wrong()) }
}

/// An amount of an asset: `BTC=0.5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartBalance {
    /// The asset, upper case.
    pub asset: String,
    /// How much of it, not negative.
    pub amount: Decimal,
}

impl FromStr for StartBalance {
    type Err = String;

    fn from_str(text: &str) -> Result<StartBalance, String> {
        let wrong = || format!("`{text}` is not a balance: write an asset and an amount, as in BTC=0.5");
        let (asset, amount) = text.split_once('=').ok_or_else(wrong)?;
        let amount: Decimal = amount.parse().map_err(|_| wrong())?;
        let legal = !asset.is_empty() && asset.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if legal && amount >= Decimal::ZERO {
            Ok(StartBalance { asset: asset.to_owned(), amount })
        } else {
            Err(wrong())
        }
    }
}

/// How fast recorded or synthetic market frames are played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// This many times their own rhythm, above zero.
    Times(f64),
    /// As fast as the other side reads.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        match text.parse::<f64>() {
            Ok(times) if times.is_finite() && (0.001..=1_000_000.0).contains(&times) => Ok(Speed::Times(times)),
            _ => Err(format!("`{text}` is not a speed: a number from 0.001 to 1000000, or `max`")),
        }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Speed::Times(times) => write!(out, "{times}"),
            Speed::Max => out.write_str("max"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_takes_seconds_and_parts_of_them() {
        let spans = [("30", 30_000), ("1.5", 1_500), ("0.1", 100), ("86400", 86_400_000)];
        for (text, millis) in spans {
            assert_eq!(span(text, 86_400), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "0", "0.09", "86400.1", "-1", "+1", "1e3", "inf", "nan", "1,5", "1s", "."] {
            assert!(span(bad, 86_400).is_err_and(|why| why.contains(&format!("`{bad}`"))), "{bad}");
        }
    }

    #[test]
    fn a_balance_is_an_asset_and_an_amount() {
        assert_eq!("BTC=0.5".parse(), Ok(StartBalance { asset: "BTC".to_owned(), amount: Decimal::new(5, 1) }));
        for bad in ["BTC", "BTC=", "=1", "btc=1", "BTC=-1", "BTC=x"] {
            assert!(bad.parse::<StartBalance>().is_err(), "{bad}");
        }
    }

    #[test]
    fn speed_is_a_positive_factor_or_max() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
        for bad in ["0", "-1", "nan", "inf", "fast", ""] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }
}
