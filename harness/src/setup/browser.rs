//! Owns the search for Chromium. It installs none: systems do.

use std::path::PathBuf;

use super::tools::version_of;
use crate::{Error, ErrorCode, Result};

/// Names another Chromium than the one on the PATH.
pub const CHROMIUM_VARIABLE: &str = "LLMZIP_CHROMIUM";

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Chromium's path.
///
/// # Errors
/// `setup` when there is none.
pub fn find() -> Result<PathBuf> {
    choose(std::env::var_os(CHROMIUM_VARIABLE).map(PathBuf::from), &NAMES)
}

fn choose(named: Option<PathBuf>, names: &[&str]) -> Result<PathBuf> {
    let get = format!("install Chromium (Debian: `apt-get install chromium`), or name one with {CHROMIUM_VARIABLE}");
    if let Some(named) = named.filter(|named| !named.as_os_str().is_empty()) {
        return which::which(&named).map_err(|_| {
            let message = format!("{CHROMIUM_VARIABLE} is {}, which cannot be run", named.display());
            Error::new(ErrorCode::Setup, message).with_hint(get)
        });
    }
    names.iter().find_map(|name| which::which(name).ok()).ok_or_else(|| {
        let message = format!("Chromium is not on the PATH as {}", names.join(", "));
        Error::new(ErrorCode::Setup, message).with_hint(get)
    })
}

/// The state of Chromium, for `doctor`.
pub fn examine() -> Result<String> {
    let path = find()?;
    let version = version_of(&path).unwrap_or_else(|| "unknown version".to_owned());
    Ok(format!("{version} ({})", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_is_missing_says_how_to_get_it() {
        let check = |named: Option<&str>, names: &[&str], start: &str| {
            let error = choose(named.map(PathBuf::from), names).unwrap_err();
            assert_eq!(error.code, ErrorCode::Setup);
            assert!(error.message.starts_with(start), "{}", error.message);
            assert!(error.hint.contains("apt-get install chromium"), "{}", error.hint);
        };
        let nowhere = ["llmzip-no-such-browser"];
        check(None, &nowhere, "Chromium is not on the PATH as llmzip-no-such-browser");
        check(Some(""), &nowhere, "Chromium is not on the PATH");
        check(
            Some("/llmzip/no/browser"),
            &["cargo"],
            "LLMZIP_CHROMIUM is /llmzip/no/browser, which cannot be run",
        );
        assert!(choose(None, &["llmzip-no-such-browser", "cargo"]).is_ok());
    }
}
