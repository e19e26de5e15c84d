//! COLD: the venues that users may name, and which of them are built.

use spinbook_feed::venue::{ProductLine, RESERVED_NAMES};

use super::read::nearest;
use crate::error::Failure;

/// The names of those that are built.
#[must_use]
pub fn built() -> Vec<&'static str> {
    ProductLine::all().map(ProductLine::name).collect()
}

/// The venue of this name, if it is built.
///
/// # Errors
/// Wrong usage, with the nearest name, or "reserved" for one that is not built.
pub fn check_venue(name: &str) -> Result<ProductLine, Failure> {
    if let Some(line) = ProductLine::from_name(name) {
        return Ok(line);
    }
    let built = built();
    let names = built.join(", ");
    if RESERVED_NAMES.contains(&name) {
        return Err(Failure::usage(format!("venue `{name}` is reserved, not built yet"))
            .at("--venue")
            .next(format!("use one of {names}")));
    }
    let nearest = nearest(name, built.into_iter().chain(RESERVED_NAMES));
    let hint = nearest.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Err(Failure::usage(format!("unknown venue `{name}`")).at("--venue").next(format!("{hint}use one of {names}")))
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
