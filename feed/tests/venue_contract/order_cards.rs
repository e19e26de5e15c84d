//! COLD: what every venue's order side and account side must do, as numbered cards behind those of its market data.

use spinbook_engine::intent::TimeInForce;
use spinbook_engine::quoter::Requote;
use spinbook_engine::types::{Lots, Nanos, OrderId, QuoteAtoms, Side, Tick, VenueCode};
use spinbook_feed::crypto::credentials::Credentials;
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayMode, GatewayOutput, GatewaySettings};
use spinbook_feed::random::Random;
use spinbook_feed::testkit::damage;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::{AccountSide, Signing, TradesSince};
use spinbook_feed::venue::any_account::AnyAccount;
use spinbook_feed::venue::any_orders::AnyOrders;
use spinbook_feed::venue::order_ids::{CLIENT_ORDER_ID_MAX, OTHER_RUN, VenueOrderId};
use spinbook_feed::venue::order_side::{HandshakeStep, OrderConnection, OrderSide, Reaction, SelfTradePrevention};
use spinbook_feed::venue::orders::{
    AmendedOrder, NewOrder, OrderDecodeError, OrderMessage, OrderName, OrderUpdate, Refusal, ReplaceHalf, ReplyBody,
    Request, RequestId, RequestKind,
};

use crate::order_fixtures::{OrderFixture, order_fixtures};
use crate::order_sides::{KEY_ID, START, hmac, order_request, size};

/// The account's secret never stands in anything that is sent.
const SECRETS: [&str; 2] = ["r8Kd0pW3sQz6Lm1Xy9", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"];

fn side(fixture: &OrderFixture, credentials: Credentials) -> AnyOrders {
    AnyOrders::new(fixture.line, credentials, 1_000, SelfTradePrevention::ExpireMaker).unwrap()
}

fn account(fixture: &OrderFixture) -> AnyAccount {
    AnyAccount::new(fixture.line, 5_000).unwrap()
}

fn encoded(side: &mut AnyOrders, id: RequestId, request: &Request<'_>) -> String {
    let mut out = Vec::new();
    side.encode(id, request, START, &mut out);
    String::from_utf8(out).unwrap()
}

/// One request of every kind that can be sent.
fn requests<'a>(fixture: &'a OrderFixture) -> Vec<Request<'a>> {
    let instrument = &fixture.instrument;
    let name = OrderName { instrument, order: OrderId::new(36, 42), venue_order: VenueOrderId::NONE };
    let order = NewOrder {
        instrument,
        order: OrderId::new(36, 42),
        side: Side::Ask,
        tick: Tick(50_000),
        lots: instrument.lots_order_min,
        time_in_force: TimeInForce::PostOnly,
    };
    // The one request that gives an order another price, where the card says that there is one; it rests, so that the venue's
    // own name for it is known.
    let rests = OrderName { venue_order: VenueOrderId::from_number(7), ..name };
    let change = match fixture.line.card().orders.unwrap().requote {
        Requote::CancelPlace => None,
        Requote::Replace => Some(Request::Replace { former: rests, order }),
        Requote::Amend => {
            Some(Request::Amend(AmendedOrder { name: rests, side: order.side, tick: order.tick, lots: order.lots }))
        }
    };
    let mut requests = vec![
        Request::ServerTime,
        Request::LogOn,
        Request::SubscribeUserData,
        Request::StartUserData,
        Request::KeepUserData,
        Request::OpenOrders(instrument),
        Request::CancelAll(instrument),
        Request::Place(order),
        Request::Cancel(name),
        Request::OrderStatus(name),
        Request::Fills(name),
    ];
    requests.extend(change);
    requests
}

