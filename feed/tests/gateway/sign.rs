//! COLD: keys and signatures against the venue's published check values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use spinbook_feed::crypto::credentials::{CredentialError, Credentials, Key, KeyPart, Secret, SignatureText};
use spinbook_feed::venue::binance::parameters::{Parameters, Query};

const KEY_ID: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

fn hmac_credentials(secret: &str) -> Credentials {
    Credentials::hmac(KEY_ID, &Secret::new(secret.to_owned())).unwrap()
}

fn signature(credentials: &Credentials, payload: &str) -> String {
    let mut out = String::new();
    credentials.sign_onto(payload.as_bytes(), &mut out);
    out
}

fn rest_order(symbol: &str) -> Query {
    let mut query = Query::new();
    query.push("symbol", symbol);
    query.push("side", "BUY");
    query.push("type", "LIMIT");
    query.push("timeInForce", "GTC");
    query.push("quantity", "1");
    query.push("price", "0.1");
    query.push_number("recvWindow", 5000);
    query.push_number("timestamp", 1_499_827_319_559);
    query
}

#[test]
fn rest_hmac_check_values() {
    let credentials = hmac_credentials(SECRET);
    let mut query = rest_order("LTCBTC");
    query.sign(&credentials);
    assert_eq!(
        query.as_str(),
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000\
         &timestamp=1499827319559&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    );
    let mut query = rest_order("１２３４５６");
    assert!(query.as_str().starts_with("symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&"));
    query.sign(&credentials);
    assert!(query.as_str().ends_with("&signature=e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"));
}

fn websocket_order(symbol: &str, price: &str, quantity: &str, side: &str, window: i64) -> Parameters {
    let mut parameters = Parameters::new();
    // Not in order: sorting is the type's own work.
    parameters.text("symbol", symbol);
    parameters.text("side", side);
    parameters.text("type", "LIMIT");
    parameters.text("timeInForce", "GTC");
    parameters.text("quantity", quantity);
    parameters.text("price", price);
    parameters.number("timestamp", 1_645_423_376_532);
    parameters.text("apiKey", KEY_ID);
    parameters.number("recvWindow", window);
    parameters
}

#[test]
fn websocket_hmac_check_values() {
    let credentials = hmac_credentials(SECRET);
    let mut parameters = websocket_order("BTCUSDT", "52000.00", "0.01000000", "SELL", 100);
    parameters.sign(&credentials);
    assert_eq!(
        parameters.payload(),
        format!(
            "apiKey={KEY_ID}&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT\
             &timeInForce=GTC&timestamp=1645423376532&type=LIMIT"
        )
    );
    assert_eq!(parameters.signature(), "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24");
    let mut parameters = websocket_order("１２３４５６", "0.10000000", "1.00000000", "BUY", 5000);
    parameters.sign(&credentials);
    assert_eq!(parameters.signature(), "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd");
    let mut json = Vec::new();
    parameters.write_json(&mut json);
    let text = String::from_utf8(json).unwrap();
    assert!(text.contains("\"symbol\":\"１２３４５６\""), "raw UTF-8 in the message: {text}");
}

#[test]
fn futures_hmac_check_value() {
    let credentials = hmac_credentials("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9");
    let payload = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000\
                   &timestamp=1591702613943";
    assert_eq!(signature(&credentials, payload), "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9");
}

