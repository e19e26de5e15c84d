//! COLD: what stands between the program and the exchange: a line that can be cut and mended.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Carries connections to an exchange until it is cut.
pub struct Proxy {
    port: u16,
    is_cut: Arc<AtomicBool>,
    /// Both ends of every connection so far.
    ends: Arc<Mutex<Vec<TcpStream>>>,
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
        let proxy = Proxy { port, is_cut: Arc::default(), ends: Arc::default() };
        let (is_cut, ends) = (proxy.is_cut.clone(), proxy.ends.clone());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                let mut held = ends.lock().expect("nobody panics with it");
                // Whoever comes while it is cut is hung up on.
                if is_cut.load(Ordering::Acquire) {
                    continue;
                }
                let Ok(there) = TcpStream::connect(&there) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().expect("a descriptor more");
                held.extend([clone(&here), clone(&there)]);
                carry(clone(&here), clone(&there));
                carry(there, here);
            }
        });
        proxy
    }

    /// The same URL by way of this line.
    pub fn url(&self, url: &str) -> String {
        let (scheme, _, path) = parts(url);
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    /// Ends every connection; none is carried until it is mended.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        for end in self.ends.lock().expect("nobody panics with it").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Carries again.
    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::Release);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut bytes = [0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