#[test]
fn card_19_every_listed_product_line_with_orders_has_both_sides_and_a_fixture() {
    for line in ProductLine::all() {
        let listed = line.card().orders.is_some();
        let prevention = SelfTradePrevention::ExpireMaker;
        assert_eq!(AnyOrders::new(line, hmac(), 1_000, prevention).is_some(), listed, "{line:?}");
        assert_eq!(AnyAccount::new(line, 5_000).is_some(), listed, "{line:?}");
        assert_eq!(order_fixtures().iter().filter(|fixture| fixture.line == line).count(), usize::from(listed));
    }
}

#[test]
fn card_20_signatures_are_the_check_values() {
    for fixture in order_fixtures() {
        let values = fixture.check_values();
        assert!(!values.is_empty(), "{:?}", fixture.line);
        for (credentials, text, signature) in values {
            let mut found = String::new();
            credentials.sign_onto(text.as_bytes(), &mut found);
            assert_eq!(found, signature, "{:?}: {text}", fixture.line);
        }
    }
}

#[test]
fn card_21_our_names_are_read_back_and_foreign_names_are_refused() {
    let seed = 0x51b0_0021;
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    for fixture in order_fixtures() {
        let mut side = side(&fixture, hmac());
        for _ in 0..20_000 {
            let order = OrderId::new(1 + size(&mut random, 31) as u32, size(&mut random, 32) as u32);
            let name = side.client_id(order);
            assert!(name.as_bytes().len() <= CLIENT_ORDER_ID_MAX && name.as_bytes().is_ascii());
            assert_eq!(side.order_of(name.as_str()), Some(order), "{:?}", fixture.line);
            // Another text is nobody's, or another order's and then spelled as we spell it.
            let mut bytes = name.as_bytes().to_vec();
            damage(&mut bytes, &mut random);
            let Ok(text) = String::from_utf8(bytes) else { continue };
            if let Some(read) = side.order_of(&text) {
                let spelled = side.client_id(read);
                // The 13 digits of another run's random bits are not ours to spell.
                let is_anothers = text.len() >= spelled.as_str().len() + 13;
                assert!(is_anothers || spelled.as_str() == text, "{:?}: {text} from {name:?}", fixture.line);
            }
        }
        // A run with random bits has them in its names.
        side.set_run(77, 0x0123_4567_89ab_cdef);
        let own = OrderId::new(77, 5);
        let name = side.client_id(own);
        assert!(name.as_bytes().len() <= CLIENT_ORDER_ID_MAX, "{name:?}");
        assert_eq!(side.order_of(name.as_str()), Some(own), "{:?}", fixture.line);
        side.set_run(77, 0x0123_4567_89ab_cdee);
        assert_ne!(side.client_id(own), name, "{:?}: two runs of one number make two names", fixture.line);
        let other = side.order_of(name.as_str()).map(OrderId::epoch);
        assert_eq!(other, Some(OTHER_RUN), "{:?}: and neither takes the other's for its own", fixture.line);
        for name in fixture.foreign_names {
            assert_eq!(side.order_of(name), None, "{:?}: {name:?}", fixture.line);
        }
    }
}

#[test]
fn card_22_requests_of_every_kind_are_written_each_with_its_id() {
    for fixture in order_fixtures() {
        let mut side = side(&fixture, hmac());
        let mut seen: Vec<String> = Vec::new();
        for request in requests(&fixture) {
            for id in [1, 7, u64::MAX / 2] {
                let text = encoded(&mut side, RequestId(id), &request);
                assert!(text.contains(&id.to_string()), "{text}");
                assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{:?}", request.kind());
                assert!(!seen.contains(&text), "{:?}: two requests are one text: {text}", fixture.line);
                seen.push(text);
            }
            let mut behind = b"before".to_vec();
            side.encode(RequestId(1), &request, START, &mut behind);
            assert!(behind.starts_with(b"before") && behind.len() > 6, "a request is appended");
        }
    }
}

