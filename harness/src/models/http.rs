//! Owns one exchange with a server: the request, its redirects, who is given the token, and the body piece by piece. It knows nothing of
//! files or models, and makes no second attempt.
//!
//! The exchange has a thread of its own, so that whoever waits for it hears of an interruption also while the server is silent. The
//! thread ends with the exchange, when nobody takes its pieces, or when the server is silent for too long.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, LOCATION, RANGE,
    RETRY_AFTER,
};
use ureq::http::{HeaderMap, HeaderName, Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body as UreqBody, Timeout};

use super::address::{Origin, redirected};
use super::fault::Fault;
use super::hub::Token;
use crate::{Error, ErrorCode, Result, interrupt};

const MOST_REDIRECTS: usize = 8;
const PIECE_BYTES: usize = 1 << 16;
/// Pieces that wait to be taken.
const WAITING_PIECES: usize = 4;
/// How often whoever waits looks whether it was interrupted.
const TICK: Duration = Duration::from_millis(50);
/// Far more than an ETag needs; what is longer is not remembered.
const LONGEST_ETAG: usize = 512;

/// Asks servers.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    idle: Duration,
    token: Option<(Origin, Token)>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The address.
    pub url: Uri,
    /// The first byte that is wanted.
    pub from: u64,
    /// The ETag of the file whose beginning is there.
    pub etag: Option<String>,
}

/// The beginning of an answer.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Its status.
    pub status: u16,
    /// The bytes that are said to follow.
    pub length: Option<u64>,
    /// Of a part, its first byte and the length of the whole.
    pub part: Option<(u64, Option<u64>)>,
    /// The strong ETag.
    pub etag: Option<String>,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether it is a page for people.
    pub is_page: bool,
    /// How the file is packed, where the bytes are not its own.
    pub encoding: Option<String>,
}

enum Message {
    Head(Head),
    Piece(Vec<u8>),
    Failed(Fault),
    End,
}

/// The body of an answer.
#[derive(Debug)]
pub struct Body(Receiver<Message>);

impl Client {
    /// A client that waits no longer than `idle` for a server that is silent, and gives `token` to that origin alone.
    #[must_use]
    pub fn new(idle: Duration, token: Option<(Origin, Token)>) -> Self {
        let limit = Some(idle);
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // They are followed here, since a token goes by origin, and so that no endless body of a redirect is read.
            .max_redirects(0)
            // A connection that the server has closed meanwhile would be a fault of ours.
            .max_idle_connections(0)
            .user_agent(concat!("llmzip/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(limit)
            .timeout_connect(limit)
            .timeout_send_request(limit)
            .timeout_recv_response(limit)
            .timeout_per_read(limit)
            .build();
        Self {
            agent: Agent::new_with_config(config),
            idle,
            token,
        }
    }

    /// Asks, and gives the beginning of the answer and its body.
    ///
    /// # Errors
    /// What kept the answer from coming; `interrupted`.
    pub fn get(&self, request: Request) -> Result<(Head, Body), Fault> {
        let (sender, receiver) = sync_channel(WAITING_PIECES);
        let client = self.clone();
        thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || client.serve(&request, &sender))
            .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot start a thread: {source}")))?;
        let body = Body(receiver);
        match body.receive()? {
            Message::Head(head) => Ok((head, body)),
            Message::Failed(fault) => Err(fault),
            Message::Piece(_) | Message::End => Err(Fault::Dropped { done: 0 }),
        }
    }

    /// Sends the answer piece by piece, until nobody takes it.
    fn serve(&self, request: &Request, sender: &SyncSender<Message>) {
        let response = match self.follow(request) {
            Ok(response) => response,
            Err(fault) => return drop(sender.send(Message::Failed(fault))),
        };
        if sender.send(Message::Head(Head::of(&response))).is_err() {
            return;
        }
        let mut reader = response.into_body().into_reader();
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let message = match reader.read(&mut piece) {
                Ok(0) => Message::End,
                Ok(count) => {
                    piece.truncate(count);
                    Message::Piece(piece)
                }
                Err(source) => Message::Failed(self.fault(ureq::Error::from(source))),
            };
            let more = matches!(message, Message::Piece(_));
            if sender.send(message).is_err() || !more {
                return;
            }
        }
    }

