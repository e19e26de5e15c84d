//! COLD: the map of the engine: pure functions of (state, input, now); no I/O, no clock, no venue names.
//!
//! A market event goes in, the intents it causes come out on a ring, all within one call on one thread. Nothing here
//! allocates once set-up is done, blocks, or reads a clock: time is an argument, so that a recording replays to the
//! same decisions, bit for bit.
//!
//! ```
//! use spinbook_engine::event::{ExecutionEvent, ExecutionKind, MarketEvent, MarketKind, MarketReply};
//! use spinbook_engine::intent::{IntentKind, Reason, TimeInForce};
//! use spinbook_engine::ring;
//! use spinbook_engine::setup::*;
//! use spinbook_engine::types::*;
//!
//! let venue = VenueId(1);
//! let quote_units = |units: i128| QuoteAtoms(units * QUOTE_ATOMS_PER_UNIT);
//! let instrument = InstrumentSettings {
//!     venue,
//!     tick_order_step: Tick(1),         // a tick is 0.1
//!     lots_order_step: Lots(1),         // a lot is 0.001
//!     lots_order_min: Lots(1),
//!     lots_order_max: Lots(1_000_000),
//!     notional_min: quote_units(5),
//!     atoms_per_tick_lot: QUOTE_ATOMS_PER_UNIT / 10_000,
//!     maker_fee_millionths: 200,
//!     taker_fee_millionths: 500,
//!     outer_levels: 1_000,
//! };
//! let risk = RiskSettings {
//!     order_lots_max: Lots(100),
//!     order_notional_max: quote_units(100_000),
//!     price_collar_millionths: 10_000,
//!     position_lots_max: Lots(500),
//!     open_orders_max: 8,
//!     book_age_max: Nanos::from_millis(2_000),
//! };
//! let strategy = spread_strategy(vec![SpreadSettings {
//!     spread_millionths: 1_000,         // 5 bp to either side of the mid
//!     levels: 1,
//!     level_step_millionths: 0,
//!     order_lots: Lots(10),
//!     position_lots_max: Lots(10),
//!     imbalance_levels: 0,
//!     imbalance_threshold_millionths: 300_000,
//!     imbalance_widening_millionths: 1_500_000,
//!     imbalance_net_of_own: false,
//!     inventory_skew_millionths: 0,
//!     edge_min_millionths: 0,
//!     time_in_force: TimeInForce::PostOnly,
//! }])?;
//! let settings = EngineSettings {
//!     epoch: 1,
//!     strategy_number: 0,
//!     instruments: vec![InstrumentSetup {
//!         instrument,
//!         risk,
//!         quoter: QuoterSettings::default(),
//!         asset_group: AssetGroupId(0),
//!         lots_start: Lots(10),         // as much as it may hold: only the ask is quoted
//!         lots_neutral: Lots(0),
//!     }],
//!     budgets: vec![BudgetSettings {
//!         venue,
//!         order_windows: [WindowSettings::default(); ORDER_WINDOWS_MAX],
//!         messages_max_per_second: 20,
//!         cancel_share_millionths: 300_000,
//!     }],
//!     asset_groups: vec![AssetGroupSettings { loss_max_per_day: quote_units(1_000) }],
//!     telemetry_interval: Nanos::from_millis(200),
//! };
//! let (orders, mut orders_out) = ring::channel(1_024);
//! let (cancels, _cancels_out) = ring::channel(1_024);
//! let mut engine = engine(settings, strategy, orders, cancels)?;
//!
//! // The venue's gateway is ready. Then one event goes in: a snapshot with its best bid and ask.
//! let now = Nanos::from_seconds(1_700_000_000);
//! let ready = ExecutionEvent { kind: ExecutionKind::GatewayReady, venue, ..ExecutionEvent::default() };
//! engine.on_execution(&ready, now);
//! let received = Stamp { wall: now, tsc: 0 };
//! let snapshot = MarketEvent { kind: MarketKind::Snapshot, venue, received, sequence: 42, ..MarketEvent::default() };
//! let bids = [Level { tick: Tick(999_990), lots: Lots(700) }];
//! let asks = [Level { tick: Tick(1_000_010), lots: Lots(300) }];
//! assert_eq!(engine.on_market(&snapshot, &bids, &asks, now), MarketReply::Ok);
//!
//! // And one intent comes out, decided on that very book.
//! let intent = orders_out.pop().expect("the ask is quoted");
//! assert_eq!((intent.kind, intent.side, intent.reason), (IntentKind::Place, Side::Ask, Reason::New));
//! assert_eq!((intent.tick, intent.lots, intent.book_sequence), (Tick(1_000_500), Lots(10), 42));
//! assert!(orders_out.pop().is_none());
//! # Ok::<(), SetupError>(())
//! ```
//!
//! # The rooms, in the order of the imports
//!
//! | room | job |
//! |---|---|
//! | [`types`], [`limits`] | integers with names, and every capacity |
//! | [`event`], [`intent`] | what goes in and what comes out: records of fixed size |
//! | [`counters`], [`latency`], [`trace`] | what is counted, timed and noted for other threads |
//! | [`ring`], [`rate`], [`prefetch`] | the way to another thread, the one sliding rate window, memory asked for ahead |
//! | [`book`], [`touch`] | the exact order book, and the venue's own best bid and ask beside it |
//! | [`position`], [`working`] | inventory and profit; our orders as the engine believes them |
//! | [`market`] | one instrument as the venue shows it, with the checks between book and touch |
//! | [`strategy`] | from markets and positions to the quotes that are wanted |
//! | [`quoter`], [`risk`] | the fewest requests for those quotes, and every control before they leave |
//! | [`telemetry`] | a snapshot of each instrument for threads that show it |
//! | [`mod@engine`] | where all branching between a market message and an order happens |
//! | [`understudy`] | an engine whose orders reach nobody, which keeps the code of decisions warm |
//! | [`setup`] | the only room that allocates: settings become an engine |

#![warn(unreachable_pub)]

pub mod types;

pub mod limits;

pub mod event;
pub mod intent;

pub mod counters;
pub mod latency;
pub mod prefetch;
pub mod rate;
pub mod ring;
mod ring_parts;
pub mod telemetry;
pub mod trace;
pub mod trades;

pub mod book;
pub mod position;
pub mod touch;
pub mod unquoted;
pub mod working;

pub mod market;

pub mod strategy;

pub mod quoter;
pub mod risk;

pub mod engine;

pub mod understudy;

pub mod setup;
