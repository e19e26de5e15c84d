//! COLD: the reference strategy, formula by formula.

use crate::common::{Random, seed_from};
use crate::rig::{self, FIRST, Plan, Rig, level};
use spinbook_engine::event::{LostReason, MarketKind, MarketReply};
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::setup::{SetupError, spread_strategy};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Lots, QuoteAtoms, Side, Tick};

fn quoted(plan: Plan, bid: i64, ask: i64) -> Rig<Spread> {
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(bid, ask), MarketReply::Ok);
    rig
}

fn both(rig: &Rig<Spread>) -> (Vec<i64>, Vec<i64>) {
    (rig.ticks(Side::Bid), rig.ticks(Side::Ask))
}

#[test]
fn quotes_lie_half_the_spread_from_the_mid() {
    // Mid 100,000; 10 bp of spread: 50 ticks to each side.
    assert_eq!(both(&quoted(Plan::new(), 99_999, 100_001)), (vec![99_950], vec![100_050]));
}

#[test]
fn prices_round_away_from_the_mid() {
    // Mid 100,000.5: 50.00025 ticks to each side give 99,950.49975 and 100,050.50025.
    assert_eq!(both(&quoted(Plan::new(), 100_000, 100_001)), (vec![99_950], vec![100_051]));
    // An order step of 20 ticks, the book itself off the step: 99,950 and 100,050 go outward.
    let coarse = Plan::new().instrument(|instrument| instrument.tick_order_step = Tick(20));
    assert_eq!(both(&quoted(coarse, 99_999, 100_001)), (vec![99_940], vec![100_060]));
}

#[test]
fn an_imbalance_beyond_the_threshold_widens_and_one_at_it_does_not() {
    let plan = Plan::new().spread(|spread| spread.imbalance_levels = 10);
    let mut rig = plan.build().ready();
    // (650 - 350) / 1000 is the threshold itself.
    assert_eq!(rig.snapshot(&[level(99_999, 650)], &[level(100_001, 350)]), MarketReply::Ok);
    assert_eq!(both(&rig), (vec![99_950], vec![100_050]));
    assert_eq!(rig.snapshot(&[level(99_999, 651)], &[level(100_001, 349)]), MarketReply::Ok);
    assert_eq!(both(&rig), (vec![99_925], vec![100_075]));
    // Either direction, and depth beyond the top levels does not count.
    assert_eq!(rig.snapshot(&[level(99_999, 349)], &[level(100_001, 651)]), MarketReply::Ok);
    assert_eq!(both(&rig), (vec![99_925], vec![100_075]));
    let near: Vec<_> = (0..10).map(|step| level(99_999 - step, 100)).collect();
    let far: Vec<_> = (0..12).map(|step| level(100_001 + step, if step < 10 { 100 } else { 9_000 })).collect();
    assert_eq!(rig.snapshot(&near, &far), MarketReply::Ok);
    assert_eq!(both(&rig), (vec![99_950], vec![100_050]));
}

#[test]
fn our_own_resting_quantity_can_be_left_out_of_the_imbalance() {
    for (net, bid) in [(false, 99_925), (true, 99_950)] {
        let plan = Plan::new().spread(|spread| {
            spread.imbalance_levels = 10;
            spread.imbalance_net_of_own = net;
            spread.order_lots = Lots(1_000);
        });
        let mut rig = quoted(plan, 99_999, 100_001);
        assert_eq!(rig.accept_all().len(), 2);
        // The venue's depth shows our bid of 1,000 but not (yet) our ask.
        assert_eq!(rig.delta(&[level(99_950, 1_000)], &[]), MarketReply::Ok);
        assert_eq!(rig.ticks(Side::Bid), [bid], "net of own: {net}");
    }
}

