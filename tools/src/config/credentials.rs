//! COLD: where secrets come from: a credentials directory, a 0600 file, the environment; never printed.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::net::host::process;
use zeroize::Zeroizing;

use super::read::nearest;
use super::tables::MarketConfig;
use crate::error::Failure;

/// The largest credentials file that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const KEYS: [&str; 4] = ["api_key", "secret", "private_key", "private_key_file"];

/// Credentials of one account, judged by the venue's own rules, and where they were found.
#[derive(Debug)]
pub struct FoundCredentials {
    /// The key, ready to sign; printing it shows its masked id alone.
    pub credentials: Credentials,
    /// Where they were found, for messages.
    pub source: String,
    /// What is allowed but worth a word.
    pub warnings: Vec<String>,
}

/// The secret half as it was given.
enum SigningText {
    Hmac(Secret),
    Ed25519(Secret),
}

/// Before keys are read: from here on nothing writes this process's memory to a disk or shows it to another process.
pub fn keep_private() {
    if let Err(error) = process::keep_memory_private() {
        tracing::warn!("the system may show this process's memory, and with it the keys, to others: {error}");
    }
}

/// Finds a market's credentials: `$CREDENTIALS_DIRECTORY/NAME`, the configured file, then the environment.
///
/// `environment` answers a variable by name; in production `|name| std::env::var(name).ok()`.
///
/// # Errors
/// Wrong configuration: none named, an unsafe file, a file that is not a credentials file. Never with its content.
pub fn load(market: &MarketConfig, environment: &dyn Fn(&str) -> Option<String>) -> Result<FoundCredentials, Failure> {
    let directory = environment("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let name = market.credentials.as_deref().and_then(Path::file_name);
    if let (Some(directory), Some(name)) = (directory, name) {
        let path = directory.join(name);
        if path.exists() {
            return from_file(&path, Owner::MeOrRoot);
        }
    }
    let prefix = format!("SPINBOOK_{}", market.venue.name().replace('-', "_").to_ascii_uppercase());
    if let Some(path) = market.credentials.as_deref() {
        return from_file(path, Owner::Me);
    }
    let Some(api_key) = environment(&format!("{prefix}_API_KEY")) else {
        return Err(Failure::usage(format!("{} has no credentials", market.venue.name()))
            .at("market.credentials")
            .because("shadow and live sign every request")
            .next("name a file of mode 0600: credentials = \"keys/venue.toml\""));
    };
    let secret = environment(&format!("{prefix}_SECRET")).map(|text| SigningText::Hmac(Secret::new(text)));
    let private = environment(&format!("{prefix}_PRIVATE_KEY")).map(|text| SigningText::Ed25519(Secret::new(text)));
    let signing = private.or(secret).ok_or_else(|| {
        Failure::usage("the environment holds an API key but nothing to sign with")
            .at(format!("{prefix}_API_KEY"))
            .next(format!("set {prefix}_SECRET or {prefix}_PRIVATE_KEY, or better: use a file of mode 0600"))
    })?;
    let warning = format!(
        "{prefix}_* comes from the environment, which other processes of this user can read: a file of mode 0600 is safer"
    );
    judged(&api_key, &signing, format!("environment {prefix}_*"), vec![warning])
}

/// Whose file it must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Me,
    MeOrRoot,
}

fn unsafe_file(path: &Path, why: String, next: String) -> Failure {
    Failure::usage("the credentials file is not safe to use").at(path.display()).because(why).next(next)
}

/// Whether a file of this mode and owner can be read by its owner alone.
///
/// A service manager hands a file of root's to the service's user with an access control list, which shows itself as a
/// group that may read; the group proper is then root's.
const fn is_private(mode: u32, uid: u32, gid: u32, owner: Owner) -> bool {
    let by_access_list = matches!(owner, Owner::MeOrRoot) && uid == 0 && gid == 0;
    mode & if by_access_list { 0o137 } else { 0o177 } == 0
}

/// Opens a secret file without following a link, and judges what was opened, not what lies at the path.
fn open(path: &Path, owner: Owner) -> Result<File, Failure> {
    let link = std::fs::symlink_metadata(path).map_err(|error| {
        Failure::usage("cannot read the credentials")
            .at(path.display())
            .because(error)
            .next("check `credentials` of the market; paths are relative to the configuration")
    })?;
    if link.file_type().is_symlink() {
        let next = "name the file itself, so that nobody can point the link elsewhere".to_owned();
        return Err(unsafe_file(path, "it is a symbolic link".to_owned(), next));
    }
    let unreadable = |error: std::io::Error| {
        Failure::usage("cannot read the credentials").at(path.display()).because(error).next("check its owner and mode")
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(unsafe_file(path, "it is not a regular file".to_owned(), "name a file".to_owned()));
    }
    let mode = facts.mode() & 0o7777;
    if !is_private(mode, facts.uid(), facts.gid(), owner) {
        let next = format!("chmod 600 {}", path.display());
        return Err(unsafe_file(path, format!("its mode is {mode:04o}, others may read it or it may run"), next));
    }
    let me = std::fs::metadata("/proc/self").map(|facts| facts.uid()).map_err(unreadable)?;
    if facts.uid() != me && !(owner == Owner::MeOrRoot && facts.uid() == 0) {
        let next = format!("chown it to the user that runs spinbook (uid {me})");
        return Err(unsafe_file(path, format!("it belongs to uid {}", facts.uid()), next));
    }
    if facts.len() > FILE_BYTES_MAX {
        let why = format!("it has {} bytes, more than {FILE_BYTES_MAX}", facts.len());
        return Err(unsafe_file(path, why, "name a credentials file".to_owned()));
    }
    Ok(file)
}

