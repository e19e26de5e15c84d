//! COLD: what is wrong before anything is traded: keys, clock, symbols, configuration, addresses, certificates, files.

use std::fs;
use std::io::Write;

use crate::rig::{Exchange, Running, Setup, program, settled, under};

const NOBODY: &str = "https://127.0.0.1:9";

#[test]
fn a_key_that_the_venue_does_not_know_is_refused_with_what_to_check() {
    let exchange = Exchange::start("");
    let key = exchange.text("api_key").to_owned();
    let other: String = key.chars().rev().collect();
    let ended = Setup::on(&exchange).replace("keys.toml", &key, &other).live();
    ended.refuses(2, &["does not accept the credentials", "code -2015", "IP binding", "spinbook keys check"]);
    assert!(!ended.err.contains(&other), "the key is printed:\n{}", ended.err);

    let secret = exchange.text("secret").to_owned();
    let other: String = secret.chars().rev().collect();
    let ended = Setup::on(&exchange).replace("keys.toml", &secret, &other).live();
    ended.refuses(2, &["does not accept the credentials", "code -1022", "spinbook keys check"]);
    assert!(!ended.err.contains(&other), "the secret is printed:\n{}", ended.err);
}

#[test]
fn what_cannot_be_a_key_is_refused_before_anything_connects() {
    let exchange = Exchange::start("");
    let (key, secret) = (exchange.text("api_key").to_owned(), exchange.text("secret").to_owned());
    // Nobody listens there: whoever connected first would fail with another message and exit code.
    let setup = || Setup::on(&exchange).replace("run.toml", exchange.text("rest_url"), NOBODY);
    let cases = [
        (key.clone(), format!("{key} "), "white space"),
        (key.clone(), format!("{key}\\n"), "white space"),
        (secret.clone(), format!("\\t{secret}"), "white space"),
        (secret.clone(), "your-secret-key-goes-here".to_owned(), "placeholder"),
        (key.clone(), "YOUR_API_KEY".to_owned(), "placeholder"),
        (key.clone(), String::new(), "empty"),
    ];
    for (from, to, words) in cases {
        let setup = setup().replace("keys.toml", &from, &to);
        for mode in ["live", "shadow"] {
            let ended = setup.spinbook(&["run", "-c", "run.toml", "--mode", mode, "--account", "sim0", "--json"]);
            ended.refuses(2, &[words, "keys.toml"]);
            assert!(!ended.err.contains(&secret) && !ended.out.contains(&secret), "the secret is printed");
        }
    }
    let readable = setup();
    let text = fs::read_to_string(readable.path("keys.toml")).expect("written");
    readable.write("keys.toml", &text, 0o644);
    readable.live().refuses(2, &["mode is 0644", "chmod 600"]);
}

#[test]
fn a_clock_off_by_more_than_the_window_refuses_to_start_and_says_by_how_much() {
    for (ahead, words) in [(60_000_i64, "ms behind the venue's"), (-60_000, "ms ahead of the venue's")] {
        let exchange = Exchange::start(&format!("clock_ahead_ms = {ahead}"));
        let ended = Setup::on(&exchange).live();
        ended.refuses(
            1,
            &["clock disagrees with the venue's", words, "500 ms are allowed", "chrony", "spinbook doctor"],
        );
        let why = ended.object()["error"]["why"].as_str().expect("a reason").to_owned();
        let measured: i64 = why.split(' ').find_map(|word| word.parse().ok()).expect("the measured offset");
        assert!((measured - ahead.abs()).abs() < 10_000, "{why}, but the exchange's clock is {ahead} ms ahead");
    }
}

#[test]
fn an_unknown_symbol_is_refused_with_the_nearest_one() {
    let exchange = Exchange::start("");
    let ended = Setup::on(&exchange).replace("run.toml", "\"BTCUSDT\"", "\"BTCUSDC\"").live();
    ended.refuses(2, &["market.symbols", "BTCUSDC", "did you mean BTCUSDT?"]);
    let ended = Setup::on(&exchange).replace("run.toml", "\"BTCUSDT\"", "\"btcusdt\"").live();
    ended.says(2, &["BTCUSDT"]);
}

