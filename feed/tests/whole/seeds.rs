//! COLD: seeded simulation: two minutes of trading for each seed, with everything that can go wrong drawn from it.
//!
//! `SPINBOOK_SEED=17 cargo test -p spinbook-feed --test whole one_seed -- --nocapture` runs one seed again,
//! `SPINBOOK_SEEDS=50000` makes the long test longer, `SPINBOOK_SEEDS_FROM=2000` lets it begin behind those seeds.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use spinbook_engine::types::Nanos;
use spinbook_feed::backtest::{BacktestLink, Delay, LinkFault, LinkTrouble, Stall, StalledSide};
use spinbook_feed::random::Random;
use spinbook_feed::sim::fault_plan::{ClockStep, FaultPlan, RandomFrames, RandomRequests, RandomUserData};
use spinbook_feed::venue::{ProductLine, binance};

use crate::judge::Outcome;
use crate::oracle::Worst;
use crate::sabotage::Sabotage;
use crate::world::World;

/// Seeds of a run in CI.
const SEEDS: u64 = 2_000;
/// From here on nothing goes wrong any more.
const HEALED: Nanos = Nanos::from_seconds(60);
/// How long each seed trades; 9 s of stopping come on top.
const SPAN: Nanos = Nanos::from_seconds(120);

/// How often somebody looks whether our process has ended by itself, and how long it is away then.
const WATCHED_EVERY: Nanos = Nanos::from_seconds(2);
const STARTED_AGAIN_AFTER: Nanos = Nanos::from_seconds(1);

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mishap {
    MarketFrames,
    RepliesLost,
    RepliesTwice,
    RepliesLate,
    RequestsLost,
    RequestsLate,
    Busy,
    OutcomesHidden,
    UserDataTwice,
    UserDataLate,
    UserDataLost,
    MarketCut,
    OrdersCut,
    UserDataCut,
    MarketBlackHole,
    OrdersBlackHole,
    OrdersHalfOpen,
    AllSlow,
    HotStalls,
    IoStalls,
    ClockSteps,
    Crash,
    ExchangeRestart,
}

const MISHAPS: [Mishap; 23] = [
    Mishap::MarketFrames,
    Mishap::RepliesLost,
    Mishap::RepliesTwice,
    Mishap::RepliesLate,
    Mishap::RequestsLost,
    Mishap::RequestsLate,
    Mishap::Busy,
    Mishap::OutcomesHidden,
    Mishap::UserDataTwice,
    Mishap::UserDataLate,
    Mishap::UserDataLost,
    Mishap::MarketCut,
    Mishap::OrdersCut,
    Mishap::UserDataCut,
    Mishap::MarketBlackHole,
    Mishap::OrdersBlackHole,
    Mishap::OrdersHalfOpen,
    Mishap::AllSlow,
    Mishap::HotStalls,
    Mishap::IoStalls,
    Mishap::ClockSteps,
    Mishap::Crash,
    Mishap::ExchangeRestart,
];

/// Everything that goes wrong in one run.
#[derive(Clone, Debug, Default)]
struct Misfortune {
    mishaps: Vec<Mishap>,
    plan: FaultPlan,
    links: Vec<LinkFault>,
    stalls: Vec<Stall>,
    crash: Option<(Nanos, Nanos)>,
    exchange_restart: Option<(Nanos, Nanos)>,
}

fn seconds(random: &mut Random, low: i64, high: i64) -> Nanos {
    Nanos::from_millis(random.between(low * 1_000, high * 1_000))
}

impl Misfortune {
    fn of(seed: u64, allowed: &[Mishap]) -> Misfortune {
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let end = Some(u64::try_from(HEALED.millis()).unwrap());
        let plan = FaultPlan {
            seed,
            random_frames: Some(RandomFrames { until_ms: end, ..RandomFrames::default() }),
            random_requests: Some(RandomRequests { until_ms: end, delay_ms_max: 2_000, ..RandomRequests::default() }),
            random_user_data: Some(RandomUserData { until_ms: end, delay_ms_max: 1_500, ..RandomUserData::default() }),
            ..FaultPlan::default()
        };
        let mut misfortune = Misfortune { plan, ..Misfortune::default() };
        for mishap in MISHAPS {
            // Drawn whether allowed or not, so that a seed stays the same when the list of the allowed grows.
            let (happens, seed) = (random.chance(200_000), random.next_u64());
            if happens && allowed.contains(&mishap) {
                misfortune.add(mishap, &mut Random::new(seed));
            }
        }
        misfortune
    }

