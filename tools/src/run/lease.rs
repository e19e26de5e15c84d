//! COLD: the lease of an account, kept at its venue: whoever finds another engine's orders there does not start.
//!
//! A state directory keeps two engines of one machine apart. Two directories, or two machines, know nothing of each
//! other: but both see the account's orders, and whose an order is stands in its name.

use std::time::Duration;

use spinbook_engine::types::{Nanos, OrderId};
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_ids::{OTHER_RUN, RunName};
use spinbook_feed::venue::orders::OrderUpdate;

use super::venue_rest::{VenueLine, VenueRest};
use crate::error::Failure;

/// Another engine's orders that closed this long ago are worth a second look.
const RECENT: Nanos = Nanos::from_seconds(30);
/// How long until the second look: an engine that trades without leaving orders open has placed one by then.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(3);

/// An order that another engine placed, as its venue tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Foreign {
    order: OrderId,
    is_open: bool,
    changed: Nanos,
}

/// The newest of those orders that another engine placed; open ones first.
fn newest(orders: &[OrderUpdate], is_open: bool, ours: &[RunName]) -> Option<Foreign> {
    let foreign = orders.iter().filter_map(|row| {
        let order = row.order.filter(|order| ours.iter().all(|made| made.run != order.epoch()))?;
        Some(Foreign { order, is_open, changed: row.time })
    });
    foreign.max_by_key(|foreign| foreign.changed)
}

/// What an account's orders tell at one moment.
#[derive(Debug, Default)]
struct Seen {
    /// Another engine's newest order on any of the instruments.
    foreign: Option<(Instrument, Foreign)>,
    /// How many orders some engine, ours or another, has open, where it has any.
    open: Vec<(Instrument, usize)>,
}

/// Asks for the orders on these instruments.
fn look<L: VenueLine>(rest: &VenueRest<L>, instruments: &[Instrument], ours: &[RunName]) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    for instrument in instruments {
        let rows = rest.open_orders(instrument, ours)?;
        let count = rows.iter().filter(|row| row.order.is_some()).count();
        if count > 0 {
            seen.open.push((*instrument, count));
        }
        let foreign = match newest(&rows, true, ours) {
            Some(foreign) => Some(foreign),
            None => newest(&rest.orders_since(instrument, ours, rest.venue_time() - RECENT)?, false, ours),
        };
        let Some(foreign) = foreign else { continue };
        let key = |foreign: &Foreign| (foreign.is_open, foreign.changed);
        if seen.foreign.as_ref().is_none_or(|(_, known)| key(&foreign) > key(known)) {
            seen.foreign = Some((*instrument, foreign));
        }
    }
    Ok(seen)
}

/// Refuses an account on which another engine has orders open, or goes on ordering while it is looked at. Leftovers of a
/// killed run with the same state directory are ours, and so is everything once a person says so (`take_over`): they are
/// cancelled here, before the account is read, unless it `keeps` them, for somebody who looks at them later. `ours` are the earlier runs of our state directory. This one has placed
/// nothing yet: an order that bears its number is of an engine that drew the same.
///
/// # Errors
/// Another engine trades on it, or the venue does not say.
pub(super) fn hold<L: VenueLine>(
    rest: &VenueRest<L>,
    instruments: &[Instrument],
    ours: &[RunName],
    (take_over, keeps): (bool, bool),
    wait: impl FnOnce(Duration),
) -> Result<(), Failure> {
    let seen = look(rest, instruments, ours)?;
    let Some((instrument, first)) = seen.foreign else {
        if !keeps {
            clear(rest, &seen.open);
        }
        return Ok(());
    };
    if take_over {
        tracing::warn!("{}", taken_over(&instrument, &first));
        clear(rest, &seen.open);
        return Ok(());
    }
    if first.is_open {
        return Err(refusal(rest, &instrument, &first));
    }
    tracing::warn!(
        "{}: another engine's order closed on this account a moment ago: looking again in {} s",
        instrument.symbol,
        SECOND_LOOK_AFTER.as_secs()
    );
    wait(SECOND_LOOK_AFTER);
    let again = look(rest, instruments, ours)?;
    match again.foreign {
        Some((instrument, second)) if second.is_open || second.changed > first.changed => {
            Err(refusal(rest, &instrument, &second))
        }
        _ => {
            if !keeps {
                clear(rest, &again.open);
            }
            Ok(())
        }
    }
}