#[test]
fn inventory_shifts_both_sides_against_itself() {
    let skewed = |held| {
        quoted(Plan::new().spread(|spread| spread.inventory_skew_millionths = 300).holding(held), 99_999, 100_001)
    };
    // Half a position: 15 ticks of 30; a full one: 30 (bids then stop: no room).
    assert_eq!(both(&skewed(5_000)), (vec![99_935], vec![100_035]));
    assert_eq!(both(&skewed(-5_000)), (vec![99_965], vec![100_065]));
    assert_eq!(both(&skewed(10_000)), (vec![], vec![100_020]));
    assert_eq!(both(&skewed(-10_000)), (vec![99_980], vec![]));
}

#[test]
fn no_quote_lies_below_the_smallest_edge_after_fees() {
    // 2 bp of fee and 5 bp of edge: 70 ticks, though the spread asks for 50.
    let plan = Plan::new()
        .instrument(|instrument| instrument.maker_fee_millionths = 200)
        .quoter(|quoter| quoter.refresh_tolerance_millionths = 0);
    let edged = plan.clone().spread(|spread| spread.edge_min_millionths = 500);
    assert_eq!(both(&quoted(edged, 99_999, 100_001)), (vec![99_930], vec![100_070]));
    // A spread that is just wide enough is kept as it is.
    let wide = plan.clone().spread(|spread| spread.spread_millionths = 400);
    assert_eq!(both(&quoted(wide, 99_999, 100_001)), (vec![99_980], vec![100_020]));
    // A skew that would put the ask 10 ticks from the mid is stopped at the fee.
    let skewed = plan.clone().spread(|spread| spread.inventory_skew_millionths = 400).holding(10_000);
    assert_eq!(quoted(skewed, 99_999, 100_001).ticks(Side::Ask), [100_020]);
    // A taker pays the taker's fee.
    let taker = plan.instrument(|instrument| instrument.taker_fee_millionths = 900);
    let taker = taker.spread(|spread| spread.time_in_force = TimeInForce::ImmediateOrCancel);
    assert_eq!(both(&quoted(taker, 99_999, 100_001)), (vec![99_910], vec![100_090]));
}

#[test]
fn a_quote_held_off_by_its_edge_bears_the_tolerance_without_falling_below_it() {
    // 1 bp of tolerance: 80 ticks away, kept until the mid is within 70 of it.
    let plan = Plan::new().spread(|spread| spread.edge_min_millionths = 700);
    let mut rig = quoted(plan, 99_999, 100_001);
    assert_eq!(both(&rig), (vec![99_920], vec![100_080]));
    assert_eq!(rig.accept_all().len(), 2);
    for mid in [99_999, 99_995, 99_991, 100_009] {
        assert_eq!(rig.best(mid - 1, mid + 1), MarketReply::Ok);
        assert!(rig.cancelled().is_empty(), "mid {mid}");
    }
    assert_eq!(rig.best(99_989, 99_990), MarketReply::Ok);
    let cancels = rig.cancelled();
    assert_eq!(
        (cancels.len(), cancels[0].tick),
        (1, Tick(99_920)),
        "the bid is less than 70 ticks from the mid of 99,989.5"
    );
}

#[test]
fn post_only_quotes_stay_away_from_the_opposite_best() {
    // A wide book whose mid is far from both: a skewed bid would lie at 100,100 without the ask at 100,050.
    let plan = Plan::new().spread(|spread| {
        spread.inventory_skew_millionths = 1_500;
        spread.edge_min_millionths = -1_000_000;
    });
    let rig = quoted(plan.clone().holding(-10_000), 99_950, 100_050);
    assert_eq!(rig.ticks(Side::Bid), [100_049]);
    let rig = quoted(plan.clone().holding(10_000), 99_950, 100_050);
    assert_eq!(rig.ticks(Side::Ask), [99_951]);
    // Off the order step the next legal price outward counts.
    let coarse = plan.instrument(|instrument| instrument.tick_order_step = Tick(20));
    assert_eq!(quoted(coarse.clone().holding(-10_000), 99_950, 100_050).ticks(Side::Bid), [100_040]);
    assert_eq!(quoted(coarse.holding(10_000), 99_950, 100_050).ticks(Side::Ask), [99_960]);
}

