//! HOT: the order side of whichever venue was configured: one match a call, no table of functions.

use spinbook_engine::types::{Nanos, OrderId};

use crate::crypto::credentials::Credentials;
use crate::venue::ProductLine;
use crate::venue::instrument::Instrument;
use crate::venue::order_ids::{ClientOrderId, RunName};
use crate::venue::order_side::{Cost, HandshakeStep, OrderConnection, OrderSide, Reaction, SelfTradePrevention};
use crate::venue::orders::{OrderDecodeError, OrderMessage, Refusal, Request, RequestId, RequestKind};

macro_rules! any_orders {
    ($($Venue:ident: $room:ident),+ $(,)?) => {
        /// The order side of one of the listed venues.
        pub enum AnyOrders {
            $(
                #[doc = concat!("Of `venue::", stringify!($room), "`.")]
                $Venue(crate::venue::$room::Orders),
            )+
        }

        impl AnyOrders {
            /// The order side of an account on a product line; `None` where that takes no orders. The venue may execute
            /// a request for `receive_window_ms` after its timestamp.
            #[must_use]
            pub fn new(
                product: ProductLine,
                credentials: Credentials,
                receive_window_ms: i64,
                self_trade_prevention: SelfTradePrevention,
            ) -> Option<AnyOrders> {
                $(
                    if crate::venue::$room::PRODUCT_LINES.contains(&product) && product.card().orders.is_some() {
                        return Some(AnyOrders::$Venue(crate::venue::$room::Orders::new(
                            product,
                            credentials,
                            receive_window_ms,
                            self_trade_prevention,
                        )));
                    }
                )+
                None
            }
        }

        impl OrderSide for AnyOrders {
            #[inline]
            fn client_id(&self, order: OrderId) -> ClientOrderId {
                match self { $(AnyOrders::$Venue(side) => side.client_id(order)),+ }
            }

            fn set_run(&mut self, run: u32, salt: u64) {
                match self { $(AnyOrders::$Venue(side) => side.set_run(run, salt)),+ }
            }

            fn set_earlier_runs(&mut self, earlier: &[RunName]) {
                match self { $(AnyOrders::$Venue(side) => side.set_earlier_runs(earlier)),+ }
            }

            fn order_of(&self, client_id: &str) -> Option<OrderId> {
                match self { $(AnyOrders::$Venue(side) => side.order_of(client_id)),+ }
            }

            fn handshake(&self) -> &'static [HandshakeStep] {
                match self { $(AnyOrders::$Venue(side) => side.handshake()),+ }
            }

            fn target(&self, connection: OrderConnection, user_data_key: &str) -> String {
                match self { $(AnyOrders::$Venue(side) => side.target(connection, user_data_key)),+ }
            }

            fn keeps_user_data(&self) -> bool {
                match self { $(AnyOrders::$Venue(side) => side.keeps_user_data()),+ }
            }

            #[inline]
            fn connection_of(&self, kind: RequestKind) -> OrderConnection {
                match self { $(AnyOrders::$Venue(side) => side.connection_of(kind)),+ }
            }

            fn can_ask_fills(&self) -> bool {
                match self { $(AnyOrders::$Venue(side) => side.can_ask_fills()),+ }
            }

            fn set_logged_on(&mut self, connection: OrderConnection, logged_on: bool) {
                match self { $(AnyOrders::$Venue(side) => side.set_logged_on(connection, logged_on)),+ }
            }

            fn choose_connection(&mut self, connection: OrderConnection) {
                match self { $(AnyOrders::$Venue(side) => side.choose_connection(connection)),+ }
            }

            fn credentials(&self) -> Option<&Credentials> {
                match self { $(AnyOrders::$Venue(side) => side.credentials()),+ }
            }

            fn prepare(&mut self, instruments: &[Instrument]) {
                match self { $(AnyOrders::$Venue(side) => side.prepare(instruments)),+ }
            }

            fn encode(&mut self, id: RequestId, request: &Request<'_>, venue_now: Nanos, out: &mut Vec<u8>) {
                match self { $(AnyOrders::$Venue(side) => side.encode(id, request, venue_now, out)),+ }
            }

            #[inline]
            fn encode_at(
                &self,
                id: RequestId,
                request: &Request<'_>,
                venue_now: Nanos,
                out: &mut [u8],
            ) -> Option<usize> {
                match self { $(AnyOrders::$Venue(side) => side.encode_at(id, request, venue_now, out)),+ }
            }

            fn decode(&self, instruments: &[Instrument], frame: &[u8]) -> Result<OrderMessage, OrderDecodeError> {
                match self { $(AnyOrders::$Venue(side) => side.decode(instruments, frame)),+ }
            }

            fn reaction(&self, kind: RequestKind, refusal: &Refusal) -> Reaction {
                match self { $(AnyOrders::$Venue(side) => side.reaction(kind, refusal)),+ }
            }

            fn advice(&self, refusal: &Refusal) -> Option<&'static str> {
                match self { $(AnyOrders::$Venue(side) => side.advice(refusal)),+ }
            }

            fn validity(&self) -> Nanos {
                match self { $(AnyOrders::$Venue(side) => side.validity()),+ }
            }

            #[inline]
            fn cost(&self, kind: RequestKind) -> Cost {
                match self { $(AnyOrders::$Venue(side) => side.cost(kind)),+ }
            }
        }
    };
}

for_each_venue!(any_orders);
