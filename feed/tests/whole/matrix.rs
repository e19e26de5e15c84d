//! COLD: the oracle over every fault and every pair of faults: order link, user data, market, clock.

use spinbook_engine::types::Nanos;
use spinbook_feed::backtest::{BacktestLink, Delay, LinkFault, LinkTrouble};
use spinbook_feed::random::Random;
use spinbook_feed::sim::fault_plan::{
    ClockStep, FaultPlan, RequestAction, RequestFaultPlan, RequestName, UserDataFault,
};
use spinbook_feed::venue::{ProductLine, binance};

use crate::oracle::Worst;
use crate::world::World;

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Orders,
    UserData,
    Market,
    Clock,
}

/// How it can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Down,
    BlackHole,
    Slow,
    Flapping,
}

const PARTS: [Part; 4] = [Part::Orders, Part::UserData, Part::Market, Part::Clock];
const TROUBLES: [Trouble; 4] = [Trouble::Down, Trouble::BlackHole, Trouble::Slow, Trouble::Flapping];

type Failure = (Part, Trouble);

/// A failure with its span.
#[derive(Clone, Copy, Debug)]
struct Planned {
    failure: Failure,
    from: Nanos,
    until: Nanos,
}

fn millis(at: Nanos) -> u64 {
    u64::try_from(at.millis()).unwrap()
}

/// What a failure is on its link; none where it is one of the venue's own.
fn link_faults(planned: &Planned) -> Vec<LinkFault> {
    let links: &[BacktestLink] = match planned.failure.0 {
        Part::Orders => &[BacktestLink::Orders],
        Part::UserData => &[BacktestLink::UserData],
        Part::Market => &[BacktestLink::Market, BacktestLink::Snapshots],
        Part::Clock => &[],
    };
    let (from, until) = (planned.from, planned.until);
    let delay = Delay { shortest: Nanos::from_millis(100), longest: Nanos::from_millis(400) };
    let mut faults = Vec::new();
    for link in links {
        let fault = |trouble| LinkFault { venue: 0, link: *link, trouble, from, until };
        match planned.failure.1 {
            Trouble::Down => faults.push(fault(LinkTrouble::Down)),
            Trouble::BlackHole => faults.push(fault(LinkTrouble::BlackHole)),
            Trouble::Slow => faults.push(fault(LinkTrouble::Slow(delay))),
            Trouble::Flapping => {
                let (down, up) = (Nanos::from_millis(1_500), Nanos::from_millis(5_000));
                faults.extend(LinkFault::flapping((0, *link), (from, until), (down, up)));
            }
        }
    }
    faults
}

/// What a failure is at the venue.
fn plan_faults(planned: &Planned, product: ProductLine, plan: &mut FaultPlan) {
    let (after_ms, for_ms) = (millis(planned.from), millis(planned.until - planned.from));
    let unanswered = |on| {
        let text = serde_json::json!({"on": "other", "nth": 1, "count": 1_000_000, "action": "lose_reply"});
        let fault: RequestFaultPlan = serde_json::from_value(text).unwrap();
        RequestFaultPlan { on, after_ms, for_ms: Some(for_ms), ..fault }
    };
    let spans = |down: u64, up: u64| (0..for_ms / (down + up)).map(move |round| after_ms + round * (down + up));
    let step = |after_ms, ahead_ms, drift_millionths| ClockStep { after_ms, ahead_ms, drift_millionths };
    match planned.failure {
        (Part::Clock, Trouble::Down) => plan.clock_steps.push(step(after_ms, 3_000, 0)),
        (Part::Clock, Trouble::BlackHole) => plan.requests.push(unanswered(RequestName::Time)),
        (Part::Clock, Trouble::Slow) => plan.clock_steps.push(step(after_ms, 0, 20_000)),
        (Part::Clock, Trouble::Flapping) => {
            let back_and_forth = spans(2_000, 2_000).flat_map(|at| [step(at, 450, 0), step(at + 2_000, -450, 0)]);
            plan.clock_steps.extend(back_and_forth);
        }
        // Where it has a connection of its own, its link fails instead.
        (Part::UserData, trouble) if product == binance::SPOT => match trouble {
            Trouble::Down => {
                let refused = RequestFaultPlan {
                    action: RequestAction::Refuse,
                    status: 503,
                    code: -1008,
                    ..unanswered(RequestName::UserData)
                };
                plan.requests.push(refused);
                plan.user_data.push(UserDataFault { after_ms, for_ms, delay_ms: None });
            }
            Trouble::BlackHole => {
                plan.requests.push(unanswered(RequestName::UserData));
                plan.user_data.push(UserDataFault { after_ms, for_ms, delay_ms: None });
            }
            Trouble::Slow => plan.user_data.push(UserDataFault { after_ms, for_ms, delay_ms: Some(800) }),
            Trouble::Flapping => {
                let lost =
                    spans(1_500, 5_000).map(|after_ms| UserDataFault { after_ms, for_ms: 1_500, delay_ms: None });
                plan.user_data.extend(lost);
            }
        },
        _ => {}
    }
    if planned.failure.0 == Part::Clock && planned.failure.1 != Trouble::BlackHole {
        plan.clock_steps.push(step(after_ms + for_ms, 0, 0));
    }
}

