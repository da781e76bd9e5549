//! `models fetch` against servers that fail in every way: it ends in the right file or in a clear error, and a wrong file is never under the right name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod any_server;
mod clone;
mod completeness;
mod faults;
mod hub;
mod importing;
mod resuming;
#[path = "../support/mod.rs"]
mod support;
mod unknown;
mod words;
