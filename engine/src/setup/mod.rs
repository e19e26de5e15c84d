//! COLD: the only allocating room: validated settings and instruments become preallocated books and engines.

pub mod book;
pub mod engine;
pub mod understudy;

pub use book::{BookSettings, OUTER_LEVELS_MAX, book, larger_book};
pub use engine::{AssetGroupSettings, EngineSettings, InstrumentSetup, SetupError, engine, spread_strategy};
pub use understudy::understudy;

pub use crate::quoter::{BudgetSettings, ORDER_WINDOWS_MAX, QuoterSettings};
pub use crate::rate::WindowSettings;
pub use crate::risk::RiskSettings;
pub use crate::strategy::SpreadSettings;
pub use crate::types::InstrumentSettings;