#[test]
fn card_23_prepared_requests_are_the_plain_ones_byte_for_byte() {
    let seed = 0x51b0_0023;
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    for fixture in order_fixtures() {
        for (account, logged_on) in (0..2).flat_map(|account| [(account, false), (account, true)]) {
            let [mut plain, mut prepared] =
                [(); 2].map(|()| side(&fixture, OrderFixture::accounts().into_iter().nth(account).unwrap()));
            prepared.prepare(core::slice::from_ref(&fixture.instrument));
            for side in [&mut plain, &mut prepared] {
                side.set_logged_on(OrderConnection::Orders, logged_on);
            }
            let fixed = requests(&fixture);
            for turn in 0..1_000 {
                let random_one = order_request(&mut random, &fixture.instrument);
                let changed = changed(&fixture, &random_one, size(&mut random, 62)).filter(|_| turn % 3 == 0);
                let random_one = changed.unwrap_or(random_one);
                let request = fixed.get(turn).copied().unwrap_or(random_one);
                let (id, now) = (RequestId(size(&mut random, 63)), Nanos(START.0 + size(&mut random, 58) as i64));
                let (mut slow, mut chosen, mut bytes) = (Vec::new(), Vec::new(), [0; 2_048]);
                plain.encode(id, &request, now, &mut slow);
                prepared.encode(id, &request, now, &mut chosen);
                assert_eq!(chosen, slow, "{:?}: {:?} logged on {logged_on}", fixture.line, request.kind());
                assert_eq!(plain.encode_at(id, &request, now, &mut bytes), None, "nothing was prepared");
                let length = prepared.encode_at(id, &request, now, &mut bytes);
                assert_eq!(length.is_some(), fixture.prepared.contains(&request.kind()), "{:?}", request.kind());
                let Some(length) = length else { continue };
                assert_eq!(&bytes[..length], &slow[..], "{:?}: {:?}", fixture.line, request.kind());
                assert_eq!(prepared.encode_at(id, &request, now, &mut bytes[..length - 1]), None, "it does not fit");
            }
        }
    }
}

/// The request that brings an order that rests to what is placed.
fn changed<'a>(fixture: &OrderFixture, request: &Request<'a>, id: u64) -> Option<Request<'a>> {
    let Request::Place(order) = *request else { return None };
    let NewOrder { instrument, side, tick, lots, .. } = order;
    let name = OrderName { instrument, order: order.order, venue_order: VenueOrderId::from_number(id) };
    match fixture.line.card().orders.unwrap().requote {
        Requote::CancelPlace => None,
        Requote::Replace => Some(Request::Replace { former: name, order }),
        Requote::Amend => Some(Request::Amend(AmendedOrder { name, side, tick, lots })),
    }
}

#[test]
fn card_24_requests_are_signed_over_exactly_what_they_say() {
    for fixture in order_fixtures() {
        for (credentials, signer) in OrderFixture::accounts().into_iter().zip(OrderFixture::accounts()) {
            let mut side = side(&fixture, credentials);
            for request in requests(&fixture) {
                let text = encoded(&mut side, RequestId(7), &request);
                let proof = (fixture.proof)(&text);
                assert_eq!(proof.is_none(), fixture.public.contains(&request.kind()), "{text}");
                let Some((signed, signature)) = proof else { continue };
                assert!(text.contains(KEY_ID) && signed.contains(&START.millis().to_string()), "{text}");
                let mut expected = String::new();
                signer.sign_onto(signed.as_bytes(), &mut expected);
                assert_eq!(signature, expected, "{:?}: {text}", fixture.line);
            }
        }
    }
}

fn described(update: &OrderUpdate, side: &AnyOrders) -> String {
    let name = update.order.map_or("third-party".to_owned(), |order| side.client_id(order).as_str().to_owned());
    let fill = update.fill.map_or(String::new(), |fill| format!(":fill:{}@{}", fill.lots.0, fill.tick.0));
    format!("{:?}:{name}:{}/{}{fill}", update.status, update.lots_cumulative.0, update.lots_ordered.0)
}

