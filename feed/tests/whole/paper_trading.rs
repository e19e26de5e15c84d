//! COLD: paper trading against trading on the venue itself: with the same latency the same orders fill at the same moments.

use spinbook_engine::types::Nanos;
use spinbook_feed::venue::{ProductLine, binance};

use crate::judge::HeardFill;
use crate::world::World;

/// One way over the network.
const NETWORK: Nanos = Nanos(800_000);
/// Both ways.
const ROUND_TRIP: Nanos = Nanos(1_600_000);

fn fills(product: ProductLine, seed: u64, paper: Option<Nanos>) -> Vec<HeardFill> {
    let mut world = World::steady(product, seed, NETWORK, paper);
    world.backtest.start();
    world.backtest.run_for(Nanos::from_seconds(12));
    world.backtest.observer().heard.clone()
}

#[test]
fn paper_fills_the_same_orders_at_the_same_moments_as_the_venue_over_twenty_seeds() {
    let mut count = 0;
    for seed in 1..=20 {
        let product = [binance::SPOT, binance::USDM][seed as usize % 2];
        let (live, paper) = (fills(product, seed, None), fills(product, seed, Some(ROUND_TRIP)));
        println!("{} seed {seed}: {} fills", product.name(), live.len());
        assert_eq!(live, paper, "{} seed {seed}", product.name());
        count += live.len();
    }
    assert!(count >= 60, "twenty seeds with {count} fills prove little");
}

#[test]
fn a_longer_way_to_the_venue_fills_other_orders() {
    let other = (1..=6).filter(|seed| {
        let slow = fills(binance::USDM, *seed, Some(Nanos::from_millis(60)));
        fills(binance::USDM, *seed, Some(ROUND_TRIP)) != slow
    });
    assert!(other.count() >= 4, "the latency of paper trading matters");
}
