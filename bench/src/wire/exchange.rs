//! COLD: the exchange side: takes the connections, answers the gateway's questions, refuses each order at once.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use spinbook_feed::venue::{ProductLine, binance};

use super::line::Line;

/// Every connection by what it is for.
pub struct Exchange {
    product: ProductLine,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    opening: Vec<Line>,
    /// Market data.
    pub market: Option<Line>,
    /// Orders.
    pub orders: Option<Line>,
    user_data: Option<Line>,
    /// The market was subscribed.
    pub subscribed: bool,
    /// The gateway has asked for open orders and was told of none: it is ready.
    pub swept: bool,
}

/// What stands between `"key":"` and the next quote.
pub fn text_behind<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(key.len()).position(|part| part == key)? + key.len();
    let end = text[at..].iter().position(|&byte| byte == b'"')?;
    Some(&text[at..at + end])
}

fn milliseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

impl Exchange {
    /// Listens on loopback.
    ///
    /// # Errors
    /// The system refuses.
    pub fn bind(product: ProductLine, tls: Arc<ServerConfig>) -> io::Result<Exchange> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Exchange {
            product,
            listener,
            tls,
            opening: Vec::new(),
            market: None,
            orders: None,
            user_data: None,
            subscribed: false,
            swept: false,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes new connections, and answers whatever was asked.
    ///
    /// # Errors
    /// A client is gone or breaks a protocol.
    pub fn open(&mut self) -> io::Result<()> {
        match self.listener.accept() {
            Ok((tcp, _)) => self.opening.push(Line::new(tcp, &self.tls)?),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let mut place = 0;
        while place < self.opening.len() {
            let line = &mut self.opening[place];
            if line.receive()? {
                line.open()?;
            }
            match line.target() {
                None => place += 1,
                Some(target) => {
                    let role = match target {
                        target if target.contains("stream") => &mut self.market,
                        target if target.starts_with("/ws-") => &mut self.orders,
                        _ => &mut self.user_data,
                    };
                    *role = Some(self.opening.swap_remove(place));
                }
            }
        }
        self.answer_market()?;
        if let Some(line) = &mut self.orders
            && line.receive()?
        {
            line.open()?;
            while let Some(text) = line.next_text()? {
                self.swept |= answer(self.product, line, &text)?;
            }
        }
        Ok(())
    }

    fn answer_market(&mut self) -> io::Result<()> {
        let Some(line) = &mut self.market else { return Ok(()) };
        if !line.receive()? {
            return Ok(());
        }
        line.open()?;
        while let Some(text) = line.next_text()? {
            let text = String::from_utf8_lossy(&text).into_owned();
            let id = text.rsplit_once(":").map_or("0", |(_, id)| id.trim_end_matches('}'));
            line.send_text(format!("{{\"result\":null,\"id\":{id}}}").as_bytes())?;
            self.subscribed |= text.contains("SUBSCRIBE");
        }
        Ok(())
    }
}

/// Answers a request of the gateway. True if it asked for open orders.
///
/// # Errors
/// As [`reply`], or the client is gone.
pub fn answer(product: ProductLine, line: &mut Line, text: &[u8]) -> io::Result<bool> {
    let (reply, swept) = reply(product, text)?;
    line.send_text(&reply)?;
    Ok(swept)
}

/// The answer to a request of the gateway, and whether that asked for open orders.
///
/// # Errors
/// A request that has no place here.
pub fn reply(product: ProductLine, text: &[u8]) -> io::Result<(Vec<u8>, bool)> {
    let missing = || io::Error::other(format!("not a request: {}", String::from_utf8_lossy(text)));
    let id = String::from_utf8_lossy(text_behind(text, b"\"id\":\"").ok_or_else(missing)?).into_owned();
    let method = text_behind(text, b"\"method\":\"").ok_or_else(missing)?;
    let result = match method {
        b"order.place" => return Ok((refusal(product, &id).into_bytes(), false)),
        b"time" => format!("{{\"serverTime\":{}}}", milliseconds()),
        b"userDataStream.start" => "{\"listenKey\":\"wire\"}".to_owned(),
        b"openOrders.status" | b"openOrders.cancelAll" => "[]".to_owned(),
        method if method.starts_with(b"userDataStream.") => "{}".to_owned(),
        _ => return Err(missing()),
    };
    let reply = format!("{{\"id\":\"{id}\",\"status\":200,\"result\":{result}}}");
    Ok((reply.into_bytes(), method == b"openOrders.status"))
}

/// The venue's refusal of a post-only order whose price the market has overtaken: it ends the order in one message.
fn refusal(product: ProductLine, id: &str) -> String {
    let (code, message) = if product == binance::SPOT {
        (-2010, "Order would immediately match and take.")
    } else {
        (-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected.")
    };
    format!("{{\"id\":\"{id}\",\"status\":400,\"error\":{{\"code\":{code},\"msg\":\"{message}\"}}}}")
}