fn body_in_words(body: &ReplyBody, side: &AnyOrders) -> String {
    match body {
        ReplyBody::ServerTime(time) => format!("time:{}", time.millis()),
        ReplyBody::LoggedOn => "logged-on".to_owned(),
        ReplyBody::Subscribed => "subscribed".to_owned(),
        ReplyBody::UserDataKey(key) => format!("key:{key}"),
        ReplyBody::Placed(order) => format!("placed:{}", order.as_str()),
        ReplyBody::Order(update) => format!("order:{}", described(update, side)),
        ReplyBody::Orders(rows) => format!("orders:{}", rows.len()),
        ReplyBody::Fills(rows) => format!("fills:{}", rows.len()),
        ReplyBody::Replaced { canceled, placed } => {
            let canceled = half_in_words(canceled, |update| described(update, side));
            format!("replaced:{canceled}:{}", half_in_words(placed, |order| order.as_str().to_owned()))
        }
        ReplyBody::Done => "done".to_owned(),
    }
}

fn half_in_words<T>(half: &ReplaceHalf<T>, describe: impl Fn(&T) -> String) -> String {
    match half {
        ReplaceHalf::Done(it) => describe(it),
        ReplaceHalf::Refused(refusal) => format!("refused{}", refusal.code.as_str()),
        ReplaceHalf::NotAttempted => "not-attempted".to_owned(),
        ReplaceHalf::Unknown => "unknown".to_owned(),
    }
}

fn in_words(message: &Result<OrderMessage, OrderDecodeError>, side: &AnyOrders) -> String {
    match message {
        Ok(OrderMessage::Reply(reply)) => match &reply.outcome {
            Ok(body) => format!("{:?}:{}", reply.kind, body_in_words(body, side)),
            Err(refusal) => format!("{:?}:refused:{}", reply.kind, refusal.code.as_str()),
        },
        Ok(OrderMessage::Update(update)) => format!("update:{}", described(update, side)),
        Ok(OrderMessage::FillNotice(_)) => "notice".to_owned(),
        Ok(OrderMessage::Positions(rows)) => format!("positions:{}", rows[0].1.0),
        Ok(OrderMessage::Balances) => "balances".to_owned(),
        Ok(OrderMessage::Moved(moved)) => format!("moved:{:?}:{}", moved.reason, moved.changes[0].1),
        Ok(OrderMessage::VenueOrder(update)) => format!("venue-order:{}", described(update, side)),
        Ok(OrderMessage::UserDataEnded) => "ended".to_owned(),
        Ok(OrderMessage::ServerShutdown) => "shutdown".to_owned(),
        Ok(OrderMessage::OtherInstrument) => "other-instrument".to_owned(),
        Ok(OrderMessage::Other) => "other".to_owned(),
        Err(error) => format!("{error:?}").split('(').next().unwrap().to_owned(),
    }
}

#[test]
fn card_25_replies_and_user_data_become_what_stands_before_them() {
    for fixture in order_fixtures() {
        let side = side(&fixture, hmac());
        let instruments = [fixture.instrument];
        let mut seen = 0;
        for (expected, frame) in fixture.lines() {
            let found = side.decode(&instruments, frame.as_bytes());
            assert_eq!(in_words(&found, &side), expected, "{:?}: {frame}", fixture.line);
            seen += 1;
        }
        assert!(seen > 20, "{:?}", fixture.line);
    }
}

