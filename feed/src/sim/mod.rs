//! COLD: what all simulated exchanges share: accounts, matching, fees, rate windows, faults.
//!
//! A venue's `simulator` room speaks the protocol and knows the venue's rules; this room knows neither. `api` is
//! what the two speak of, `side` what a simulated exchange offers to the driver that carries its bytes.

pub mod account;
pub mod api;
pub mod candle_history;
pub mod fault_plan;
pub mod faults;
pub mod fees;
pub mod flow;
pub mod hostile;
pub mod limits;
pub mod matching;
pub mod money_plan;
pub mod moved;
pub mod paper;
pub mod queue;
pub mod saved;
pub mod served;
pub mod several;
pub mod shown;
pub mod side;
pub mod tape;
pub mod whole;
pub mod world;
pub mod wrapped;