    fn add(&mut self, mishap: Mishap, random: &mut Random) {
        self.mishaps.push(mishap);
        let share = |random: &mut Random, max: i64| u32::try_from(random.between(0, max * 10_000)).unwrap();
        let requests = self.plan.random_requests.as_mut().unwrap();
        let user_data = self.plan.random_user_data.as_mut().unwrap();
        match mishap {
            Mishap::MarketFrames => {
                let frames = self.plan.random_frames.as_mut().unwrap();
                // Most of the time a little, so that a book lives long enough to be traded on.
                let scale = if random.chance(800_000) { 1 } else { 30 };
                frames.drop_millionths = share(random, scale);
                frames.duplicate_millionths = share(random, 50);
                frames.swap_millionths = share(random, scale);
            }
            Mishap::RepliesLost => requests.lose_reply_millionths = share(random, 30),
            Mishap::RepliesTwice => requests.duplicate_reply_millionths = share(random, 50),
            Mishap::RepliesLate => requests.delay_reply_millionths = share(random, 30),
            Mishap::RequestsLost => requests.lose_request_millionths = share(random, 30),
            Mishap::RequestsLate => requests.delay_request_millionths = share(random, 20),
            Mishap::Busy => requests.busy_millionths = share(random, 20),
            Mishap::OutcomesHidden => requests.unknown_millionths = share(random, 20),
            Mishap::UserDataTwice => user_data.duplicate_millionths = share(random, 50),
            Mishap::UserDataLate => user_data.delay_millionths = share(random, 30),
            Mishap::UserDataLost => user_data.drop_millionths = share(random, 30),
            Mishap::MarketCut => {
                self.cuts(&[BacktestLink::Market, BacktestLink::Snapshots], LinkTrouble::Down, 4, random)
            }
            Mishap::OrdersCut => self.cuts(&[BacktestLink::Orders], LinkTrouble::Down, 4, random),
            Mishap::UserDataCut => self.cuts(&[BacktestLink::UserData], LinkTrouble::Down, 4, random),
            Mishap::MarketBlackHole => self.cuts(&[BacktestLink::Market], LinkTrouble::BlackHole, 15, random),
            Mishap::OrdersBlackHole => self.cuts(&[BacktestLink::Orders], LinkTrouble::BlackHole, 15, random),
            Mishap::OrdersHalfOpen => self.cuts(&[BacktestLink::Orders], LinkTrouble::HalfOpen, 15, random),
            Mishap::AllSlow => {
                let longest = Nanos::from_millis(random.between(20, 400));
                let slow = LinkTrouble::Slow(Delay { shortest: Nanos(longest.0 / 4), longest });
                self.cuts(&BacktestLink::ALL, slow, 20, random);
            }
            Mishap::HotStalls => self.stalls(StalledSide::Hot, random),
            Mishap::IoStalls => self.stalls(StalledSide::Io, random),
            Mishap::ClockSteps => {
                let after_ms = u64::try_from(random.between(5_000, 40_000)).unwrap();
                let (ahead_ms, drift_millionths) = (random.between(-400, 400), random.between(-5_000, 5_000));
                self.plan.clock_steps.push(ClockStep { after_ms, ahead_ms, drift_millionths });
                self.plan.clock_steps.push(ClockStep { after_ms: 60_000, ..ClockStep::default() });
            }
            // No longer than the guard needs, a process of its own that is not in this world.
            Mishap::Crash => self.crash = Some((seconds(random, 8, 50), seconds(random, 1, 4))),
            Mishap::ExchangeRestart => self.exchange_restart = Some((seconds(random, 8, 50), seconds(random, 1, 6))),
        }
    }

    fn cuts(&mut self, links: &[BacktestLink], trouble: LinkTrouble, longest_s: i64, random: &mut Random) {
        for _ in 0..random.between(1, 3) {
            let from = seconds(random, 4, 54);
            let until = (from + seconds(random, 0, longest_s) + Nanos(1)).min(HEALED);
            self.links.extend(links.iter().map(|link| LinkFault { venue: 0, link: *link, trouble, from, until }));
        }
    }

