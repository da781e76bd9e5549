//! A server on this machine that does to its clients what servers on the way to a model do, or worse. Every connection is one exchange.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What the server does with one request for a file that exists.
#[derive(Clone, Debug)]
pub enum Step {
    /// Answers as it should: with the part that was asked for, if the ETag is the file's.
    Honest,
    /// Sends the whole file, whatever part was asked for.
    IgnoresRange,
    /// As `Honest`, and ends after so many bytes of the body.
    DropsAfter(usize),
    /// As `IgnoresRange`, and ends after so many bytes of the body.
    WholeDropsAfter(usize),
    /// As `Honest`, and says nothing more after so many bytes of the body.
    StallsAfter(usize),
    /// Reads the request and says nothing.
    Silent,
    /// Closes the connection without a word.
    Closes,
    /// Answers with what is no HTTP.
    Garbage,
    /// States so many bytes more or fewer than it sends.
    Lies(i64),
    /// Sends the whole file without its length, in chunks.
    Chunked,
    /// Sends the whole file without its length, up to the end of the connection; after it so many bytes more.
    Unframed(usize),
    /// Sends other bytes of the same length, or of that part.
    Wrong,
    /// Sends a file of another length.
    WrongLength(usize),
    /// Has another version of the file, with an ETag of its own.
    Version(&'static str),
    /// Heeds the range, but not the ETag, and has another version.
    VersionForced(&'static str),
    /// Says that it sends another part than was asked for.
    WrongPart,
    /// Answers 206 without saying which part.
    PartWithoutRange,
    /// An HTML page.
    Page,
    /// A status, with header lines.
    Status(u16, &'static str),
    /// A redirect.
    Redirect(String),
    /// A redirect whose body never ends.
    EndlessRedirect(String),
    /// The head of an answer without end.
    EndlessHead,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The path that was asked for.
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Seen {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name))?;
        Some(&header.1)
    }
}

/// The server; it ends when it is dropped.
pub struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `files`; the n-th request for one of them is treated as the n-th step says, those after the last as the last.
    pub fn start(files: &[(&str, &[u8])], steps: &[Step]) -> Self {
        assert!(!steps.is_empty());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let files: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
            .collect();
        let (steps, log, stop) = (steps.to_vec(), Arc::clone(&seen), Arc::clone(&stopped));
        let accepting = thread::spawn(move || {
            for connection in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (files, steps, log) = (files.clone(), steps.clone(), Arc::clone(&log));
                // A client that goes away is no fault of the server.
                thread::spawn(move || drop(serve(&connection.unwrap(), &files, &steps, &log)));
            }
        });
        Self {
            port,
            seen,
            stopped,
            accepting: Some(accepting),
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its address by another name of this machine.
    pub fn other_url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The requests that came.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.accepting.take().unwrap().join();
    }
}