/// Cancels orders of an earlier run that came to be open after [`hold`] had looked.
///
/// # Errors
/// The venue does not say what is open.
pub(super) fn clear_late<L: VenueLine>(
    rest: &VenueRest<L>,
    instruments: &[Instrument],
    ours: &[RunName],
) -> Result<(), Failure> {
    for instrument in instruments {
        let count = rest.open_orders(instrument, ours)?.iter().filter(|row| row.order.is_some()).count();
        if count > 0 {
            clear(rest, &[(*instrument, count)]);
        }
    }
    Ok(())
}

/// Cancels what earlier runs left open. What of it were filled between the reading of the account and the gateway's own
/// sweep would be booked by nobody.
fn clear<L: VenueLine>(rest: &VenueRest<L>, open: &[(Instrument, usize)]) {
    for (instrument, count) in open {
        let symbol = instrument.symbol;
        match rest.cancel_all(instrument) {
            Ok(()) => tracing::warn!("{symbol}: orders left by an earlier run are cancelled: {count}"),
            // Filled meanwhile, there may be nothing to cancel; the gateway sweeps what is left in any case.
            Err(failure) => tracing::warn!("{symbol}: orders left by an earlier run, not cancelled yet: {failure}"),
        }
    }
}

fn taken_over(instrument: &Instrument, foreign: &Foreign) -> String {
    let open = if foreign.is_open { "its open orders are cancelled" } else { "it has none open" };
    format!("{}: taken over from {} by --take-over: {open}", instrument.symbol, run_of(foreign.order))
}

fn run_of(order: OrderId) -> String {
    match order.epoch() {
        OTHER_RUN => "another run with the number of one of ours".to_owned(),
        run => format!("run {run}"),
    }
}

