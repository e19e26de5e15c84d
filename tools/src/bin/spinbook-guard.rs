//! COLD: the program `spinbook-guard`.

use std::process::ExitCode;

fn main() -> ExitCode {
    spinbook::spinbook_guard()
}
