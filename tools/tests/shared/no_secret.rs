//! COLD: no secret of a credentials file may stand in any output of the program, nor in any other file that it leaves.

use std::fs;
use std::path::Path;

/// Letters at the end of a secret that give it away as well as the whole of it.
const TELLING: usize = 20;

/// No secret of the credentials files in a folder stands in an output, or in any other file there, whatever the test.
#[track_caller]
pub fn no_secret_is_told(folder: &Path, out: &str, err: &str) {
    if let Some(place) = place_of_a_secret(folder, out, err) {
        panic!("a secret stands in {place}");
    }
}

fn place_of_a_secret(folder: &Path, out: &str, err: &str) -> Option<String> {
    let (mut secrets, mut texts) =
        (Vec::new(), vec![("stdout".to_owned(), out.to_owned()), ("stderr".to_owned(), err.to_owned())]);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(kind) = entry.metadata() else { continue };
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            match text.starts_with("api_k") {
                true => secrets.extend(secrets_of(&text)),
                false => texts.push((path.display().to_string(), text)),
            }
        }
    }
    let tells = |text: &str| secrets.iter().any(|secret| text.contains(&secret[secret.len() - TELLING..]));
    texts.into_iter().find(|(_, text)| tells(text)).map(|(place, _)| place)
}

/// A secret is long; what a test made of one to be refused may be anything. The key's id is none.
fn secrets_of(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().filter(|line| !line.starts_with("api_k"));
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
    let words = lines.flat_map(move |line| line.split(move |letter| !is_letter(letter)));
    words.filter(|word| word.len() >= 40).map(str::to_owned)
}

#[test]
fn a_secret_is_found_wherever_it_stands() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (secret, body) =
        ("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP".repeat(2), "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERIT");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("writable");
    write("keys.toml", &format!("api_key = \"{}\"\nsecret = \"{secret}\"\n", "k".repeat(64)));
    write("other.toml", &format!("api_key = \"x\"\nprivate_key = \"\"\"-----BEGIN PRIVATE KEY-----\n{body}\n\"\"\"\n"));
    let place = |out: &str, err: &str| place_of_a_secret(folder.path(), out, err);
    assert_eq!(place(&"k".repeat(64), "nothing"), None);
    assert_eq!(place("", &format!("key {secret}!")).as_deref(), Some("stderr"));
    assert_eq!(place(&format!("… {}", &body[20..]), "").as_deref(), Some("stdout"));
    write("log", &secret[8..]);
    assert!(place("", "").is_some_and(|place| place.ends_with("log")));
}
