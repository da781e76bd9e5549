//! Owns the process's stdin and stdout as streams of bytes: a stdin whose reader hears of an interruption, and a duplicate of
//! stdout. It looks into no content.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::{Error, Result, interrupt};

/// How often a reader that waits looks whether it was interrupted.
const TICK: Duration = Duration::from_millis(50);

const CHUNK_BYTES: usize = 1 << 16;

/// Stdin. A plain read would wait on after Ctrl-C for bytes that may never come; this one fails.
#[derive(Debug)]
pub struct InterruptibleStdin {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    used: usize,
}

impl InterruptibleStdin {
    /// Reads stdin from here on; there can be one such reader.
    #[must_use]
    pub fn open() -> Self {
        let (sender, chunks) = sync_channel(1);
        thread::spawn(move || pass_on(&mut io::stdin().lock(), &sender));
        Self {
            chunks,
            chunk: Vec::new(),
            used: 0,
        }
    }
}

impl Read for InterruptibleStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.used == self.chunk.len() {
            match self.chunks.recv_timeout(TICK) {
                Ok(chunk) => {
                    self.chunk = chunk?;
                    self.used = 0;
                }
                // Not `ErrorKind::Interrupted`, after which readers try again.
                Err(RecvTimeoutError::Timeout) => interrupt::check().map_err(io::Error::other)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len() - self.used);
        buffer[..length].copy_from_slice(&self.chunk[self.used..self.used + length]);
        self.used += length;
        Ok(length)
    }
}

/// Passes a stream on in pieces, until its end, a failure, or nobody listens.
fn pass_on(stream: &mut impl Read, chunks: &SyncSender<io::Result<Vec<u8>>>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let chunk = match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => Ok(buffer[..length].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if chunks.send(chunk).is_err() || failed {
            return;
        }
    }
}

/// Stdout as a file of its own, without a buffer.
///
/// # Errors
/// `io` when the descriptor cannot be duplicated.
pub fn duplicate_stdout() -> Result<File> {
    #[cfg(unix)]
    let duplicate = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned();
    #[cfg(windows)]
    let duplicate = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned();
    duplicate
        .map(File::from)
        .map_err(|source| Error::io("duplicate", Path::new("stdout"), &source))
}
