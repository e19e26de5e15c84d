//! COLD: the test accounts of a simulated exchange: made, or read from a file.

use std::collections::BTreeMap;
use std::path::Path;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use spinbook_feed::net::exchange::test_keys::{account_key, new_ed25519, new_rsa, random_key};
use spinbook_feed::sim::api::{AccountKey, ListingSettings};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::simulator_side::AccountSettings;

use crate::cli::StartBalance;
use crate::error::Failure;
use crate::run::keys::TestKeys;

/// Quote asset that a test account starts with.
const START_QUOTE: i64 = 1_000_000;

/// Keys of one account as they stand in a file of keys and in what the exchange says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountKeys {
    /// Key id that is sent with each request.
    pub api_key: String,
    /// Secret of an account that signs with HMAC-SHA256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Private key of an account that signs with Ed25519 or RSA, PKCS#8 PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// Public key where the private one is only its owner's, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// What it starts with, by asset, decimals; other assets as every account.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub balances: BTreeMap<String, String>,
    /// Whether its key may withdraw: no engine trades with such a one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_withdraw: bool,
}

/// A file of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    account: Vec<AccountKeys>,
}

/// One account in what the exchange says when it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedAccount {
    /// How it signs: `hmac`, `ed25519` or `rsa`.
    pub signs_with: String,
    /// By venue the id that it answers, which `run --account` names.
    pub ids: BTreeMap<String, String>,
    /// Its keys.
    #[serde(flatten)]
    pub keys: AccountKeys,
}

/// The test accounts of an exchange: what their owners sign with, and what the exchange checks with.
#[derive(Clone, Debug)]
pub struct TestAccounts {
    accounts: Vec<(AccountKeys, AccountKey)>,
}

impl TestAccounts {
    /// Fresh keys of two accounts, HMAC and Ed25519; `rsa`: and of a third, whose key takes some tenths of a second.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn fresh(rsa: bool) -> Result<TestAccounts, Failure> {
        let no_random = |error| Failure::failed("cannot make test keys").because(error);
        let secret = random_key().map_err(no_random)?;
        let hmac = AccountKeys {
            api_key: random_key().map_err(no_random)?,
            secret: Some(secret.clone()),
            ..AccountKeys::default()
        };
        let mut accounts = vec![(hmac, AccountKey::HmacSecret(secret.into_bytes()))];
        let mut made = vec![new_ed25519().map_err(no_random)?];
        if rsa {
            made.push(new_rsa().map_err(no_random)?);
        }
        for pair in made {
            let api_key = random_key().map_err(no_random)?;
            let keys = AccountKeys { api_key, private_key: Some(pair.private_key), ..AccountKeys::default() };
            accounts.push((keys, pair.public));
        }
        Ok(TestAccounts { accounts })
    }

    /// Accounts from a file of keys.
    ///
    /// # Errors
    /// It cannot be read, is no such file, or a key in it cannot be used.
    pub fn read(path: &Path) -> Result<TestAccounts, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage("cannot read the keys").at(path.display()).because(error))?;
        TestAccounts::from_text(&text).map_err(|why| {
            Failure::usage("this is not a file of keys").at(path.display()).because(why).next(
                "write an `[[account]]` for each account, with `api_key` and one of `secret`, `private_key`, `public_key`",
            )
        })
    }

    fn from_text(text: &str) -> Result<TestAccounts, String> {
        let file: KeysFile = toml::from_str(text).map_err(|error| error.to_string().trim().to_owned())?;
        if file.account.is_empty() {
            return Err("it names no account".to_owned());
        }
        let mut accounts: Vec<(AccountKeys, AccountKey)> = Vec::new();
        for keys in file.account {
            if accounts.iter().any(|(other, _)| other.api_key == keys.api_key) {
                return Err(format!("two accounts have the api_key {}", keys.api_key));
            }
            let key = match (&keys.secret, keys.private_key.as_ref().or(keys.public_key.as_ref())) {
                (Some(secret), None) => Ok(AccountKey::HmacSecret(secret.clone().into_bytes())),
                (None, Some(text)) => account_key(text).map_err(|error| error.to_string()),
                _ => Err("it needs a secret or a key, and not both".to_owned()),
            };
            let key = key.map_err(|why| format!("account {}: {why}", accounts.len() + 1))?;
            for (asset, amount) in &keys.balances {
                amount.parse::<Decimal>().map_err(|_| format!("the balance of {asset}, {amount}, is no decimal"))?;
            }
            accounts.push((keys, key));
        }
        Ok(TestAccounts { accounts })
    }

    /// The file of keys that these accounts are read from.
    #[must_use]
    pub fn to_text(&self) -> String {
        let file = KeysFile { account: self.accounts.iter().map(|(keys, _)| keys.clone()).collect() };
        toml::to_string(&file).expect("a list of texts is TOML")
    }

    /// The first account of either kind that this program itself signs with; `None` if one is missing.
    #[must_use]
    pub fn keys(&self) -> Option<TestKeys> {
        let hmac = self.accounts.iter().find(|(keys, _)| keys.secret.is_some()).map(|(keys, _)| keys)?;
        let is_ed25519 = |(keys, key): &&(AccountKeys, AccountKey)| {
            matches!(key, AccountKey::Ed25519Public(_)) && keys.private_key.is_some()
        };
        let ed25519 = self.accounts.iter().find(is_ed25519).map(|(keys, _)| keys)?;
        Some(TestKeys {
            api_key: hmac.api_key.clone(),
            secret: hmac.secret.clone()?,
            api_key_ed25519: ed25519.api_key.clone(),
            private_key: ed25519.private_key.clone()?,
        })
    }

    /// What is said of them: the accounts of these product lines, in order.
    #[must_use]
    pub fn announced(&self, products: &[ProductLine]) -> Vec<AnnouncedAccount> {
        let announce = |(place, (keys, key)): (usize, &(AccountKeys, AccountKey))| {
            let id = |product: &ProductLine| {
                let side = product.simulator()?;
                Some((product.name().to_owned(), side.account_id(*product, place)))
            };
            let signs_with = match key {
                AccountKey::HmacSecret(_) => "hmac",
                AccountKey::Ed25519Public(_) => "ed25519",
                AccountKey::RsaPublic(_) => "rsa",
            };
            AnnouncedAccount {
                signs_with: signs_with.to_owned(),
                ids: products.iter().filter_map(id).collect(),
                keys: keys.clone(),
            }
        };
        self.accounts.iter().enumerate().map(announce).collect()
    }

    /// API keys that may withdraw.
    #[must_use]
    pub fn withdrawing(&self) -> Vec<String> {
        let may_withdraw = self.accounts.iter().filter(|(keys, _)| keys.may_withdraw);
        may_withdraw.map(|(keys, _)| keys.api_key.clone()).collect()
    }

    /// The accounts of an exchange that lists these: each with what every test account starts with, where neither its
    /// keys' file nor `balances` says otherwise.
    #[must_use]
    pub fn settings(
        &self,
        listings: &[ListingSettings],
        product: ProductLine,
        balances: &[StartBalance],
    ) -> Vec<AccountSettings> {
        let mut usual: BTreeMap<String, Decimal> = BTreeMap::new();
        for listing in listings {
            if product.holds_inventory() {
                usual.entry(listing.base.clone()).or_insert_with(|| start_base(listing));
            }
            usual.entry(listing.quote.clone()).or_insert(Decimal::from(START_QUOTE));
        }
        let account = |(keys, key): &(AccountKeys, AccountKey)| {
            let mut amounts = usual.clone();
            let own = keys.balances.iter().filter_map(|(asset, text)| Some((asset.clone(), text.parse().ok()?)));
            amounts.extend(own);
            amounts.extend(balances.iter().map(|balance| (balance.asset.clone(), balance.amount)));
            AccountSettings { api_key: keys.api_key.clone(), key: key.clone(), balances: amounts.into_iter().collect() }
        };
        self.accounts.iter().map(account).collect()
    }
}

