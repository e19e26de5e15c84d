//! COLD: an account that signs with RSA: what its key signs is taken, anything else is not.

use crate::lab::{Lab, code, settings, still_market};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_feed::net::exchange::test_keys::new_rsa;
use spinbook_feed::venue::binance;
use spinbook_feed::venue::simulator_side::AccountSettings;

const RSA_KEY: &str = "AnAccountThatSignsWithRsa";

/// The key that the exchange prints, as its owner's client reads it.
fn owner(pem: &str) -> KeyPair {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    KeyPair::from_pkcs8(&BASE64.decode(body).expect("base64")).expect("PKCS#8")
}

fn signature(pair: &KeyPair, encoding: &'static dyn RsaEncoding, payload: &str) -> String {
    let mut bytes = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), payload.as_bytes(), &mut bytes).expect("signed");
    BASE64.encode(bytes)
}

/// Places an order with this signature of what is sent; status and body.
fn place(lab: &mut Lab, path: &str, id: &str, sign: impl Fn(&str) -> String) -> (u16, Value) {
    let now = lab.now.millis();
    let payload = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=63000.00&newClientOrderId={id}&timestamp={now}"
    );
    let signature = sign(&payload);
    let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
    let response = lab.http("POST", &format!("{path}?{payload}&signature={signature}"), Some(RSA_KEY));
    (response.status, serde_json::from_slice(&response.body).expect("JSON"))
}

/// What makes a signature of a text.
type Sign<'a> = &'a dyn Fn(&str) -> String;

#[test]
fn what_an_rsa_key_signs_is_taken_and_every_other_signature_is_refused() {
    let (made, other) = (new_rsa().expect("a key"), new_rsa().expect("a key"));
    let (pair, other) = (owner(&made.private_key), owner(&other.private_key));
    for product in binance::PRODUCT_LINES {
        let mut settings = settings(product);
        let balances = vec![("USDT".to_owned(), Decimal::from(100_000))];
        settings.accounts.push(AccountSettings { api_key: RSA_KEY.to_owned(), key: made.public.clone(), balances });
        let mut lab = Lab::new(settings, still_market(product, Vec::new()));
        let path = lab.path("order");
        let good = |payload: &str| signature(&pair, &RSA_PKCS1_SHA256, payload);
        let (status, body) = place(&mut lab, &path, "good", good);
        assert_eq!((status, &body["clientOrderId"]), (200, &Value::from("good")), "{body}");
        let refused: [(&str, Sign<'_>); 6] = [
            ("another key", &|payload| signature(&other, &RSA_PKCS1_SHA256, payload)),
            ("another text", &|payload| good(&payload.replace("0.010", "0.020"))),
            ("another padding", &|payload| signature(&pair, &RSA_PSS_SHA256, payload)),
            ("another digest", &|payload| signature(&pair, &RSA_PKCS1_SHA512, payload)),
            ("half of it", &|payload| good(payload)[..100].to_owned()),
            ("no base64", &|_| "a signature".to_owned()),
        ];
        for (name, sign) in refused {
            let (status, body) = place(&mut lab, &path, "bad", sign);
            assert!((400..500).contains(&status) && code(&body) == -1022, "{name}: {status} {body}");
        }
        let (status, _) = place(&mut lab, &path, "again", good);
        assert_eq!(status, 200, "a refusal harms nobody");
    }
}
