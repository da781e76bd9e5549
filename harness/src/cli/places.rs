//! Owns where a command reads from and writes to, as its arguments say: names that follow from others, pipes, and the removal of an
//! input that was asked for.

use std::cell::Cell;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::args::FileArguments;
use super::output::Output;
use crate::files::{OutputFile, open_input};
use crate::stdio::InterruptibleStdin;
use crate::{Error, ErrorCode, Result};

/// Stands for stdin and stdout.
const PIPE: &str = "-";
const SUFFIX: &str = "llmzip";

/// What is made of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    Container,
    Plain,
}

/// An input that knows how far it was read.
pub struct Input {
    reader: Box<dyn Read>,
    read: Rc<Cell<u64>>,
    /// Its length, where it is a regular file.
    pub size: Option<u64>,
}

impl Input {
    /// How many bytes were read: to be asked while the input is lent.
    pub fn read_so_far(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.read)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.read.set(self.read.get() + length as u64);
        Ok(length)
    }
}

/// Where a command reads from and writes to.
pub struct Places {
    pub input: Input,
    pub output: OutputFile,
    /// The input that goes once the output is complete.
    removed: Option<PathBuf>,
}

impl Places {
    /// Opens both; the output's name follows from the input's where none is given.
    pub fn open(files: &FileArguments, making: Making, output: &Output) -> Result<Self> {
        let target = match &files.output {
            Some(target) => target.clone(),
            None => output_name(&files.input, making)?,
        };
        refuse_same(&files.input, &target)?;
        let input = match making {
            Making::Container => open(&files.input)?,
            Making::Plain => open_container(&files.input)?,
        };
        let to_terminal = is_pipe(&target) && making == Making::Container && io::stdout().is_terminal();
        if to_terminal && !files.force {
            return Err(Error::new(ErrorCode::Usage, "a container is not written to a terminal")
                .with_hint("name a file with -o, or give -f to write it all the same"));
        }
        let written = if is_pipe(&target) {
            OutputFile::stdout()?
        } else {
            OutputFile::create(&target, files.force)?
        };
        let may_go = !is_pipe(&files.input) && written.is_regular();
        if files.remove && !may_go {
            output.talk("note: --rm removes nothing where the input is stdin or the output is no file");
        }
        Ok(Self {
            input,
            output: written,
            removed: (files.remove && may_go).then(|| files.input.clone()),
        })
    }

    /// Takes the parts, and what is to be done once the output is complete.
    pub fn split(self) -> (Input, OutputFile, Removal) {
        (self.input, self.output, Removal(self.removed))
    }
}

/// What is removed at the end, if anything.
#[must_use]
pub struct Removal(Option<PathBuf>);

impl Removal {
    /// The output is complete.
    pub fn carry_out(self) -> Result<()> {
        match self.0 {
            Some(path) => std::fs::remove_file(&path).map_err(|error| {
                Error::io("remove", &path, &error).with_hint("the output is complete; remove the input by hand")
            }),
            None => Ok(()),
        }
    }
}

/// A container to read.
pub fn open_container(path: &Path) -> Result<Input> {
    if is_pipe(path) && io::stdin().is_terminal() {
        return Err(Error::new(ErrorCode::Usage, "a container is not read from a terminal")
            .with_hint("name a file, or give it one through a pipe"));
    }
    open(path)
}

fn open(path: &Path) -> Result<Input> {
    let (reader, size): (Box<dyn Read>, _) = if is_pipe(path) {
        (Box::new(InterruptibleStdin::open()), None)
    } else {
        let file = open_input(path)?;
        let metadata = file.get_ref().metadata().ok();
        (Box::new(file), metadata.filter(|it| it.is_file()).map(|it| it.len()))
    };
    Ok(Input {
        reader,
        read: Rc::default(),
        size,
    })
}

fn is_pipe(path: &Path) -> bool {
    path.as_os_str() == PIPE
}

/// The output of an input where none is named.
fn output_name(input: &Path, making: Making) -> Result<PathBuf> {
    if is_pipe(input) {
        return Ok(PIPE.into());
    }
    if making == Making::Container {
        let mut name = input.as_os_str().to_owned();
        name.push(".");
        name.push(SUFFIX);
        return Ok(name.into());
    }
    if input.extension().is_some_and(|extension| extension == SUFFIX) {
        return Ok(input.with_extension(""));
    }
    let message = format!(
        "{} does not end in .{SUFFIX}, so that the output has no name",
        input.display()
    );
    Err(Error::new(ErrorCode::Usage, message).with_hint("name a file to write to with -o"))
}

/// What takes the input's place would lose it.
fn refuse_same(input: &Path, output: &Path) -> Result<()> {
    let real = |path: &Path| {
        let real = path.canonicalize().ok()?;
        real.is_file().then_some(real)
    };
    if is_pipe(input) || is_pipe(output) || real(input).is_none_or(|input| real(output) != Some(input)) {
        return Ok(());
    }
    let message = format!("{} is the input and the output", input.display());
    Err(Error::new(ErrorCode::Usage, message).with_hint("name another file to write to"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn names_follow_as_the_table_says() {
        let table: serde_json::Value = serde_json::from_str(include_str!("../../tests/cases/outputs.json")).unwrap();
        let cases = table["cases"].as_array().unwrap();
        assert!(cases.len() > 8);
        for case in cases {
            let making = match case["command"].as_str().unwrap() {
                "compress" => Making::Container,
                _ => Making::Plain,
            };
            let input = Path::new(case["input"].as_str().unwrap());
            match (output_name(input, making), case["output"].as_str()) {
                (Ok(found), Some(expected)) => assert_eq!(found, Path::new(expected), "{input:?}"),
                (Err(error), None) => assert_eq!(error.code, ErrorCode::Usage, "{input:?}"),
                (found, expected) => assert_eq!(found.ok(), expected.map(PathBuf::from), "{input:?}"),
            }
        }
    }
}
