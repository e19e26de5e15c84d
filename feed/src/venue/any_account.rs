//! COLD: the account side of whichever venue was configured.

use spinbook_engine::types::{InstrumentId, Lots, Nanos};

use crate::error::{InstrumentError, RateLimitError};
use crate::venue::ProductLine;
use crate::venue::account::{
    AccountSide, Balance, IncomeRecord, KeyRights, RestRequest, Signing, TradeRecord, TradesSince,
};
use crate::venue::instrument::Instrument;
use crate::venue::order_ids::{ClientOrderId, RunName};
use crate::venue::order_side::Reaction;
use crate::venue::orders::{OrderDecodeError, OrderUpdate, Refusal, WindowUsage};

macro_rules! any_account {
    ($($Venue:ident: $room:ident),+ $(,)?) => {
        /// The account side of one of the listed venues.
        #[derive(Clone, Copy, Debug)]
        pub enum AnyAccount {
            $(
                #[doc = concat!("Of `venue::", stringify!($room), "`.")]
                $Venue(crate::venue::$room::Account),
            )+
        }

        impl AnyAccount {
            /// The account side of a product line; `None` where that takes no orders. The venue may execute a request
            /// for `receive_window_ms` after its timestamp.
            #[must_use]
            pub fn new(product: ProductLine, receive_window_ms: i64) -> Option<AnyAccount> {
                $(
                    if crate::venue::$room::PRODUCT_LINES.contains(&product) && product.card().orders.is_some() {
                        return Some(AnyAccount::$Venue(crate::venue::$room::Account::new(product, receive_window_ms)));
                    }
                )+
                None
            }
        }

        /// Every call goes to the venue that it is.
        macro_rules! each {
            ($self:ident, $side:ident => $call:expr) => {
                match $self { $(AnyAccount::$Venue($side) => $call),+ }
            };
        }
    };
}

for_each_venue!(any_account);

impl AccountSide for AnyAccount {
    fn time(&self) -> RestRequest {
        each!(self, side => side.time())
    }

    fn instrument_list(&self) -> RestRequest {
        each!(self, side => side.instrument_list())
    }

    fn balances(&self, signing: Signing<'_>) -> RestRequest {
        each!(self, side => side.balances(signing))
    }

    fn positions(&self, signing: Signing<'_>) -> Option<RestRequest> {
        each!(self, side => side.positions(signing))
    }

    fn mode(&self, signing: Signing<'_>) -> Option<RestRequest> {
        each!(self, side => side.mode(signing))
    }

    fn trades(&self, signing: Signing<'_>, instrument: &Instrument, since: TradesSince) -> RestRequest {
        each!(self, side => side.trades(signing, instrument, since))
    }

    fn trades_per_reply(&self) -> usize {
        each!(self, side => side.trades_per_reply())
    }

    fn incomes(&self, signing: Signing<'_>, since: Nanos) -> Option<RestRequest> {
        each!(self, side => side.incomes(signing, since))
    }

    fn incomes_per_reply(&self) -> usize {
        each!(self, side => side.incomes_per_reply())
    }

    fn parse_incomes(&self, instruments: &[Instrument], body: &[u8]) -> Result<Vec<IncomeRecord>, OrderDecodeError> {
        each!(self, side => side.parse_incomes(instruments, body))
    }

    fn open_orders(&self, signing: Signing<'_>, instrument: &Instrument) -> RestRequest {
        each!(self, side => side.open_orders(signing, instrument))
    }

    fn order_status(&self, signing: Signing<'_>, instrument: &Instrument, name: &ClientOrderId) -> RestRequest {
        each!(self, side => side.order_status(signing, instrument, name))
    }

    fn orders_since(&self, signing: Signing<'_>, instrument: &Instrument, since: Nanos) -> RestRequest {
        each!(self, side => side.orders_since(signing, instrument, since))
    }

    fn cancel_all(&self, signing: Signing<'_>, instrument: &Instrument) -> RestRequest {
        each!(self, side => side.cancel_all(signing, instrument))
    }

    fn cancel_all_later(&self, signing: Signing<'_>, instrument: &Instrument, within: Nanos) -> Option<RestRequest> {
        each!(self, side => side.cancel_all_later(signing, instrument, within))
    }

    fn key_rights(&self, signing: Signing<'_>) -> Option<RestRequest> {
        each!(self, side => side.key_rights(signing))
    }

    fn parse_key_rights(&self, body: &[u8]) -> Result<KeyRights, OrderDecodeError> {
        each!(self, side => side.parse_key_rights(body))
    }

    fn start_user_data(&self, signing: Signing<'_>) -> Option<RestRequest> {
        each!(self, side => side.start_user_data(signing))
    }

    fn parse_time(&self, body: &[u8]) -> Result<Nanos, OrderDecodeError> {
        each!(self, side => side.parse_time(body))
    }

    fn parse_windows(&self, body: &[u8]) -> Result<Vec<WindowUsage>, RateLimitError> {
        each!(self, side => side.parse_windows(body))
    }

    fn find_instruments(&self, body: &[u8], symbols: &[&str]) -> Result<Vec<Instrument>, InstrumentError> {
        each!(self, side => side.find_instruments(body, symbols))
    }

    fn parse_balances(&self, body: &[u8]) -> Result<Vec<Balance>, OrderDecodeError> {
        each!(self, side => side.parse_balances(body))
    }

    fn parse_account_id(&self, body: &[u8]) -> Option<String> {
        each!(self, side => side.parse_account_id(body))
    }

    fn check_mode(&self, body: &[u8]) -> Result<(), OrderDecodeError> {
        each!(self, side => side.check_mode(body))
    }

    fn parse_positions(
        &self,
        instruments: &[Instrument],
        body: &[u8],
    ) -> Result<Vec<(InstrumentId, Lots)>, OrderDecodeError> {
        each!(self, side => side.parse_positions(instruments, body))
    }

    fn parse_open_orders(
        &self,
        instruments: &[Instrument],
        runs: &[RunName],
        body: &[u8],
    ) -> Result<Vec<OrderUpdate>, OrderDecodeError> {
        each!(self, side => side.parse_open_orders(instruments, runs, body))
    }

    fn parse_order(
        &self,
        instruments: &[Instrument],
        runs: &[RunName],
        body: &[u8],
    ) -> Result<Option<OrderUpdate>, OrderDecodeError> {
        each!(self, side => side.parse_order(instruments, runs, body))
    }

    fn parse_trades(&self, instruments: &[Instrument], body: &[u8]) -> Result<Vec<TradeRecord>, OrderDecodeError> {
        each!(self, side => side.parse_trades(instruments, body))
    }

    fn parse_refusal(&self, status: u16, body: &[u8]) -> Refusal {
        each!(self, side => side.parse_refusal(status, body))
    }

    fn reaction(&self, refusal: &Refusal) -> Reaction {
        each!(self, side => side.reaction(refusal))
    }

    fn advice(&self, refusal: &Refusal) -> Option<&'static str> {
        each!(self, side => side.advice(refusal))
    }
}
