//! COLD: the second reference of the price collar, from the configuration's word to an instrument and its ticks.

use spinbook_engine::risk::{Reference, ReferenceSource};
use spinbook_engine::types::Nanos;
use spinbook_feed::venue::instrument::Instrument;

use crate::config::forms::LAST_TRADE;
use crate::config::tables::MarketConfig;
use crate::error::Failure;

/// What an instrument's prices are held against beside its own book; `markets` are all of the run.
///
/// # Errors
/// The named venue has no instrument of the same assets in this run, or its ticks are not comparable.
pub(super) fn reference(
    config: &MarketConfig,
    instrument: &Instrument,
    markets: &[(&MarketConfig, &[Instrument])],
) -> Result<Reference, Failure> {
    let age_max = Nanos::from_millis(i64::from(config.reference_age_max_ms));
    let source = match config.reference.as_deref() {
        None => ReferenceSource::None,
        Some(LAST_TRADE) => ReferenceSource::LastTrade,
        Some(venue) => mid_of(venue, instrument, markets)?,
    };
    Ok(Reference { source, age_max })
}

fn mid_of(
    venue: &str,
    instrument: &Instrument,
    markets: &[(&MarketConfig, &[Instrument])],
) -> Result<ReferenceSource, Failure> {
    let refused = |why: String| {
        Failure::usage(format!("{} has no second reference", instrument.symbol))
            .at("market.reference")
            .because(why)
            .next("name the same assets in the [[market]] of that venue, or set market.reference = \"trade\"")
    };
    let (base, quote) = (instrument.base_asset, instrument.quote_asset);
    let listed = markets.iter().filter(|(config, _)| config.venue.name() == venue).flat_map(|(_, listed)| *listed);
    let other = listed.into_iter().find(|other| other.base_asset == base && other.quote_asset == quote);
    let other = other.ok_or_else(|| refused(format!("{venue} has no symbol of {base} and {quote} in this run")))?;
    let (theirs, ours) = (other.price.unit_atoms(), instrument.price.unit_atoms());
    let common = greatest_common_divisor(theirs, ours);
    let ticks = (u32::try_from(theirs / common), u32::try_from(ours / common));
    let (Ok(theirs), Ok(ours)) = ticks else {
        return Err(refused(format!("its price steps and those of {} there are too unlike", other.symbol)));
    };
    Ok(ReferenceSource::Mid { instrument: other.id, ticks: (theirs, ours) })
}

fn greatest_common_divisor(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one.max(1)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use spinbook_engine::types::InstrumentId;
    use spinbook_feed::testkit::instrument;
    use spinbook_feed::venue::binance::{SPOT, USDM};

    use super::*;
    use crate::config::Config;
    use crate::config::sample::ConfigText;

    #[test]
    fn a_reference_is_the_last_trade_or_the_same_assets_elsewhere_in_their_own_ticks() {
        let text = ConfigText::sample().commented();
        let sample = Config::from_text(&text, "t.toml", Path::new(""), &[], &[]).expect("the sample is valid");
        let market = |venue, reference: Option<&str>| MarketConfig {
            venue,
            reference: reference.map(str::to_owned),
            reference_age_max_ms: 700,
            ..sample.markets[0].clone()
        };
        let perpetual = instrument(USDM, 0, "BTCUSDT", "0.10", "0.001");
        let spot =
            [instrument(SPOT, 1, "ETHUSDT", "0.01", "0.0001"), instrument(SPOT, 2, "BTCUSDT", "0.01", "0.00001")];
        let spot_config = market(SPOT, None);
        let source = |reference: Option<&str>, spot: &[Instrument]| {
            let config = market(USDM, reference);
            let (own, spot_config) = ([perpetual], &spot_config);
            let found = super::reference(&config, &perpetual, &[(&config, &own), (spot_config, spot)])?;
            assert_eq!(found.age_max, Nanos::from_millis(700));
            Ok::<_, Failure>(found.source)
        };
        assert_eq!(source(None, &spot), Ok(ReferenceSource::None));
        assert_eq!(source(Some("trade"), &spot), Ok(ReferenceSource::LastTrade));
        let expected = ReferenceSource::Mid { instrument: InstrumentId(2), ticks: (1, 10) };
        assert_eq!(source(Some("binance-spot"), &spot), Ok(expected));
        let refused = source(Some("binance-spot"), &spot[..1]).expect_err("no such symbol there");
        assert!(refused.to_string().contains("binance-spot has no symbol of BTC and USDT"), "{refused}");
    }
}