fn serve(
    mut stream: &TcpStream,
    files: &[(String, Vec<u8>)],
    steps: &[Step],
    log: &Mutex<Vec<Seen>>,
) -> std::io::Result<()> {
    let Some(seen) = request(stream)? else {
        return Ok(());
    };
    let file = files.iter().find(|(path, _)| seen.path.ends_with(path.as_str()));
    let place = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    let Some((_, bytes)) = file else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let step = steps.get(place).or(steps.last()).unwrap();
    let answer = |status: &str, headers: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n");
        let mut stream = stream;
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    };
    let sized =
        |headers: &str, body: &[u8]| answer("200 OK", &format!("{headers}Content-Length: {}\r\n", body.len()), body);
    match step {
        Step::Honest => honest(stream, &seen, bytes, "\"right\"", true, None),
        Step::IgnoresRange => sized("ETag: \"right\"\r\n", bytes),
        Step::DropsAfter(count) => honest(stream, &seen, bytes, "\"right\"", true, Some(*count)),
        Step::WholeDropsAfter(count) => {
            let headers = format!("Content-Length: {}\r\n", bytes.len());
            answer("200 OK", &headers, &bytes[..*count])
        }
        Step::StallsAfter(count) => {
            honest(stream, &seen, bytes, "\"right\"", true, Some(*count))?;
            wait_for_its_end(stream)
        }
        Step::Silent => wait_for_its_end(stream),
        Step::Closes => Ok(()),
        Step::Garbage => stream.write_all(b"220 mail.example ESMTP\r\n\r\n"),
        Step::Lies(difference) => {
            let stated = i64::try_from(bytes.len()).unwrap() + difference;
            answer("200 OK", &format!("Content-Length: {stated}\r\n"), bytes)
        }
        Step::Chunked => {
            let mut body = Vec::new();
            for chunk in bytes.chunks(70_000) {
                write!(body, "{:x}\r\n", chunk.len())?;
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            answer("200 OK", "Transfer-Encoding: chunked\r\n", &body)
        }
        Step::Unframed(more) => {
            let body = [bytes.as_slice(), &vec![0; *more]].concat();
            answer("200 OK", "", &body)
        }
        Step::Wrong => {
            let other: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
            honest(stream, &seen, &other, "\"right\"", true, None)
        }
        Step::WrongLength(length) => sized("", &vec![b'x'; *length]),
        Step::Version(etag) => honest(stream, &seen, &version(bytes, etag), etag, true, None),
        Step::VersionForced(etag) => honest(stream, &seen, &version(bytes, etag), etag, false, None),
        Step::WrongPart => {
            let part = format!("Content-Range: bytes 1-2/{}\r\nContent-Length: 2\r\n", bytes.len());
            answer("206 Partial Content", &part, &bytes[1..3])
        }
        Step::PartWithoutRange => answer("206 Partial Content", "Content-Length: 2\r\n", &bytes[..2]),
        Step::Page => sized(
            "Content-Type: text/html; charset=utf-8\r\n",
            b"<html>Please log in</html>",
        ),
        Step::Status(status, headers) => {
            answer(&format!("{status} No"), &format!("{headers}Content-Length: 0\r\n"), b"")
        }
        Step::Redirect(to) => answer("302 Found", &format!("Location: {to}\r\nContent-Length: 0\r\n"), b""),
        Step::EndlessRedirect(to) => {
            answer("302 Found", &format!("Location: {to}\r\n"), b"")?;
            loop {
                stream.write_all(&[b' '; 4096])?;
            }
        }
        Step::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                stream.write_all(b"X-More: and more and more\r\n")?;
            }
        }
    }
}

/// Another file of the same length.
fn version(bytes: &[u8], etag: &str) -> Vec<u8> {
    if etag == "\"right\"" {
        return bytes.to_vec();
    }
    bytes.iter().map(|byte| byte ^ 0x55).collect()
}

/// The whole file or the part that was asked for, cut off after `most` bytes.
fn honest(
    mut stream: &TcpStream,
    seen: &Seen,
    bytes: &[u8],
    etag: &str,
    heeds_etag: bool,
    most: Option<usize>,
) -> std::io::Result<()> {
    let is_same = seen.header("If-Range").is_none_or(|asked| asked == etag) || !heeds_etag;
    let from = seen
        .header("Range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok())
        .filter(|_| is_same);
    let whole = bytes.len();
    let (status, range, from) = match from {
        Some(from) if from >= whole => {
            return stream.write_all(b"HTTP/1.1 416 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        Some(from) => (
            "206 Partial Content",
            format!("Content-Range: bytes {from}-{}/{whole}\r\n", whole - 1),
            from,
        ),
        None => ("200 OK", String::new(), 0),
    };
    let body = &bytes[from..];
    let head = format!(
        "HTTP/1.1 {status}\r\n{range}ETag: {etag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body[..most.unwrap_or(body.len()).min(body.len())])
}

/// Holds the connection until the client gives up.
fn wait_for_its_end(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn request(stream: &TcpStream) -> std::io::Result<Option<Seen>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else {
        return Ok(None);
    };
    let mut headers = Vec::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    Ok(Some(Seen {
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        headers,
    }))
}