/// What a spot test account starts with: enough to sell for a while, little enough that the price of the whole
/// inventory does not drown what trading brings.
fn start_base(listing: &ListingSettings) -> Decimal {
    match listing.base.as_str() {
        "BTC" => Decimal::new(5, 1),
        "ETH" => Decimal::from(10),
        // What is counted in large steps is cheap.
        _ => {
            let step = listing.order_step.parse::<Decimal>().unwrap_or(Decimal::ONE);
            (step * Decimal::from(100_000)).max(Decimal::from(1_000))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_given_back_as_a_file() {
        let made = TestAccounts::fresh(true).expect("randomness");
        let announced = made.announced(&[]);
        let read = TestAccounts::from_text(&made.to_text()).expect("a file of keys");
        assert_eq!(format!("{:?}", read.accounts), format!("{:?}", made.accounts));
        assert_eq!(read.keys(), made.keys());
        let kinds: Vec<String> = announced.into_iter().map(|account| account.signs_with).collect();
        assert_eq!(kinds, ["hmac", "ed25519", "rsa"]);
    }

    #[test]
    fn balances_are_the_usual_ones_the_files_and_the_command_lines() {
        let text = "[[account]]\napi_key = \"k\"\nsecret = \"s\"\nbalances = { USDT = \"5\", BNB = \"7.5\" }\n";
        let accounts = TestAccounts::from_text(text).expect("a file of keys");
        let balance = StartBalance { asset: "BNB".to_owned(), amount: Decimal::from(9) };
        let settings = accounts.settings(&[], ProductLine::all().next().expect("a venue"), &[balance]);
        let amounts: Vec<(&str, String)> =
            settings[0].balances.iter().map(|(asset, amount)| (asset.as_str(), amount.to_string())).collect();
        assert_eq!(amounts, [("BNB", "9".to_owned()), ("USDT", "5".to_owned())]);
        assert_eq!(accounts.keys(), None, "no account signs with Ed25519");
    }

    #[test]
    fn a_file_that_names_no_usable_account_is_refused_with_words() {
        for (text, words) in [
            ("", "missing field `account`"),
            ("account = []", "it names no account"),
            ("[[account]]\napi_key = \"k\"\n", "needs a secret or a key"),
            ("[[account]]\napi_key = \"k\"\nsecret = \"s\"\npublic_key = \"p\"\n", "not both"),
            ("[[account]]\napi_key = \"k\"\nprivate_key = \"p\"\n", "account 1: neither an Ed25519"),
            ("[[account]]\napi_key = \"k\"\nsecrets = \"s\"\n", "unknown field `secrets`"),
            ("[[account]]\napi_key = \"k\"\nsecret = \"s\"\nbalances = { A = \"x\" }\n", "is no decimal"),
        ] {
            let why = TestAccounts::from_text(text).expect_err(words);
            assert!(why.contains(words), "{why}");
        }
    }
}
