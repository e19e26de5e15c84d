//! COLD: the venues that users may name, and which of them are built.

use super::read::nearest;
use crate::error::Failure;

/// The venues that users may name, and whether they are built.
const VENUES: [(&str, bool); 10] = [
    ("binance-spot", true),
    ("binance-usdm", true),
    ("okx", false),
    ("bybit-spot", false),
    ("bybit-linear", false),
    ("htx", false),
    ("htx-swap", false),
    ("htx-coin-swap", false),
    ("relay", false),
    ("all", false),
];

/// Checks that `name` is a venue that is built.
///
/// # Errors
/// Wrong usage, with the nearest name, or "reserved" for one that is not built.
pub fn check_venue(name: &str) -> Result<(), Failure> {
    let built = VENUES.iter().filter(|(_, built)| *built).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    match VENUES.iter().find(|(known, _)| *known == name) {
        Some((_, true)) => Ok(()),
        Some((_, false)) => Err(Failure::usage(format!("venue `{name}` is reserved, not built yet"))
            .at("--venue")
            .next(format!("use one of {built}"))),
        None => {
            let nearest = nearest(name, VENUES.iter().map(|(known, _)| *known));
            let hint = nearest.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            Err(Failure::usage(format!("unknown venue `{name}`"))
                .at("--venue")
                .next(format!("{hint}use one of {built}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Exit;

    #[test]
    fn venues_are_checked_by_name() {
        assert!(check_venue("binance-spot").is_ok());
        let unknown = check_venue("binance-sopt").expect_err("no such venue");
        assert_eq!(unknown.exit, Exit::Usage);
        assert!(unknown.to_string().contains("binance-spot"), "{unknown}");
        let known = check_venue("okx").expect_err("not built");
        assert!(known.to_string().contains("reserved, not built yet"), "{known}");
    }
}
