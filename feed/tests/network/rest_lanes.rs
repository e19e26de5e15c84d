//! COLD: gateways' requests over REST: an account without an answer holds up nothing of another.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use spinbook_feed::gateway::rest::{RestLane, RestTicket};
use spinbook_feed::net::io::rest_calls::{self, RestLine, RestMailbox, RestResult};
use spinbook_feed::venue::account::RestRequest;

use super::peers::{PATIENCE_SPAN, Running};

fn request(method: &'static str) -> Box<RestRequest> {
    Box::new(RestRequest { method, target: "/orders".to_owned(), headers: Vec::new(), weight: 1 })
}

fn next(mailbox: &RestMailbox) -> RestResult {
    let began = Instant::now();
    loop {
        if let Some(result) = mailbox.take() {
            return result;
        }
        assert!(began.elapsed() < PATIENCE_SPAN, "no answer");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_account_without_an_answer_holds_up_neither_cancels_nor_questions_of_another() {
    let running = Running::plain();
    // The system takes its connections, and nobody ever says a word.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let ports = [mute.local_addr().expect("bound").port(), running.address.port()];
    let lines = ports.map(|port| RestLine::new(&running.trust, &format!("https://localhost:{port}")));
    let (mailbox, workers) = rest_calls::new(lines.into(), |_, _| {});
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = &stop;
        for worker in workers {
            scope.spawn(move || worker.run(stop));
        }
        let lanes = [(RestLane::Cancels, "DELETE"), (RestLane::Questions, "GET")];
        for (lane, method) in lanes {
            // The mute one first, and more than one: they do not wait for its answer.
            assert!(mailbox.ask(0, RestTicket { lane, number: 1 }, request(method)));
            for number in 1..=3 {
                let ticket = RestTicket { lane, number };
                assert!(mailbox.ask(1, ticket, request(method)));
                let result = next(&mailbox);
                assert_eq!((result.gateway, result.ticket, result.answer.status), (1, ticket, 200));
            }
        }
        assert!(!mailbox.ask(2, RestTicket { lane: RestLane::Cancels, number: 1 }, request("DELETE")), "nobody's");
        // Who waits for it is told that nothing came.
        drop(mute);
        for _ in lanes {
            let result = next(&mailbox);
            assert_eq!((result.gateway, result.answer.status), (0, 0));
        }
        stop.store(true, Ordering::Relaxed);
    });
}