fn read(path: &Path, owner: Owner) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(8 * 1024));
    open(path, owner)?.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|_| {
        Failure::usage("the credentials are not UTF-8 text").at(path.display()).next("write the file anew")
    })?;
    Ok(text)
}

fn from_file(path: &Path, owner: Owner) -> Result<FoundCredentials, Failure> {
    let text = read(path, owner)?;
    let malformed = |why: String| {
        Failure::usage("the credentials file is malformed")
            .at(path.display())
            .because(why)
            .next("it holds api_key = \"…\" and secret = \"…\" or private_key = \"\"\"…\"\"\"")
    };
    // The parser's own message may quote the document, so only the line is passed on.
    let table = toml::de::DeTable::parse(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.as_bytes()[..start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
        malformed(format!("line {line} is not TOML"))
    })?;
    let mut values: [Option<Zeroizing<String>>; 4] = [None, None, None, None];
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        let Some(index) = KEYS.iter().position(|known| *known == name) else {
            let hint =
                nearest(name, KEYS.into_iter()).map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            return Err(malformed(format!("unknown key `{name}`{hint}")));
        };
        let value = value.get_ref().as_str().ok_or_else(|| malformed(format!("`{name}` is not a string")))?;
        values[index] = Some(Zeroizing::new(value.to_owned()));
    }
    let [api_key, secret, private_key, private_key_file] = values;
    let api_key = api_key.ok_or_else(|| malformed("`api_key` is missing".to_owned()))?;
    let signing = match (secret, private_key, private_key_file) {
        (Some(secret), None, None) => SigningText::Hmac(Secret::new(secret.to_string())),
        (None, Some(pem), None) => SigningText::Ed25519(Secret::new(pem.to_string())),
        (None, None, Some(name)) => {
            let pem = path.parent().unwrap_or_else(|| Path::new("")).join(name.as_str());
            SigningText::Ed25519(Secret::new(read(&pem, owner)?.to_string()))
        }
        (None, None, None) => return Err(malformed("`secret` or `private_key` is missing".to_owned())),
        _ => {
            return Err(malformed("only one of secret, private_key and private_key_file may be set".to_owned()));
        }
    };
    judged(&api_key, &signing, path.display().to_string(), Vec::new())
}