#[test]
fn levels_step_outward_and_share_the_room_to_the_position_limit() {
    let plan = Plan::new().spread(|spread| {
        spread.levels = 3;
        spread.level_step_millionths = 100;
    });
    assert_eq!(
        both(&quoted(plan.clone(), 99_999, 100_001)),
        (vec![99_950, 99_940, 99_930], vec![100_050, 100_060, 100_070])
    );
    // 150 lots of room: one whole level, half of the next, nothing for the third.
    let rig = quoted(plan.clone().holding(9_850), 99_999, 100_001);
    let sizes: Vec<_> = rig.quotes(Side::Bid).iter().map(|quote| quote.lots.0).collect();
    assert_eq!(sizes, [100, 50]);
    assert_eq!(rig.quotes(Side::Ask).len(), 3);
    // Without a step each level is still one tick beyond the one before.
    let dense = plan.spread(|spread| spread.level_step_millionths = 0);
    assert_eq!(quoted(dense, 99_999, 100_001).ticks(Side::Bid), [99_950, 99_949, 99_948]);
}

#[test]
fn what_the_venue_would_refuse_is_not_quoted() {
    let odd = Plan::new().spread(|spread| spread.order_lots = Lots(109));
    assert_eq!(quoted(odd, 99_999, 100_001).quotes(Side::Bid)[0].lots, Lots(100));
    let small = Plan::new().instrument(|instrument| instrument.lots_order_min = Lots(200));
    assert!(both(&quoted(small, 99_999, 100_001)).0.is_empty());
    let cheap = Plan::new().instrument(|instrument| instrument.notional_min = QuoteAtoms(100_000 * 100 * 1_000));
    let rig = quoted(cheap, 99_999, 100_001);
    assert_eq!(both(&rig), (vec![], vec![100_050]), "the bid's notional is below the smallest, the ask's is not");
}

#[test]
fn no_quotes_without_a_book_that_can_be_trusted() {
    let fresh = || {
        let mut rig = quoted(Plan::new(), 99_999, 100_001);
        assert_eq!(rig.accept_all().len(), 2);
        rig
    };
    let gone = |mut rig: Rig<Spread>, what: &str| {
        assert_eq!(both(&rig), (vec![], vec![]), "{what}");
        assert_eq!(rig.cancelled().len(), 2, "{what}: both quotes are pulled in the same call");
        assert!(rig.places().is_empty());
    };
    let mut rig = fresh();
    assert_eq!(rig.snapshot(&[level(99_999, 1)], &[]), MarketReply::Ok);
    gone(rig, "one-sided");
    let mut rig = fresh();
    assert_eq!(rig.snapshot(&[], &[]), MarketReply::Ok);
    gone(rig, "empty");
    let mut rig = fresh();
    assert_eq!(rig.delta(&[level(100_001, 5)], &[]), MarketReply::Ok);
    gone(rig, "locked");
    let mut rig = fresh();
    assert_eq!(rig.delta(&[level(100_002, 5)], &[]), MarketReply::Resync(LostReason::Crossed));
    gone(rig, "crossed");
    let mut rig = fresh();
    rig.lose(LostReason::Gap);
    gone(rig, "lost");
    let mut rig = fresh();
    rig.wait(rig::ms(2_001));
    gone(rig, "stale");
    let mut rig = fresh();
    rig.sequence += 10;
    assert_eq!(rig.market(FIRST, MarketKind::Touch, &[level(100_001, 1)], &[level(100_001, 1)]), MarketReply::Ok);
    gone(rig, "locked by the newer best bid/ask");
}

