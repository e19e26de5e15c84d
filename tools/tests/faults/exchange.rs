//! COLD: `exchange` for other people's clients: accounts from a file, addresses, what it prints.

use std::fs;

use crate::desk::Desk;
use crate::rig::{Exchange, Setup, settled};

#[test]
fn accounts_addresses_and_balances_are_what_its_user_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    let keys = format!("[[account]]\napi_key = \"{key}\"\nsecret = \"{key}\"\nbalances = {{ USDT = \"4321\" }}\n");
    // The second may be any: this program itself needs one of either kind to say its own keys.
    let other = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    let keys = format!("{keys}\n[[account]]\napi_key = \"other\"\nprivate_key = \"\"\"{other}\"\"\"\n");
    fs::write(folder.path().join("keys.toml"), keys).expect("writable");
    let arguments = ["--listen", "127.0.0.3:0", "--keys", "keys.toml", "--balance", "BNB=3"];
    let exchange = Exchange::serving(folder, "binance-usdm", &arguments);
    assert_eq!((exchange.text("api_key"), exchange.text("secret")), (key, key));
    assert!(exchange.text("rest_url").starts_with("https://127.0.0.3:"), "{}", exchange.ready);
    let account = &exchange.ready["accounts"][0];
    assert_eq!((&account["signs_with"], &account["ids"]["binance-usdm"]), (&"hmac".into(), &"sim0".into()));
    // It trades, so the certificate covers the address, the key is taken, and the id is the one it answers.
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    settled(&run.interrupted());
}

#[test]
fn a_file_of_keys_that_cannot_be_used_is_refused_with_what_to_write() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("keys.toml"), "[[account]]\napi_key = \"k\"\n").expect("writable");
    let mut command = crate::rig::program(folder.path());
    command.args(["exchange", "--json", "--keys", "keys.toml"]);
    crate::rig::Running::start(command).end().refuses(2, &["keys.toml", "needs a secret or a key", "[[account]]"]);
}

#[test]
fn an_exchange_with_a_state_directory_is_killed_and_started_again_under_a_running_engine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = tempfile::tempdir().expect("a temporary folder");
    let state = kept.path().join("state").display().to_string();
    let mut exchange = Exchange::serving(folder, "binance-usdm", &["--state", &state]);
    let address = exchange.text("rest_url").trim_start_matches("https://").to_owned();
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    let symbol = ("symbol", "BTCUSDT");
    let other = Desk::of_another(&exchange);
    let rested = other.rests_a_bid();
    other.ask("POST", "/fapi/v1/leverage", &[symbol, ("leverage", "11")]);
    exchange.kill();
    run.until("no live book", |lines| lines.last().is_some_and(|line| !line.live));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let again = Exchange::serving(folder, "binance-usdm", &["--state", &state, "--listen", &address]);
    for same in ["api_key", "secret", "private_key", "rest_url", "ca_file"] {
        assert_eq!(again.text(same), exchange.text(same), "{same}");
    }
    let open = other.open_orders();
    assert_eq!((open.len(), &open[0]["orderId"]), (1, &rested), "{open:?}");
    assert_eq!(other.ask("GET", "/fapi/v3/positionRisk", &[symbol])[0]["leverage"], "11");
    run.until_quotes();
    let acked = crate::rig::shown(&run.err()).last().expect("a line").acked;
    run.until("an order after the restart", |lines| lines.last().is_some_and(|line| line.acked > acked));
    settled(&run.interrupted());
    // What the engine had open when the exchange was killed it found again, and left nothing.
    assert_eq!((Desk::of_the_engine(&again).open_orders().len(), other.open_orders().len()), (0, 1));
    for (file, mode) in [("keys.toml", 0o600), ("ca-key.pem", 0o600), ("binance-usdm.jsonl", 0o600)] {
        let found = fs::metadata(kept.path().join("state").join(file)).expect("it is kept").permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&found) & 0o777, mode, "{file}");
    }
    // Nobody else writes there meanwhile.
    let mut command = crate::rig::program(kept.path());
    command.args(["exchange", "--json", "--state", &state]);
    crate::rig::Running::start(command).end().refuses(2, &["another exchange runs", "state"]);
}
