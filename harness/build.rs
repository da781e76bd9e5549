//! Tells the crate which compiler, which `tokenizers` and which `rten` it is built with: all belong in the fingerprint.

use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../Cargo.lock");
    println!(
        "cargo:rustc-env=LLMZIP_RUSTC_VERSION={}",
        rustc_version().unwrap_or_default()
    );
    for package in ["tokenizers", "rten"] {
        println!(
            "cargo:rustc-env=LLMZIP_{}_VERSION={}",
            package.to_uppercase(),
            locked_version(package).unwrap_or_default()
        );
    }
}

/// `1.95.0` of `rustc 1.95.0 (...)`.
fn rustc_version() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.split_whitespace().nth(1)?.to_owned())
}

/// The version of a package in the workspace's lock file.
fn locked_version(package: &str) -> Option<String> {
    let lock = fs::read_to_string("../Cargo.lock").ok()?;
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.strip_suffix('"')?.to_owned())
}
