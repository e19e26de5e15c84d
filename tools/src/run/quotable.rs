//! COLD: whether a configuration can ever quote on a venue's rules, and what of it is widened: looked at before the start.

use rust_decimal::Decimal;
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::setup::{BudgetSettings, InstrumentSetup, SpreadSettings};
use spinbook_engine::types::{Lots, Tick};
use spinbook_feed::venue::instrument::Instrument;

use crate::error::Failure;

/// One instrument with what it is to be quoted by.
pub struct Quotable<'a> {
    /// The venue's rules.
    pub instrument: &'a Instrument,
    /// How it is named.
    pub label: String,
    /// Limits and fees.
    pub setup: &'a InstrumentSetup,
    /// Its venue's limits of requests.
    pub budget: &'a BudgetSettings,
    /// The best bid and ask of a moment ago; none if the venue did not say.
    pub best: Option<(Decimal, Decimal)>,
}

/// Millionths as basis points.
fn bps(millionths: i64) -> Decimal {
    (Decimal::from(millionths) / Decimal::ONE_HUNDRED).normalize()
}

/// A spread that the fee and the least edge widen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widened {
    label: String,
    spread_bps: Decimal,
    edge_min_bps: Decimal,
    fee_bps: Decimal,
    held_off_bps: Decimal,
}

impl Widened {
    /// For who wrote the configuration: what becomes of it.
    #[must_use]
    pub fn warning(&self) -> String {
        let Widened { label, spread_bps, edge_min_bps, fee_bps, held_off_bps } = self;
        let wide = (held_off_bps * Decimal::TWO).normalize();
        format!(
            "{label}: strategy.spread_bps = {spread_bps} is widened to {wide}: strategy.edge_min_bps = {edge_min_bps} after \
             a fee of {fee_bps} bps keeps quotes {held_off_bps} bps from the mid"
        )
    }

    /// For who did not: where the quotes are, and why.
    #[must_use]
    pub fn note(&self) -> String {
        let Widened { label, edge_min_bps, fee_bps, held_off_bps, .. } = self;
        format!(
            "{label}: quotes stay {held_off_bps} bps from the mid, so that a fill earns {edge_min_bps} bps beyond the \
             venue's fee of {fee_bps} bps"
        )
    }
}

/// Looks at the spread strategy on one instrument. What is returned is worth a word: a spread that fees widen.
///
/// # Errors
/// With these settings no order could ever leave: which key, and why.
pub fn check_spread(spread: &SpreadSettings, at: &Quotable<'_>) -> Result<Option<Widened>, Failure> {
    let (risk, label) = (&at.setup.risk, &at.label);
    let never = |key: &str, why: String, next: &str| {
        Err(Failure::usage(format!("{label} could never be quoted")).at(key).because(why).next(next.to_owned()))
    };
    let quantity = |lots: Lots| at.instrument.quantity.decimal(lots.0).normalize();
    if at.instrument.lots_order_max.0 > 0 && spread.order_lots > at.instrument.lots_order_max {
        let why = format!("the venue takes no order above {}", quantity(at.instrument.lots_order_max));
        return never("strategy.order_size_base", why, "lower it");
    }
    let kept_for_cancels = u64::from(at.budget.messages_max_per_second) * u64::from(at.budget.cancel_share_millionths);
    if u64::from(at.budget.messages_max_per_second) <= kept_for_cancels.div_ceil(1_000_000) {
        let why = format!(
            "of {} a second {} are kept for cancels, which leaves none for orders",
            at.budget.messages_max_per_second,
            kept_for_cancels.div_ceil(1_000_000)
        );
        return never("risk.messages_max_per_second", why, "raise it");
    }
    check_notional(spread, at, &never)?;
    check_distance(spread, at, risk.price_collar_millionths, &never)
}

type Never<'a> = &'a dyn Fn(&str, String, &str) -> Result<Option<Widened>, Failure>;

fn check_notional(spread: &SpreadSettings, at: &Quotable<'_>, never: Never<'_>) -> Result<(), Failure> {
    let Some((bid, ask)) = at.best else { return Ok(()) };
    let facts = &at.setup.instrument;
    let tick = |price: Decimal| at.instrument.price.units_from_decimal(price).map(Tick);
    let worth = |price: Decimal| tick(price).and_then(|tick| facts.notional(tick, spread.order_lots));
    let money = |atoms: i128| Decimal::try_from_i128_with_scale(atoms, 18).unwrap_or_default().normalize();
    let (Some(low), Some(high)) = (worth(bid), worth(ask)) else { return Ok(()) };
    let size = at.instrument.quantity.decimal(spread.order_lots.0).normalize();
    if high < facts.notional_min {
        let (worth, least) = (money(high.0), money(facts.notional_min.0));
        let why = format!("{size} at {ask} are worth {worth}, and the venue takes no order below {least}");
        never("strategy.order_size_base", why, "raise it")?;
    }
    if low > at.setup.risk.order_notional_max {
        let (worth, most) = (money(low.0), money(at.setup.risk.order_notional_max.0));
        let why = format!("{size} at {bid} are worth {worth}, above risk.order_notional_max_quote = {most}");
        never("risk.order_notional_max_quote", why, "raise it, or lower strategy.order_size_base")?;
    }
    Ok(())
}

