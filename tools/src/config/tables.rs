//! COLD: the one list of configuration keys: reader, sample, schema, check and README's table all come from it.
//!
//! A key is one entry here (a strategy's keys are in `strategies.rs`): the field it fills, its sentence, its kind and
//! range, its unit, whether it may be omitted, and what the sample says. Nothing else has to be written for it.

use std::path::PathBuf;

use rust_decimal::Decimal;
use spinbook_engine::limits::{OUTER_LEVELS_MAX, WORKING_ORDERS_MAX};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::card::Environment;

use super::forms;
use super::keys::Kind::{self, Choice, Path, Texts, Whole};
use super::keys::Presence::{self, Default, Mandatory, Optional};
use super::keys::Sample::{Comment, Set};
use super::keys::{Range, Table};
use super::table::table;
use super::value::{self, AtStart, KeepWarmChoice, KeyRights, LockMemory, Permission, RequoteWay, SlowAction};
use super::{strategies, venues};

/// Highest number of a core.
const CORE_MAX: i64 = 4_095;
/// Why no limit may be omitted.
const EVERY_LIMIT: Presence = Mandatory("every risk limit is mandatory and has no default");
/// A URL of requests.
const HTTPS: Kind =
    Kind::Text { words: "`https://HOST[:PORT]`", pattern: "^https://[^/@?# ]+(/[^?# ]*)?$", check: forms::https_url };
/// A URL of connections.
const WSS: Kind =
    Kind::Text { words: "`wss://HOST[:PORT]`", pattern: "^wss://[^/@?# ]+(/[^?# ]*)?$", check: forms::wss_url };
/// A depth stream's name.
const DEPTH: Kind =
    Kind::Text { words: "`depth` or `depth@100ms`", pattern: "^depth(@[0-9]{1,4}ms)?$", check: forms::depth_stream };
/// An asset and what it is worth.
const FEE_PRICE: Kind = Kind::Text {
    words: "`ASSET=PRICE`",
    pattern: "^[A-Z0-9]{1,16}=[0-9]+(\\.[0-9]{1,18})?$",
    check: forms::asset_price,
};
/// A hash.
const SHA_256: Kind = Kind::Text { words: "64 hexadecimal digits", pattern: "^[0-9a-f]{64}$", check: forms::sha_256 };
/// A second reference of the price collar.
const REFERENCE: Kind =
    Kind::Text { words: "`trade` or a venue", pattern: "^(trade|[a-z]{3}|[a-z]+(-[a-z]+)+)$", check: forms::reference };

table! {
    /// The engine and this machine.
    EngineConfig: "engine", repeated: false {
        /// Core that the hot thread owns.
        hot_core: Option<usize> => Whole(0, CORE_MAX), "", Optional("unpinned, with a warning"), Comment("1");
        /// Core of the order thread.
        io_core: Option<usize> => Whole(0, CORE_MAX), "", Optional("one of those that are left"), Comment("0");
        /// Standstill of the hot thread that ends the run.
        hot_hang_ms: Option<u32> => Whole(50, 60_000), "ms", Optional("250 on an isolated core, else 2000"), Comment("2000");
        /// Standstill of the order thread after which all is cancelled over REST.
        io_hang_ms: Option<u32> => Whole(50, 60_000), "ms", Optional("500 on an isolated core, else 2000"), Comment("2000");
        /// Time after which the venue cancels everything by itself unless told not to, where it can; 0: off.
        dead_man_seconds: u32 => Whole(0, 3_600), "s", Default("30"), Comment("30");
        /// How a quote gets another price: "amend": by one request, where the venue has one.
        requote: RequoteWay => Choice(RequoteWay::names), "", Default("\"cancel-place\""), Comment("\"cancel-place\"");
        /// Whether memory is locked at the start; "required": no start without; "never": pages are the system's.
        lock_memory: LockMemory => Choice(LockMemory::names), "", Default("\"allowed\""), Comment("\"allowed\"");
        /// Whether huge pages are asked for, for the books, where the system gives them.
        huge_pages: Permission => Choice(Permission::names), "", Default("\"allowed\""), Comment("\"allowed\"");
        /// What the hot thread keeps warm between two frames by orders that reach nobody, where it owns a core.
        keep_warm: KeepWarmChoice => Choice(KeepWarmChoice::names), "", Default("\"off\""), Comment("\"off\"");
        /// What becomes of orders that an earlier run left open; "adopt": they go on as quotes where everything about them fits.
        at_start: AtStart => Choice(AtStart::names), "", Default("\"cancel\""), Comment("\"cancel\"");
        /// How long the venue's first answers are asked for again where the failure may pass.
        start_retry_seconds: u32 => Whole(0, 3_600), "s", Default("30"), Comment("30");
        /// SHA-256 of the token that `rearm` asks for.
        rearm_token_sha256: Option<String> => SHA_256, "", Optional("none"),
            Comment("\"4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631\"");
        /// How long journals of runs that are over are kept; never removed is one with an order not proved to be over.
        journal_keep_days: u32 => Whole(1, 36_500), "days", Default("30"), Comment("30");
        /// Most files of a venue's journals that are kept, the newest.
        journal_keep_files: Option<u32> => Whole(1, 1_000_000), "", Optional("as many as there are"), Comment("1000");
        /// Folder of lock, run number and kill file.
        state_dir: PathBuf => Path, "", Default("\"state\""), Set("\"state\"");
    }
}

