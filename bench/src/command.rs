//! COLD: what the programs of this package share: reading options, and an exit code from what became of the work.

use std::process::ExitCode;

/// What was given on the command line, one after the other.
pub struct Given(std::vec::IntoIter<String>);

impl Given {
    /// All but the program's own name.
    #[must_use]
    pub fn here() -> Given {
        Given::from(std::env::args().skip(1).collect::<Vec<_>>())
    }

    /// The value of an option.
    ///
    /// # Errors
    /// Nothing follows: `needs` says what should have.
    pub fn value(&mut self, needs: &str) -> Result<String, String> {
        self.0.next().filter(|value| !value.trim().is_empty()).ok_or_else(|| needs.to_owned())
    }
}

impl From<Vec<String>> for Given {
    fn from(given: Vec<String>) -> Given {
        Given(given.into_iter())
    }
}

impl Iterator for Given {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.0.next()
    }
}

/// The arguments, or the exit code where there is nothing to do with them: 0 after the help that was asked for, 2 after
/// what could not be understood.
///
/// # Errors
/// That exit code; the help or the reason has been printed.
pub fn understood<A>(help: &str, arguments: Result<Option<A>, String>) -> Result<A, ExitCode> {
    match arguments {
        Ok(Some(arguments)) => Ok(arguments),
        Ok(None) => {
            println!("{help}");
            Err(ExitCode::SUCCESS)
        }
        Err(why) => {
            eprintln!("{why}\n\n{help}");
            Err(ExitCode::from(2))
        }
    }
}

/// Does the work if the arguments can be understood: exit 0 for true, 1 for false, 2 for wrong arguments, 3 if the
/// work could not be done.
pub fn run<A>(
    help: &str,
    arguments: Result<Option<A>, String>,
    work: impl FnOnce(A) -> Result<bool, String>,
) -> ExitCode {
    let code = match understood(help, arguments).map(work) {
        Ok(Ok(true)) => 0,
        Ok(Ok(false)) => 1,
        Ok(Err(why)) => {
            eprintln!("{why}");
            3
        }
        Err(code) => return code,
    };
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::{ExitCode, Given, run};

    #[test]
    fn an_option_without_its_value_is_named() {
        let mut given =
            Given::from(vec!["--out".to_owned(), "folder".to_owned(), "--reason".to_owned(), " ".to_owned()]);
        assert_eq!(given.next().as_deref(), Some("--out"));
        assert_eq!(given.value("a folder").as_deref(), Ok("folder"));
        assert_eq!(given.next().as_deref(), Some("--reason"));
        assert_eq!(given.value("a reason"), Err("a reason".to_owned()));
    }

    #[test]
    fn the_exit_code_says_what_became_of_it() {
        let code = |arguments, outcome| run("", arguments, |()| outcome);
        for (arguments, outcome, expected) in [
            (Ok(Some(())), Ok(true), 0),
            (Ok(Some(())), Ok(false), 1),
            (Ok(Some(())), Err(String::new()), 3),
            (Ok(None), Ok(false), 0),
            (Err("what".to_owned()), Ok(true), 2),
        ] {
            assert_eq!(code(arguments, outcome), ExitCode::from(expected));
        }
    }
}
