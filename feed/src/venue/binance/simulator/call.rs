//! COLD: one request of a client on its way through the simulated exchange.

use spinbook_engine::types::Nanos;

use super::catalog::Api;
use super::errors::ApiError;
use super::params::Params;
use crate::sim::api::{AccountId, ListingIndex};
use crate::sim::world::World;
use crate::venue::binance::Product;

/// One request on its way through.
pub struct Call<'a> {
    /// Product line.
    pub product: Product,
    /// What is asked for.
    pub api: Api,
    /// With what.
    pub params: &'a Params,
    /// By whom; account 0 for open requests, which do not look at it.
    pub account: AccountId,
    /// The server's clock.
    pub server_time: Nanos,
    /// The world's clock.
    pub now: Nanos,
}

impl Call<'_> {
    /// The listing named in the request.
    ///
    /// # Errors
    /// -1102 if none is named, -1121 if there is no such.
    pub fn listing(&self, world: &World) -> Result<ListingIndex, ApiError> {
        let symbol = self.params.required("symbol")?;
        find_listing(world, symbol)
    }

    /// The listing named in the request, if one is named.
    ///
    /// # Errors
    /// -1121.
    pub fn listing_if_named(&self, world: &World) -> Result<Option<ListingIndex>, ApiError> {
        self.params.text("symbol").map(|symbol| find_listing(world, symbol)).transpose()
    }
}

/// The listing of a symbol.
///
/// # Errors
/// -1121.
pub(super) fn find_listing(world: &World, symbol: &str) -> Result<ListingIndex, ApiError> {
    let found = world.listings().iter().position(|listing| listing.symbol == symbol);
    found.ok_or_else(ApiError::bad_symbol)
}
