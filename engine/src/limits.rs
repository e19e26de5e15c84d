//! HOT: every capacity of the engine, and the relations between them, asserted at compile time.

/// Instruments one engine can hold; memory is only taken for those that set-up names.
pub const INSTRUMENTS_MAX: usize = 1024;
/// Venues (product lines) one engine can trade on at once.
pub const VENUES_MAX: usize = 8;
/// Quote assets one engine can trade in at once.
pub const ASSET_GROUPS_MAX: usize = 16;
/// Quote levels a side that a strategy may ask for.
pub const QUOTE_LEVELS_MAX: usize = 8;
/// Quote slots of an instrument: both sides.
pub const SLOTS: usize = 2 * QUOTE_LEVELS_MAX;
/// Orders of an instrument that are kept: one a slot, and the last finished ones, to recognise what arrives late.
pub const WORKING_ORDERS_MAX: usize = 64;
/// Levels a side that one depth message may carry; a larger one is a malformed frame.
pub const LEVELS_PER_MESSAGE_MAX: usize = 5_000;
/// Ticks a side of a book's window: the fast array around the touch.
pub const WINDOW_TICKS: usize = 1 << 15;
/// Levels a side outside the window that a book holds by default; set-up may ask for more.
pub const OUTER_LEVELS_DEFAULT: usize = 1 << 14;
/// The most outer levels a side that set-up gives a book.
pub const OUTER_LEVELS_MAX: usize = 1 << 22;
/// Slots of the ring that carries new orders to the I/O thread.
pub const ORDER_RING_SLOTS: usize = 1024;
/// Slots of the ring that carries cancels, which nothing else can fill.
pub const CANCEL_RING_SLOTS: usize = 1024;
/// Slots of the ring that carries executions back.
pub const EXECUTION_RING_SLOTS: usize = 4096;
/// How many update ids the venue's own best bid/ask may be ahead of the depth and still be believed: more than a whole
/// venue counts in many seconds, so that what is farther ahead has a wrong id.
pub const TOUCH_AHEAD_IDS_MAX: u64 = 1 << 24;
/// The last best bid/asks of a symbol that are kept until the depth message with their update id comes.
pub const TOUCH_HISTORY: usize = 64;

const _: () = assert!(WORKING_ORDERS_MAX >= 2 * SLOTS);
const _: () = assert!(WINDOW_TICKS.is_power_of_two() && WINDOW_TICKS >= 4096);
const _: () = assert!(ORDER_RING_SLOTS.is_power_of_two() && CANCEL_RING_SLOTS.is_power_of_two());
const _: () = assert!(EXECUTION_RING_SLOTS.is_power_of_two());
// Every request may be answered while none of the answers was read yet.
const _: () = assert!(EXECUTION_RING_SLOTS >= ORDER_RING_SLOTS + CANCEL_RING_SLOTS);
// Both sides of every level have a slot, slots have 8 bits, and sets of slots are words of 32.
const _: () = assert!(QUOTE_LEVELS_MAX > 0 && SLOTS == 2 * QUOTE_LEVELS_MAX && SLOTS <= u32::BITS as usize);
const _: () = assert!(OUTER_LEVELS_DEFAULT <= OUTER_LEVELS_MAX);
const _: () = assert!(INSTRUMENTS_MAX <= u16::MAX as usize);
const _: () = assert!(VENUES_MAX <= u8::MAX as usize);
const _: () = assert!(ASSET_GROUPS_MAX <= u8::MAX as usize);