fn refusal<L: VenueLine>(rest: &VenueRest<L>, instrument: &Instrument, foreign: &Foreign) -> Failure {
    let age = (rest.venue_time() - foreign.changed).max(Nanos::ZERO);
    let state = if foreign.is_open { "is open" } else { "was placed and closed" };
    Failure::failed("another engine trades on this account")
        .at(rest.line.place())
        .because(format!(
            "order {} of {} on {} {state}, last changed {} s ago, and engine.state_dir has made no such run",
            foreign.order.counter(),
            run_of(foreign.order),
            instrument.symbol,
            age.millis() / 1_000
        ))
        .next(
            "stop the other engine, which cancels its orders, and start again; if none runs any more (its state \
             directory is lost), --take-over cancels what it left",
        )
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use spinbook_feed::crypto::credentials::{Credentials, Secret};
    use spinbook_feed::net::io::fetch::FetchError;
    use spinbook_feed::venue::account::RestRequest;
    use spinbook_feed::venue::binance;

    use super::*;

    /// A venue that answers with these lists of open and of all orders; the second look sees the second pair.
    struct Lists {
        looks: RefCell<Vec<[String; 2]>>,
        cancels: Cell<u32>,
    }

    impl VenueLine for Lists {
        fn call(&self, request: &RestRequest) -> Result<Vec<u8>, FetchError> {
            if request.method == "DELETE" {
                self.cancels.set(self.cancels.get() + 1);
                return Ok(b"{}".to_vec());
            }
            let looks = self.looks.borrow();
            let place = usize::from(!request.target.contains("openOrders"));
            Ok(looks.first().expect("a look more than there are")[place].clone().into_bytes())
        }

        fn now(&self) -> Nanos {
            Nanos::from_seconds(1_000)
        }

        fn place(&self) -> &str {
            "https://venue.example"
        }
    }

    fn row(name: &str, status: &str, millis: i64) -> String {
        format!(
            r#"{{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"{name}","side":"BUY","status":"{status}",
            "origQty":"1.000","executedQty":"0.000","updateTime":{millis}}}"#
        )
    }

    fn list(rows: &[String]) -> String {
        format!("[{}]", rows.join(","))
    }

    /// What a start says that sees these; and how often it waited.
    fn start(looks: Vec<[String; 2]>, take_over: bool) -> (Result<(), Failure>, u32) {
        let (held, waits, _) = cancelling(looks, take_over);
        (held, waits)
    }

    /// The same, and how often it cancelled everything.
    fn cancelling(looks: Vec<[String; 2]>, take_over: bool) -> (Result<(), Failure>, u32, u32) {
        holding(looks, take_over, false)
    }

    /// The same of one that may keep what it finds.
    fn holding(looks: Vec<[String; 2]>, take_over: bool, keeps: bool) -> (Result<(), Failure>, u32, u32) {
        // The example of the venue's own documentation.
        let id = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
        let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
        let key = Credentials::hmac(id, &Secret::new(secret.to_owned())).expect("a key");
        let rest = VenueRest::over(
            Lists { looks: RefCell::new(looks), cancels: Cell::new(0) },
            binance::USDM,
            Some(key),
            1_000,
        );
        let listed = [spinbook_feed::testkit::instrument(binance::USDM, 0, "BTCUSDT", "0.10", "0.001")];
        let made = [RunName { run: 7, salt: 0 }, RunName { run: 8, salt: 36 }];
        let waits = Cell::new(0);
        let held = hold(&rest, &listed, &made, (take_over, keeps), |_| {
            waits.set(waits.get() + 1);
            rest.line.looks.borrow_mut().remove(0);
        });
        (held, waits.get(), rest.line.cancels.get())
    }

    #[test]
    fn orders_of_another_engine_keep_this_one_from_starting_unless_it_takes_over() {
        let (none, ours, theirs) = (list(&[]), row("sb7-1", "NEW", 998_000), row("sb9-3", "NEW", 997_000));
        let manual = row("by-hand", "NEW", 999_000);
        assert_eq!(start(vec![[none.clone(), none.clone()]], false), (Ok(()), 0));
        // Leftovers of a killed run, of this directory's; a person's own order is the gateway's business.
        assert_eq!(start(vec![[list(&[ours.clone(), manual]), none.clone()]], false), (Ok(()), 0));
        let (refused, waits) = start(vec![[list(&[ours, theirs.clone()]), none.clone()]], false);
        let text = refused.expect_err("refused").to_string();
        for part in
            ["another engine", "order 3 of run 9 on BTCUSDT is open", "3 s ago", "--take-over", "stop the other"]
        {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert_eq!(waits, 0);
        assert_eq!(start(vec![[list(&[theirs]), none.clone()]], true), (Ok(()), 0));
        // One that was started in the same second bears the number of a run of ours, but not its random bits.
        let same_second =
            |bits: &str| start(vec![[list(&[row(&format!("sb8-{bits}-2"), "NEW", 996_000)]), none.clone()]], false);
        assert_eq!(same_second("0000000000010"), (Ok(()), 0));
        let text = same_second("0000000000011").0.expect_err("refused").to_string();
        assert!(text.contains("order 2 of another run with the number of one of ours on BTCUSDT"), "{text}");
    }

    #[test]
    fn what_an_earlier_run_left_is_cancelled_before_the_account_is_read_and_only_that() {
        let (none, ours, theirs) = (list(&[]), row("sb7-1", "NEW", 998_000), row("sb9-3", "NEW", 997_000));
        let cancels = |open: &[String], take_over| cancelling(vec![[list(open), none.clone()]], take_over).2;
        assert_eq!(cancels(&[], false), 0);
        assert_eq!(cancels(&[row("by-hand", "NEW", 999_000)], false), 0, "a person's own order is none of a run");
        assert_eq!(cancels(std::slice::from_ref(&ours), false), 1);
        assert_eq!(cancels(&[ours, theirs.clone()], false), 0, "whoever is refused cancels nothing");
        assert_eq!(cancels(std::slice::from_ref(&theirs), true), 1);
        let kept = |open: &[String], take_over| holding(vec![[list(open), none.clone()]], take_over, true);
        let of_ours = row("sb7-1", "NEW", 998_000);
        assert_eq!(kept(std::slice::from_ref(&of_ours), false), (Ok(()), 0, 0), "what may be taken over stays");
        assert_eq!(kept(std::slice::from_ref(&theirs), true).2, 1, "another engine's is never taken over");
        assert!(kept(&[of_ours, theirs], false).0.is_err());
    }

    #[test]
    fn an_engine_without_open_orders_is_seen_by_what_it_goes_on_placing() {
        let none = || list(&[]);
        let closed = |millis| list(&[row("sb9-3", "EXPIRED", millis)]);
        let once = [none(), closed(990_000)];
        // It has ended: nothing more comes of it.
        assert_eq!(start(vec![once.clone(), once.clone()], false), (Ok(()), 1));
        let (refused, waits) = start(vec![once.clone(), [none(), closed(992_000)]], false);
        assert!(refused.expect_err("refused").to_string().contains("placed and closed"));
        assert_eq!(waits, 1);
        let (refused, _) = start(vec![once, [list(&[row("sb9-4", "NEW", 991_000)]), none()]], false);
        assert!(refused.is_err());
    }
}
