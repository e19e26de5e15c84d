//! COLD: what a user may choose of the gateway, and the venue's default windows.

use spinbook_engine::types::{InstrumentId, Lots, Nanos};

use crate::gateway::adoptable::AdoptableOrder;
use crate::gateway::clock::CLOCK_OFFSET_MAX;
use crate::gateway::earlier::EarlierOrder;
use crate::gateway::fees::FeePrice;
use crate::gateway::limits::OrderLimits;
use crate::gateway::throttle::Throttle;
use crate::venue::ProductLine;
use crate::venue::card::RateWindow;
use crate::venue::order_ids::RunName;
use crate::venue::order_side::SelfTradePrevention;
use crate::venue::orders::WindowUsage;

/// Whether orders leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayMode {
    /// Orders are sent.
    Live,
    /// Orders are built, checked and counted, and never sent; no connection is opened.
    Shadow,
}

/// Everything a gateway is set up with besides the credentials and the instruments.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// The product line.
    pub product: ProductLine,
    /// Whether orders leave.
    pub mode: GatewayMode,
    /// The run's epoch: greater than that of every earlier run on this account.
    pub epoch: u32,
    /// The run's 64 random bits, zero if it has none: part of every order's name, so that no two runs ever make the same.
    pub salt: u64,
    /// Second, independent check, by [`InstrumentId`]: an instrument
    /// without limits takes no orders.
    pub limits: Vec<OrderLimits>,
    /// The venue's windows.
    pub rates: Vec<RateWindow>,
    /// Share of each window that new orders may use.
    pub budget_percent: u32,
    /// Share of the weight budget that is kept for cancels.
    pub cancel_reserve_percent: u32,
    /// How long the venue may execute a request after its timestamp, 1 to 60000.
    pub receive_window_ms: i64,
    /// Added to the receive window before a lost order is taken as never accepted.
    pub validity_margin: Nanos,
    /// How orders of ours meet each other.
    pub self_trade_prevention: SelfTradePrevention,
    /// A request without a reply after this has an unknown outcome.
    pub request_timeout: Nanos,
    /// A request is slow that takes longer from its decision to the gateway; [`Nanos::NEVER`]: that is not judged.
    pub order_latency_max: Nanos,
    /// A connection that is not open after this is given up.
    pub connect_timeout: Nanos,
    /// Farther from the venue's clock the gateway refuses to start.
    pub clock_offset_max: Nanos,
    /// How often the clock is measured again, which also proves that the connection lives.
    pub clock_interval: Nanos,
    /// How often user data's key is renewed.
    pub user_data_keep_interval: Nanos,
    /// A connection is replaced after this, before the venue cuts it.
    pub connection_life: Nanos,
    /// How often the venue is asked for a list of what is open, to find what its messages did not tell.
    pub open_orders_interval: Nanos,
    /// Whether a second order connection is kept warm, for cancels that the first does not answer.
    pub spare_connection: bool,
    /// How long fills may be missing after the venue stated them.
    pub fills_grace: Nanos,
    /// From this time of the venue on the account's executions are the run's, and are asked for before the first order;
    /// `None`: from when orders are first taken.
    pub trades_from: Option<Nanos>,
    /// What was held at that time: the base asset or the position, in lots. What is not named is not compared later.
    pub held_at_start: Vec<(InstrumentId, Lots)>,
    /// Orders of earlier runs that are open and may be taken over at the start; without any everything is cancelled.
    pub adoptable: Vec<AdoptableOrder>,
    /// The runs that they are of.
    pub earlier_runs: Vec<RunName>,
    /// Orders of earlier runs that the venue told of before the start, whatever became of them: an execution of one that is
    /// told since is no stranger's.
    pub earlier_orders: Vec<EarlierOrder>,
    /// What assets are worth that fees may be taken in besides base and quote.
    pub fee_prices: Vec<FeePrice>,
    /// Whether an order that is not ours stops trading (another program or a human trades on the account).
    pub halt_on_third_party: bool,
    /// For the jitter of reconnects.
    pub seed: u64,
}

impl GatewaySettings {
    /// The venue's documented limits and this program's defaults.
    #[must_use]
    pub fn new(product: ProductLine, mode: GatewayMode, epoch: u32, limits: Vec<OrderLimits>) -> GatewaySettings {
        GatewaySettings {
            product,
            mode,
            epoch,
            salt: 0,
            limits,
            rates: product.card().orders.map_or(Vec::new(), |orders| orders.rates.to_vec()),
            budget_percent: 90,
            cancel_reserve_percent: 30,
            receive_window_ms: 1_000,
            validity_margin: Nanos::from_millis(500),
            self_trade_prevention: SelfTradePrevention::ExpireMaker,
            request_timeout: Nanos::from_seconds(3),
            order_latency_max: Nanos::NEVER,
            connect_timeout: Nanos::from_seconds(10),
            clock_offset_max: CLOCK_OFFSET_MAX,
            clock_interval: Nanos::from_seconds(10),
            user_data_keep_interval: Nanos::from_seconds(30 * 60),
            connection_life: Nanos::from_seconds(23 * 3600 + 1800),
            open_orders_interval: Nanos::from_seconds(15),
            spare_connection: true,
            fills_grace: Nanos::from_seconds(1),
            trades_from: None,
            held_at_start: Vec::new(),
            adoptable: Vec::new(),
            earlier_runs: Vec::new(),
            earlier_orders: Vec::new(),
            fee_prices: Vec::new(),
            halt_on_third_party: true,
            seed: u64::from(epoch),
        }
    }
}

impl GatewaySettings {
    /// A window of which these shares leave new orders nothing, so that none could ever go; a run with one must not
    /// start.
    #[must_use]
    pub fn shut_window(&self) -> Option<RateWindow> {
        Throttle::new(&self.rates, &[InstrumentId(0)], self.budget_percent, self.cancel_reserve_percent).shut_window()
    }

    /// Takes the windows that the venue states in its instrument list instead of the documented ones. A list
    /// without any changes nothing.
    pub fn set_rates(&mut self, stated: &[WindowUsage]) {
        if !stated.is_empty() {
            let window = |row: &WindowUsage| RateWindow { kind: row.kind, span: row.span, limit: row.limit };
            self.rates = stated.iter().map(window).collect();
        }
    }
}
