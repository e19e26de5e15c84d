//! HOT: a private connection from this thread to itself, which keeps the kernel's way in warm: written in one idle turn,
//! read in the next.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// Bytes of one ping: about a frame.
const BYTES: usize = 512;

/// Both ends of the connection.
#[derive(Debug)]
pub struct KernelPing {
    near: TcpStream,
    far: TcpStream,
    /// Bytes that were written and not read yet.
    on_the_way: usize,
    buffer: [u8; BYTES],
}

impl KernelPing {
    /// A connection over the loopback interface (set-up).
    ///
    /// # Errors
    /// The system refuses it.
    pub fn new() -> io::Result<KernelPing> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let near = TcpStream::connect(listener.local_addr()?)?;
        let own = near.local_addr()?;
        // Anybody on this machine may connect to the port; only the end that is ours is taken.
        let far = loop {
            let (far, from) = listener.accept()?;
            if from == own {
                break far;
            }
        };
        for end in [&near, &far] {
            end.set_nodelay(true)?;
            end.set_nonblocking(true)?;
        }
        Ok(KernelPing { near, far, on_the_way: 0, buffer: [0; BYTES] })
    }

    /// Writes, or reads what was written before. False: the system refused; it need not be tried again.
    pub fn turn(&mut self) -> bool {
        let done = if self.on_the_way == 0 { self.near.write(&self.buffer) } else { self.far.read(&mut self.buffer) };
        match done {
            Ok(0) => false,
            Ok(bytes) if self.on_the_way == 0 => {
                self.on_the_way = bytes;
                true
            }
            Ok(bytes) => {
                self.on_the_way = self.on_the_way.saturating_sub(bytes);
                true
            }
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KernelPing;

    #[test]
    fn what_is_written_is_read_in_a_later_turn() {
        let mut ping = KernelPing::new().expect("loopback");
        for _ in 0..1_000 {
            assert!(ping.turn());
        }
        let mut turns = 0;
        while ping.on_the_way != 0 && turns < 1_000_000 {
            assert!(ping.turn());
            turns += 1;
        }
        assert_eq!(ping.on_the_way, 0, "everything came back");
    }
}
