//! COLD: what a venue's room knows of other people's recordings of it; each room is asked in turn.
//!
//! Recorded lines have no common form for what they mean: a URL names the host, a reply its path, a frame its fields.
//! Only the room can tell, so each room gives a [`RecordedForm`], and the list collects them.

use crate::error::InstrumentError;
use crate::venue::card::ProductLine;
use crate::venue::instrument::{Instrument, Symbol};

/// What a recorded reply to a REST request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedReply {
    /// The venue's instrument list.
    Instruments,
    /// A depth snapshot; of which symbol, where the request named it.
    Snapshot {
        /// Whose book.
        symbol: Option<Symbol>,
    },
}

/// What a recorded frame is, as far as its fields say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedFrame {
    /// The product line, where only one of the room's sends such frames.
    pub product: Option<ProductLine>,
    /// The symbol, if the frame is of the market and may be used.
    pub symbol: Option<Symbol>,
}

/// Takes a price and a quantity as the venue printed them.
pub type NumberSink<'a> = &'a mut dyn FnMut(&str, &str);

/// How one room reads recordings of its venue.
#[derive(Clone, Copy, Debug)]
pub struct RecordedForm {
    /// The product line that a recorded URL or the recorder's name of an exchange stands for.
    pub product: fn(url: Option<&str>, exchange: Option<&str>) -> Option<ProductLine>,
    /// What the reply to this URL is; `None`: not of use here.
    pub reply: fn(url: &str) -> Option<RecordedReply>,
    /// Whether a frame among the stream's is the body of a snapshot.
    pub is_snapshot: fn(frame: &[u8]) -> bool,
    /// Reads a stream frame without a known scale, and hands out its prices and quantities; `None`: not JSON.
    pub frame: fn(frame: &[u8], numbers: NumberSink<'_>) -> Option<RecordedFrame>,
    /// Hands out the prices and quantities of a snapshot; false: not JSON.
    pub snapshot: fn(body: &[u8], numbers: NumberSink<'_>) -> bool,
    /// Reads the instrument list of one of the room's product lines.
    pub instruments: fn(ProductLine, list: &[u8]) -> Result<Vec<Instrument>, InstrumentError>,
}

macro_rules! forms {
    ($($Venue:ident: $room:ident),+ $(,)?) => {
        const FORMS: &[(&[ProductLine], RecordedForm)] =
            &[$((&crate::venue::$room::PRODUCT_LINES, crate::venue::$room::RECORDED),)+];
    };
}

for_each_venue!(forms);

/// The product line that a recorded URL or exchange name stands for.
#[must_use]
pub fn product_of(url: Option<&str>, exchange: Option<&str>) -> Option<ProductLine> {
    FORMS.iter().find_map(|(_, form)| (form.product)(url, exchange))
}

/// What the reply to a recorded URL is.
#[must_use]
pub fn reply_of(url: &str) -> Option<RecordedReply> {
    FORMS.iter().find_map(|(_, form)| (form.reply)(url))
}

/// Whether a frame among a stream's is the body of a snapshot.
#[must_use]
pub fn is_snapshot(frame: &[u8]) -> bool {
    FORMS.iter().any(|(_, form)| (form.is_snapshot)(frame))
}

/// The form of a product line; of all of them while none is known.
pub fn forms_of(product: Option<ProductLine>) -> impl Iterator<Item = &'static RecordedForm> {
    let wanted = move |lines: &[ProductLine]| product.is_none_or(|product| lines.contains(&product));
    FORMS.iter().filter(move |(lines, _)| wanted(lines)).map(|(_, form)| form)
}
