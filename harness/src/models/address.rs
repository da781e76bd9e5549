//! Owns addresses: their parts, where a redirect leads, and what of them is shown. It asks no server.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use ureq::http::Uri;

use super::fault::Fault;
use crate::{Error, ErrorCode, Result};

/// What may not stand in a part of a path as it is.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Scheme, host and port: who is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// That of an address; none where it is no http or https.
    #[must_use]
    pub fn of(url: &Uri) -> Option<Self> {
        let scheme = url.scheme_str()?.to_ascii_lowercase();
        let usual = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        Some(Self {
            host: url.host().filter(|host| !host.is_empty())?.to_ascii_lowercase(),
            port: url.port_u16().unwrap_or(usual),
            scheme,
        })
    }

    /// Whether nobody in between can read what is sent there: by https, or on this machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.scheme == "https" || ["localhost", "127.0.0.1", "[::1]"].contains(&self.host.as_str())
    }
}

/// The address of a folder that `what` names.
///
/// # Errors
/// `usage` when it is no address of http or https, or has more than a path.
pub fn folder_address(what: &str, text: &str) -> Result<String> {
    let text = text.trim().trim_end_matches('/');
    let parsed = text.parse::<Uri>().ok();
    let is_address = parsed
        .as_ref()
        .is_some_and(|url| Origin::of(url).is_some() && url.query().is_none());
    if is_address && !text.contains('#') {
        return Ok(text.to_owned());
    }
    // Not the text itself: it may hold a password.
    Err(Error::new(
        ErrorCode::Usage,
        format!("{what} is not the http or https address of a folder"),
    )
    .with_hint("give an address such as https://example.org/models"))
}

/// The address of a file in a folder's address; `path` has `/` between its parts.
///
/// # Errors
/// `usage` when that is no address.
pub fn file_address(folder: &str, path: &str) -> Result<Uri> {
    let encoded = utf8_percent_encode(path, ENCODED);
    format!("{folder}/{encoded}")
        .parse()
        .map_err(|_| Error::new(ErrorCode::Usage, format!("no address can be made for {path}")))
}

/// Where a redirect from `url` leads.
pub fn redirected(url: &Uri, location: &str) -> Result<Uri, Fault> {
    let refused = |why: &str| Fault::Redirect(format!("the server redirects {why}"));
    let unusable = || refused("to what is no address");
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = (url.scheme_str(), url.authority());
    let (scheme, authority) = scheme.zip(authority).ok_or_else(unusable)?;
    // Not the user and password: they were meant for the first address.
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    if location.is_empty() {
        return Err(unusable());
    }
    let absolute = if has_scheme(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else {
        format!("{scheme}://{host}{}", beside(url.path(), location))
    };
    let target: Uri = absolute.parse().map_err(|_| unusable())?;
    let origin = Origin::of(&target).ok_or_else(unusable)?;
    if scheme == "https" && origin.scheme != "https" {
        return Err(refused(
            "from https to http, which anybody in between could read and change",
        ));
    }
    Ok(target)
}

/// Whether a reference begins with a scheme, so that nothing of the address that it stands in counts.
fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// The path and query that a reference without scheme and host leads to from the path `base`, as RFC 3986 has it in 5.2.
fn beside(base: &str, reference: &str) -> String {
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    let path = match path {
        "" => base.to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("{}/{path}", base.rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    let mut parts = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => (),
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    // Of a folder, what remains is a folder too.
    if path.ends_with("/.") || path.ends_with("/..") {
        parts.push("");
    }
    format!("/{}{query}", parts.join("/"))
}

/// An address as it is shown: without user, password, query.
#[must_use]
pub fn shown(url: &Uri) -> String {
    let host = url.authority().map_or("", |authority| {
        authority.as_str().rsplit('@').next().unwrap_or_default()
    });
    format!("{}://{host}{}", url.scheme_str().unwrap_or_default(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_where_it_says_and_never_from_https_to_http() {
        let check = |from: &str, location: &str, expected: Option<&str>| {
            let target = redirected(&from.parse().unwrap(), location);
            assert_eq!(
                target.ok().map(|target| target.to_string()).as_deref(),
                expected,
                "{from} {location}"
            );
        };
        check("https://a/x?y", "https://b/z?q=1#f", Some("https://b/z?q=1"));
        check("https://a:8/x", "/z", Some("https://a:8/z"));
        check("https://me:secret@a/x", "/z", Some("https://a/z"));
        check("http://a/x", "//b/z", Some("http://b/z"));
        check("http://a/x", "https://b/z", Some("https://b/z"));
        check("https://a/x", "http://a/x", None);
        check("https://a/x", "ftp://a/x", None);
        check("https://a/x", "file:///etc/passwd", None);
        check("https://a/x", "", None);
        check("https://a/x", "#f", None);
        check("https://a/x", "mailto:z", None);
        // RFC 3986, 5.4, with an address of ours.
        let base = "http://a/b/c/d;p?q";
        for (location, expected) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g?y=http://z", "http://a/b/c/g?y=http://z"),
            (";x", "http://a/b/c/;x"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("./g/.", "http://a/b/c/g/"),
            ("g;x=1/../y", "http://a/b/c/y"),
        ] {
            check(base, location, Some(expected));
        }
        check("https://me:secret@a:8", "z", Some("https://a:8/z"));
    }

    #[test]
    fn origins_are_told_apart_by_scheme_host_and_port() {
        let origin = |text: &str| Origin::of(&text.parse().unwrap());
        assert_eq!(origin("https://Hub/x"), origin("https://hub:443/y"));
        for other in [
            "http://hub/x",
            "https://hub:8443/x",
            "https://hub.evil/x",
            "https://evil/hub",
        ] {
            assert_ne!(origin("https://hub/x"), origin(other), "{other}");
        }
        assert_eq!(origin("ftp://hub/x"), None);
        assert!(origin("https://hub").unwrap().is_private());
        assert!(origin("http://127.0.0.1:80").unwrap().is_private());
        assert!(!origin("http://hub").unwrap().is_private());
    }

    #[test]
    fn secrets_of_an_address_are_not_shown() {
        let url: Uri = "https://me:secret@hub:8/a/b?X-Signature=1".parse().unwrap();
        assert_eq!(shown(&url), "https://hub:8/a/b");
        for bad in [
            "",
            "hub/x",
            "ftp://hub",
            "https://",
            "https://hub?x=secret",
            "https://hub/#secret",
        ] {
            let error = folder_address("--mirror", bad).unwrap_err();
            assert_eq!(error.code, ErrorCode::Usage, "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert_eq!(folder_address("--mirror", "https://hub/a/").unwrap(), "https://hub/a");
        assert_eq!(
            file_address("https://hub", "a b/c#d%").unwrap().to_string(),
            "https://hub/a%20b/c%23d%25"
        );
    }
}
