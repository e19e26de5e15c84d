//! COLD: the exchange side: takes the connections, serves the snapshot, answers the gateway, ends each order at once.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use serde_json::{Value, json};
use spinbook_feed::venue::ProductLine;

use super::line::ServedConnection;
use crate::markets::is_spot;

/// Where the snapshot is fetched.
pub const SNAPSHOT_PATH: &str = "/depth";

/// What an order brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderAnswer {
    /// The refusal of a post-only order whose price the market has overtaken: it ends the order in one message.
    Refuse,
    /// It is accepted, and so is its cancel.
    Accept,
}

/// What stands between `"key":"` and the next quote.
#[must_use]
pub fn text_behind<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(key.len()).position(|part| part == key)? + key.len();
    let end = text[at..].iter().position(|&byte| byte == b'"')?;
    Some(&text[at..at + end])
}

/// The answers to a gateway's requests.
pub struct Answers {
    product: ProductLine,
    order: OrderAnswer,
    /// Orders placed so far: the newest one's number at the exchange.
    placed: u64,
    /// What the newest one asked for.
    newest: Value,
    /// The gateway has asked for open orders and was told of none: it is ready.
    pub swept: bool,
}

impl Answers {
    /// With what each order brings.
    #[must_use]
    pub fn new(product: ProductLine, order: OrderAnswer) -> Answers {
        Answers { product, order, placed: 0, newest: Value::Null, swept: false }
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// A request that has no place here.
    pub fn reply(&mut self, text: &[u8]) -> io::Result<Vec<u8>> {
        let missing = || io::Error::other(format!("not a request: {}", String::from_utf8_lossy(text)));
        let id = String::from_utf8_lossy(text_behind(text, b"\"id\":\"").ok_or_else(missing)?);
        let method = text_behind(text, b"\"method\":\"").ok_or_else(missing)?;
        self.swept |= method == b"openOrders.status";
        let result = match method {
            b"order.place" if self.order == OrderAnswer::Refuse => return Ok(self.refusal(&id).into_bytes()),
            b"order.place" | b"order.cancel" => self.accepted(text)?.to_string(),
            b"time" => {
                let milliseconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                format!("{{\"serverTime\":{milliseconds}}}")
            }
            b"userDataStream.start" => "{\"listenKey\":\"wire\"}".to_owned(),
            b"openOrders.status" | b"openOrders.cancelAll" => "[]".to_owned(),
            method if method.starts_with(b"userDataStream.") => "{}".to_owned(),
            _ => return Err(missing()),
        };
        Ok(format!("{{\"id\":\"{id}\",\"status\":200,\"result\":{result}}}").into_bytes())
    }

    fn refusal(&self, id: &str) -> String {
        let (code, message) = if is_spot(self.product) {
            (-2010, "Order would immediately match and take.")
        } else {
            (-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected.")
        };
        format!("{{\"id\":\"{id}\",\"status\":400,\"error\":{{\"code\":{code},\"msg\":\"{message}\"}}}}")
    }

    fn accepted(&mut self, text: &[u8]) -> io::Result<Value> {
        let mut request: Value = serde_json::from_slice(text)?;
        let places = request["method"] == "order.place";
        let time = request["params"]["timestamp"].take();
        if places {
            self.placed += 1;
            self.newest = request["params"].take();
        }
        let Value::Object(order) = &self.newest else { return Err(io::Error::other("a cancel before any order")) };
        let of_order = |name: &str| order.get(name).cloned().unwrap_or_default();
        let name = of_order("newClientOrderId");
        Ok(json!({
            "symbol": of_order("symbol"), "orderId": self.placed, "orderListId": -1,
            "clientOrderId": name, "origClientOrderId": name,
            "status": if places { "NEW" } else { "CANCELED" }, "side": of_order("side"),
            "price": "0", "origQty": "0", "executedQty": "0", "transactTime": time, "updateTime": time,
        }))
    }
}

/// Every connection by what it is for.
pub struct Exchange {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    snapshot: Vec<u8>,
    opening: Vec<ServedConnection>,
    /// Connections that the snapshot leaves by.
    snapshots: Vec<ServedConnection>,
    /// Market data.
    pub market: Option<ServedConnection>,
    /// Orders.
    pub orders: Option<ServedConnection>,
    user_data: Option<ServedConnection>,
    /// The market was subscribed.
    pub subscribed: bool,
    /// What the gateway is told.
    pub answers: Answers,
}

impl Exchange {
    /// Listens on loopback; `snapshot` is the body that [`SNAPSHOT_PATH`] gives.
    ///
    /// # Errors
    /// The system refuses.
    pub fn bind(answers: Answers, snapshot: Vec<u8>, tls: Arc<ServerConfig>) -> io::Result<Exchange> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let (opening, snapshots) = (Vec::new(), Vec::new());
        let (market, orders, user_data) = (None, None, None);
        Ok(Exchange {
            listener,
            tls,
            snapshot,
            opening,
            snapshots,
            market,
            orders,
            user_data,
            subscribed: false,
            answers,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes new connections, and serves the snapshot.
    ///
    /// # Errors
    /// A client is gone or breaks a protocol.
    pub fn accept(&mut self) -> io::Result<()> {
        match self.listener.accept() {
            Ok((tcp, _)) => self.opening.push(ServedConnection::new(tcp, &self.tls)?),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let mut place = 0;
        while place < self.opening.len() {
            let line = &mut self.opening[place];
            if line.receive()? {
                line.open()?;
            }
            let Some(target) = line.target() else {
                place += 1;
                continue;
            };
            let role = match target {
                target if target.starts_with(SNAPSHOT_PATH) => {
                    line.send_body(&self.snapshot)?;
                    self.snapshots.push(self.opening.swap_remove(place));
                    continue;
                }
                target if target.contains("stream") => &mut self.market,
                target if target.starts_with("/ws-") => &mut self.orders,
                _ => &mut self.user_data,
            };
            *role = Some(self.opening.swap_remove(place));
        }
        self.snapshots.iter_mut().try_for_each(ServedConnection::flush)
    }

    /// Takes new connections, and answers what was asked on those that are open.
    ///
    /// # Errors
    /// A client is gone or breaks a protocol.
    pub fn open(&mut self) -> io::Result<()> {
        self.accept()?;
        if let Some(line) = &mut self.market {
            for text in line.texts()? {
                let text = String::from_utf8_lossy(&text).into_owned();
                let id = text.rsplit_once(":").map_or("0", |(_, id)| id.trim_end_matches('}'));
                line.send_text(format!("{{\"result\":null,\"id\":{id}}}").as_bytes())?;
                self.subscribed |= text.contains("SUBSCRIBE");
            }
        }
        if let Some(line) = &mut self.orders {
            for text in line.texts()? {
                line.send_text(&self.answers.reply(&text)?)?;
            }
        }
        Ok(())
    }
}
