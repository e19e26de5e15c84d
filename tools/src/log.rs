//! COLD: logs of the cold threads, always on stderr so that stdout stays the result's.

use tracing_subscriber::EnvFilter;

/// Starts logging to stderr: `SPINBOOK_LOG` (for example `debug` or `spinbook_feed=debug`) overrides the level.
///
/// `quiet` leaves only errors. Calling it twice is harmless: the first call holds.
pub fn start(quiet: bool) {
    let default_level = if quiet { "error" } else { "info" };
    let filter = EnvFilter::try_from_env("SPINBOOK_LOG").unwrap_or_else(|_| EnvFilter::new(default_level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .finish();
    // A second subscriber is refused by `tracing`; the first one keeps working, which is all that is wanted.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
