//! COLD: figures as text, names of files, and printing that survives a closed pipe.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A figure with as many digits as mean something, thousands apart; `-` for what is not finite.
#[must_use]
pub fn format_figure(value: f64) -> String {
    match value {
        value if !value.is_finite() => "-".into(),
        value if value.abs() < 20.0 => format!("{value:.2}"),
        value if value.abs() < 100.0 => format!("{value:.1}"),
        value => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (place, digit) in digits.chars().enumerate() {
                if place > 0 && (digits.len() - place).is_multiple_of(3) && digit.is_ascii_digit() {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped.replace("-,", "-")
        }
    }
}

/// A whole count, thousands apart.
#[must_use]
pub fn format_count(count: usize) -> String {
    format_figure(count as f64).trim_end_matches(".00").trim_end_matches(".0").to_owned()
}

/// Two times in ns, as a note beside a ratio: two decimals where the first is below 20 ns.
#[must_use]
pub fn format_ns_pair(ours: f64, theirs: f64) -> String {
    let decimals = if ours < 20.0 { 2 } else { 0 };
    format!("{ours:.decimals$} ns, {theirs:.decimals$} ns")
}

/// A duration in ns with the unit that suits it, three digits.
#[must_use]
pub fn format_duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns >= 999_500.0 => (ns / 1_000_000.0, "ms"),
        ns if ns >= 999.5 => (ns / 1_000.0, "µs"),
        ns => return format!("{ns:.0} ns"),
    };
    let decimals = if value >= 99.95 { 0 } else { 1 + usize::from(value < 9.995) };
    format!("{value:.decimals$} {unit}")
}

/// `text` with a capital first letter.
#[must_use]
pub fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

/// A file's name made of words: everything but ASCII letters and digits becomes `_`.
#[must_use]
pub fn file_name(words: &[&str], extension: &str) -> String {
    format!("{}.{extension}", words.join("_").replace(|letter: char| !letter.is_ascii_alphanumeric(), "_"))
}

/// Writes `text` into a file of `folder` and gives back its path.
///
/// # Errors
/// The file or the folder cannot be written: which, and why.
pub fn write_file(folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let path = folder.join(name);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let made = parent.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(&path, text)).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Prints to stdout. A reader that has seen enough (`| head`) is no fault.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("stdout: {error}");
    }
}

/// How a program ends: with 0, or with 1 after it has said why on stderr.
#[must_use]
pub fn exit_code(done: Result<(), String>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{format_count, format_duration, format_figure};

    #[test]
    fn figures_are_grouped_and_rounded() {
        assert_eq!(format_figure(1_234_567.0), "1,234,567");
        assert_eq!(format_figure(999.6), "1,000");
        assert_eq!(format_figure(3.456), "3.46");
        assert_eq!(format_figure(45.67), "45.7");
        assert_eq!(format_figure(f64::NAN), "-");
        assert_eq!([0, 7, 20, 400, 9_016].map(format_count), ["0", "7", "20", "400", "9,016"]);
    }

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let expected = [(410.0, "410 ns"), (999.6, "1.00 µs"), (3_106.0, "3.11 µs"), (27_311.0, "27.3 µs")];
        expected.iter().for_each(|&(ns, text)| assert_eq!(format_duration(ns), text));
        assert_eq!((format_duration(123_456.0), format_duration(2_000_000.0)), ("123 µs".into(), "2.00 ms".into()));
    }
}