/// What is wrong with a run in which these fail, nothing if all is well; the longest that orders stayed.
fn run(product: ProductLine, seed: u64, failures: &[Failure]) -> (Vec<String>, Worst) {
    let mut random = Random::new(seed ^ 0x0bad_cafe);
    let mut planned = Vec::new();
    let mut plan = FaultPlan::default();
    for failure in failures {
        let from = Nanos::from_millis(random.between(6_000, 12_000));
        let until = from + Nanos::from_millis(random.between(15_000, 25_000));
        planned.push(Planned { failure: *failure, from, until });
    }
    let healed = planned.iter().map(|planned| planned.until).fold(Nanos::ZERO, Nanos::max);
    for planned in &planned {
        plan_faults(planned, product, &mut plan);
    }
    let mut world = World::unhurried(product, seed, &plan, None);
    for fault in planned.iter().flat_map(link_faults) {
        world.add_fault(fault);
    }
    world.backtest.observer_mut().oracle.expect_healing(healed);
    world.backtest.start();
    world.backtest.run_for(healed + Nanos::from_seconds(60));
    let not_healed = world.backtest.observer().oracle.not_healed();
    let outcome = world.finish();
    let mut wrong = outcome.wrong();
    wrong.extend(not_healed);
    (wrong, outcome.worst)
}

/// Every failure alone, then every pair of failures of two parts.
fn combinations() -> Vec<Vec<Failure>> {
    let failures: Vec<Failure> = PARTS.iter().flat_map(|part| TROUBLES.map(|trouble| (*part, trouble))).collect();
    let mut all: Vec<Vec<Failure>> = failures.iter().map(|failure| vec![*failure]).collect();
    for (place, first) in failures.iter().enumerate() {
        let others = failures[place + 1..].iter().filter(|second| second.0 != first.0);
        all.extend(others.map(|second| vec![*first, *second]));
    }
    all
}

/// Triples of failures of three parts that are drawn for CI; `SPINBOOK_TRIPLES` draws more.
const TRIPLES: u64 = 48;

/// A product line and failures of three different parts.
fn triple(seed: u64) -> (ProductLine, Vec<Failure>) {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x3a);
    let well = random.below(4);
    let parts = PARTS.into_iter().zip(0..).filter(|(_, place)| *place != well).map(|(part, _)| part);
    let mut any = || TROUBLES[usize::try_from(random.below(4)).unwrap()];
    let failures = parts.map(|part| (part, any())).collect();
    (binance::PRODUCT_LINES[usize::try_from(seed % 2).unwrap()], failures)
}

#[test]
fn no_order_outlives_its_reason_whichever_three_parts_fail() {
    let count = std::env::var("SPINBOOK_TRIPLES").ok().and_then(|text| text.parse().ok()).unwrap_or(TRIPLES);
    let shard = |first: u64| -> (Vec<String>, Worst) {
        let (mut broken, mut longest) = (Vec::new(), Worst::default());
        for (seed, (product, failures)) in (first..=count).step_by(2).map(|seed| (seed, triple(seed))) {
            let (wrong, worst) = run(product, 5_000 + seed, &failures);
            longest.merge(&worst);
            if !wrong.is_empty() {
                broken.push(format!("triple {seed}: {}: {wrong:#?}", name_of(product, &failures)));
            }
        }
        (broken, longest)
    };
    let (broken, longest) = std::thread::scope(|scope| {
        let other = scope.spawn(|| shard(2));
        let (mut broken, mut longest) = shard(1);
        let (others, worst) = other.join().unwrap();
        broken.extend(others);
        longest.merge(&worst);
        (broken, longest)
    });
    println!("orders stayed at most: {longest}");
    assert!(broken.is_empty(), "{} of {count} triples: {}", broken.len(), broken.join("\n"));
}

fn name_of(product: ProductLine, failures: &[Failure]) -> String {
    let failures: Vec<String> = failures.iter().map(|(part, trouble)| format!("{part:?} {trouble:?}")).collect();
    format!("{}, {}", product.name(), failures.join(" + "))
}

#[test]
fn no_order_outlives_its_reason_whichever_two_parts_fail() {
    let runs: Vec<(u64, ProductLine, Vec<Failure>)> = (0..)
        .zip(combinations())
        .flat_map(|(place, failures)| binance::PRODUCT_LINES.map(|product| (1_000 + place, product, failures.clone())))
        .collect();
    let shard = |first: usize| -> (Vec<(usize, String, Vec<String>)>, Worst) {
        let (mut found, mut longest) = (Vec::new(), Worst::default());
        for (place, (seed, product, failures)) in runs.iter().enumerate().skip(first).step_by(2) {
            let (wrong, worst) = run(*product, *seed, failures);
            longest.merge(&worst);
            found.push((place, name_of(*product, failures), wrong));
        }
        (found, longest)
    };
    let (mut found, longest) = std::thread::scope(|scope| {
        let other = scope.spawn(|| shard(1));
        let (mut found, mut longest) = shard(0);
        let (others, worst) = other.join().unwrap();
        found.extend(others);
        longest.merge(&worst);
        (found, longest)
    });
    println!("orders stayed at most: {longest}");
    found.sort_unstable();
    let broken: Vec<_> = found.iter().filter(|(.., wrong)| !wrong.is_empty()).collect();
    println!("{} combinations, {} of them do not hold", found.len(), broken.len());
    assert!(broken.is_empty(), "{broken:#?}");
}
