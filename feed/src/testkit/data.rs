//! COLD: where recordings lie, and the line that says that a test was skipped because there are none.

use std::path::{Path, PathBuf};

/// Where recordings are looked for: the folder that `SPINBOOK_DATA` names, else `../shared/data` beside the project.
#[must_use]
pub fn data_path() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    std::env::var_os("SPINBOOK_DATA").map_or_else(beside, PathBuf::from)
}

/// The folder of recordings; where there is none, `None` and the line that CI looks for.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    let folder = data_path();
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no recorded data");
    None
}

/// Paths of recordings by their names below the folder; `None` as [`data_folder`].
#[must_use]
pub fn recorded(names: &[&str]) -> Option<Vec<PathBuf>> {
    let folder = data_folder()?;
    Some(names.iter().map(|name| folder.join(name)).collect())
}
