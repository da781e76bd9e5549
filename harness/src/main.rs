//! The command `llmzip`.

use std::process::ExitCode;

fn main() -> ExitCode {
    llmzip::cli::main()
}