    fn stalls(&mut self, side: StalledSide, random: &mut Random) {
        for _ in 0..random.between(1, 4) {
            let from = seconds(random, 4, 55);
            self.stalls.push(Stall { side, from, until: from + seconds(random, 0, 2) + Nanos(1) });
        }
    }
}

/// What came of one seed.
struct Run {
    wrong: Vec<String>,
    outcome: Outcome,
    misfortune: Misfortune,
    product: ProductLine,
}

/// Trades until then. Who starts while the clock is wrong refuses for good, and whoever watches over processes starts
/// another.
fn run_until(world: &mut World, end: Nanos) {
    while world.since_start() < end {
        if world.refused_its_clock() {
            world.crash_for(STARTED_AGAIN_AFTER);
        }
        let rest = end - world.since_start();
        world.backtest.run_for(rest.min(WATCHED_EVERY));
    }
}

fn run(seed: u64, allowed: &[Mishap], sabotage: Option<Sabotage>) -> Run {
    let product = binance::PRODUCT_LINES[usize::try_from(seed % 2).unwrap()];
    let misfortune = Misfortune::of(seed, allowed);
    let mut world = World::unhurried(product, seed, &misfortune.plan, sabotage);
    for fault in &misfortune.links {
        world.add_fault(*fault);
    }
    for stall in &misfortune.stalls {
        world.add_stall(*stall);
    }
    let judge = world.backtest.observer_mut();
    judge.sabotage = sabotage;
    judge.oracle.expect_healing(HEALED);
    let loses =
        [Mishap::RepliesLost, Mishap::RequestsLost, Mishap::RequestsLate, Mishap::RepliesLate, Mishap::OutcomesHidden];
    if misfortune.mishaps.contains(&Mishap::Busy) {
        judge.oracle.busy_until = HEALED;
    }
    if misfortune.mishaps.iter().any(|mishap| loses.contains(mishap)) {
        judge.oracle.loses_requests_until = HEALED;
    }
    world.backtest.start();
    let crash = misfortune.crash.map(|(at, span)| (at, span, true));
    let restart = misfortune.exchange_restart.map(|(at, span)| (at, span, false));
    let mut ends: Vec<(Nanos, Nanos, bool)> = crash.into_iter().chain(restart).collect();
    ends.sort_unstable();
    for (at, span, is_ours) in ends {
        run_until(&mut world, at);
        if is_ours { world.crash_for(span) } else { world.restart_exchange(0, span) }
    }
    run_until(&mut world, SPAN);
    let not_healed = world.backtest.observer().oracle.not_healed();
    let outcome = world.finish();
    let mut wrong = outcome.wrong();
    let standing = outcome.venues.iter().map(|venue| {
        let (at_stop, halted, refusal) = (&venue.at_stop, &venue.halted, &venue.last_refusal);
        format!("stood: {at_stop}, halted {halted:?}, last refusal {refusal:?}")
    });
    if !not_healed.is_empty() {
        wrong.extend(not_healed);
        wrong.extend(standing);
    }
    Run { wrong, outcome, misfortune, product }
}

