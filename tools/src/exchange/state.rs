//! COLD: `exchange --state`: keys, certificate authority, accounts and orders in a directory, so that it can be killed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use spinbook_engine::types::Nanos;
use spinbook_feed::net::connection::tls::LoopbackAuthority;
use spinbook_feed::sim::saved::SavedWorld;
use spinbook_feed::sim::side::ExchangeSide;
use spinbook_feed::sim::wrapped::{ExchangeWrap, WrappedExchange};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::simulator_side::KeptState;

use crate::durable::replace_file;
use crate::error::Failure;
use crate::exchange::accounts::TestAccounts;

/// A file of changes that has grown to this is written anew.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Of files with secrets: their owner's alone.
const PRIVATE: u32 = 0o600;

/// The directory, locked as long as this lives.
pub struct ExchangeState {
    folder: PathBuf,
    _lock: File,
}

impl ExchangeState {
    /// Makes the directory if needed and locks it.
    ///
    /// # Errors
    /// Another exchange runs in it, or it cannot be written.
    pub fn open(folder: &Path) -> Result<ExchangeState, Failure> {
        let fail = |error: io::Error| refuse(folder, &error);
        fs::create_dir_all(folder).map_err(fail)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(folder.join("lock"))
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => Ok(ExchangeState { folder: folder.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::usage("another exchange runs with this state directory")
                .at(folder.display())
                .next("stop it first, or give this one a directory of its own")),
            Err(TryLockError::Error(error)) => Err(fail(error)),
        }
    }

    /// The accounts that were kept, else those of `make`, which are kept from now on.
    ///
    /// # Errors
    /// The file is no file of keys, or cannot be written.
    pub fn accounts(&self, make: impl FnOnce() -> Result<TestAccounts, Failure>) -> Result<TestAccounts, Failure> {
        let path = self.folder.join("keys.toml");
        if path.exists() {
            return TestAccounts::read(&path);
        }
        let made = make()?;
        replace_file(&path, made.to_text().as_bytes(), PRIVATE).map_err(|error| refuse(&path, &error))?;
        Ok(made)
    }

    /// The certificate authority that was kept, else a new one; and where its certificate is.
    ///
    /// # Errors
    /// It cannot be read, made or written.
    pub fn authority(&self) -> Result<(LoopbackAuthority, PathBuf), Failure> {
        let (key_path, path) = (self.folder.join("ca-key.pem"), self.folder.join("ca.pem"));
        let broken = |why: &dyn std::fmt::Display| {
            Failure::failed("cannot use the certificate authority of the state directory")
                .at(key_path.display())
                .because(why)
                .next("remove it and ca.pem: a new authority is made, which clients have to be told to trust")
        };
        if key_path.exists() && path.exists() {
            let read = |path: &Path| fs::read_to_string(path).map_err(|error| refuse(path, &error));
            let authority = LoopbackAuthority::from_pem(&read(&key_path)?, &read(&path)?);
            return authority.map(|authority| (authority, path.clone())).map_err(|error| broken(&error));
        }
        let authority = LoopbackAuthority::generate().map_err(|error| broken(&error))?;
        replace_file(&path, authority.ca_pem.as_bytes(), PRIVATE).map_err(|error| refuse(&path, &error))?;
        replace_file(&key_path, authority.key_pem().as_bytes(), PRIVATE).map_err(|error| refuse(&key_path, &error))?;
        Ok((authority, path))
    }

    fn world_path(&self, product: ProductLine) -> PathBuf {
        self.folder.join(format!("{}.jsonl", product.name()))
    }

    /// Accounts and orders of a product line as they were kept.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn kept(&self, product: ProductLine) -> Result<KeptState, Failure> {
        let path = self.world_path(product);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KeptState::Fresh),
            Err(error) => return Err(refuse(&path, &error)),
        };
        let saved = SavedWorld::from_lines(&text).map_err(|why| {
            Failure::wrong("the kept state of the exchange is damaged")
                .at(path.display())
                .because(why)
                .next("remove the file: accounts start anew, with the same keys")
        })?;
        Ok(saved.map_or(KeptState::Fresh, |saved| KeptState::Restored(Box::new(saved))))
    }

    /// The exchange, which keeps from now on what it does, beginning with everything there is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(
        &self,
        exchange: Box<dyn ExchangeSide>,
        product: ProductLine,
        now: Nanos,
    ) -> Result<Box<dyn ExchangeSide>, Failure> {
        let path = self.world_path(product);
        let fail = |error: io::Error| refuse(&path, &error);
        let file = replace_file(&path, &exchange.whole_state(now), PRIVATE).map_err(fail)?;
        let bytes = file.metadata().map_err(fail)?.len();
        let keeper = KeptExchange { file, path, bytes, bytes_max: FILE_BYTES_MAX.max(2 * bytes) };
        Ok(Box::new(WrappedExchange::new(exchange, keeper)))
    }
}

fn refuse(path: &Path, error: &io::Error) -> Failure {
    Failure::failed("cannot use the state directory of the exchange")
        .at(path.display())
        .because(error)
        .next("name a directory that can be written: --state DIR")
}

/// Has an exchange's changes in its file before anybody hears of them.
struct KeptExchange {
    file: File,
    path: PathBuf,
    bytes: u64,
    bytes_max: u64,
}

impl KeptExchange {
    /// An exchange that cannot keep what it promised to keep is no exchange any more: it ends as if it were killed.
    fn keep(&mut self, exchange: &mut dyn ExchangeSide, now: Nanos) {
        let Some(line) = exchange.take_changes(now) else { return };
        let kept = self.file.write_all(&line).and_then(|()| {
            self.bytes += line.len() as u64;
            if self.bytes > self.bytes_max {
                let whole = exchange.whole_state(now);
                self.file = replace_file(&self.path, &whole, PRIVATE)?;
                self.bytes = whole.len() as u64;
                self.bytes_max = FILE_BYTES_MAX.max(2 * self.bytes);
            }
            Ok(())
        });
        if let Err(error) = kept {
            tracing::error!("the exchange ends: its state cannot be kept in {}: {error}", self.path.display());
            std::process::exit(i32::from(crate::outcome::Exit::Failed.code()));
        }
    }
}

impl ExchangeWrap for KeptExchange {
    fn on_acted(&mut self, exchange: &mut dyn ExchangeSide, now: Nanos) {
        self.keep(exchange, now);
    }
}