#[test]
fn card_26_a_message_cut_at_any_byte_is_an_error_or_harmless() {
    let seed = 0x51b0_0026;
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    for fixture in order_fixtures() {
        let side = side(&fixture, hmac());
        let instruments = [fixture.instrument];
        for (_, frame) in fixture.lines() {
            for cut in 0..frame.len() {
                let found = side.decode(&instruments, &frame.as_bytes()[..cut]);
                assert!(matches!(found, Err(_) | Ok(OrderMessage::Other)), "{:?}: {found:?}", fixture.line);
            }
            // Damage may make another true message; it makes no panic, and no order of an unknown instrument.
            for _ in 0..200 {
                let mut bytes = frame.as_bytes().to_vec();
                damage(&mut bytes, &mut random);
                if let Ok(OrderMessage::Update(update)) = side.decode(&instruments, &bytes) {
                    assert_eq!(update.instrument, fixture.instrument.id);
                    assert!(update.lots_cumulative.0 >= 0 && update.lots_ordered.0 >= 0, "{update:?}");
                }
            }
        }
    }
}

/// What a human has to mend, and so what needs advice.
fn needs_a_human(reaction: Reaction) -> bool {
    matches!(reaction, Reaction::Halt | Reaction::Configuration | Reaction::ResyncClock)
}

#[test]
fn card_27_every_code_that_the_room_names_has_a_reaction_and_is_kept_in_the_venues_words() {
    for fixture in order_fixtures() {
        let (side, account) = (side(&fixture, hmac()), account(&fixture));
        let instruments = [fixture.instrument];
        for (code, expected) in &fixture.refusals {
            let text = (fixture.refusal)(400, code);
            let Ok(OrderMessage::Reply(reply)) = side.decode(&instruments, text.as_bytes()) else { panic!("{text}") };
            let refusal = reply.outcome.unwrap_err();
            assert_eq!(refusal.code.as_str(), code, "{:?}", fixture.line);
            assert_eq!(side.reaction(RequestKind::Place, &refusal), *expected, "{:?}: {code}", fixture.line);
            let rest = account.parse_refusal(400, (fixture.rest_refusal)(code).as_bytes());
            assert_eq!((rest.status, rest.code.as_str()), (400, code.as_str()));
            assert_eq!(side.advice(&refusal), account.advice(&rest), "one advice, however it came: {code}");
            if needs_a_human(*expected) {
                let advice =
                    side.advice(&refusal).unwrap_or_else(|| panic!("{:?}: no advice for {code}", fixture.line));
                assert!(advice.len() > 20, "{advice}");
                assert_eq!(account.reaction(&rest), *expected, "{:?}: {code} over REST", fixture.line);
            }
        }
        let named = (fixture.codes_in_source)();
        assert!(named.len() > 20, "{named:?}");
        for code in named {
            assert!(fixture.refusals.iter().any(|(known, _)| *known == code), "{:?}: {code}", fixture.line);
        }
    }
}

#[test]
fn card_28_an_unknown_code_never_ends_an_order_that_may_live() {
    for fixture in order_fixtures() {
        let (side, account) = (side(&fixture, hmac()), account(&fixture));
        let unknown = [VenueCode::NONE, VenueCode::from_number(-9_999), VenueCode::from_text("new-word")];
        for (code, status) in unknown.iter().flat_map(|code| [0, 200, 302, 500, 502, 503, 504].map(|it| (*code, it))) {
            let refusal = Refusal { status, code, message: String::new(), retry_after: None };
            for kind in [RequestKind::Place, RequestKind::Replace, RequestKind::Amend] {
                assert_eq!(side.reaction(kind, &refusal), Reaction::Unknown, "{:?}: {refusal:?}", fixture.line);
            }
            let gone = side.reaction(RequestKind::Cancel, &refusal);
            assert!(!matches!(gone, Reaction::NotFound | Reaction::Ignore), "{:?}: {refusal:?}", fixture.line);
        }
        for code in unknown {
            // The venue says that the request was wrong: the order was never made, and nothing else is concluded.
            let refusal = Refusal { status: 400, code, message: String::new(), retry_after: None };
            let reaction = side.reaction(RequestKind::Place, &refusal);
            assert!(matches!(reaction, Reaction::Reject | Reaction::Unknown), "{:?}: {reaction:?}", fixture.line);
            assert_eq!(side.advice(&refusal), None, "nothing is invented");
        }
        for body in ["<html>bad gateway</html>", "", "{}", "[]", "null"] {
            let refusal = account.parse_refusal(502, body.as_bytes());
            assert_eq!((refusal.status, refusal.code), (502, VenueCode::NONE), "{body}");
        }
    }
}