fn check_distance(
    spread: &SpreadSettings,
    at: &Quotable<'_>,
    collar: i64,
    never: Never<'_>,
) -> Result<Option<Widened>, Failure> {
    let (maker, taker) = (at.setup.instrument.maker_fee_millionths, at.setup.instrument.taker_fee_millionths);
    let fee = if spread.time_in_force == TimeInForce::PostOnly { maker } else { taker };
    let least = spread.edge_min_millionths + fee;
    let half_doubled = spread.spread_millionths;
    if half_doubled >= 2 * least {
        return Ok(None);
    }
    let held_off = least + at.setup.quoter.refresh_tolerance_millionths;
    if held_off > collar {
        let why = format!(
            "strategy.edge_min_bps = {} after a fee of {} bps keeps quotes {} bps from the mid, beyond \
             risk.price_collar_bps = {}",
            bps(spread.edge_min_millionths),
            bps(fee),
            bps(held_off),
            bps(collar)
        );
        return never("strategy.edge_min_bps", why, "lower it, or raise risk.price_collar_bps");
    }
    Ok(Some(Widened {
        label: at.label.clone(),
        spread_bps: bps(spread.spread_millionths),
        edge_min_bps: bps(spread.edge_min_millionths),
        fee_bps: bps(fee),
        held_off_bps: bps(held_off),
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use spinbook_engine::types::{QUOTE_ATOMS_PER_UNIT, QuoteAtoms};
    use spinbook_feed::testkit::instrument;

    use super::*;
    use crate::config::Config;
    use crate::config::sample::ConfigText;
    use crate::config::strategies::StrategyConfig;
    use crate::run::engine_settings::engine_settings;
    use crate::run::strategy::spread_settings;

    /// The sample with these values, on an instrument of 0.1 and 0.001 whose price is 64,000.
    fn looked_at(set: &[&str], change: impl Fn(&mut Instrument)) -> Result<Option<Widened>, Failure> {
        let set: Vec<String> = ["market.0.maker_fee_bps=2"].iter().chain(set).map(|text| (*text).to_owned()).collect();
        let text = ConfigText::sample().commented();
        let config = Config::from_text(&text, "t.toml", Path::new(""), &[], &set).expect("the values are valid");
        let StrategyConfig::Spread(strategy) = &config.strategy;
        let market = &config.markets[0];
        let mut listed = instrument(market.venue, 0, "BTCUSDT", "0.1", "0.001");
        listed.lots_order_step = 1;
        change(&mut listed);
        let settings = engine_settings(&config, &[(market, &[listed], &[])], 1).expect("valued");
        let spread = spread_settings(strategy, &config.risk, &[listed], false).expect("expressed")[0];
        let best = Some((Decimal::from(64_000), Decimal::from(64_001)));
        let label = "BTCUSDT".to_owned();
        let at = Quotable {
            instrument: &listed,
            label,
            setup: &settings.instruments[0],
            budget: &settings.budgets[0],
            best,
        };
        check_spread(&spread, &at)
    }

    #[test]
    fn what_could_never_quote_is_refused_with_its_key_and_its_reason() {
        let plain = |_: &mut Instrument| {};
        assert_eq!(looked_at(&[], plain).expect("it can quote"), None);
        let cases = [
            ("risk.order_notional_max_quote=1", "risk.order_notional_max_quote", "are worth 64"),
            ("strategy.edge_min_bps=500", "strategy.edge_min_bps", "beyond risk.price_collar_bps = 50"),
            ("risk.messages_max_per_second=1", "risk.messages_max_per_second", "kept for cancels"),
        ];
        for (set, place, why) in cases {
            let refused = looked_at(&[set], plain).expect_err(set);
            assert_eq!(refused.place.as_deref(), Some(place));
            assert!(refused.why.as_ref().is_some_and(|text| text.contains(why)), "{refused}");
            assert!(refused.what.contains("BTCUSDT could never be quoted"), "{refused}");
        }
        let hundred = QuoteAtoms(100 * QUOTE_ATOMS_PER_UNIT);
        let refused = looked_at(&[], |listed| listed.notional_min = hundred).expect_err("64 of 100");
        assert!(refused.why.as_ref().is_some_and(|text| text.contains("below 100")), "{refused}");
        let small = |listed: &mut Instrument| listed.lots_order_max = Lots(1);
        let refused = looked_at(&["strategy.order_size_base=0.002"], small).expect_err("0.002 of 0.001");
        assert!(refused.why.as_ref().is_some_and(|text| text.contains("above 0.001")), "{refused}");
    }

    #[test]
    fn a_spread_that_fees_widen_is_said_with_both_widths() {
        let said = looked_at(&["strategy.spread_bps=2.5"], |_| {}).expect("it can quote");
        let widened = said.expect("worth a word");
        let (warning, note) = (widened.warning(), widened.note());
        assert!(warning.contains("strategy.spread_bps = 2.5 is widened to 6"), "{warning}");
        assert!(note.contains("bps beyond the venue's fee of 2 bps") && !note.contains("widened"), "{note}");
    }
}