/// The same, with a panic as one more thing that is wrong (I12).
fn run_caught(seed: u64, allowed: &[Mishap], sabotage: Option<Sabotage>) -> (Vec<String>, Option<Run>) {
    match catch_unwind(AssertUnwindSafe(|| run(seed, allowed, sabotage))) {
        Ok(run) => (run.wrong.clone(), Some(run)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            (vec![format!("I12: {}", text.unwrap_or_default())], None)
        }
    }
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_invariant_holds_in_every_seed() {
    let seeds = number_of("SPINBOOK_SEEDS").unwrap_or(SEEDS);
    let begin = number_of("SPINBOOK_SEEDS_FROM").unwrap_or(0);
    let shard = |first: u64| {
        let (mut found, mut longest): (Vec<(u64, Vec<String>, u64)>, Worst) = Default::default();
        for seed in (begin + first..=begin + seeds).step_by(2) {
            let (wrong, run) = run_caught(seed, &MISHAPS, None);
            run.iter().for_each(|run| longest.merge(&run.outcome.worst));
            found.push((seed, wrong, run.map_or(0, |run| run.outcome.placed)));
        }
        (found, longest)
    };
    let (mut found, longest) = std::thread::scope(|scope| {
        let other = scope.spawn(|| shard(2));
        let (mut found, mut longest) = shard(1);
        let (others, worst) = other.join().unwrap();
        found.extend(others);
        longest.merge(&worst);
        (found, longest)
    });
    println!("orders stayed at most: {longest}");
    found.sort_unstable();
    let mut placed: Vec<u64> = found.iter().map(|(.., placed)| *placed).collect();
    placed.sort_unstable();
    let median = placed[placed.len() / 2];
    let failed: Vec<String> = found
        .iter()
        .filter(|(_, wrong, _)| !wrong.is_empty())
        .map(|(seed, wrong, _)| {
            format!("SPINBOOK_SEED={seed} cargo test -p spinbook-feed --test whole one_seed -- --nocapture\n{wrong:#?}")
        })
        .collect();
    println!("{} seeds, a median of {median} orders, {} seeds failed", found.len(), failed.len());
    println!("{}", failed.join("\n"));
    assert!(failed.is_empty(), "{} of {} seeds failed", failed.len(), found.len());
    assert!(median >= 100, "a median of {median} orders is too few to prove anything");
}

#[test]
fn two_of_eight_seeds_amend_and_replace_orders_and_everything_holds() {
    for (seed, product) in [(8, binance::PRODUCT_LINES[0]), (9, binance::PRODUCT_LINES[1])] {
        let run = run(seed, &[], None);
        assert_eq!((run.product, run.wrong), (product, Vec::<String>::new()));
        let amended = run.outcome.venues[0].orders.amended;
        println!(
            "{}: {} requests to amend or replace of {} orders, {amended} amended in place",
            product.name(),
            run.outcome.amended,
            run.outcome.placed
        );
        assert!(run.outcome.amended >= 10, "{:#?}", run.outcome);
        assert_eq!(amended > 0, product == binance::USDM);
    }
}

#[test]
fn one_seed() {
    let seed = number_of("SPINBOOK_SEED").unwrap_or(1);

    let run = run(seed, &MISHAPS, None);
    println!("trace {:#018x} of seed {seed}", run.outcome.trace);
    println!("{} {:#?}\n{:#?}", run.product.name(), run.misfortune, run.outcome);
    assert_eq!(run.wrong, Vec::<String>::new());
}

#[test]
fn a_seed_leaves_the_same_trace_in_another_process() {
    let ours: Vec<String> =
        [3, 4].map(|seed| format!("trace {:#018x} of seed {seed}", run(seed, &MISHAPS, None).outcome.trace)).into();
    for (seed, ours) in [3, 4].into_iter().zip(ours) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "seeds::one_seed", "--nocapture"]).env("SPINBOOK_SEED", seed.to_string());
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(said.contains(&ours), "{ours} is not in: {said}");
    }
}

#[test]
fn what_is_broken_on_purpose_is_noticed() {
    for sabotage in Sabotage::ALL {
        let noticed = (1..=40).find_map(|seed| {
            let (wrong, _) = run_caught(seed, &MISHAPS, Some(sabotage));
            wrong.first().map(|first| format!("seed {seed}: {first}"))
        });
        println!("{sabotage:?}: {noticed:?}");
        assert!(noticed.is_some(), "{sabotage:?} was never noticed");
    }
}

/// By hand: which mishaps alone break something, in how many of 20 seeds, and how.
#[test]
#[ignore = "a survey for whoever mends what it finds"]
fn survey_of_mishaps() {
    for mishap in MISHAPS {
        let mut ways: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut ran = 0;
        for seed in (1..).filter(|seed| Misfortune::of(*seed, &[mishap]).mishaps.len() == 1).take(20) {
            ran += 1;
            for wrong in run_caught(seed, &[mishap], None).0 {
                let way: String =
                    wrong.chars().map(|letter| if letter.is_ascii_digit() { '#' } else { letter }).take(70).collect();
                let seeds = ways.entry(way).or_default();
                if seeds.last() != Some(&seed) {
                    seeds.push(seed);
                }
            }
        }
        println!("{mishap:?}: {ran} seeds");
        for (way, seeds) in ways {
            println!("    {} {way} {:?}", seeds.len(), &seeds[..seeds.len().min(3)]);
        }
    }
}
