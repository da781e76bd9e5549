use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_file_appears_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut file = OutputFile::create(&path, false).unwrap();
    file.write_all(b"xxcd").unwrap();
    assert!(!path.exists());
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(b"ab").unwrap();
    file.commit().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"abcd");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn a_file_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = OutputFile::create(&folder.path().join("out"), true).unwrap();
    file.write_all(b"half").unwrap();
    drop(file);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn what_is_there_is_replaced_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut late = OutputFile::create(&path, false).unwrap();
    late.write_all(b"late").unwrap();
    std::fs::write(&path, "old").unwrap();
    assert_eq!(OutputFile::create(&path, false).unwrap_err().code, ErrorCode::Usage);
    assert_eq!(late.commit().unwrap_err().code, ErrorCode::Usage);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    let mut file = OutputFile::create(&path, true).unwrap();
    file.write_all(b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    file.commit().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn where_nothing_can_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |path: &Path, code: ErrorCode| {
        let error = OutputFile::create(path, true).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(&path.display().to_string()), "{error}");
    };
    check(folder.path(), ErrorCode::Usage);
    check(&folder.path().join("none").join("out"), ErrorCode::Io);
}

#[cfg(unix)]
#[test]
fn what_a_runner_wrote_neither_blocks_nor_is_endless() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("file"), b"abc").unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("endless")).unwrap();
    std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    let code = |name: &str, length| open_written_of(&at(name), length).map(drop).map_err(|error| error.code);
    assert_eq!(code("file", 3), Ok(()));
    for (name, length) in [
        ("file", 4),
        ("endless", 0),
        ("link", 3),
        ("pipe", 0),
        (".", 0),
        ("none", 0),
    ] {
        assert_eq!(code(name, length), Err(ErrorCode::Runner), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn links_and_devices_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    std::fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut file = OutputFile::create(&link, true).unwrap();
    file.write_all(b"new").unwrap();
    file.commit().unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read(&target).unwrap(), b"new");
    // Also over several links, to what is not there yet.
    let (second, new) = (folder.path().join("second"), folder.path().join("new"));
    std::os::unix::fs::symlink("new", &second).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("second", &link).unwrap();
    let mut file = OutputFile::create(&link, false).unwrap();
    file.write_all(b"new").unwrap();
    file.commit().unwrap();
    assert!(link.is_symlink() && second.is_symlink() && !new.is_symlink());
    assert_eq!(std::fs::read(&new).unwrap(), b"new");
    let mut null = OutputFile::create(Path::new("/dev/null"), false).unwrap();
    null.write_all(b"gone").unwrap();
    null.commit().unwrap();
    assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
}