#[test]
fn an_unknown_key_and_a_missing_limit_are_refused_with_their_line() {
    let exchange = Exchange::start("");
    let setup = || Setup::on(&exchange).replace("run.toml", exchange.text("rest_url"), NOBODY);
    let wrong = setup().replace("run.toml", "inventory_skew_bps", "inventory_skw_bps");
    let text = fs::read_to_string(wrong.path("run.toml")).expect("written");
    let line = text.lines().position(|line| line.starts_with("inventory_skw_bps")).expect("it stands there") + 1;
    let ended = wrong.live();
    ended
        .refuses(2, &[&format!("run.toml:{line}: "), "inventory_skw_bps", "5.0", "did you mean `inventory_skew_bps`?"]);
    for limit in [
        "order_quantity_max_base = \"0.01\"",
        "order_notional_max_quote = \"1000\"",
        "position_max_base = \"0.05\"",
        "price_collar_bps = 50.0",
        "open_orders_max = 8",
        "messages_max_per_second = 20",
        "loss_max_quote_per_day = \"1000\"",
        "book_age_max_ms = 2000",
    ] {
        let name = limit.split(' ').next().expect("a name");
        setup().replace("run.toml", limit, "").live().refuses(2, &[name, "missing"]);
    }
}

#[test]
fn live_orders_go_to_the_world_that_is_named_and_worlds_are_not_mixed() {
    let exchange = Exchange::start("");
    let line = |key: &str, url: &str| format!("{key} = \"{url}\"");
    let hosts = ["rest_url", "stream_url", "ws_api_url"];
    let elsewhere = |urls: [&str; 3], environment: &str| {
        let setup = hosts.into_iter().zip(urls).fold(Setup::on(&exchange), |setup, (key, url)| match url {
            "" => setup,
            url => setup.replace("run.toml", &line(key, exchange.text(key)), &line(key, url)),
        });
        let venue = "venue = \"binance-usdm\"";
        setup.replace("run.toml", venue, &format!("{venue}\n{environment}")).live()
    };
    let production = ["https://fapi.binance.com", "wss://fstream.binance.com", "wss://ws-fapi.binance.com/ws-fapi/v1"];
    let testnet =
        ["https://demo-fapi.binance.com", "wss://fstream.binancefuture.com", "wss://testnet.binancefuture.com"];
    // Whoever means the venue, or its place for tests, says so beside the hosts.
    elsewhere(production, "").refuses(2, &["live orders to fapi.binance.com need environment = \"production\""]);
    elsewhere(testnet, "").refuses(2, &["live orders to demo-fapi.binance.com need environment = \"testnet\""]);
    for (place, key) in hosts.into_iter().enumerate() {
        let mut one = [""; 3];
        one[place] = production[place];
        elsewhere(one, "").refuses(2, &[key, production[place], "--mode paper"]);
        // The place in the file is named.
        for (environment, why) in [
            ("simulated", "is a production host of binance-usdm, and environment = \"simulated\""),
            ("testnet", "is a production host of binance-usdm, and environment = \"testnet\""),
        ] {
            let ended = elsewhere(one, &line("environment", environment));
            ended.refuses(2, &["run.toml:", &format!("`market.0.{key}` = \"{}\": {why}", production[place])]);
        }
        one[place] = testnet[place];
        elsewhere(one, &line("environment", "production"))
            .refuses(2, &["run.toml:", "is a testnet host of binance-usdm, and environment = \"production\""]);
    }
    elsewhere(["", production[1], testnet[2]], "")
        .refuses(2, &["run.toml:", "is a testnet host of binance-usdm, while stream_url is the venue itself"]);
    // What is not this machine and no host of the venue is known by its authority.
    let there = ["https://exchange.example:9443", "wss://exchange.example:9443", "wss://exchange.example:9443"];
    elsewhere(there, "").refuses(2, &["live orders to exchange.example need environment = \"simulated\""]);
}

