//! COLD: instruments where a recording has no list: increments inferred from the numbers themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use spinbook_engine::types::{InstrumentId, Lots, Nanos, QuoteAtoms, Tick};

use super::recorded::Recording;
use super::verify_report::VerifyProblem;
use crate::number::{DECIMALS_MAX, Scale, last_digit_exponent, printed_decimals};
use crate::venue::ProductLine;
use crate::venue::instrument::{Instrument, InstrumentStatus, Symbol, atoms_per_tick_lot, split_assets};
use crate::venue::recordings::forms_of;
use crate::venue::source::{MarketSource, Record, RecordKind, SourceError};

/// Records looked at before playing; finer increments that come later are noticed and start the chain over.
pub const PREFIX_RECORDS: usize = 2_000;
/// Symbols that one recording may have.
const SYMBOLS_MAX: usize = 1_024;
/// What the numbers of one symbol were seen to need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    price_decimals: u8,
    price_exponent: i32,
    quantity_decimals: u8,
    quantity_exponent: i32,
}

impl Seen {
    const NOTHING: Seen = Seen { price_decimals: 0, price_exponent: 0, quantity_decimals: 0, quantity_exponent: 0 };

    fn number(text: &str, decimals: &mut u8, exponent: &mut i32) {
        let Ok(last) = last_digit_exponent(text.as_bytes()) else {
            return;
        };
        let last = last.unwrap_or(0);
        if last < -i32::from(DECIMALS_MAX) {
            return;
        }
        let printed = printed_decimals(text.as_bytes()).min(DECIMALS_MAX);
        *decimals = (*decimals).max(printed).max(u8::try_from(-last).unwrap_or(0));
        *exponent = (*exponent).min(last);
    }

    fn level(&mut self, price: &str, quantity: &str) {
        Seen::number(price, &mut self.price_decimals, &mut self.price_exponent);
        Seen::number(quantity, &mut self.quantity_decimals, &mut self.quantity_exponent);
    }

    /// What either of two needs.
    fn merged(self, other: Seen) -> Seen {
        Seen {
            price_decimals: self.price_decimals.max(other.price_decimals),
            price_exponent: self.price_exponent.min(other.price_exponent),
            quantity_decimals: self.quantity_decimals.max(other.quantity_decimals),
            quantity_exponent: self.quantity_exponent.min(other.quantity_exponent),
        }
    }
}

/// What a recording's numbers say about its instruments.
#[derive(Clone, Debug, Default)]
pub struct Inference {
    product: Option<ProductLine>,
    fixed_product: bool,
    seen: BTreeMap<Symbol, Seen>,
    order: Vec<Symbol>,
    listed: BTreeMap<Symbol, Instrument>,
    list: Option<Vec<u8>>,
    /// By file of the source that was looked at: when its first record was received.
    begins: Vec<Nanos>,
}

impl Inference {
    /// Nothing seen yet; `product` if it is known.
    #[must_use]
    pub fn new(product: Option<ProductLine>) -> Inference {
        Inference { product, fixed_product: product.is_some(), ..Inference::default() }
    }

    /// Looks at the first records of a recording. A fault in it ends the look; the player meets it again.
    pub fn look_at(&mut self, source: &mut dyn MarketSource) {
        for _ in 0..PREFIX_RECORDS {
            match source.next() {
                Ok(Some(record)) => self.look_at_record(&record),
                Ok(None) | Err(_) => break,
            }
        }
        self.read_list();
    }

    /// The symbol, if there is only one.
    #[must_use]
    pub fn only_symbol(&self) -> Option<Symbol> {
        if let [only] = self.order[..] { Some(only) } else { None }
    }

    /// Adds what another recording of the same chain says.
    pub fn add(&mut self, other: Inference) {
        if !self.fixed_product && self.product.is_none() {
            self.product = other.product;
        }
        for symbol in other.order {
            if let Some(seen) = other.seen.get(&symbol) {
                self.note(symbol, *seen);
            }
        }
        if other.list.is_some() {
            self.list = other.list;
        }
        self.read_list();
    }

    /// Looks at a whole recording.
    ///
    /// # Errors
    /// The recording's.
    pub fn look_at_all(&mut self, source: &mut dyn MarketSource) -> Result<(), SourceError> {
        while let Some(record) = source.next()? {
            self.look_at_record(&record);
        }
        self.read_list();
        Ok(())
    }

    fn look_at_record(&mut self, record: &Record<'_>) {
        if record.place.file >= self.begins.len() && record.stamp.wall != Nanos::ZERO {
            self.begins.resize(record.place.file + 1, record.stamp.wall);
        }
        if !self.fixed_product
            && let Some(product) = record.venue.and_then(ProductLine::from_venue_id)
        {
            self.product = Some(product);
        }
        let frame = &record.buffer[..record.length];
        match record.kind {
            RecordKind::Stream => {
                self.observe(frame);
            }
            RecordKind::Snapshot { symbol } => {
                self.observe_snapshot(symbol, frame);
            }
            RecordKind::Instruments => self.list = Some(frame.to_vec()),
            RecordKind::Other | RecordKind::Malformed => {}
        }
    }

    fn read_list(&mut self) {
        if let (Some(product), Some(list)) = (self.product, &self.list)
            && let Some(form) = forms_of(Some(product)).next()
            && let Ok(instruments) = (form.instruments)(product, list)
        {
            self.listed = instruments.into_iter().map(|instrument| (instrument.symbol, instrument)).collect();
        }
    }