table! {
    /// A venue's product line and the symbols traded there; the table may stand several times.
    MarketConfig: "market", repeated: true {
        /// Venue and product line.
        venue: ProductLine => Choice(venues::built), "", Mandatory("such as venue = \"binance-usdm\""),
            Set("\"binance-usdm\"");
        /// Whose hosts they are: the venue's, its testnet's, or others.
        environment: Option<Environment> => Choice(value::environments), "",
            Optional("by the hosts; live orders elsewhere need it"), Comment("\"simulated\"");
        /// Symbols as the venue spells them.
        symbols: Vec<String> => Texts, "", Mandatory("such as symbols = [\"BTCUSDT\"]"), Set("[\"BTCUSDT\"]");
        /// Credentials file of mode 0600, for shadow and live.
        credentials: Option<PathBuf> => Path, "", Optional("from the environment"),
            Comment("\"keys/binance.toml\"");
        /// Whether a live run needs the venue's word that the key may not withdraw.
        key_rights: Option<KeyRights> => Choice(KeyRights::names), "", Optional("required in production, else asked"),
            Comment("\"asked\"");
        /// REST of a private or simulated exchange.
        rest_url: Option<String> => HTTPS, "", Optional("the venue's own"), Comment("\"https://127.0.0.1:9443\"");
        /// Streams of a private or simulated exchange.
        stream_url: Option<String> => WSS, "", Optional("the venue's own"), Comment("\"wss://127.0.0.1:9443\"");
        /// WebSocket API of a private or simulated exchange.
        ws_api_url: Option<String> => WSS, "", Optional("the venue's own"), Comment("\"wss://127.0.0.1:9443\"");
        /// Certificate authority of a private exchange alone, PEM.
        ca_file: Option<PathBuf> => Path, "", Optional("the public ones"), Comment("\"exchange-ca.pem\"");
        /// Depth stream after the symbol.
        depth_stream: Option<String> => DEPTH, "", Optional("the venue's default"), Comment("\"depth@100ms\"");
        /// Levels a side of a snapshot.
        snapshot_limit: Option<u32> => Whole(5, 5_000), "", Optional("the venue's default"), Comment("1000");
        /// Levels a side that a book may hold far from its touch, some 40 bytes each; with more it is not quoted on.
        book_levels_max: u32 => Whole(1_024, OUTER_LEVELS_MAX as i64), "", Default("262144"), Comment("262144");
        /// How far the feed may be behind the venue's own time, above what anybody's network takes; 0: not judged.
        feed_lag_max_ms: u32 => Whole(0, 3_600_000), "ms", Default("5000"), Comment("5000");
        /// Second reference of the collar: "trade", the last one, or a venue of another market.
        reference: Option<String> => REFERENCE, "", Optional("the own book alone"), Comment("\"trade\"");
        /// Oldest such reference that is quoted on.
        reference_age_max_ms: u32 => Whole(1, 600_000), "ms", Default("5000"), Comment("5000");
        /// How long after its timestamp the venue may accept a request.
        receive_window_ms: u32 => Whole(100, 60_000), "ms", Default("1000"), Comment("1000");
        /// Your fee as a maker, negative for a rebate.
        maker_fee_bps: Option<Decimal> => Kind::Decimal(Range::Between(-100, 1_000)), "bps of notional",
            Optional("the venue's standard fee"), Comment("2.0");
        /// Your fee as a taker.
        taker_fee_bps: Option<Decimal> => Kind::Decimal(Range::Between(-100, 1_000)), "bps of notional",
            Optional("the venue's standard fee"), Comment("5.0");
        /// Worth of a third asset that fees are taken in, such as a discount token.
        fee_price_quote: Option<String> => FEE_PRICE, "",
            Optional("trading stops at the first such fee"), Comment("\"BNB=1000\"");
    }
}

