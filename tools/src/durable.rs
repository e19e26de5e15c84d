//! COLD: a file is written whole or not at all: a crash leaves the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file of this mode beside the old one, then puts it in its place; it is on the disk afterwards, and open for
/// more at its end.
///
/// # Errors
/// It cannot be written; the old one is as it was, unless only the folder could not be synced.
pub fn replace_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<File> {
    let temporary = path.with_added_extension("new");
    // One that a crash left may have another mode.
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().append(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The name is the folder's: without it a power cut may bring the old file back.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_mode_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.json");
        fs::write(&path, "old").expect("written");
        fs::write(folder.path().join("state.json.new"), "what a crash left").expect("written");
        let mut file = replace_file(&path, b"new", 0o600).expect("replaced");
        file.write_all(b"er").expect("open for more");
        assert_eq!(fs::read(&path).expect("there"), b"newer");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1);
        assert!(replace_file(&folder.path().join("missing/state.json"), b"x", 0o600).is_err());
    }
}
