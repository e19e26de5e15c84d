//! HOT: the market data of whichever venue was configured: one match a frame, no table of functions.

/// Makes an enum of market sides from a list: a variant, its type, and the product lines that it serves.
///
/// The second name is that of the enum of their sequence rules. The list of the real venues is in `venue`; a test
/// may make one of its own.
#[macro_export]
macro_rules! market_sides {
    ($Name:ident, $Rule:ident; $($Venue:ident: $side:ty, $lines:expr;)+) => {
        /// The market data of one of the listed venues.
        #[derive(Debug)]
        pub enum $Name {
            $(
                #[doc = concat!("Of `", stringify!($side), "`.")]
                $Venue($side),
            )+
        }

        /// The sequence rule of one of the listed venues.
        #[derive(Clone, Copy, Debug)]
        pub enum $Rule {
            $(
                #[doc = concat!("Of `", stringify!($side), "`.")]
                $Venue(<$side as $crate::venue::market::MarketSide>::Rule),
            )+
        }

        impl $crate::sync::SequenceRule for $Rule {
            #[inline]
            fn join(self, last: u64, update: $crate::sync::UpdateIds) -> $crate::sync::Verdict {
                match self { $($Rule::$Venue(rule) => rule.join(last, update),)+ }
            }

            #[inline]
            fn follow(self, last: u64, update: $crate::sync::UpdateIds) -> $crate::sync::Verdict {
                match self { $($Rule::$Venue(rule) => rule.follow(last, update),)+ }
            }
        }

        impl $crate::venue::market::MarketSide for $Name {
            type Rule = $Rule;

            fn new(
                product: $crate::venue::ProductLine,
                instruments: &[$crate::venue::instrument::Instrument],
                channels: &$crate::venue::market::Channels,
                scanner: $crate::scan::ScannerChoice,
            ) -> Self {
                $(
                    if $lines.contains(&product) {
                        return $Name::$Venue(<$side as $crate::venue::market::MarketSide>::new(
                            product,
                            instruments,
                            channels,
                            scanner,
                        ));
                    }
                )+
                unreachable!("{product:?}: product lines come from the list that this is made of")
            }

            fn product(&self) -> $crate::venue::ProductLine {
                match self { $($Name::$Venue(side) => side.product(),)+ }
            }

            fn rule(&self) -> $Rule {
                match self { $($Name::$Venue(side) => $Rule::$Venue(side.rule()),)+ }
            }

            #[inline]
            fn decode(
                &mut self,
                frame: $crate::venue::market::FrameBytes<'_>,
            ) -> Result<$crate::venue::market::Message, $crate::error::DecodeError> {
                match self { $($Name::$Venue(side) => side.decode(frame),)+ }
            }

            #[inline]
            fn next_message(&mut self) -> Option<$crate::venue::market::Message> {
                match self { $($Name::$Venue(side) => side.next_message(),)+ }
            }

            #[inline]
            fn levels(&self) -> &$crate::scan::LevelScratch {
                match self { $($Name::$Venue(side) => side.levels(),)+ }
            }

            fn decode_snapshot(
                &mut self,
                symbol: usize,
                buffer: &mut [u8],
                length: usize,
            ) -> Result<$crate::venue::market::Message, $crate::error::DecodeError> {
                match self { $($Name::$Venue(side) => side.decode_snapshot(symbol, buffer, length),)+ }
            }

            fn symbols(&self) -> &$crate::venue::market::SymbolTable {
                match self { $($Name::$Venue(side) => side.symbols(),)+ }
            }

            fn named_stream(&self, frame: &[u8]) -> Option<(usize, bool)> {
                match self { $($Name::$Venue(side) => side.named_stream(frame),)+ }
            }

            fn routes(&self) -> &[$crate::venue::market::MarketRoute] {
                match self { $($Name::$Venue(side) => side.routes(),)+ }
            }

            fn request_bytes_max(&self) -> usize {
                match self { $($Name::$Venue(side) => side.request_bytes_max(),)+ }
            }

            fn write_request(
                &mut self,
                request: usize,
                now: spinbook_engine::types::Nanos,
                out: &mut $crate::venue::market::RequestText,
            ) {
                match self { $($Name::$Venue(side) => side.write_request(request, now, out),)+ }
            }

            fn write_reply(
                &mut self,
                now: spinbook_engine::types::Nanos,
                out: &mut $crate::venue::market::RequestText,
            ) {
                match self { $($Name::$Venue(side) => side.write_reply(now, out),)+ }
            }

            fn write_heartbeat(
                &mut self,
                now: spinbook_engine::types::Nanos,
                out: &mut $crate::venue::market::RequestText,
            ) {
                match self { $($Name::$Venue(side) => side.write_heartbeat(now, out),)+ }
            }

            fn write_snapshot_request(
                &mut self,
                symbol: usize,
                levels: u16,
                now: spinbook_engine::types::Nanos,
                out: &mut $crate::venue::market::RequestText,
            ) {
                match self { $($Name::$Venue(side) => side.write_snapshot_request(symbol, levels, now, out),)+ }
            }

            fn rehearsed_update(
                &self,
                instrument: &$crate::venue::instrument::Instrument,
                bids: &[spinbook_engine::types::Level],
                asks: &[spinbook_engine::types::Level],
            ) -> Option<$crate::venue::rehearsed::RehearsedFrame> {
                match self { $($Name::$Venue(side) => side.rehearsed_update(instrument, bids, asks),)+ }
            }

            fn rehearsed_snapshot(
                &self,
                instrument: &$crate::venue::instrument::Instrument,
                last: u64,
                bids: &[spinbook_engine::types::Level],
                asks: &[spinbook_engine::types::Level],
            ) -> Option<Vec<u8>> {
                match self { $($Name::$Venue(side) => side.rehearsed_snapshot(instrument, last, bids, asks),)+ }
            }

            fn warm(&self, symbol: usize) {
                match self { $($Name::$Venue(side) => side.warm(symbol),)+ }
            }

            fn counts(&self) -> $crate::venue::market::DecodeCounts {
                match self { $($Name::$Venue(side) => side.counts(),)+ }
            }

            fn scanner_name(&self) -> &'static str {
                match self { $($Name::$Venue(side) => side.scanner_name(),)+ }
            }
        }
    };
}

macro_rules! any_market {
    ($($Venue:ident: $room:ident),+ $(,)?) => {
        market_sides! {
            AnyMarket, AnySequence;
            $($Venue: crate::venue::$room::Market, crate::venue::$room::PRODUCT_LINES;)+
        }
    };
}

for_each_venue!(any_market);
