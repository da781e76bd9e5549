//! Owns one file from one server: attempts, how they go on with each other, and that the file takes its name only when it is right.

use std::thread;
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::Observer;
use super::address::shown;
use super::catalogue::WantedFile;
use super::fault::Fault;
use super::http::{Body, Client, Head, Request};
use super::partial::Partial;
use crate::model::provenance::Hash;
use crate::{Result, interrupt};

/// The most bytes that are taken of a file whose size the manifest does not know.
const LARGEST_UNKNOWN: u64 = 1 << 34;
/// An attempt that got this many bytes further than any before is not counted: the server is slow in its own way, not dead.
const PROGRESS_BYTES: u64 = 1 << 20;
const TICK: Duration = Duration::from_millis(50);
/// The longest time between two attempts that we choose ourselves.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How much is borne with a server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long it may be silent.
    pub idle: Duration,
    /// Attempts after the first.
    pub retries: u32,
    /// The time before the second attempt; it doubles from attempt to attempt.
    pub backoff: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30),
            retries: 5,
            backoff: Duration::from_millis(500),
        }
    }
}

/// Gets a file, and gives its size and SHA-256.
///
/// # Errors
/// `setup` when the server cannot be reached, refuses, or breaks off again and again: what came of the file is kept for the next time;
/// `integrity` when it has another file, of which nothing is kept; `io`; `interrupted`.
pub fn download(
    client: &Client,
    patience: Patience,
    url: &Uri,
    file: &WantedFile,
    observer: &dyn Observer,
) -> Result<(u64, Hash)> {
    let mut download = Download {
        client,
        url,
        file,
        observer,
        partial: Partial::open(&file.target)?,
        is_resumed: false,
    };
    observer.begins(&file.path, file.bytes);
    let outcome = download.attempts(patience);
    observer.ended();
    let length = download.partial.length();
    match outcome {
        Ok(hash) => download.partial.finish().map(|()| (length, hash)),
        Err(fault) => {
            // What is right as far as it goes is kept for the next time.
            if length == 0 {
                download.partial.discard()?;
            }
            Err(fault.told(&file.path, &shown(url)))
        }
    }
}

struct Download<'a> {
    client: &'a Client,
    url: &'a Uri,
    file: &'a WantedFile,
    observer: &'a dyn Observer,
    partial: Partial,
    /// Whether bytes of different answers stand beside each other.
    is_resumed: bool,
}