#[test]
fn a_key_that_may_withdraw_is_not_traded_with() {
    let made = Exchange::start("");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = format!(
        "[[account]]\napi_key = \"{}\"\nsecret = \"{}\"\nmay_withdraw = true\n\
         [[account]]\napi_key = \"{}\"\nprivate_key = \"\"\"{}\"\"\"\n",
        made.text("api_key"),
        made.text("secret"),
        made.text("api_key_ed25519"),
        made.text("private_key")
    );
    fs::write(folder.path().join("keys.toml"), text).expect("writable");
    let rich = Exchange::serving(folder, "binance-usdm", &["--listen", "127.0.0.1:0", "--keys", "keys.toml"]);
    let setup = Setup::on(&rich);
    setup.live().refuses(2, &["the API key may withdraw", "without the right to withdraw"]);
    let lenient = ["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--json", "--set"];
    let mut run = setup.start(&[lenient.as_slice(), &["market.0.key_rights=never"]].concat());
    run.wait_for("nobody asked whether the key may withdraw");
    run.until_quotes();
    settled(&run.interrupted());
    // A venue that does not say: a word, or no start.
    let silent = "[[answers]]\npath = \"/sapi/v1/account/apiRestrictions\"\nbody = '{}'\ncount = 1000\nstatus = 404\n";
    let exchange = Exchange::start(silent);
    let setup = Setup::on(&exchange);
    let required = [lenient.as_slice(), &["market.0.key_rights=required"]].concat();
    setup.spinbook(&required).refuses(1, &["whether the API key may withdraw is not known", "key_rights"]);
    let mut run = setup.start_live();
    run.until_quotes();
    let ended = run.interrupted();
    settled(&ended);
    assert_eq!(ended.err.matches("whether the API key may withdraw is not known").count(), 1, "{}", ended.err);
}

#[test]
fn another_account_than_the_named_one_is_not_traded() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let ended = setup.spinbook(&["run", "-c", "run.toml", "--mode", "live", "--account", "mine", "--json"]);
    ended.refuses(2, &["--account is not the account", "`accountAlias` says sim0", "--account sim0"]);
    let ended = setup.spinbook(&["run", "-c", "run.toml", "--mode", "live", "--json"]);
    ended.refuses(2, &["live trading needs --account"]);
}

#[test]
fn certificates_are_always_checked() {
    let exchange = Exchange::start("");
    let ca_file = format!("ca_file = \"{}\"", exchange.text("ca_file"));
    // An authority that did not sign it; the public ones; a host it was not made for; no certificate at all.
    let other = Exchange::start("");
    let wrong = format!("ca_file = \"{}\"", other.text("ca_file"));
    Setup::on(&exchange).replace("run.toml", &ca_file, &wrong).live().refuses(1, &["certificate", "market.ca_file"]);
    Setup::on(&exchange).replace("run.toml", &ca_file, "").live().refuses(1, &["certificate", "market.ca_file"]);
    // It listens on every address, and its certificate names the one it prints, not this one.
    let elsewhere = Exchange::listening("0.0.0.0:0");
    let host = elsewhere.text("rest_url").trim_start_matches("https://");
    let (host, port) = host.rsplit_once(':').expect("a port");
    let unnamed = format!("127.0.0.2:{port}");
    let printed = format!("{host}:{port}");
    Setup::on(&elsewhere).replace("run.toml", &printed, &unnamed).live().refuses(1, &["certificate", "host name"]);
    let nonsense = Setup::on(&exchange).replace("run.toml", exchange.text("ca_file"), "ca.pem");
    nonsense.write("ca.pem", "no certificate\n", 0o644);
    nonsense.live().says(2, &["market.ca_file"]);
    // Only the streams are somebody else's: the book never lives, so nothing is ever ordered.
    let stream = format!("stream_url = \"{}\"", exchange.text("stream_url"));
    let ours = format!("stream_url = \"wss://{unnamed}\"");
    let setup = Setup::on(&exchange).replace("run.toml", &stream, &ours);
    let mut run = setup.start_live();
    run.wait_for("certificate");
    let ended = run.interrupted();
    ended.says(1, &["certificate", "no book was live"]);
    assert_eq!(ended.object()["orders"]["sent"], 0);
}

#[test]
fn an_address_where_nobody_listens_is_refused_with_what_to_check() {
    let exchange = Exchange::start("");
    let ended = Setup::on(&exchange).replace("run.toml", exchange.text("rest_url"), NOBODY).live();
    ended.refuses(1, &["cannot connect", NOBODY, "that the exchange runs"]);
}

