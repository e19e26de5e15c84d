//! COLD: somebody at the exchange beside the engine: a hand that trades, and looks, over REST.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::io::fetch::{Fetcher, HttpCall};
use spinbook_feed::venue::binance::parameters::Query;

use crate::rig::{Exchange, HANG};

/// One account of an exchange; what trades there is of futures only.
pub struct Desk {
    fetcher: Fetcher,
    base: String,
    orders_path: &'static str,
    credentials: Credentials,
}

impl Desk {
    /// The account that the engine trades on.
    pub fn of_the_engine(exchange: &Exchange) -> Desk {
        if exchange.text("venue") == "binance-spot" {
            // There it signs with the other of the two keys.
            return Desk { orders_path: "/api/v3/openOrders", ..Desk::of_another(exchange) };
        }
        let secret = Secret::new(exchange.text("secret").to_owned());
        Desk::with(exchange, Credentials::hmac(exchange.text("api_key"), &secret).expect("an HMAC key"))
    }

    /// Another one.
    pub fn of_another(exchange: &Exchange) -> Desk {
        let key = Secret::new(exchange.text("private_key").to_owned());
        Desk::with(exchange, Credentials::ed25519(exchange.text("api_key_ed25519"), &key).expect("an Ed25519 key"))
    }

    fn with(exchange: &Exchange, credentials: Credentials) -> Desk {
        let authority = std::fs::read(exchange.text("ca_file")).expect("a CA file");
        let trust = Trust::from_pem(&authority).expect("its own authority");
        let base = exchange.text("rest_url").to_owned();
        Desk { fetcher: Fetcher::new(&trust, HANG), base, orders_path: "/fapi/v1/openOrders", credentials }
    }

    /// A signed request and its answer.
    #[track_caller]
    pub fn ask(&self, method: &'static str, path: &str, parameters: &[(&str, &str)]) -> Value {
        let mut query = Query::new();
        parameters.iter().for_each(|(name, value)| query.push(name, value));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        query.push_number("timestamp", i64::try_from(now).expect("this century"));
        query.push_number("recvWindow", 60_000);
        query.sign(&self.credentials);
        let url = format!("{}{path}?{}", self.base, query.as_str());
        let headers = [("X-MBX-APIKEY", self.credentials.api_key.as_str())];
        let call = HttpCall { method, url: &url, headers: &headers, body_bytes_max: 1 << 24 };
        let body = self.fetcher.call(&call).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// The best bid times `factor`, as an order prints a price.
    fn price(&self, factor: f64) -> String {
        let depth = self.ask("GET", "/fapi/v1/depth", &[("symbol", "BTCUSDT"), ("limit", "5")]);
        let best: f64 = depth["bids"][0][0].as_str().and_then(|text| text.parse().ok()).expect("a best bid");
        format!("{:.1}", best * factor)
    }

    /// Rests a bid three percent below the best; its number.
    pub fn rests_a_bid(&self) -> Value {
        let order = [
            ("symbol", "BTCUSDT"),
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.010"),
            ("price", &self.price(0.97)),
        ];
        self.ask("POST", "/fapi/v1/order", &order)["orderId"].clone()
    }

    /// Sells through the bids down to one percent below the best: whoever quotes there buys.
    pub fn sells_through_the_bids(&self) {
        let price = self.price(0.99);
        let order = [
            ("symbol", "BTCUSDT"),
            ("side", "SELL"),
            ("type", "LIMIT"),
            ("timeInForce", "IOC"),
            ("quantity", "100"),
            ("price", &price),
        ];
        self.ask("POST", "/fapi/v1/order", &order);
    }

    /// What the account holds, as the exchange prints it.
    pub fn position(&self) -> String {
        let rows = self.ask("GET", "/fapi/v3/positionRisk", &[("symbol", "BTCUSDT")]);
        rows[0]["positionAmt"].as_str().expect("a position").to_owned()
    }

    /// What the account of a spot exchange has of an asset, while no order of it is open.
    pub fn spot_balance(&self, asset: &str) -> String {
        let account = self.ask("GET", "/api/v3/account", &[]);
        let balances = account["balances"].as_array().expect("a list");
        let balance = balances.iter().find(|balance| balance["asset"] == asset).expect("it has the asset");
        balance["free"].as_str().expect("an amount").to_owned()
    }

    /// Waits until the exchange says what is waited for.
    #[track_caller]
    pub fn until(&self, what: &str, met: impl Fn(&Desk) -> bool) {
        let until = Instant::now() + HANG;
        while !met(self) {
            assert!(Instant::now() < until, "no {what} in time");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether anything of it was ever filled.
    pub fn has_traded(&self) -> bool {
        let trades = self.ask("GET", "/fapi/v1/userTrades", &[("symbol", "BTCUSDT")]);
        trades.as_array().is_some_and(|trades| !trades.is_empty())
    }

    /// Its open orders.
    pub fn open_orders(&self) -> Vec<Value> {
        let orders = self.ask("GET", self.orders_path, &[("symbol", "BTCUSDT")]);
        orders.as_array().expect("a list").clone()
    }
}