#[test]
fn the_newer_of_book_and_touch_makes_the_mid() {
    let mut rig = quoted(Plan::new(), 99_999, 100_001);
    assert_eq!(rig.market(FIRST, MarketKind::Touch, &[level(100_099, 1)], &[level(100_101, 1)]), MarketReply::Ok);
    // The mid is 100,100, but the bid stays below the ask that the book still shows.
    assert_eq!(both(&rig), (vec![100_000], vec![100_151]));
    rig.sequence = 50;
    let mut rig = quoted(Plan::new(), 99_999, 100_001);
    rig.sequence = 50;
    assert_eq!(rig.market(FIRST, MarketKind::Touch, &[level(90_000, 1)], &[level(90_001, 1)]), MarketReply::Ok);
    assert_eq!(both(&rig), (vec![99_950], vec![100_050]), "an older touch changes nothing");
}

#[test]
fn random_markets_never_break_a_promise() {
    let seed = seed_from("SPREAD_SEED");
    println!("SPREAD_SEED={seed}");
    let mut random = Random::new(seed);
    for round in 0..400 {
        let spread = 1 + random.below(20_000) as i64;
        let fee = random.signed(1_500);
        let edge = random.signed(1_500);
        let step = 1 + random.below(40) as i64;
        let held = random.signed(11_000);
        let plan = Plan::new()
            .spread(|settings| {
                settings.spread_millionths = spread;
                settings.levels = 1 + random.below(8) as usize;
                settings.level_step_millionths = random.below(1_000) as i64;
                settings.inventory_skew_millionths = random.below(20_000) as i64;
                settings.edge_min_millionths = edge;
                settings.imbalance_levels = random.below(11) as usize;
            })
            .instrument(|instrument| {
                instrument.maker_fee_millionths = fee;
                instrument.tick_order_step = Tick(step);
            })
            .holding(held);
        let mut rig = plan.build().ready();
        let bid = 1 + random.below(10_000_000) as i64;
        let ask = bid + 1 + random.below(1 + bid as u64 / 500) as i64;
        let sizes = (1 + random.below(1_000) as i64, 1 + random.below(1_000) as i64);
        assert_eq!(rig.snapshot(&[level(bid, sizes.0)], &[level(ask, sizes.1)]), MarketReply::Ok);
        let mid_doubled = i128::from(bid + ask);
        let least = i128::from(edge + fee);
        for side in Side::BOTH {
            let quotes = rig.quotes(side);
            let total: i64 = quotes.iter().map(|quote| quote.lots.0).sum();
            assert!(quotes.is_empty() || held * side.sign() + total <= 10_000, "round {round}: position limit");
            for (index, quote) in quotes.iter().enumerate() {
                let tick = quote.tick.0;
                assert_eq!(tick % step, 0, "round {round}: order step");
                assert!(if side == Side::Bid { tick < ask } else { tick > bid }, "round {round}: crosses");
                let distance = (mid_doubled - 2 * i128::from(tick)) * i128::from(side.sign());
                assert!(distance * 1_000_000 >= least * mid_doubled, "round {round}: edge of {side:?} {tick}");
                if let Some(next) = quotes.get(index + 1) {
                    assert!((tick - next.tick.0) * side.sign() >= step, "round {round}: levels step outward");
                }
            }
        }
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let refused = |change: fn(&mut spinbook_engine::setup::SpreadSettings)| {
        let mut settings = rig::spread();
        change(&mut settings);
        spread_strategy(vec![rig::spread(), settings]).map(|_| ())
    };
    let named = |setting| Err(SetupError::Strategy { instrument: 1, setting });
    assert_eq!(refused(|_| ()), Ok(()));
    assert_eq!(refused(|settings| settings.spread_millionths = 0), named("spread"));
    assert_eq!(refused(|settings| settings.levels = 9), named("levels"));
    assert_eq!(refused(|settings| settings.levels = 0), named("levels"));
    assert_eq!(refused(|settings| settings.order_lots = Lots(0)), named("order_size"));
    assert_eq!(refused(|settings| settings.imbalance_widening_millionths = 999_999), named("imbalance_widening"));
    assert_eq!(refused(|settings| settings.imbalance_threshold_millionths = 1_000_001), named("imbalance_threshold"));
}
