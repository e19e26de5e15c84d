//! COLD: the sample that `config init` writes: valid, commented, and without a secret.

/// The sample configuration.
pub const CONFIG: &str = r#"# Spinbook configuration. Check it with: spinbook config check -c spinbook.toml
# Paths are relative to this file. Unknown keys are refused. Any key may be overridden by the environment
# (SPINBOOK_RISK__POSITION_MAX_BASE=0.1) or on the command line (--set risk.position_max_base=0.1).

[engine]
# hot_core = 1                    # the core the hot thread owns; omitted: unpinned, with a warning
# io_core = 0                     # the core of the order thread; omitted: one of those that are left
# lock_memory = "allowed"         # "required": do not start without; "never": leave pages to the system
# huge_pages = "allowed"          # for the books, where the system gives them; or "never"
state_dir = "state"               # lock, run number, journal

[[market]]
venue = "binance-usdm"            # or binance-spot
symbols = ["BTCUSDT"]
# credentials = "keys/binance.toml" # mode 0600; only for shadow and live, never in this file
# rest_url = "https://127.0.0.1:9443"   # a private or simulated exchange instead of the venue
# stream_url = "wss://127.0.0.1:9443"
# ws_api_url = "wss://127.0.0.1:9443"
# ca_file = "exchange-ca.pem"     # its certificate authority
# depth_stream = "depth@100ms"    # the venue's default if omitted
# maker_fee_bps = 2.0             # your fee tier; the venue's standard fee if omitted
# taker_fee_bps = 5.0

[strategy]
kind = "spread"
spread_bps = 10.0                 # full width, in basis points of the mid
levels = 1                        # quotes a side
order_size_base = "0.001"
imbalance_levels = 10             # book levels a side that make the imbalance
imbalance_threshold = 0.3         # beyond it the spread is widened ...
imbalance_widening = 1.5          # ... by this factor
inventory_skew_bps = 5.0          # at a full position
refresh_tolerance_bps = 1.0       # a working order this near its target stays
edge_min_bps = 0.0                # after fees; no quote below it
time_in_force = "post-only"       # or "ioc"

[risk]                            # every limit is mandatory: no default means no trading
order_quantity_max_base = "0.01"
order_notional_max_quote = "1000"
position_max_base = "0.05"
price_collar_bps = 50.0
open_orders_max = 8
messages_max_per_second = 20
loss_max_quote_per_day = "100"
book_age_max_ms = 2000
"#;

/// The sample of a credentials file, all comments: nothing in it is a key.
pub const CREDENTIALS: &str = r#"# Credentials of one account: a file of its own, mode 0600, owned by you, never a symbolic link.
# With Ed25519 (recommended: the private key never leaves this machine, one log-on per session):
#   api_key = "..."
#   private_key = """-----BEGIN PRIVATE KEY----- ... -----END PRIVATE KEY-----"""
# With HMAC:
#   api_key = "..."
#   secret = "..."
# Give the key no withdrawal permission and bind it to your IP address.
"#;