table! {
    /// Limits of each instrument: every limit is mandatory, no default means no trading.
    RiskConfig: "risk", repeated: false {
        /// Largest order.
        order_quantity_max_base: Decimal => Kind::Decimal(Range::Positive), "the base asset", EVERY_LIMIT, Set("\"0.01\"");
        /// Largest order by value.
        order_notional_max_quote: Decimal => Kind::Decimal(Range::Positive), "the quote asset", EVERY_LIMIT,
            Set("\"1000\"");
        /// Largest position either way, open and unknown orders included.
        position_max_base: Decimal => Kind::Decimal(Range::Positive), "the base asset", EVERY_LIMIT, Set("\"0.05\"");
        /// Farthest price from our own mid.
        price_collar_bps: Decimal => Kind::Decimal(Range::PositiveUpTo(5_000)), "bps of the mid", EVERY_LIMIT,
            Set("50.0");
        /// Most orders open or on their way.
        open_orders_max: u32 => Whole(1, WORKING_ORDERS_MAX as i64), "", EVERY_LIMIT, Set("8");
        /// Most messages to a venue in any second.
        messages_max_per_second: u32 => Whole(1, 1_000), "", EVERY_LIMIT, Set("20");
        /// Loss of a UTC day over all runs, realised and unrealised, that stops quoting.
        loss_max_quote_per_day: Decimal => Kind::Decimal(Range::Positive), "the quote asset", EVERY_LIMIT, Set("\"100\"");
        /// The same within any hour, from the best of it.
        loss_max_quote_per_hour: Option<Decimal> => Kind::Decimal(Range::Positive), "the quote asset",
            Optional("the day's alone"), Comment("\"50\"");
        /// Fall of the result from the best of the run that stops quoting.
        drawdown_max_quote: Option<Decimal> => Kind::Decimal(Range::Positive), "the quote asset",
            Optional("the day's alone"), Comment("\"80\"");
        /// Farthest that an execution may lie beyond its order's price; what is farther halts trading.
        slippage_max_bps: Decimal => Kind::Decimal(Range::UpTo(10_000)), "bps of the price", Default("0.0"),
            Comment("0.0");
        /// Largest value of all positions, open and unknown orders included.
        exposure_gross_max_quote: Option<Decimal> => Kind::Decimal(Range::Positive), "the quote asset",
            Optional("each symbol's own limit"), Comment("\"5000\"");
        /// Largest net position in a base asset over all markets, likewise.
        exposure_net_max_base: Option<Decimal> => Kind::Decimal(Range::Positive), "the base asset",
            Optional("each symbol's own limit"), Comment("\"0.05\"");
        /// Answer to an order or an amendment that is slow; three of them in 10 s pull what is open at the venue for 10 s.
        ack_latency_max_ms: u32 => Whole(1, 60_000), "ms", Default("1000"), Comment("1000");
        /// 99th percentile from decisions to the order thread above which what is open is pulled for 10 s.
        order_latency_p99_max_us: u32 => Whole(1, 10_000_000), "us", Default("100000"), Comment("100000");
        /// What becomes of trading where either of the two is too slow.
        slow_action: SlowAction => Choice(SlowAction::names), "", Default("\"pull\""), Comment("\"pull\"");
        /// Oldest book that is quoted on.
        book_age_max_ms: u32 => Whole(1, 60_000), "ms", EVERY_LIMIT, Set("2000");
        /// Orders filled one way within `fills_span_seconds` that stop a symbol until it is re-armed.
        fills_max: u32 => Whole(1, 10_000), "", Default("20"), Comment("20");
        /// The window of `fills_max`.
        fills_span_seconds: u32 => Whole(1, 3_600), "s", Default("10"), Comment("10");
        /// Orders of unknown outcome at a venue with which no new one leaves.
        unknown_orders_max: u32 => Whole(1, 1_000), "", Default("4"), Comment("4");
    }
}

table! {
    /// Paper trading: how `run --mode paper` fills orders.
    PaperConfig: "paper", repeated: false {
        /// Round trip to the venue: an order meets the market that much later than it was sent.
        latency_us: u32 => Whole(0, 500_000), "us", Default("2000"), Comment("2000");
    }
}

/// Every table, in the order of the sample; a strategy's table stands once for each kind.
#[must_use]
pub fn tables() -> Vec<Table> {
    let mut tables = vec![EngineConfig::TABLE, MarketConfig::TABLE];
    tables.extend(strategies::TABLES);
    tables.extend([RiskConfig::TABLE, PaperConfig::TABLE]);
    tables
}
