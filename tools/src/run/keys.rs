//! COLD: what signs a run's requests: test keys made for it, or the configured credentials.

use serde::{Deserialize, Serialize};
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::card::KeyKind;

use crate::config::credentials;
use crate::config::tables::MarketConfig;
use crate::error::Failure;

/// Keys of two test accounts of a simulated exchange, one for each way to sign; worth nothing elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestKeys {
    /// Key id of the account that signs with HMAC-SHA256.
    pub api_key: String,
    /// Its secret.
    pub secret: String,
    /// Key id of the account that signs with Ed25519.
    pub api_key_ed25519: String,
    /// Its private key, PKCS#8 PEM.
    pub private_key: String,
}

impl TestKeys {
    /// The credentials to trade a product line with, of the kind with which its orders have the shortest way.
    ///
    /// # Errors
    /// A key that cannot be one: empty, a placeholder, with white space.
    pub fn credentials(&self, product: ProductLine) -> Result<Credentials, Failure> {
        let made = if product.signs_with(KeyKind::Ed25519) {
            Credentials::ed25519(&self.api_key_ed25519, &Secret::new(self.private_key.clone()))
        } else {
            Credentials::hmac(&self.api_key, &Secret::new(self.secret.clone()))
        };
        made.map_err(|error| Failure::failed("the exchange's test keys cannot be used").because(error))
    }
}

/// Where the credentials come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// Made for this run by its own exchange.
    Test(TestKeys),
    /// As configured; read again for each part of the program that signs, never copied.
    Configured,
}

impl KeySource {
    /// The credentials of a market.
    ///
    /// # Errors
    /// None are found, or they cannot be used.
    pub fn credentials(&self, market: &MarketConfig) -> Result<Credentials, Failure> {
        match self {
            KeySource::Test(keys) => keys.credentials(market.venue),
            KeySource::Configured => {
                credentials::load(market, &|name| std::env::var(name).ok()).map(|found| found.credentials)
            }
        }
    }
}