#[test]
fn ed25519_check_values_from_every_form_of_the_key() {
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{PKCS8}\n-----END PRIVATE KEY-----\n");
    let seed_hex: String = (0u8..32).map(|byte| format!("{byte:02x}")).collect();
    let seed_base64 = BASE64.encode((0u8..32).collect::<Vec<_>>());
    for form in [PKCS8, &pem, &seed_hex, &seed_base64] {
        let credentials = Credentials::ed25519("EXAMPLEKEY", &Secret::new(form.to_owned())).unwrap();
        let Key::Ed25519(key) = &credentials.key else { panic!("an Ed25519 key") };
        let public: String = key.public_key().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(public, "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
        let mut parameters = Parameters::new();
        parameters.number("timestamp", 1_649_729_878_532);
        parameters.text("apiKey", credentials.api_key.as_str());
        parameters.sign(&credentials);
        assert_eq!(
            parameters.signature(),
            "sssWHgJ3Y7Rnv6MkTXBOnzUm4hpRvbcG3To/muf2W1ZQ3rhVJS8JQbWf59vnGT253IgKDhUg+aoT0zWBLAyxBA=="
        );
        let payload = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1.0000000&price=0.20\
                       &timestamp=1668481559918";
        assert_eq!(
            signature(&credentials, payload),
            "iQvH3dOIUlkfQoehraA3ZKK+fTET/p45eFzMQ+5yHEA+0cK/EG1tUff0vnklzMJCMT9MV2vR+9k7P3ShiJqQBw=="
        );
    }
}

#[test]
fn an_ed25519_signature_is_percent_encoded_in_a_query() {
    let credentials = Credentials::ed25519("EXAMPLEKEY", &Secret::new(PKCS8.to_owned())).unwrap();
    let mut query = Query::new();
    query.push("apiKey", "EXAMPLEKEY");
    query.push_number("timestamp", 1_649_729_878_532);
    query.sign(&credentials);
    assert!(query.as_str().contains("&signature=sssWHgJ3Y7Rnv6MkTXBOnzUm4hpRvbcG3To%2Fmuf2W1ZQ3rhVJS8JQbWf59vn"));
    assert!(query.as_str().ends_with("%2BaoT0zWBLAyxBA%3D%3D"));
}

#[test]
fn wrong_keys_are_refused_with_advice() {
    let secret = || Secret::new(SECRET.to_owned());
    let refused = |text: &str| Credentials::hmac(text, &secret()).unwrap_err();
    assert_eq!(refused(""), CredentialError::Empty(KeyPart::ApiKey));
    assert_eq!(refused("  "), CredentialError::Empty(KeyPart::ApiKey));
    for placeholder in ["your-api-key", "YOUR_API_KEY_HERE", "changeme", "xxx", "xxxxxxxxxxxx", "<api key>", "secret"] {
        let error = refused(placeholder);
        assert!(
            matches!(error, CredentialError::Placeholder(_) | CredentialError::WhiteSpace(_)),
            "{placeholder}: {error}"
        );
    }
    assert_eq!(refused(&format!("{KEY_ID}\n")), CredentialError::WhiteSpace(KeyPart::ApiKey));
    assert_eq!(refused(&format!(" {KEY_ID}")), CredentialError::WhiteSpace(KeyPart::ApiKey));
    assert_eq!(refused("schlüssel"), CredentialError::NotAscii(KeyPart::ApiKey));
    assert_eq!(refused(&KEY_ID.repeat(5)), CredentialError::TooLong(KeyPart::ApiKey));
    let wrong_secret = |text: &str| Credentials::hmac(KEY_ID, &Secret::new(text.to_owned())).unwrap_err();
    assert_eq!(wrong_secret("changeme"), CredentialError::Placeholder(KeyPart::Secret));
    assert_eq!(wrong_secret(&format!("{SECRET} ")), CredentialError::WhiteSpace(KeyPart::Secret));
    let wrong_key = |text: &str| Credentials::ed25519(KEY_ID, &Secret::new(text.to_owned())).unwrap_err();
    assert_eq!(wrong_key("not base64!"), CredentialError::WhiteSpace(KeyPart::PrivateKey));
    assert_eq!(wrong_key("n!t"), CredentialError::PrivateKeyForm);
    assert_eq!(wrong_key(&BASE64.encode([7u8; 64])), CredentialError::NotEd25519);
    assert!(wrong_secret("").to_string().contains("paste the value"));
}

#[test]
fn nothing_printable_contains_a_secret() {
    let credentials = hmac_credentials(SECRET);
    let shown = format!("{credentials:?} {:?} {:?}", credentials.api_key, Secret::new(SECRET.to_owned()));
    assert!(!shown.contains(SECRET) && !shown.contains(KEY_ID));
    assert!(!shown.contains(&SECRET[..8]));
    assert!(shown.contains("vmPUZE6m…Eh8A"), "{shown}");
}

#[test]
fn an_hmac_is_written_in_hex_or_in_base64_as_the_venue_reads_it() {
    // RFC 4231, case 2.
    let credentials = hmac_credentials("Jefe");
    let signed = |text| {
        let mut out = String::new();
        credentials.sign_as(text, b"what do ya want for nothing?", &mut out);
        out
    };
    assert_eq!(signed(SignatureText::Base64), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    assert_eq!(signed(SignatureText::Hex), signature(&credentials, "what do ya want for nothing?"));
}

#[test]
fn a_passphrase_is_judged_kept_and_never_shown() {
    assert_eq!(hmac_credentials(SECRET).passphrase(), None);
    let with = |text: &str| hmac_credentials(SECRET).with_passphrase(Secret::new(text.to_owned()));
    let credentials = with("Correct1Horse!").unwrap();
    assert_eq!(credentials.passphrase(), Some("Correct1Horse!"));
    assert!(!format!("{credentials:?}").contains("Horse"));
    assert_eq!(with("").unwrap_err(), CredentialError::Empty(KeyPart::Passphrase));
    assert_eq!(with("two words").unwrap_err(), CredentialError::WhiteSpace(KeyPart::Passphrase));
}
