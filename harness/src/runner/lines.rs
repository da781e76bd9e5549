//! Owns the reading of a runner's two streams in threads of their own: stdout as lines of bounded length, stderr as its last
//! few kilobytes. It must not understand what it reads.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::protocol::MAX_LINE_BYTES;

/// How much of a runner's stderr is kept.
const TALK_BYTES: usize = 64 << 10;

/// How many unread lines may wait.
const WAITING_LINES: usize = 64;

/// The longest part of a line that a message quotes.
const QUOTE_BYTES: usize = 200;

/// What came on a runner's stdout.
#[derive(Debug)]
pub enum Heard {
    /// A line without its end.
    Line(Vec<u8>),
    /// The runner sent a line longer than [`MAX_LINE_BYTES`].
    TooLong,
    /// The runner closed its stdout.
    Closed,
}

/// Reads lines in a thread; after `TooLong` or `Closed` nothing follows.
pub fn read_lines(stream: impl Read + Send + 'static) -> Receiver<Heard> {
    let (sender, receiver) = sync_channel(WAITING_LINES);
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        loop {
            let heard = next_line(&mut reader);
            let ends = !matches!(heard, Heard::Line(_));
            if send(&sender, heard).is_err() || ends {
                return;
            }
        }
    });
    receiver
}

fn send(sender: &SyncSender<Heard>, heard: Heard) -> Result<(), ()> {
    sender.send(heard).map_err(|_| ())
}

fn next_line(reader: &mut impl BufRead) -> Heard {
    let mut line = Vec::new();
    let limit = MAX_LINE_BYTES as u64 + 1;
    match reader.by_ref().take(limit).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => Heard::Closed,
        Ok(_) if line.last() == Some(&b'\n') => {
            line.pop();
            Heard::Line(line)
        }
        Ok(length) if length as u64 == limit => Heard::TooLong,
        // The stream ended in the middle of a line: the line was never finished, so it was never said.
        Ok(_) => Heard::Closed,
    }
}

/// The beginning of a line, for a message.
pub fn quote(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(QUOTE_BYTES)]);
    format!("{text:?}{}", if line.len() > QUOTE_BYTES { " ..." } else { "" })
}

/// The end of a stream of text.
#[derive(Clone, Debug, Default)]
pub struct Talk(Arc<Mutex<VecDeque<u8>>>);

impl Talk {
    /// Keeps the end of `stream`, in a thread.
    pub fn listen(stream: impl Read + Send + 'static) -> Self {
        let talk = Self::default();
        let kept = talk.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut buffer = [0_u8; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                let mut bytes = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend(&buffer[..length]);
                let surplus = bytes.len().saturating_sub(TALK_BYTES);
                bytes.drain(..surplus);
            }
        });
        talk
    }

    /// What is kept, as text.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes.iter().copied().collect::<Vec<_>>()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_an_unfinished_one_is_not_heard() {
        let heard = read_lines(&b"one\n\ntwo\nthr"[..]);
        let lines: Vec<_> = heard.iter().map(|h| format!("{h:?}")).collect();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[3], "Closed");
    }

    #[test]
    fn a_line_without_end_is_cut_off() {
        let heard = read_lines(std::io::repeat(b'x').take(MAX_LINE_BYTES as u64 + 10));
        assert!(matches!(heard.recv(), Ok(Heard::TooLong)));
    }

    #[test]
    fn only_the_end_of_the_talk_is_kept() {
        let talk = Talk::listen(std::io::repeat(b'y').take(3 * TALK_BYTES as u64));
        while Arc::strong_count(&talk.0) > 1 {
            thread::yield_now();
        }
        assert_eq!(talk.text().len(), TALK_BYTES);
    }
}
