//! COLD: what stands between the program and the exchange: a line that can be cut, held up, made to swallow, and mended.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What becomes of bytes and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// They are carried.
    Carries,
    /// Connections are ended, and whoever comes is hung up on.
    Cut,
    /// They wait: nobody hears anything, and nobody is told.
    Holds,
    /// They are gone, and nobody is told; a connection that lost some is dead for good.
    Swallows,
}

struct Shared {
    line: Line,
    /// Both ends of every connection so far.
    ends: Vec<TcpStream>,
}

/// Carries connections to an exchange.
pub struct Proxy {
    port: u16,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

/// Host, port and the rest behind the scheme of a URL.
fn parts(url: &str) -> (&str, &str, &str) {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (scheme, authority, path)
}

impl Proxy {
    /// Before the host of this URL.
    pub fn before(url: &str) -> Proxy {
        let there = parts(url).1.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Shared { line: Line::Carries, ends: Vec::new() };
        let proxy = Proxy { port, shared: Arc::new((Mutex::new(shared), Condvar::new())) };
        let shared = proxy.shared.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                let mut held = shared.0.lock().expect("nobody panics with it");
                if held.line == Line::Cut {
                    continue;
                }
                let Ok(there) = TcpStream::connect(&there) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor more");
                held.ends.extend([clone(&here), clone(&there)]);
                carry(clone(&here), clone(&there), shared.clone());
                carry(there, here, shared.clone());
            }
        });
        proxy
    }

    /// The same URL by way of this line.
    pub fn url(&self, url: &str) -> String {
        let (scheme, _, path) = parts(url);
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.0.lock().expect("nobody panics with it")
    }

    fn set(&self, line: Line) {
        self.shared().line = line;
        self.shared.1.notify_all();
    }

    /// Ends every connection; none is carried until it is mended.
    pub fn cut(&self) {
        self.set(Line::Cut);
        for end in self.shared().ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Keeps every byte until it is mended.
    pub fn hold(&self) {
        self.set(Line::Holds);
    }

    /// Loses every byte until it is mended.
    pub fn swallow(&self) {
        self.set(Line::Swallows);
    }

    /// Carries again.
    pub fn mend(&self) {
        self.set(Line::Carries);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, shared: Arc<(Mutex<Shared>, Condvar)>) {
    std::thread::spawn(move || {
        let (mut bytes, mut is_dead) = ([0; 65_536], false);
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let held = shared.0.lock().expect("nobody panics with it");
            let held = shared.1.wait_while(held, |held| held.line == Line::Holds).expect("nobody panics with it");
            is_dead |= held.line == Line::Swallows;
            drop(held);
            if !is_dead && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