    fn follow(&self, request: &Request) -> Result<Response<UreqBody>, Fault> {
        let mut url = request.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut get = self.agent.get(&url);
            if let Some((origin, token)) = &self.token
                && Origin::of(&url).as_ref() == Some(origin)
            {
                get = get.header(AUTHORIZATION, token.header());
            }
            if request.from > 0 {
                get = get.header(RANGE, format!("bytes={}-", request.from));
                if let Some(etag) = &request.etag {
                    get = get.header(IF_RANGE, etag);
                }
            }
            let response = get.call().map_err(|error| self.fault(error))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = text(response.headers(), &LOCATION)
                .ok_or_else(|| Fault::Redirect("the server redirects to nowhere".to_owned()))?;
            url = redirected(&url, location)?;
        }
        Err(Fault::Redirect(format!(
            "the server redirects more than {MOST_REDIRECTS} times"
        )))
    }

    fn fault(&self, error: ureq::Error) -> Fault {
        match error {
            ureq::Error::Timeout(Timeout::Resolve) => Fault::Unreachable("its name is not resolved".to_owned()),
            ureq::Error::Timeout(Timeout::Connect) => Fault::Unreachable("it does not answer".to_owned()),
            ureq::Error::Timeout(_) => Fault::Stalled(self.idle),
            ureq::Error::Rustls(error) => Fault::Untrusted(error.to_string()),
            ureq::Error::Tls(error) => Fault::Untrusted(error.to_owned()),
            // TLS that fails as a connection is made comes in this wrapping.
            ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
                Some(ureq::Error::Timeout(_)) => Fault::Stalled(self.idle),
                _ if error.to_string().contains("certificate") => Fault::Untrusted(error.to_string()),
                _ => Fault::Unreachable(error.to_string()),
            },
            error => Fault::Unreachable(error.to_string()),
        }
    }
}

impl Body {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// What ended it before its end; `interrupted`.
    pub fn next(&self) -> Result<Option<Vec<u8>>, Fault> {
        match self.receive()? {
            Message::Piece(piece) => Ok(Some(piece)),
            Message::End | Message::Head(_) => Ok(None),
            Message::Failed(fault) => Err(fault),
        }
    }

    fn receive(&self) -> Result<Message, Fault> {
        loop {
            interrupt::check()?;
            match self.0.recv_timeout(TICK) {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Fault::Unreachable("its answer was lost".to_owned()));
                }
            }
        }
    }
}

impl Head {
    fn of(response: &Response<UreqBody>) -> Self {
        let headers = response.headers();
        let number = |name: &HeaderName| text(headers, name)?.trim().parse::<u64>().ok();
        Self {
            status: response.status().as_u16(),
            length: number(&CONTENT_LENGTH),
            part: text(headers, &CONTENT_RANGE).and_then(part),
            etag: text(headers, &ETAG)
                .filter(|etag| etag.starts_with('"') && etag.len() <= LONGEST_ETAG)
                .map(str::to_owned),
            retry_after: number(&RETRY_AFTER).map(Duration::from_secs),
            is_page: text(headers, &CONTENT_TYPE)
                .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")),
            encoding: encoding(headers),
        }
    }
}

/// The first encoding that changes the bytes, whatever else the headers name.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(CONTENT_ENCODING).into_iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut changing = names
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    changing.next().map(|name| name.escape_ascii().to_string())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The first byte and the length of the whole, from `bytes FIRST-LAST/WHOLE`.
fn part(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    let whole = match whole {
        "*" => None,
        whole => Some(whole.parse().ok()?),
    };
    Some((first, whole))
}
