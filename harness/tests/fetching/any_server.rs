//! Whatever a server does in whatever order, and however often it is tried: no wrong file is under the right name.

use llmzip::models::fetch::{FetchOptions, fetch};
use llmzip::models::hub::Hub;
use llmzip::models::{Observer, Patience, Selection};
use proptest::prelude::*;

use crate::clone::{Clone, serve};
use crate::support::server::Step;

struct Silent;

impl Observer for Silent {
    fn begins(&self, _: &str, _: Option<u64>) {}
    fn reached(&self, _: u64) {}
    fn ended(&self) {}
    fn says(&self, _: &str) {}
}

/// Everything but what stalls.
fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Honest),
        Just(Step::IgnoresRange),
        (0..400_000_usize).prop_map(Step::DropsAfter),
        (0..400_000_usize).prop_map(Step::WholeDropsAfter),
        Just(Step::Closes),
        Just(Step::Garbage),
        (-1000..1000_i64).prop_map(Step::Lies),
        Just(Step::Chunked),
        (0..3_usize).prop_map(Step::Unframed),
        Just(Step::Wrong),
        (0..500_000_usize).prop_map(Step::WrongLength),
        Just(Step::Version("\"new\"")),
        Just(Step::VersionForced("\"new\"")),
        Just(Step::WrongPart),
        Just(Step::PartWithoutRange),
        Just(Step::Page),
        prop::sample::select(vec![204, 206, 304, 400, 401, 404, 416, 429, 500, 503])
            .prop_map(|status| Step::Status(status, "")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn leaves_no_wrong_file(steps in prop::collection::vec(step(), 1..8)) {
        let (clone, server) = (Clone::of_known(), serve(&steps));
        let options = FetchOptions {
            selection: Selection::default(),
            accept_unknown: false,
            mirror: Some(server.url()),
            hub: Hub::of(&|_| None, None).unwrap(),
            patience: Patience { retries: 3, backoff: std::time::Duration::from_micros(1), ..Patience::default() },
        };
        let manifest = clone.folder.path().join("models/manifest.toml");
        for _ in 0..3 {
            let is_fetched = fetch(&manifest, "small", &options, &Silent).is_ok();
            prop_assert_eq!(clone.is_there(), is_fetched);
            if is_fetched {
                break;
            }
        }
        // What the faults left does not stand in the way of an honest server.
        let honest = serve(&[Step::Honest]);
        let options = FetchOptions { mirror: Some(honest.url()), ..options };
        let fetched = fetch(&manifest, "small", &options, &Silent);
        prop_assert!(fetched.is_ok(), "{:?}", fetched);
        prop_assert!(clone.is_there());
    }
}
