//! Owns what can go wrong between this program and a server: what each fault is called, whether another attempt may help, and what the
//! user is told. It talks to no server.

use std::time::Duration;

use crate::model::provenance::Hash;
use crate::{Error, ErrorCode};

/// Why an attempt to get a file failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No answer: no such host, no connection, no TLS, or an answer that is no HTTP.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// Who answered is not who was asked for.
    #[error("the server's certificate or TLS is not accepted: {0}")]
    Untrusted(String),
    /// Nothing came for this long.
    #[error("the server fell silent for {0:?}")]
    Stalled(Duration),
    /// The connection ended before the file did.
    #[error("the connection ended after {done} bytes")]
    Dropped {
        /// Bytes of the file that are there.
        done: u64,
    },
    /// The server refused, with the time that it wants to be left alone for.
    #[error("the server answers {0}")]
    Status(u16, Option<Duration>),
    /// Redirects without end, or one that is not followed.
    #[error("{0}")]
    Redirect(String),
    /// A page for people in the place of the file.
    #[error("the server answers with an HTML page and not with the file")]
    Page,
    /// Not the file's own bytes, though no other were asked for.
    #[error("the server sends the file packed (Content-Encoding: {0}), which was not asked for")]
    Encoded(String),
    /// Another length than the manifest's.
    #[error("the server has a file of {found} bytes, it must have {expected}")]
    Length {
        /// As the server says or sends; the least of what it may be.
        found: String,
        /// The manifest's.
        expected: u64,
    },
    /// More bytes than any file of unknown size may have.
    #[error("the file has more than {0} bytes, which is the most that is taken of a file of unknown size")]
    Endless(u64),
    /// The server's words about the part that it sends make no sense, or the file is another one than before.
    #[error("the server cannot go on where the last attempt ended: {0}")]
    Part(String),
    /// The whole file is another one.
    #[error("the file has the SHA-256 {found}, it must have {expected}")]
    Hash {
        /// What came.
        found: Hash,
        /// The manifest's.
        expected: Hash,
        /// Whether its beginning is from an earlier attempt, which may be what is wrong with it.
        resumed: bool,
    },
    /// What has nothing to do with the server: an interruption, or a full disk.
    #[error("{0}")]
    Local(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Local(error)
    }
}

/// The longest that a server's wish to be left alone is heeded.
const LONGEST_REST: Duration = Duration::from_mins(1);

impl Fault {
    /// Whether another attempt may end otherwise.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Stalled(_) | Self::Dropped { .. } | Self::Part(_) => true,
            Self::Status(status, _) => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Hash { resumed, .. } => *resumed,
            Self::Untrusted(_)
            | Self::Redirect(_)
            | Self::Page
            | Self::Encoded(_)
            | Self::Length { .. }
            | Self::Endless(_)
            | Self::Local(_) => false,
        }
    }

    /// How long the server wants to be left alone.
    #[must_use]
    pub fn rest(&self) -> Duration {
        match self {
            Self::Status(_, Some(rest)) => (*rest).min(LONGEST_REST),
            _ => Duration::ZERO,
        }
    }

    /// What the user is told of it: `what` could not be had from `whence`.
    #[must_use]
    pub fn told(self, what: &str, whence: &str) -> Error {
        let (code, hint) = match &self {
            Self::Local(error) => return error.clone(),
            Self::Unreachable(_) => (
                ErrorCode::Setup,
                "see that the network is there; --mirror and HF_ENDPOINT name another server, HTTPS_PROXY a proxy",
            ),
            Self::Untrusted(_) => (
                ErrorCode::Setup,
                "see that the clock is right and the machine knows the server's authority (on Linux SSL_CERT_FILE names others than the system has)",
            ),
            Self::Stalled(_) | Self::Dropped { .. } => (
                ErrorCode::Setup,
                "give the same command again: it goes on where it ended; --idle-timeout and --retries give it more time",
            ),
            Self::Status(401 | 403, _) => (
                ErrorCode::Setup,
                "set HF_TOKEN to a token that may read the model, and accept its terms on the hub; a token goes to the hub alone, by https",
            ),
            Self::Status(404 | 410, _) => (
                ErrorCode::Setup,
                "the file is not there: see that the mirror has this revision, or leave --mirror and HF_ENDPOINT out",
            ),
            Self::Status(429, _) => (
                ErrorCode::Setup,
                "the server is asked too often: wait, then give the same command again",
            ),
            Self::Status(500.., _) => (
                ErrorCode::Setup,
                "the server has trouble of its own: give the same command again later, or name another with --mirror",
            ),
            Self::Status(..) | Self::Redirect(_) | Self::Part(_) => (
                ErrorCode::Setup,
                "see that the address leads to the model's files; --mirror names another server",
            ),
            Self::Page => (
                ErrorCode::Integrity,
                "a proxy or a log-in page may stand between: open the address in a browser, or name another server with --mirror",
            ),
            Self::Encoded(_) => (
                ErrorCode::Setup,
                "nothing of the answer was kept: turn off the packing at the server or the proxy, or name another server with --mirror",
            ),
            Self::Length { .. } | Self::Endless(_) | Self::Hash { .. } => (
                ErrorCode::Integrity,
                "the server has another file, and nothing of it was kept: name another server with --mirror",
            ),
        };
        Error::new(code, format!("cannot get {what} from {whence}: {self}")).with_hint(hint)
    }
}