    /// Looks at one stream frame; true if it told something new.
    pub fn observe(&mut self, frame: &[u8]) -> bool {
        let mut seen = Seen::NOTHING;
        let mut numbers = |price: &str, quantity: &str| seen.level(price, quantity);
        let Some(found) = forms_of(self.product).find_map(|form| (form.frame)(frame, &mut numbers)) else {
            return false;
        };
        if !self.fixed_product && self.product.is_none() {
            self.product = found.product;
        }
        found.symbol.is_some_and(|symbol| self.note(symbol, seen))
    }

    /// Looks at a snapshot of `symbol`, or of the only symbol; true if it told something new.
    pub fn observe_snapshot(&mut self, symbol: Option<Symbol>, body: &[u8]) -> bool {
        let Some(symbol) = symbol.or_else(|| self.only_symbol()) else { return false };
        let mut seen = Seen::NOTHING;
        let mut numbers = |price: &str, quantity: &str| seen.level(price, quantity);
        forms_of(self.product).any(|form| (form.snapshot)(body, &mut numbers)) && self.note(symbol, seen)
    }

    fn note(&mut self, symbol: Symbol, news: Seen) -> bool {
        let known = self.seen.get(&symbol).copied();
        if known.is_none() && self.order.len() >= SYMBOLS_MAX {
            return false;
        }
        let seen = known.unwrap_or(Seen::NOTHING).merged(news);
        if known.is_none() {
            self.order.push(symbol);
        }
        self.seen.insert(symbol, seen);
        known != Some(seen)
    }

    /// The product line, if it is known or could be told.
    #[must_use]
    pub fn product(&self) -> Option<ProductLine> {
        self.product
    }

    /// The symbols seen, as instruments, in the order of their first appearance: listed ones as listed, others
    /// as inferred.
    #[must_use]
    pub fn instruments(&self) -> Vec<Instrument> {
        let Some(product) = self.product else { return Vec::new() };
        let mut instruments = Vec::with_capacity(self.order.len());
        for symbol in &self.order {
            let id = InstrumentId(instruments.len() as u16);
            let instrument = match (self.listed.get(symbol), self.seen.get(symbol)) {
                // Orders from before a change of the increment still rest at finer prices.
                (Some(listed), Some(seen)) => listed
                    .refined(seen.price_exponent, seen.quantity_exponent)
                    .map(|refined| Instrument { id, ..refined }),
                (Some(listed), None) => Some(Instrument { id, ..*listed }),
                (None, Some(seen)) => inferred(product, *symbol, id, *seen),
                (None, None) => None,
            };
            instruments.extend(instrument);
        }
        instruments
    }
}

/// An instrument whose increments are the finest powers of ten that were seen.
fn inferred(product: ProductLine, symbol: Symbol, id: InstrumentId, seen: Seen) -> Option<Instrument> {
    let power = |decimals: u8, exponent: i32| 10u64.checked_pow(u32::try_from(i32::from(decimals) + exponent).ok()?);
    let price = Scale::new(seen.price_decimals, power(seen.price_decimals, seen.price_exponent)?)?;
    let quantity_decimals = seen.quantity_decimals.max(product.card().balance_decimals);
    let quantity = Scale::new(quantity_decimals, 1)?;
    let lots_order_step = i64::try_from(power(quantity_decimals, seen.quantity_exponent)?).ok()?;
    let (base_asset, quote_asset) = assets_of(symbol);
    Some(Instrument {
        id,
        venue: product.venue_id(),
        symbol,
        base_asset,
        quote_asset,
        contract: product.card().contract,
        price,
        quantity,
        tick_order_step: 1,
        lots_order_step,
        lots_order_min: Lots(lots_order_step),
        lots_order_max: Lots(i64::MAX / 4),
        tick_order_min: Tick(0),
        tick_order_max: Tick(0),
        notional_min: QuoteAtoms::ZERO,
        atoms_per_tick_lot: atoms_per_tick_lot(&price, &quantity)?,
        status: InstrumentStatus::Trading,
    })
}

fn assets_of(symbol: Symbol) -> (Symbol, Symbol) {
    split_assets(symbol.as_str())
        .and_then(|(base, quote)| Some((Symbol::new(base)?, Symbol::new(quote)?)))
        .unwrap_or((symbol, Symbol::EMPTY))
}

/// Product line and instruments of recordings, from their list if they have one, else inferred from all their
/// numbers.
///
/// # Errors
/// What is wrong with the files, or that no product line can be told from them.
pub fn recorded_instruments(
    files: &[PathBuf],
    product: Option<ProductLine>,
) -> Result<(ProductLine, Vec<Instrument>), VerifyProblem> {
    let mut inference = Inference::new(product);
    inference.look_at_all(&mut Recording::new(files)).map_err(VerifyProblem::Source)?;
    // Files of several symbols may be of one time; those of one symbol are a chain.
    let earlier = inference.begins.windows(2).position(|pair| pair[1] < pair[0]);
    if let (Some(_), Some(place)) = (inference.only_symbol(), earlier) {
        let name = |place: usize| files.get(place).map_or_else(String::new, |file| file.display().to_string());
        return Err(VerifyProblem::OutOfOrder { file: name(place + 1), before: name(place) });
    }
    let product = inference.product().ok_or(VerifyProblem::UnknownVenue)?;
    Ok((product, inference.instruments()))
}