#[test]
fn card_29_the_handshake_script_ends_in_ready() {
    for fixture in order_fixtures() {
        for (credentials, again) in OrderFixture::accounts().into_iter().zip(OrderFixture::accounts()) {
            let trader = side(&fixture, credentials);
            let script = trader.handshake();
            let limits = OrderLimits {
                lots_max: Lots(1_000_000_000),
                notional_max: QuoteAtoms(1_000_000 * 10i128.pow(18)),
                open_orders_max: 10,
                position_lots_max: Lots(i64::MAX / 4),
                position_lots_start: Lots::ZERO,
                price_collar_millionths: None,
            };
            let settings = GatewaySettings::new(fixture.line, GatewayMode::Live, 77, vec![limits]);
            let mut gateway = Gateway::over(trader, settings, vec![fixture.instrument]);
            let reader = side(&fixture, again);
            let mut done = Vec::new();
            let mut now = START;
            gateway.on_timer(now);
            let mut turns = 0;
            while let Some(output) = gateway.poll_output() {
                turns += 1;
                assert!(turns < 100, "{:?}: a script without end: {done:?}", fixture.line);
                now = now + Nanos(50_000);
                match output {
                    GatewayOutput::Execution(_) => {}
                    GatewayOutput::Action(GatewayAction::Connect { connection, target }) => {
                        assert!(target.starts_with('/'), "{target}");
                        done.push((None, connection));
                        gateway.on_open(connection, now);
                    }
                    GatewayOutput::Action(GatewayAction::Send { connection, bytes, .. }) => {
                        let text = String::from_utf8(bytes.to_vec()).unwrap();
                        assert!(!gateway.is_ready(), "{text}");
                        let mut answer = (fixture.answer)(&text).into_bytes();
                        let reply = reader.decode(&[fixture.instrument], &answer);
                        let Ok(OrderMessage::Reply(reply)) = reply else { panic!("{text}: {reply:?}") };
                        done.push((Some(reply.kind), connection));
                        gateway.on_frame(connection, &mut answer, now);
                    }
                    GatewayOutput::Action(GatewayAction::Close { .. }) => panic!("closed: {done:?}"),
                    GatewayOutput::Action(GatewayAction::Ask { .. }) => panic!("asked over REST: {done:?}"),
                    GatewayOutput::Action(GatewayAction::Ping { .. }) => panic!("no order is in doubt: {done:?}"),
                }
                gateway.check();
            }
            // Beside the script a second connection is warmed.
            done.retain(|(_, connection)| *connection != OrderConnection::Spare);
            // What an earlier run left is cancelled as soon as that is possible: before any user data.
            let swept = done.iter().position(|(kind, _)| *kind == Some(RequestKind::CancelAll));
            let user_data = done.iter().position(|(kind, connection)| {
                matches!(kind, Some(RequestKind::StartUserData | RequestKind::SubscribeUserData))
                    || *connection == OrderConnection::UserData
            });
            // A venue without such a request has each order cancelled, once it is listed.
            if let Some(swept) = swept {
                assert!(user_data.is_none_or(|user_data| swept < user_data), "{:?}: {done:?}", fixture.line);
                done.remove(swept);
            }
            // The clock is measured several times in a row.
            done.dedup();
            let step = |step: &HandshakeStep| match step.request() {
                Some((kind, connection)) => (Some(kind), connection),
                None => (None, OrderConnection::UserData),
            };
            let mut expected = vec![(None, OrderConnection::Orders)];
            expected.extend(script.iter().map(step));
            assert_eq!(done[..expected.len()], expected, "{:?}: step by step", fixture.line);
            assert!(gateway.is_ready(), "{:?}: {:?} {done:?}", fixture.line, gateway.halt_message());
        }
    }
}

