//! COLD: one of the venue's hosts is gone while the other stands: what can be cancelled is, and an end is an end.

use std::time::Duration;

use crate::desk::Desk;
use crate::proxy::Proxy;
use crate::rig::{Exchange, Running, Setup, number, settled};

/// A live run that reaches the URL of this key by way of a line of its own.
fn run_behind(exchange: &Exchange, key: &str) -> (Setup, Proxy, Running) {
    let url = exchange.text(key);
    let proxy = Proxy::before(url);
    let line = |url: &str| format!("{key} = \"{url}\"");
    let setup = Setup::on(exchange).replace("run.toml", &line(url), &line(&proxy.url(url)));
    let mut run = setup.start_live();
    run.until_quotes();
    (setup, proxy, run)
}

#[test]
fn where_the_stream_host_is_gone_every_quote_is_pulled_over_the_order_host() {
    let exchange = Exchange::start("");
    let (_setup, proxy, run) = run_behind(&exchange, "stream_url");
    proxy.cut();
    // Market and user data are gone with it; nobody has asked for an end.
    Desk::of_the_engine(&exchange).until("end of every quote", |desk| desk.open_orders().is_empty());
    // A report without a live book is no good one, but it is confirmed that nothing is open.
    let ended = run.interrupted();
    let report = ended.says(1, &["no book was live at the end"]).object();
    assert_eq!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit"), 0, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
    assert!(Desk::of_the_engine(&exchange).open_orders().is_empty());
}

#[test]
fn where_the_order_host_comes_back_an_end_finds_the_way_at_once() {
    let exchange = Exchange::start("");
    let (_setup, proxy, mut run) = run_behind(&exchange, "ws_api_url");
    proxy.cut();
    run.wait("attempts in vain", |err| err.matches("order connection Orders").count() >= 3);
    std::thread::sleep(Duration::from_secs(2));
    run.interrupt();
    run.wait_for("cancelling everything and waiting for the venue's confirmation");
    proxy.mend();
    let ended = run.end();
    settled(&ended);
    assert!(Desk::of_the_engine(&exchange).open_orders().is_empty());
}
