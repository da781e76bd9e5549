//! Owns the getting of models: which files of the manifest are there, and how the others come: from a server, the hub's cache or a folder.
//! A file takes its name when its size and SHA-256 are those of the manifest, and not before. It loads no model.

pub mod address;
pub mod catalogue;
mod copy;
mod download;
pub mod fault;
pub mod fetch;
mod hashing;
pub mod http;
pub mod hub;
pub mod import;
mod lock;
mod partial;
mod record;
pub mod verify;

pub use catalogue::{Catalogue, ModelFiles, Selection, State, WantedFile};
pub use download::Patience;

/// Told how far it is.
pub trait Observer {
    /// A file is being read or fetched, of which `total` bytes are to come, where that is known.
    fn begins(&self, file: &str, total: Option<u64>);
    /// So many bytes of it are there.
    fn reached(&self, done: u64);
    /// That file is done with.
    fn ended(&self);
    /// Something that the user should know.
    fn says(&self, words: &str);
}
