//! Who is given the token, and when the cache of the hub's programs is used.

use std::path::PathBuf;

use crate::clone::{Clone, GRAPH, begin, right, serve};
use crate::support::cli::{Ended, finish, names};
use crate::support::server::{Server, Step};

/// A fetch from what `HF_ENDPOINT` names, with a token.
fn fetch_from_hub(clone: &Clone, endpoint: &str) -> Ended {
    let mut command = clone.command(&["fetch", "small", "--backoff", "0.001", "--retries", "1"]);
    command.env("HF_ENDPOINT", endpoint).env("HF_TOKEN", "hf_secret");
    let ended = finish(command, b"");
    let told = format!("{}{}", ended.stderr, String::from_utf8_lossy(&ended.stdout));
    assert!(!told.contains("hf_secret"), "{told}");
    ended
}

#[test]
fn the_token_goes_to_the_endpoint_and_to_nobody_else() {
    let token = |server: &Server| -> Vec<Option<String>> {
        let seen = server.seen();
        seen.iter()
            .map(|seen| seen.header("Authorization").map(str::to_owned))
            .collect()
    };
    let bearer = || Some("Bearer hf_secret".to_owned());

    let (clone, elsewhere) = (Clone::of_known(), serve(&[Step::Honest]));
    let hub = serve(&[Step::Redirect(format!("{}/cdn/{GRAPH}", elsewhere.other_url()))]);
    fetch_from_hub(&clone, &hub.url()).check(0, "");
    assert!(clone.is_there());
    assert_eq!(
        hub.seen()[0].path,
        format!("/owner/name/resolve/0123456789abcdef/{GRAPH}")
    );
    assert_eq!((token(&hub), token(&elsewhere)), (vec![bearer()], vec![None]));

    // Another port of the same machine is another server too.
    let (clone, elsewhere) = (Clone::of_known(), serve(&[Step::Honest]));
    let hub = serve(&[Step::Redirect(format!("{}/cdn/{GRAPH}", elsewhere.url()))]);
    fetch_from_hub(&clone, &hub.url()).check(0, "");
    assert_eq!((token(&hub), token(&elsewhere)), (vec![bearer()], vec![None]));

    // Within the hub it is kept, and it comes back with no detour.
    let clone = Clone::of_known();
    let hub = serve(&[Step::Redirect(format!("/moved/{GRAPH}")), Step::Honest]);
    fetch_from_hub(&clone, &hub.url()).check(0, "");
    assert_eq!(token(&hub), [bearer(), bearer()]);

    // A mirror is not the hub, and neither is told who is where in messages.
    let (clone, mirror) = (Clone::of_known(), serve(&[Step::Status(403, "")]));
    let mut command = clone.command(&["fetch", "small", "--mirror", &mirror.url()]);
    command.env("HF_TOKEN", "hf_secret").env("HF_ENDPOINT", mirror.url());
    finish(command, b"").check(3, "the server answers 403");
    assert_eq!(token(&mirror), [None]);
}

#[test]
fn a_token_that_is_none_is_refused_and_not_shown() {
    let clone = Clone::of_known();
    let mut command = clone.command(&["fetch", "small"]);
    command.env("HF_TOKEN", "secret\u{7f}");
    let ended = finish(command, b"");
    ended.check(2, "error[usage]: HF_TOKEN holds no token");
    assert!(!ended.stderr.contains("secret"));
}

/// The folder where the hub's programs keep the model's snapshot.
fn snapshot(clone: &Clone) -> PathBuf {
    let models = clone.folder.path().join("home/hub/models--owner--name");
    let folder = models.join("snapshots/0123456789abcdef/onnx");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_hub_s_cache_is_used_when_it_is_right() {
    let offline = |clone: &Clone| {
        let mut command = clone.command(&["fetch", "small"]);
        command.env("HF_HUB_OFFLINE", "1");
        finish(command, b"")
    };
    let clone = Clone::of_known();
    offline(&clone).check(3, "HF_HUB_OFFLINE forbids");
    // As the hub's programs lay it out: a link to a blob.
    let folder = snapshot(&clone);
    let cached = folder.join("model_q4f16.onnx");
    #[cfg(unix)]
    {
        let blob = folder.join("../../../blobs/0123");
        std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
        std::fs::write(&blob, right()).unwrap();
        std::os::unix::fs::symlink("../../../blobs/0123", &cached).unwrap();
    }
    #[cfg(not(unix))]
    std::fs::write(&cached, right()).unwrap();
    begin(&clone);
    offline(&clone).check(0, "taken from the hub's cache");
    assert!(clone.is_there());
    assert!(!clone.graph().is_symlink(), "the cache may go");
    assert_eq!(names(clone.graph().parent().unwrap()), ["model_q4f16.onnx"]);

    let clone = Clone::of_known();
    std::fs::write(snapshot(&clone).join("model_q4f16.onnx"), vec![7; right().len()]).unwrap();
    offline(&clone).check(3, "not taken from the hub's cache");
    assert!(!clone.is_there());
    let server = serve(&[Step::Honest]);
    clone.fetch_from(&server, &[]).check(0, "fetched");
    assert!(clone.is_there());
}