#[test]
fn a_port_in_use_names_the_way_out() {
    let exchange = Exchange::start("");
    let address = exchange.text("rest_url").trim_start_matches("https://").to_owned();
    let mut command = program(exchange.folder.path());
    command.args(["exchange", "--listen", &address, "--json"]);
    Running::start(command).end().refuses(2, &["in use", &address, "--listen 127.0.0.1:PORT"]);
}

#[test]
fn two_engines_never_share_a_state_directory() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut first = setup.start_live();
    first.until_quotes();
    setup.live().refuses(1, &["another engine runs", "state", "stop it first"]);
    settled(&first.interrupted());
    let mut next = setup.start_live();
    next.until_quotes();
    settled(&next.interrupted());
}

#[test]
fn a_recording_that_cannot_be_played_is_refused_with_where_it_breaks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let line = concat!(
        "1721260800000000000 {\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1721260800000,",
        "\"T\":1721260800000,\"s\":\"BTCUSDT\",\"U\":10,\"u\":12,\"pu\":9,\"b\":[[\"64000.10\",\"1.000\"]],\"a\":[]}}\n"
    );
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    for _ in 0..2_000 {
        packed.write_all(line.as_bytes()).expect("memory");
    }
    let whole = packed.finish().expect("memory");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0xff;
    let cases: [(&str, &[u8], &str); 4] = [
        ("cut.gz", &whole[..whole.len() / 2], "cut short after line"),
        ("flipped.gz", &flipped, "flipped.gz"),
        ("nothing.gz", b"", "it is empty"),
        ("letter.gz", b"Dear exchange,\n", "not a recording"),
    ];
    let verbs = [["exchange", "--listen", "127.0.0.1:0"].as_slice(), &["demo", "--seconds", "2"]];
    let play = |verb: &[&str], name: &str| {
        let mut command = program(folder.path());
        command.args(verb).args(["--json", "--data", name]);
        Running::start(command).end()
    };
    for (name, bytes, words) in cases {
        fs::write(folder.path().join(name), bytes).expect("writable");
        for verb in verbs {
            play(verb, name).refuses(3, &["cannot be played", name, words, "spinbook verify"]);
        }
    }
    for verb in verbs {
        play(verb, "nowhere.gz").refuses(1, &["cannot be played", "nowhere.gz: cannot be opened", "check the path"]);
    }
}

#[test]
fn a_limit_of_the_system_that_is_too_small_is_named() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let run = ["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--seconds", "60", "--json"];
    for (limit, words) in [
        ("-n 10", "too many open files: 40 needed, 10 allowed"),
        ("-s 64", "the stack is limited to 64 KiB"),
        ("-v 40000", "the address space is limited to 40000 KiB"),
        ("-v 300000", "512 MiB needed to trade"),
        ("-f 0", "files are limited to 0 KiB each"),
    ] {
        let ended = Running::start(under(&format!("ulimit {limit}"), &setup.command(&run))).end();
        ended.refuses(1, &[words, &format!("`ulimit {}", &limit[..2]), "in the systemd unit"]);
    }
    assert!(!setup.path("state").exists(), "nothing was begun");
}

#[test]
fn a_core_that_is_named_is_used_or_refused() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    for key in ["engine.hot_core", "engine.io_core"] {
        let core = format!("{key}=4000");
        let ended = setup.spinbook(&["run", "-c", "run.toml", "--mode", "shadow", "--set", &core, "--json"]);
        ended.refuses(2, &["no thread can be tied to core 4000", key, "may run on the cores 0"]);
    }
}

#[test]
fn a_first_answer_that_fails_once_is_asked_for_again_with_the_reason_shown() {
    let busy = "[[requests]]\non = \"other\"\nnth = 1\ncount = 2\naction = \"refuse\"\nstatus = 503\ncode = -1001\n\
                message = \"Internal error; unable to process your request.\"\n";
    let exchange = Exchange::start(busy);
    let setup = Setup::on(&exchange).replace("run.toml", "start_retry_seconds = 0", "start_retry_seconds = 60");
    let mut run = setup.start_live();
    run.until_quotes();
    let ended = run.interrupted();
    settled(&ended);
    ended.says(130, &["HTTP 503", "unable to process your request", "asked again in 500 ms"]);
    // Without time to ask again it is a failure as before.
    Setup::on(&Exchange::start(busy)).live().refuses(1, &["HTTP 503"]);
}
