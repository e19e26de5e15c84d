//! COLD: `exchange` for other people's clients: accounts from a file, addresses, what it prints.

use std::fs;

use crate::rig::{Exchange, Setup, settled};

#[test]
fn accounts_addresses_and_balances_are_what_its_user_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = "k".repeat(64);
    let keys = format!("[[account]]\napi_key = \"{key}\"\nsecret = \"{key}\"\nbalances = {{ USDT = \"4321\" }}\n");
    // The second may be any: this program itself needs one of either kind to say its own keys.
    let other = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    let keys = format!("{keys}\n[[account]]\napi_key = \"other\"\nprivate_key = \"\"\"{other}\"\"\"\n");
    fs::write(folder.path().join("keys.toml"), keys).expect("writable");
    let arguments = ["--listen", "127.0.0.3:0", "--keys", "keys.toml", "--balance", "BNB=3"];
    let exchange = Exchange::serving(folder, "binance-usdm", &arguments);
    assert_eq!((exchange.text("api_key"), exchange.text("secret")), (&*key, &*key));
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
