//! COLD: what the tests and measurements of several packages share: recordings, an instrument, damage.
//!
//! Behind the feature `testkit`, which the program never switches on.

mod damage;
mod data;
mod instrument;

pub use self::damage::damage;
pub use self::data::{data_folder, data_path, recorded};
pub use self::instrument::instrument;
