//! Documents say what is so: commands parse, paths and names exist, exit codes are those of the code, modules do not use what they
//! are said not to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use llmzip::ErrorCode;

/// Made by a command that the documents describe, so not always there.
const MADE: [&str; 2] = ["target/gate", "target/page"];

const ERROR_CODES: [ErrorCode; 12] = [
    ErrorCode::Usage,
    ErrorCode::Setup,
    ErrorCode::Io,
    ErrorCode::Integrity,
    ErrorCode::Vocabulary,
    ErrorCode::Format,
    ErrorCode::Divergence,
    ErrorCode::Model,
    ErrorCode::Unsupported,
    ErrorCode::Interrupted,
    ErrorCode::Runner,
    ErrorCode::Internal,
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .replace("\r\n", "\n")
}

/// The lines of a document's fences of a language, without their indent; with an empty `language` the lines outside of all fences.
fn lines(document: &str, language: &str) -> Vec<String> {
    let mut fence: Option<&str> = None;
    let mut found = Vec::new();
    for line in document.lines().map(str::trim) {
        match (line.strip_prefix("```"), fence) {
            (Some(opened), None) => fence = Some(opened),
            (Some(_), Some(_)) => fence = None,
            (None, _) if fence.unwrap_or_default() == language && !line.is_empty() => found.push(line.to_owned()),
            (None, _) => (),
        }
    }
    assert_eq!(fence, None, "a fence is never closed");
    found
}

