//! COLD: outages of the venue's side and how they are lived through: bans, announced shutdowns, a budget of connections.

use spinbook_engine::types::{InstrumentId, Nanos};
use spinbook_feed::backtest::{BacktestLink, LinkFault, LinkTrouble};
use spinbook_feed::sim::fault_plan::{FaultPlan, PlannedShutdown, RandomFrames};
use spinbook_feed::venue::{ProductLine, binance};

use crate::world::World;

fn unhurried(product: ProductLine, plan: &FaultPlan) -> World {
    let mut world = World::unhurried(product, 11, plan, None);
    world.backtest.start();
    world
}

fn run_to(world: &mut World, seconds: i64) {
    let rest = Nanos::from_seconds(seconds) - world.since_start();
    world.backtest.run_for(rest);
}

/// Orders on the venue's book.
fn open(world: &World) -> usize {
    world.backtest.state().venues[0].exchange.open_order_count()
}

/// Whether it has orders on the book now or soon: its own budget of orders may be used up for a while.
fn quotes(world: &mut World) -> bool {
    (0..200).any(|_| {
        world.backtest.run_for(Nanos::from_millis(100));
        open(world) > 0
    })
}

/// How our side of it stands, for whoever reads a failure.
fn standing(world: &World) -> String {
    let venue = &world.backtest.state().venues[0];
    let (gateway, session) = (&venue.gateway, &venue.session);
    let (halted, ready, live) = (gateway.halt_message(), gateway.is_ready(), session.is_live(InstrumentId(0)));
    let (refusal, unknown) = (gateway.last_refusal(), gateway.unknown_orders());
    let (counters, closed) = (session.counters(), venue.exchange.status().closed);
    let seconds = world.since_start().millis() / 1_000;
    let orders: Vec<_> = gateway.orders().active().map(|order| (order.phase, order.missing_since)).collect();
    let engine = &world.backtest.state().engine;
    let (state, cause) = (engine.instrument_state(InstrumentId(0)), engine.stop_cause(InstrumentId(0)));
    let (targets, unquoted) = (engine.targets(InstrumentId(0)), engine.unquoted(InstrumentId(0)));
    format!(
        "{state:?} {cause:?} {targets:?} {unquoted:?}, {orders:?}, after {seconds} s: live {live}, ready {ready}, halted {halted:?}, refused {refusal:?}, {unknown} unknown, \
         {closed} closed by the venue, {counters:?}"
    )
}

fn is_live(world: &World) -> bool {
    world.backtest.state().venues[0].session.is_live(InstrumentId(0))
}

#[test]
fn an_address_whose_venue_is_away_for_twenty_minutes_keeps_to_the_connections_it_may_attempt() {
    for product in binance::PRODUCT_LINES {
        let mut world = unhurried(product, &FaultPlan::default());
        let (from, back) = (Nanos::from_seconds(20), Nanos::from_seconds(1_220));
        for link in BacktestLink::ALL {
            // Without a book it has no order open when the others fail.
            let early = matches!(link, BacktestLink::Market | BacktestLink::Snapshots);
            let from = if early { from - Nanos::from_seconds(2) } else { from };
            world.add_fault(LinkFault { venue: 0, link, trouble: LinkTrouble::Down, from, until: back });
        }
        let mut attempts = Vec::new();
        for second in (30..=1_220).step_by(10) {
            run_to(&mut world, second);
            let counters = world.backtest.connects(0);
            attempts.push(counters.market + counters.orders);
        }
        let most = attempts.windows(31).map(|window| window[30] - window[0]).max().unwrap();
        println!("{}: {most} attempts in five minutes at the most", product.name());
        assert!((100..=270).contains(&most), "{most} attempts in five minutes");
        run_to(&mut world, 1_230);
        assert!(is_live(&world), "the book is live in 10 s: {}", standing(&world));
        run_to(&mut world, 1_280);
        assert!(open(&world) > 0, "it quotes in 60 s: {}", standing(&world));
        let outcome = world.finish();
        assert_eq!(outcome.wrong(), Vec::<String>::new());
    }
}

#[test]
fn a_book_that_is_lost_again_and_again_asks_for_few_snapshots_and_is_live_soon_after() {
    for product in binance::PRODUCT_LINES {
        for drop_millionths in [50_000, 300_000] {
            let random = RandomFrames { drop_millionths, until_ms: Some(180_000), ..RandomFrames::default() };
            let plan = FaultPlan { seed: 3, random_frames: Some(random), ..FaultPlan::default() };
            let mut world = unhurried(product, &plan);
            run_to(&mut world, 180);
            let asked = world.backtest.state().venues[0].session.counters().snapshots_asked;
            println!("{}: {drop_millionths} lost of a million: {asked} snapshots in 3 minutes", product.name());
            assert!((3..=33).contains(&asked), "{asked} snapshots in 3 minutes of {drop_millionths}");
            run_to(&mut world, 190);
            assert!(is_live(&world), "{}, {drop_millionths}", product.name());
        }
    }
}

#[test]
fn a_ban_is_sat_out_in_silence_and_the_next_one_is_twice_as_long() {
    for product in binance::PRODUCT_LINES {
        let plan = FaultPlan { bans_after_ms: vec![20_000, 200_000], ..FaultPlan::default() };
        let mut world = unhurried(product, &plan);
        let refused = |world: &World| world.backtest.state().venues[0].exchange.status().ban_refusals;
        for (begins, ends) in [(20, 140), (200, 440)] {
            run_to(&mut world, begins - 1);
            assert!(open(&world) > 0, "{}: it quotes before the ban of {begins} s", product.name());
            let before = refused(&world);
            run_to(&mut world, ends);
            let asked = refused(&world) - before;
            println!("{}: {asked} requests during the ban from {begins} s on", product.name());
            assert!((1..=12).contains(&asked), "{}: {asked} requests in spite of a ban", product.name());
            // One that has used up its own budget of orders quotes nothing for some seconds: 60 s are allowed in all.
            run_to(&mut world, ends + 40);
            assert!(
                quotes(&mut world),
                "{}: no quote after the ban of {begins} s: {}",
                product.name(),
                standing(&world)
            );
            assert!(is_live(&world));
        }
    }
}

#[test]
fn no_connection_is_left_for_the_venue_to_close_when_it_announces_a_shutdown() {
    for product in binance::PRODUCT_LINES {
        let shutdown = PlannedShutdown { after_ms: 30_000, notice_ms: 45_000 };
        let plan = FaultPlan { shutdowns: vec![shutdown], ..FaultPlan::default() };
        let mut world = unhurried(product, &plan);
        run_to(&mut world, 29);
        assert!(open(&world) > 0);
        run_to(&mut world, 40);
        assert!(
            quotes(&mut world) && is_live(&world),
            "{}: it quotes over new connections: {}",
            product.name(),
            standing(&world)
        );
        run_to(&mut world, 80);
        let closed = world.backtest.state().venues[0].exchange.status().closed;
        assert_eq!(closed, 0, "{}: connections that the venue had to close", product.name());
        let gaps = world.backtest.state().venues[0].session.counters().gaps;
        assert_eq!(gaps, 0, "{}: the book went on without a gap", product.name());
        let outcome = world.finish();
        assert_eq!(outcome.wrong(), Vec::<String>::new());
    }
}