/// Lets the venue's own rules judge the key: stray whitespace, sample texts, wrong forms.
fn judged(
    api_key: &str,
    signing: &SigningText,
    source: String,
    warnings: Vec<String>,
) -> Result<FoundCredentials, Failure> {
    let credentials = match signing {
        SigningText::Hmac(secret) => Credentials::hmac(api_key, secret),
        SigningText::Ed25519(key) => Credentials::ed25519(api_key, key),
    };
    match credentials {
        Ok(credentials) => Ok(FoundCredentials { credentials, source, warnings }),
        Err(error) => Err(Failure::usage("the credentials cannot be used")
            .at(source)
            .because(error)
            .next("correct the credentials and run `spinbook keys check`")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_service_managers_file_may_show_its_access_list() {
        let me = 1000;
        for (mode, uid, gid, owner, private) in [
            (0o600, me, me, Owner::Me, true),
            (0o400, me, me, Owner::Me, true),
            (0o640, me, me, Owner::Me, false),
            (0o700, me, me, Owner::Me, false),
            (0o440, 0, 0, Owner::Me, false),
            (0o440, 0, 0, Owner::MeOrRoot, true),
            (0o440, 0, me, Owner::MeOrRoot, false),
            (0o440, me, 0, Owner::MeOrRoot, false),
            (0o444, 0, 0, Owner::MeOrRoot, false),
            (0o460, 0, 0, Owner::MeOrRoot, false),
        ] {
            assert_eq!(is_private(mode, uid, gid, owner), private, "{mode:04o} {uid} {gid}");
        }
    }

    use super::*;

    const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    fn market(path: Option<PathBuf>) -> MarketConfig {
        let text = sample_market();
        let mut market = super::super::Config::from_text(&text, "t.toml", Path::new(""), &[], &[])
            .expect("the sample is valid")
            .markets
            .remove(0);
        market.credentials = path;
        market
    }

    fn sample_market() -> String {
        super::super::sample::ConfigText::sample().commented()
    }

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("binance.toml");
        std::fs::write(&path, content).expect("writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("own file");
        (folder, path)
    }

    fn load_file(content: &str, mode: u32) -> Result<FoundCredentials, Failure> {
        let (_folder, path) = file(content, mode);
        load(&market(Some(path)), &|_| None)
    }

    fn refusal(content: &str, mode: u32) -> String {
        match load_file(content, mode) {
            Ok(_) => panic!("accepted: {content}"),
            Err(failure) => {
                assert_eq!(failure.exit, crate::outcome::Exit::Usage);
                let text = format!("{failure} {}", failure.to_json());
                assert!(!text.contains(SECRET), "the message holds the secret");
                text
            }
        }
    }

    #[test]
    fn a_private_file_is_read_and_its_key_only_hinted_at() {
        let content = format!("api_key = \"{KEY}\"\nsecret = \"{SECRET}\"\n");
        let found = load_file(&content, 0o600).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(found.credentials.api_key.masked(), "vmPUZE6m…Eh8A");
        assert_eq!(found.credentials.kind(), "HMAC-SHA256");
        assert!(found.warnings.is_empty());
    }

    #[test]
    fn unsafe_files_are_refused() {
        let content = format!("api_key = \"{KEY}\"\nsecret = \"{SECRET}\"\n");
        for mode in [0o640, 0o604, 0o644, 0o700, 0o666] {
            assert!(refusal(&content, mode).contains("chmod 600"), "{mode:o}");
        }
        let (folder, path) = file(&content, 0o600);
        let link = folder.path().join("link.toml");
        symlink(&path, &link).expect("a link");
        let failure = load(&market(Some(link)), &|_| None).expect_err("refused");
        assert!(failure.to_string().contains("symbolic link"), "{failure}");
        let failure = load(&market(Some(folder.path().to_owned())), &|_| None).expect_err("refused");
        assert!(
            failure.to_string().contains("not a regular file") || failure.to_string().contains("mode"),
            "{failure}"
        );
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_with_advice() {
        let cases = [
            (format!("api_key = \"{KEY} \"\nsecret = \"{SECRET}\""), "white space"),
            (format!("api_key = \"{KEY}\"\nsecret = \"{SECRET}\\n\""), "white space"),
            ("api_key = \"your-api-key-goes-here\"\nsecret = \"abcdefghijklmnopqrst\"".to_owned(), "placeholder"),
            (format!("api_key = \"{KEY}\"\nsecret = \"xxxxxxxxxxxxxxxxxxxxxxxx\""), "placeholder"),
            (format!("api_key = \"{KEY}\"\nsecret = \"\""), "empty"),
            (format!("api_key = \"{KEY}\""), "missing"),
            (format!("secret = \"{SECRET}\""), "api_key"),
            (format!("apikey = \"{KEY}\"\nsecret = \"{SECRET}\""), "did you mean `api_key`"),
            (format!("api_key = \"{KEY}\"\nsecret = {SECRET}"), "line 2"),
            (format!("api_key = \"{KEY}\"\nprivate_key = \"{SECRET}\""), "Ed25519"),
            (format!("api_key = \"{KEY}\"\nsecret = \"{SECRET}\"\nprivate_key = \"x\""), "only one of"),
        ];
        for (content, expected) in cases {
            let text = refusal(&content, 0o600);
            assert!(text.contains(expected), "expected `{expected}` in: {text}");
        }
    }

    #[test]
    fn the_credentials_directory_comes_first_and_the_environment_last() {
        let content = format!("api_key = \"{KEY}\"\nsecret = \"{SECRET}\"\n");
        let (folder, path) = file(&content, 0o400);
        let directory = folder.path().display().to_string();
        let elsewhere = market(Some(PathBuf::from("keys/binance.toml")));
        let found = load(&elsewhere, &|name| (name == "CREDENTIALS_DIRECTORY").then(|| directory.clone()));
        assert_eq!(found.unwrap_or_else(|failure| panic!("{failure}")).source, path.display().to_string());
        let found = load(&market(None), &|name| match name {
            "SPINBOOK_BINANCE_USDM_API_KEY" => Some(KEY.to_owned()),
            "SPINBOOK_BINANCE_USDM_SECRET" => Some(SECRET.to_owned()),
            _ => None,
        });
        assert_eq!(found.unwrap_or_else(|failure| panic!("{failure}")).warnings.len(), 1);
        let none = load(&market(None), &|_| None).expect_err("nothing is named");
        assert!(none.to_string().contains("credentials"), "{none}");
    }
}