/// What stands between backticks, outside of fences. A span does not go over the end of a line.
fn spans(document: &str) -> Vec<String> {
    lines(document, "")
        .iter()
        .flat_map(|line| {
            assert_eq!(line.matches('`').count() % 2, 0, "a span is never closed: {line}");
            line.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The cells of every table row of a document.
fn rows(document: &str) -> Vec<Vec<String>> {
    lines(document, "")
        .iter()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// The rows below the header that begins with `first`, up to the next header.
fn table(document: &str, first: &[&str]) -> Vec<Vec<String>> {
    let all = rows(document);
    let header = all
        .iter()
        .position(|row| row.iter().zip(first).all(|(cell, name)| cell == name) && row.len() >= first.len())
        .unwrap_or_else(|| panic!("there is no table {first:?}"));
    let is_rule = |row: &[String]| {
        row.iter()
            .all(|cell| !cell.is_empty() && cell.trim_matches('-').is_empty())
    };
    let body = all.get(header + 2..).unwrap_or_default();
    let end = body
        .iter()
        .position(|row| is_rule(row))
        .map_or(body.len(), |rule| rule - 1);
    assert!(end > 0, "the table {first:?} is empty");
    body[..end].to_vec()
}

/// What is wrong with a command, if anything.
fn fault(command: &str, folder: &mut PathBuf) -> Result<(), String> {
    let words = shlex::split(command).ok_or("its quotes are never closed")?;
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .skip_while(|word| word.starts_with("PYTHONPATH="))
        .collect();
    let exists = |path: &Path| {
        path.exists()
            .then_some(())
            .ok_or_else(|| format!("there is no {}", path.display()))
    };
    let contains = |file: &str, text: &str| {
        read(file)
            .contains(text)
            .then_some(())
            .ok_or_else(|| format!("{file} has no {text}"))
    };
    match words.as_slice() {
        ["cargo", "run", "--", rest @ ..] | ["cargo", "run", "--release", "--", rest @ ..] => {
            llmzip::cli::parses(&rest.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        ["cargo", "fmt" | "clippy" | "test", ..] => Ok(()),
        ["cd", to] => {
            *folder = folder.join(to);
            exists(folder)
        }
        ["python3", script] => exists(&folder.join(script)),
        ["python3", script @ "ci/test.py", rest @ ..] => rest.iter().try_for_each(|word| {
            let wanted = if word.starts_with("--") {
                format!("add_argument(\"{word}\"")
            } else {
                format!("\"{word}\": ")
            };
            contains(script, &wanted)
        }),
        ["python3", script @ "ci/bench.py", command, options @ ..] => {
            contains(script, &format!("add_parser(\"{command}\""))?;
            if options.first().is_some_and(|word| !word.starts_with("--")) {
                return Err(format!("{script} {command} takes options only"));
            }
            // What stands between two options is the value of the first.
            options
                .iter()
                .filter(|option| option.starts_with("--"))
                .try_for_each(|option| contains(script, &format!("{command}.add_argument(\"{option}\"")))
        }
        ["python3", script @ "ci/prepare_emulation.py", cpu] => contains(script, &format!("\"{cpu}\": \"qemu-")),
        ["node", script, command, options @ ..] => {
            exists(&folder.join(script))?;
            contains("js-runner/src/node/cli.mjs", &format!("\n  llmzip {command}"))?;
            options
                .iter()
                .filter_map(|option| option.strip_prefix("--"))
                .try_for_each(|option| contains("js-runner/src/node/cli.mjs", &format!("  --{option}")))
        }
        ["cargo", "bench", "--bench", name] => contains("harness/Cargo.toml", &format!("[[bench]]\nname = \"{name}\"")),
        ["npm", "test"] => contains("js-runner/package.json", "\"test\": "),
        ["npm", "run", script] => contains("js-runner/package.json", &format!("\"{script}\": ")),
        ["npm", "ci"] => exists(&root().join("js-runner/package-lock.json")),
        [python, "-m", "llmzip", command, ..] if python.ends_with("python") => {
            contains("py-runner/src/llmzip/cli.py", &format!("add_parser(\"{command}\""))
        }
        [python, "-m", module, ..] if python.ends_with("python") => {
            contains("py-runner/pyproject.toml", &format!("\"{module}=="))
        }
        _ => Err("no rule knows it".to_owned()),
    }
}

#[test]
fn every_command_in_a_fence_is_one() {
    for name in ["README.md", "CONTRIBUTING.md", "EXACT.md", "QUANTIZE.md"] {
        let document = read(name);
        let mut folder = root();
        let commands = lines(&document, "sh");
        assert!(commands.len() > 1, "{name} has {} commands", commands.len());
        for command in commands {
            // A fence that goes into a folder is read on its own; every other command is one of the top folder.
            if command.starts_with("cargo") || command.starts_with("cd") {
                folder = root();
            }
            fault(&command, &mut folder).unwrap_or_else(|error| panic!("{name}: {command}: {error}"));
        }
    }
}

#[test]
fn every_command_in_a_sentence_is_one() {
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "EXACT.md",
        "QUANTIZE.md",
    ] {
        for span in spans(&read(name)) {
            let is_command = ["cargo run", "python3 ", "python -m", "node ", "npm "]
                .iter()
                .any(|start| span.starts_with(start));
            if is_command {
                fault(&span, &mut root()).unwrap_or_else(|error| panic!("{name}: {span}: {error}"));
            }
        }
    }
}

#[test]
fn every_command_in_a_message_is_one() {
    let mut found = 0;
    for path in sources(&root().join("harness").join("src")) {
        let source = fs::read_to_string(&path).unwrap();
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let name = path.display();
            assert!(
                !line.contains("`llmzip "),
                "{name}: this is no command of a clone: {line}"
            );
            for command in line.split('`').filter(|span| span.starts_with("cargo run")) {
                fault(command, &mut root()).unwrap_or_else(|error| panic!("{name}: {command}: {error}"));
                found += 1;
            }
        }
    }
    assert!(found > 5, "{found} commands");
}

#[test]
fn wrong_commands_are_told() {
    for command in [
        "cargo run -- confirm",
        "cargo run -- conform --no-such-option",
        "cargo run -- golden",
        "python3 ci/no-such-script.py",
        "python3 ci/test.py cobol",
        "python3 ci/test.py --sloppy",
        "python3 ci/test.py rust --sloppy",
        "python3 ci/bench.py overhead rubbish",
        "python3 ci/bench.py overhead --runs 2",
        "python3 ci/bench.py explode",
        "python3 ci/prepare_emulation.py z80",
        "node js-runner/bin/llmzip.mjs explode",
        "python -m llmzip explode",
        "python -m no_such_module",
        "npm run explode",
        "cd no-such-folder",
        "explode",
    ] {
        assert!(fault(command, &mut root()).is_err(), "{command}");
    }
}

#[test]
fn the_options_of_compress_are_those_of_readme() {
    let options = table(&read("README.md"), &["option", "what"]);
    for row in options {
        let option = row[0].trim_matches('`').replace(" N", " 1").replace(" E", " 1e-5");
        let command = format!("cargo run -- compress INPUT -o OUTPUT {option}");
        fault(&command, &mut root()).unwrap_or_else(|error| panic!("{command}: {error}"));
    }
}

/// Holds a table to the code's exit codes: in each row one number, and the error codes that it is for.
fn check_exit_codes(name: &str, table: &[Vec<String>], number: usize, codes: usize, but: &[ErrorCode]) {
    for code in ERROR_CODES {
        let quoted = format!("`{}`", code.name());
        let stated: Vec<&str> = table
            .iter()
            .filter(|row| row[codes].split(", ").any(|cell| cell == quoted))
            .map(|row| row[number].as_str())
            .collect();
        let expected = (!but.contains(&code)).then(|| code.exit_code().to_string());
        assert_eq!(stated, Vec::from_iter(expected.as_deref()), "{name}: {quoted}");
    }
}

#[test]
fn exit_codes_are_those_of_the_documents() {
    let readme = table(&read("README.md"), &["code", "meaning", "error codes"]);
    check_exit_codes("README.md", &readme, 0, 2, &[]);
    let mut known: Vec<u8> = ERROR_CODES.iter().map(|code| code.exit_code()).chain([0]).collect();
    known.sort_unstable();
    known.dedup();
    let stated: Vec<u8> = readme.iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(stated, known);

    let protocol = table(&read("PROTOCOL.md"), &["code", "meaning"]);
    // No runner answers it: it is what is said of one that broke.
    check_exit_codes("PROTOCOL.md", &protocol, 2, 0, &[ErrorCode::Runner]);
}

#[test]
fn every_error_code_is_in_the_list() {
    // The names in the source, so that a new one cannot be forgotten above.
    let source = read("harness/src/error.rs");
    let named = source.matches(" => \"").count();
    assert_eq!(ERROR_CODES.len(), named);
}

#[test]
fn paths_exist() {
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "EXACT.md",
        "QUANTIZE.md",
    ] {
        let document = read(name);
        // The mirrors have roots of their own; see below.
        let (before, after) = document
            .split_once("## The mirrored implementations")
            .unwrap_or((&document, ""));
        let after = after.split_once("\n\n").map_or("", |(_, rest)| rest);
        let rest = after.split_once("\n\nThe table of").map_or("", |(_, rest)| rest);
        for span in spans(before).into_iter().chain(spans(rest)) {
            let is_path = !span.contains([' ', '\\', '@']) && (span.contains('/') || span.ends_with(".md"));
            if is_path && !MADE.contains(&span.as_str()) {
                assert!(root().join(&span).exists(), "{name}: there is no {span}");
            }
        }
    }
}

#[test]
fn names_are_where_they_are_said_to_be() {
    let document = read("ARCHITECTURE.md");
    let mut found = 0;
    for line in lines(&document, "") {
        let parts: Vec<&str> = line.split('`').collect();
        for window in parts.windows(4).skip(1).step_by(2) {
            if let [name, " in ", path, _] = window {
                found += 1;
                assert!(read(path).contains(name), "{path} has no {name}");
            }
        }
    }
    assert!(found >= 3, "only {found} names were found");
}

#[test]
fn mirrored_files_exist() {
    let mirrors = table(&read("ARCHITECTURE.md"), &["FORMAT.md", "Rust", "Python", "JavaScript"]);
    let roots = ["harness/src", "py-runner/src/llmzip", "js-runner/src/core"];
    let snake = |path: &str| {
        Path::new(path)
            .with_extension("")
            .display()
            .to_string()
            .replace('-', "_")
    };
    for row in &mirrors {
        let files: Vec<&str> = row[1..].iter().map(|cell| cell.trim_matches('`')).collect();
        for (file, folder) in files.iter().zip(roots) {
            assert!(root().join(folder).join(file).is_file(), "there is no {folder}/{file}");
        }
        let names: Vec<String> = files
            .iter()
            .map(|file| snake(file.rsplit('/').next().unwrap()))
            .collect();
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    }
    // Every module of the Python codec has its mirrors in the table.
    for entry in fs::read_dir(root().join("py-runner/src/llmzip/codec")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".py") && name != "__init__.py" {
            assert!(
                mirrors.iter().any(|row| row[2] == format!("`codec/{name}`")),
                "{name} is not in the table"
            );
        }
    }
}

#[test]
fn dependencies_are_those_of_the_manifests() {
    let document = read("ARCHITECTURE.md");
    let cargo: toml::Table = read("harness/Cargo.toml").parse().unwrap();
    let in_cargo = |name: &str| {
        ["dependencies", "dev-dependencies"]
            .iter()
            .any(|kind| cargo[*kind].get(name).is_some())
    };
    let (python, javascript) = (read("py-runner/pyproject.toml"), read("js-runner/package.json"));
    let check = |language: &str, is_there: &dyn Fn(&str) -> bool| {
        for row in table(&document, &[language, "why"]) {
            for name in row[0].split('`').skip(1).step_by(2) {
                assert!(is_there(name), "{language} does not depend on {name}");
            }
        }
    };
    check("Rust", &in_cargo);
    check("Python", &|name| python.contains(&format!("\"{name}==")));
    check("JavaScript", &|name| javascript.contains(&format!("\"{name}\": \"")));
}

#[test]
fn sizes_and_hashes_are_those_of_the_manifest() {
    use llmzip::model::provenance::manifest::Manifest;

    let manifest = Manifest::read(&root().join("models/manifest.toml")).unwrap();
    let model = manifest
        .models
        .iter()
        .find(|model| model.name == "smollm2-135m-instruct")
        .unwrap();
    let rows = table(&read("README.md"), &["file", "bytes", "SHA-256"]);
    let path_of = |row: &Vec<String>| row[0].split(',').next().unwrap_or_default().to_owned();
    let said: Vec<String> = rows.iter().map(path_of).collect();
    for row in &rows {
        let path = path_of(row);
        let file = model
            .files
            .iter()
            .find(|file| file.path == path)
            .unwrap_or_else(|| panic!("{path}"));
        assert_eq!(row[1].replace(',', "").parse().ok(), file.bytes, "{path}");
        let is_said = match file.sha256 {
            Some(hash) => row[2]
                .strip_suffix("...")
                .is_some_and(|begin| begin.len() >= 8 && hash.to_string().starts_with(begin)),
            None => row[2] == "unknown",
        };
        assert!(is_said, "{path}: {}", row[2]);
        let is_default = model.default_variant().is_some_and(|variant| variant.file == path);
        assert_eq!(row[0].contains("the default"), is_default, "{path}");
    }
    // Every file of weights, so that none can be forgotten.
    let weights = |path: &&String| path.ends_with(".onnx") || path.ends_with(".safetensors");
    let all: Vec<&String> = model.files.iter().map(|file| &file.path).filter(weights).collect();
    for path in all.iter().copied() {
        assert!(said.contains(path), "README does not have {path}");
    }
    assert_eq!(said.len(), all.len());

    // No other document has a whole hash that the manifest does not.
    let known: Vec<String> = manifest
        .models
        .iter()
        .flat_map(|model| &model.files)
        .filter_map(|file| Some(file.sha256?.to_string()))
        .collect();
    let is_hash = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "EXACT.md",
        "QUANTIZE.md",
        "models/make/README.md",
    ] {
        let document = read(name);
        let words = document.split(|character: char| !character.is_ascii_alphanumeric());
        for hash in words.filter(is_hash) {
            assert!(known.iter().any(|known| known == hash), "{name}: no file has {hash}");
        }
    }
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// A file without the tests at its end; nothing where all of it is tests.
fn without_tests(path: &Path) -> String {
    let is_test = path
        .strip_prefix(root())
        .unwrap()
        .components()
        .any(|part| part.as_os_str().to_string_lossy().contains("test"));
    let source = if is_test { String::new() } else { read(path) };
    source
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The modules that a source file takes something from: `crate::NAME`, and names between the braces of `use crate::{...}`.
fn used_by(source: &str, modules: &[String]) -> Vec<String> {
    let plain = source.split("crate::").skip(1).map(|rest| {
        let end = if rest.starts_with('{') {
            rest.find('}')
        } else {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
        };
        &rest[..end.unwrap_or(rest.len())]
    });
    let names = plain.flat_map(|names| names.split(|c: char| !c.is_alphanumeric() && c != '_'));
    names
        .filter(|name| modules.iter().any(|module| module == name))
        .map(str::to_owned)
        .collect()
}

#[test]
fn modules_use_what_the_document_says() {
    let rows = table(&read("ARCHITECTURE.md"), &["module", "owns", "uses"]);
    let name = |row: &[String]| {
        Path::new(row[0].trim_matches('`'))
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    let modules: Vec<String> = rows.iter().map(|row| name(row)).collect();
    for (index, row) in rows.iter().enumerate() {
        let path = root().join(row[0].trim_matches('`'));
        let files = if path.is_dir() { sources(&path) } else { vec![path] };
        let mut found: Vec<String> = files
            .iter()
            .flat_map(|file| used_by(&without_tests(file), &modules))
            .collect();
        found.sort_by_key(|name| modules.iter().position(|module| module == name));
        found.dedup();
        found.retain(|used| *used != modules[index]);
        for used in &found {
            assert!(
                modules[..index].contains(used),
                "{} uses {used}, which stands below it",
                modules[index]
            );
        }
        if row[2] != "all" {
            let said: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
            let found: Vec<&str> = found
                .iter()
                .map(String::as_str)
                .filter(|used| *used != "error")
                .collect();
            assert_eq!(found, said, "{}", modules[index]);
        }
    }
}

#[test]
fn modules_do_not_touch_what_they_must_not() {
    for (module, absent) in [
        ("codec", ["std::fs", "std::process"].as_slice()),
        ("container", &["std::fs", "std::process"]),
        ("compressor", &["std::fs", "std::process"]),
        ("conform", &["std::process"]),
        ("compare", &["std::process", "runner::process", "runner::Runner"]),
        ("report", &["std::fs", "std::process"]),
    ] {
        for file in sources(&root().join("harness/src").join(module)) {
            let source = without_tests(&file);
            for name in absent {
                assert!(!source.contains(name), "{} uses {name}", file.display());
            }
        }
    }
}

#[test]
fn the_ops_of_exact_graphs_are_those_of_the_document() {
    let document = read("EXACT.md");
    let (_, list) = document.split_once("### The ops\n").unwrap();
    let (list, _) = list.split_once(';').unwrap();
    let said: Vec<&str> = list.split(',').map(str::trim).collect();
    assert_eq!(said, llmzip::model::exactness::EXACT_OPS);
}

/// A link may point to where it only lies on one machine, and what git puts in the place of an ignored folder replaces it.
#[test]
fn no_link_is_committed() {
    let Ok(listed) = std::process::Command::new("git")
        .args(["ls-files", "--stage"])
        .current_dir(root())
        .output()
    else {
        return;
    };
    let listed = String::from_utf8(listed.stdout).unwrap();
    let links: Vec<&str> = listed.lines().filter(|line| line.starts_with("120000")).collect();
    assert!(links.is_empty(), "{links:?}");
}
