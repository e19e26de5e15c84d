//! COLD: what a run tells of itself to whoever watches over it from outside, line by line.

/// What is told of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It works: turns of its two threads, and orders that may be open.
    Alive {
        /// Of the hot thread.
        hot: u64,
        /// Of the I/O thread.
        io: u64,
        /// Open or unknown, as the gateways believe.
        open_orders: u64,
    },
    /// It has ended; whether the venues confirmed that nothing is open.
    Ended {
        /// Whether they did.
        confirmed: bool,
    },
}

impl Beat {
    /// As a line.
    #[must_use]
    pub fn line(self) -> String {
        match self {
            Beat::Alive { hot, io, open_orders } => format!("alive {hot} {io} {open_orders}\n"),
            Beat::Ended { confirmed } => format!("ended {confirmed}\n"),
        }
    }

    /// From a line without its end; none where it is no such line.
    #[must_use]
    pub fn parse(line: &str) -> Option<Beat> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["alive", hot, io, open_orders] => Some(Beat::Alive {
                hot: hot.parse().ok()?,
                io: io.parse().ok()?,
                open_orders: open_orders.parse().ok()?,
            }),
            ["ended", confirmed] => Some(Beat::Ended { confirmed: confirmed.parse().ok()? }),
            _ => None,
        }
    }
}

/// What a look at the pulse brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing new.
    Nothing,
    /// The newest line.
    Beat(Beat),
    /// The connection has ended.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_none_is_no_beat() {
        for beat in [Beat::Alive { hot: 1, io: u64::MAX, open_orders: 3 }, Beat::Ended { confirmed: false }] {
            assert_eq!(Beat::parse(beat.line().trim_end()), Some(beat));
        }
        for bad in ["", "alive", "alive 1 2", "alive 1 2 -3", "ended maybe", "dead"] {
            assert_eq!(Beat::parse(bad), None, "{bad}");
        }
    }
}