#[test]
fn card_30_account_requests_are_signed_and_printed_without_a_key() {
    for fixture in order_fixtures() {
        for credentials in OrderFixture::accounts() {
            let (side, instrument) = (account(&fixture), &fixture.instrument);
            let signing = Signing { credentials: &credentials, venue_now: START };
            let mut asked = vec![
                side.balances(signing),
                side.trades(signing, instrument, TradesSince::Time(START)),
                side.open_orders(signing, instrument),
                side.cancel_all(signing, instrument),
            ];
            asked.extend(side.positions(signing));
            for request in &asked {
                let (signed, signature) = (fixture.rest_proof)(request).unwrap();
                let mut expected = String::new();
                credentials.sign_onto(signed.as_bytes(), &mut expected);
                assert_eq!(signature, expected, "{:?}: {}", fixture.line, request.target);
                assert!(signed.contains(&START.millis().to_string()), "{signed}");
            }
            asked.extend(side.start_user_data(signing));
            for request in &asked {
                let shown = format!("{request:?}");
                assert!(!shown.contains(KEY_ID) && !shown.contains("signature"), "{shown}");
                assert!(SECRETS.iter().all(|secret| !request.target.contains(secret)));
            }
            for public in [side.time(), side.instrument_list()] {
                assert!(public.headers.is_empty() && !public.target.contains('?'), "{public:?}");
            }
        }
    }
}

#[test]
fn card_31_the_accounts_answers_are_read_and_damaged_ones_are_refused() {
    type Reads = fn(&AnyAccount, &OrderFixture, &[u8]) -> bool;
    let parsers: [(&str, Reads); 6] = [
        ("time", |side, _, body| side.parse_time(body).is_ok()),
        ("windows", |side, _, body| side.parse_windows(body).is_ok()),
        ("balances", |side, _, body| side.parse_balances(body).is_ok()),
        ("positions", |side, fixture, body| side.parse_positions(&[fixture.instrument], body).is_ok()),
        ("orders", |side, fixture, body| side.parse_open_orders(&[fixture.instrument], &[], body).is_ok()),
        ("trades", |side, fixture, body| side.parse_trades(&[fixture.instrument], body).is_ok()),
    ];
    for fixture in order_fixtures() {
        let (side, bodies) = (account(&fixture), &fixture.bodies);
        let texts = [bodies.time, bodies.windows, bodies.balances, bodies.positions, bodies.orders, bodies.trades];
        for ((name, reads), text) in parsers.into_iter().zip(texts) {
            assert!(reads(&side, &fixture, text.as_bytes()), "{:?}: {name}", fixture.line);
            for cut in 0..text.len() {
                assert!(!reads(&side, &fixture, &text.as_bytes()[..cut]), "{:?}: {name} cut at {cut}", fixture.line);
            }
            for other in ["<html>", "null", "7", "{}", "[1]", "[null]"] {
                assert!(!reads(&side, &fixture, other.as_bytes()), "{:?}: {other} as {name}", fixture.line);
            }
            // A quantity that is no number is no quantity.
            let broken =
                text.replace("\"0.", "\"x0.").replace("\"1", "\"x1").replace("\"-", "\"x-").replace("\"4", "\"x4");
            assert!(broken == text || !reads(&side, &fixture, broken.as_bytes()), "{:?}: {broken}", fixture.line);
        }
        assert_eq!(side.parse_account_id(bodies.balances.as_bytes()).as_deref(), Some(bodies.account));
        for cut in 0..bodies.balances.len() {
            assert_eq!(side.parse_account_id(&bodies.balances.as_bytes()[..cut]), None, "cut at {cut}");
        }
    }
}
