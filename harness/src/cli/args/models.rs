//! Owns the grammar of `llmzip models`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::timeouts::seconds;
use crate::Result;
use crate::models::Patience;

/// Arguments of `models`.
#[derive(Debug, Args)]
pub struct ModelsArguments {
    /// What to do with the models.
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// What to do with the models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Print the models, their variants, sizes and licences, and what there is of them, judged by the sizes of files.
    List(ModelsListArguments),
    /// Fetch a model's files, each held to the manifest, and print the model's folder.
    ///
    /// They come from the manifest's source, or from the hub's cache where that has them. A file takes its name when its size and SHA-256 are
    /// the manifest's, and not before; what was interrupted goes on where it ended. HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN and
    /// HF_HUB_OFFLINE mean what they mean to the hub's own programs.
    Fetch(ModelsFetchArguments),
    /// Hold every file of a model, or of all that are there, to the manifest's sizes and SHA-256s.
    Verify(ModelsVerifyArguments),
    /// Print the folder of a model, whether it is there or not.
    Path(ModelsPathArguments),
    /// Copy a model's files from a folder, each held to the manifest, and print the model's folder.
    Import(ModelsImportArguments),
}

/// Arguments of `models list`.
#[derive(Debug, Args)]
pub struct ModelsListArguments {
    /// Print JSON, with every file.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `models fetch`.
#[derive(Debug, Args)]
pub struct ModelsFetchArguments {
    /// A model of models/manifest.toml.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Fetch this variant, such as q4; exact, else q4f16, else the first, unless given. May be given more than once.
    #[arg(long, value_name = "NAME")]
    pub variant: Vec<String>,
    /// Fetch this file, as the manifest names it, and the small ones, without the default variant. May be given more than once.
    #[arg(long, value_name = "PATH")]
    pub file: Vec<String>,
    /// Fetch all files of the model.
    #[arg(long, conflicts_with_all = ["variant", "file"])]
    pub all: bool,
    /// Take a file whose SHA-256 the manifest does not know, and record it there.
    #[arg(long)]
    pub accept_unknown: bool,
    /// Take the files from URL/PATH, in the place of the manifest's source. A mirror is never given a token.
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
    /// Attempts for a file after the first; one that got further by 1 MiB does not count.
    #[arg(long, value_name = "COUNT", default_value_t = Patience::default().retries)]
    pub retries: u32,
    /// Seconds that the server may be silent.
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::default().idle.as_secs_f64())]
    idle_timeout: f64,
    /// Seconds before the second attempt; doubled from attempt to attempt.
    #[arg(long, value_name = "SECONDS", default_value_t = Patience::default().backoff.as_secs_f64(), hide = true)]
    backoff: f64,
}

impl ModelsFetchArguments {
    /// How much is borne with a server.
    ///
    /// # Errors
    /// `usage` for what is no length of time.
    pub fn patience(&self) -> Result<Patience> {
        Ok(Patience {
            idle: seconds("--idle-timeout", self.idle_timeout)?,
            retries: self.retries,
            backoff: seconds("--backoff", self.backoff)?,
        })
    }
}

/// Arguments of `models verify`.
#[derive(Debug, Args)]
pub struct ModelsVerifyArguments {
    /// A model of models/manifest.toml; all of which there is something unless given.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Arguments of `models path`.
#[derive(Debug, Args)]
pub struct ModelsPathArguments {
    /// A model of models/manifest.toml.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Arguments of `models import`.
#[derive(Debug, Args)]
pub struct ModelsImportArguments {
    /// A model of models/manifest.toml.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The folder that has its files, as the manifest names them or all side by side.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Take also files whose SHA-256 the manifest does not know, and record it there.
    #[arg(long)]
    pub accept_unknown: bool,
}
