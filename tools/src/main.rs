//! COLD: the program `spinbook`.

use std::process::ExitCode;

fn main() -> ExitCode {
    spinbook::spinbook()
}
