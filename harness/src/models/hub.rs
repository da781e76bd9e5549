//! Owns what the environment says of the Hugging Face hub: its address, its token, its cache on this machine, and whether it may be asked. It
//! asks nothing and reads no model.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use ureq::http::{HeaderValue, Uri};

use super::address::{Origin, folder_address};
use crate::{Error, ErrorCode, Result};

/// The hub as manifests name it; `HF_ENDPOINT` takes its place.
const HUB: &str = "https://huggingface.co";

/// A secret. It is shown nowhere.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// A token that `HF_TOKEN` holds.
    ///
    /// # Errors
    /// `usage` when it has characters that no token has; the token is not told.
    pub fn new(text: &str) -> Result<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| {
            Error::new(ErrorCode::Usage, "HF_TOKEN holds no token")
                .with_hint("give it as the hub shows it, or unset it")
        })?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The value of `Authorization`.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}

/// The hub as this machine is to see it.
#[derive(Clone, Debug)]
pub struct Hub {
    endpoint: String,
    token: Option<Token>,
    cache: Option<PathBuf>,
    /// Whether no server may be asked.
    pub is_offline: bool,
}

impl Hub {
    /// As the process's environment has it.
    ///
    /// # Errors
    /// `usage` for a variable that cannot be used.
    pub fn of_environment() -> Result<Self> {
        Self::of(&|name| env::var_os(name)?.into_string().ok(), env::home_dir())
    }

    /// As these variables have it. An empty one is as none.
    ///
    /// # Errors
    /// `usage` for one that cannot be used.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Result<Self> {
        let set = |name: &str| {
            let text = variable(name)?.trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let folder = |name: &str| set(name).map(PathBuf::from);
        let caches = folder("XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache")));
        let home = folder("HF_HOME").or_else(|| Some(caches?.join("huggingface")));
        let yes = |text: String| ["1", "on", "yes", "true"].contains(&text.to_ascii_lowercase().as_str());
        Ok(Self {
            endpoint: set("HF_ENDPOINT")
                .map_or_else(|| Ok(HUB.to_owned()), |text| folder_address("HF_ENDPOINT", &text))?,
            token: set("HF_TOKEN").map(|text| Token::new(&text)).transpose()?,
            cache: folder("HF_HUB_CACHE").or_else(|| Some(home?.join("hub"))),
            is_offline: set("HF_HUB_OFFLINE").is_some_and(yes),
        })
    }

    /// The address of a manifest's source: on the hub, or on what stands for it.
    #[must_use]
    pub fn address(&self, source: &str) -> String {
        match on_hub(source) {
            Some(path) => format!("{}/{path}", self.endpoint),
            None => source.trim_end_matches('/').to_owned(),
        }
    }

    /// The token, and who alone may have it.
    #[must_use]
    pub fn token(&self) -> Option<(Origin, Token)> {
        let origin = Origin::of(&self.endpoint.parse::<Uri>().ok()?)?;
        origin.is_private().then_some(())?;
        Some((origin, self.token.clone()?))
    }

    /// The folder of a source in the hub's cache, if it is there.
    #[must_use]
    pub fn cached(&self, source: &str) -> Option<PathBuf> {
        let mut parts = on_hub(source)?.split('/');
        let (owner, name, resolve, revision) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let plain = [owner, name, revision]
            .iter()
            .all(|part| !["", ".", ".."].contains(part));
        if resolve != "resolve" || parts.next().is_some() || !plain {
            return None;
        }
        let model = self.cache.as_deref()?.join(format!("models--{owner}--{name}"));
        Some(model.join("snapshots").join(revision)).filter(|folder| Path::is_dir(folder))
    }
}

/// The path of a source on the hub.
fn on_hub(source: &str) -> Option<&str> {
    source.trim_end_matches('/').strip_prefix(HUB)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SOURCE: &str = "https://huggingface.co/owner/name/resolve/0123";

    fn hub(variables: &[(&str, &str)]) -> Result<Hub> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        Hub::of(&|name| variables.get(name).map(ToString::to_string), None)
    }

    #[test]
    fn the_endpoint_takes_the_place_of_the_hub_alone() {
        let other = hub(&[("HF_ENDPOINT", "http://127.0.0.1:9/hub/")]).unwrap();
        assert_eq!(other.address(SOURCE), "http://127.0.0.1:9/hub/owner/name/resolve/0123");
        assert_eq!(other.address("https://elsewhere/x/"), "https://elsewhere/x");
        assert_eq!(hub(&[("HF_ENDPOINT", "")]).unwrap().address(SOURCE), SOURCE);
        assert_eq!(hub(&[("HF_ENDPOINT", "hub")]).unwrap_err().code, ErrorCode::Usage);
    }

    #[test]
    fn the_token_is_for_the_endpoint_and_shown_nowhere() {
        let with = |endpoint: &str| {
            hub(&[("HF_TOKEN", "hf_secret"), ("HF_ENDPOINT", endpoint)])
                .unwrap()
                .token()
        };
        let (origin, token) = with("").unwrap();
        assert_eq!(Some(origin), Origin::of(&HUB.parse().unwrap()));
        assert_eq!(token.header().to_str().unwrap(), "Bearer hf_secret");
        assert!(!format!("{token:?} {:?}", token.header()).contains("secret"));
        assert!(with("http://127.0.0.1:9").is_some());
        assert!(with("http://hub.example").is_none(), "anybody in between could read it");
        let error = hub(&[("HF_TOKEN", "secret\n1")]).unwrap_err();
        assert!(error.code == ErrorCode::Usage && !error.to_string().contains("secret"));
    }

    #[test]
    fn the_cache_is_where_the_hub_s_own_programs_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let snapshot = "models--owner--name/snapshots/0123";
        let check = |variable: &str, cache: &str| {
            let expected = folder.path().join(cache).join(snapshot);
            let found = hub(&[(variable, root)]).unwrap();
            assert_eq!(found.cached(SOURCE), None, "{variable}");
            std::fs::create_dir_all(&expected).unwrap();
            assert_eq!(found.cached(SOURCE), Some(expected), "{variable}");
            for other in [
                "https://elsewhere/owner/name/resolve/0123",
                "https://huggingface.co/../name/resolve/0123",
            ] {
                assert_eq!(found.cached(other), None, "{other}");
            }
        };
        check("HF_HUB_CACHE", "");
        check("HF_HOME", "hub");
        check("XDG_CACHE_HOME", "huggingface/hub");
    }

    #[test]
    fn offline_is_what_the_hub_s_own_programs_take_for_it() {
        for (text, expected) in [
            ("1", true),
            ("TRUE", true),
            ("on", true),
            ("yes", true),
            ("0", false),
            ("", false),
        ] {
            assert_eq!(hub(&[("HF_HUB_OFFLINE", text)]).unwrap().is_offline, expected, "{text}");
        }
    }
}