impl Download<'_> {
    fn attempts(&mut self, patience: Patience) -> Result<Hash, Fault> {
        let (mut failed, mut furthest, mut wait) = (0, self.partial.length(), patience.backoff);
        loop {
            let fault = match self.attempt().and_then(|()| self.verify()) {
                Ok(hash) => return Ok(hash),
                Err(fault) => fault,
            };
            if self.partial.length() >= furthest.saturating_add(PROGRESS_BYTES) {
                (failed, wait) = (0, patience.backoff);
            }
            furthest = furthest.max(self.partial.length());
            failed += 1;
            if !fault.is_transient() || failed > patience.retries {
                return Err(fault);
            }
            let rest = wait.max(fault.rest());
            self.observer.says(&format!(
                "{}: {fault}; attempt {} of {} in {rest:?}",
                self.file.path,
                failed + 1,
                patience.retries + 1
            ));
            sleep(rest)?;
            wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        }
    }

    /// One request, and what it brings into the partial file.
    fn attempt(&mut self) -> Result<(), Fault> {
        let mut have = self.partial.length();
        let etag = self.partial.etag();
        // Without either nothing could tell what these bytes are of, or that two halves do not belong together.
        let can_resume = self.file.sha256.is_some() || etag.is_some();
        if self.file.bytes == Some(have) && have > 0 && can_resume {
            self.is_resumed = true;
            return Ok(());
        }
        if have > 0 && (!can_resume || self.file.bytes.is_some_and(|bytes| have > bytes)) {
            self.partial.restart(None)?;
            have = 0;
        }
        let request = Request {
            url: self.url.clone(),
            from: have,
            etag: etag.clone().filter(|_| have > 0),
        };
        let (head, body) = self.client.get(request)?;
        match head.status {
            _ if head.is_page && head.status < 400 && !self.file.path.ends_with(".html") => return Err(Fault::Page),
            200 => {
                check_encoding(&head)?;
                self.check_length(&head, 0)?;
                self.partial.restart(head.etag.as_deref())?;
                self.is_resumed = false;
            }
            206 if have > 0 => {
                check_encoding(&head)?;
                self.check_part(&head, have, etag.as_deref())?;
                self.is_resumed = true;
            }
            416 if have > 0 => return Err(self.anew("it has no such part")?),
            status => return Err(Fault::Status(status, head.retry_after)),
        }
        self.receive(&body)
    }

    /// Holds the length of what follows after `have` bytes to the manifest, before it is read.
    fn check_length(&self, head: &Head, have: u64) -> Result<(), Fault> {
        let (Some(expected), Some(length)) = (self.file.bytes, head.length) else {
            return Ok(());
        };
        let found = have.saturating_add(length);
        if found == expected {
            return Ok(());
        }
        Err(Fault::Length {
            found: found.to_string(),
            expected,
        })
    }

    fn check_part(&mut self, head: &Head, have: u64, etag: Option<&str>) -> Result<(), Fault> {
        let Some((first, whole)) = head.part else {
            return Err(self.anew("it does not say which part it sends")?);
        };
        if first != have {
            return Err(self.anew("it sends another part")?);
        }
        match (etag, head.etag.as_deref()) {
            (Some(before), Some(now)) if before == now => (),
            (Some(_), Some(_)) => return Err(self.anew("it has another file now")?),
            // The SHA-256 will tell.
            _ if self.file.sha256.is_some() => (),
            _ => return Err(self.anew("it does not say whether it is the same file")?),
        }
        match (whole, self.file.bytes) {
            (Some(found), Some(expected)) if found != expected => Err(Fault::Length {
                found: found.to_string(),
                expected,
            }),
            _ => self.check_length(head, have),
        }
    }

    /// What was kept is thrown away; the next attempt begins at the beginning.
    fn anew(&mut self, why: &str) -> Result<Fault> {
        self.partial.restart(None)?;
        Ok(Fault::Part(why.to_owned()))
    }

    fn receive(&mut self, body: &Body) -> Result<(), Fault> {
        self.observer.reached(self.partial.length());
        let most = self.file.bytes.unwrap_or(LARGEST_UNKNOWN);
        loop {
            let piece = match body.next() {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                // The answer had begun: the server was reached.
                Err(Fault::Unreachable(_)) => return Err(self.dropped()),
                Err(fault) => return Err(fault),
            };
            if self.partial.length() + piece.len() as u64 > most {
                self.partial.restart(None)?;
                return Err(match self.file.bytes {
                    Some(expected) => Fault::Length {
                        found: format!("more than {expected}"),
                        expected,
                    },
                    None => Fault::Endless(most),
                });
            }
            self.partial.write(&piece)?;
            self.observer.reached(self.partial.length());
        }
        if self.file.bytes.is_some_and(|bytes| self.partial.length() < bytes) {
            return Err(self.dropped());
        }
        Ok(())
    }

    const fn dropped(&self) -> Fault {
        Fault::Dropped {
            done: self.partial.length(),
        }
    }

    fn verify(&mut self) -> Result<Hash, Fault> {
        let found = self.partial.hash(self.observer)?;
        match self.file.sha256 {
            Some(expected) if expected != found => {
                let resumed = self.is_resumed;
                self.partial.restart(None)?;
                Err(Fault::Hash {
                    found,
                    expected,
                    resumed,
                })
            }
            _ => Ok(found),
        }
    }
}

/// A packed file is not the file: its length and SHA-256 are others.
fn check_encoding(head: &Head) -> Result<(), Fault> {
    head.encoding
        .clone()
        .map_or(Ok(()), |encoding| Err(Fault::Encoded(encoding)))
}

/// Waits, unless interrupted.
fn sleep(time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        interrupt::check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(TICK));
    }
}
