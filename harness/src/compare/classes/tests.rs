use super::*;

fn fingerprint(version: &str, features: &[&str]) -> Fingerprint {
    Fingerprint {
        runtime: Some("onnxruntime".into()),
        runtime_version: Some(version.into()),
        arch: Some("x64".into()),
        cpu_features: features.iter().map(ToString::to_string).collect(),
        ..Fingerprint::default()
    }
}

fn check(left: &Fingerprint, right: &Fingerprint, class: PairClass) {
    assert_eq!(PairClass::between(left, right), class);
    assert_eq!(PairClass::between(right, left), class);
}

#[test]
fn classes_follow_from_fingerprints() {
    let base = fingerprint("1.30.0", &["avx2"]);
    check(&base, &base, PairClass::SameBuild);
    check(&base, &fingerprint("1.30.0", &[]), PairClass::SameBuild);
    check(
        &fingerprint("1.30.0", &["fma", "avx2"]),
        &fingerprint("1.30.0", &["avx2", "fma"]),
        PairClass::SameBuild,
    );
    check(&base, &fingerprint("1.30.0", &["sse4"]), PairClass::OtherCpu);
    check(&base, &fingerprint("1.32.0", &["avx2"]), PairClass::OtherVersion);
    check(
        &base,
        &Fingerprint {
            arch: Some("arm64".into()),
            ..base.clone()
        },
        PairClass::OtherCpu,
    );
    let web = |provider: &str| Fingerprint {
        runtime: Some("onnxruntime-web".into()),
        arch: Some("wasm".into()),
        provider: Some(provider.into()),
        ..fingerprint("1.31.0", &[])
    };
    check(&base, &web("cpu"), PairClass::NativeWasm);
    check(&base, &web("webgpu"), PairClass::Webgpu);
    check(&web("cpu"), &web("webgpu"), PairClass::Webgpu);
    check(&web("cpu"), &web("cpu"), PairClass::SameBuild);
    let newer = Fingerprint {
        runtime_version: Some("1.32.0".into()),
        ..web("cpu")
    };
    check(&web("cpu"), &newer, PairClass::OtherVersion);
}

fn verdict(stats: PairStats) -> PairVerdict {
    Classes::built_in()
        .unwrap()
        .judge(PairClass::SameBuild, Activations::Float32, &stats)
}

#[test]
fn a_tolerance_is_inclusive_and_nothing_excuses_a_nan() {
    let at = |tolerance: f64| PairStats {
        smallest_tolerance: tolerance,
        ..PairStats::default()
    };
    assert_eq!(verdict(at(1e-5)), PairVerdict::Within);
    assert_eq!(verdict(at(1.01e-5)), PairVerdict::Diverged);
    assert_eq!(
        verdict(PairStats {
            bit_exact: true,
            ..at(0.0)
        }),
        PairVerdict::BitExact
    );
    let nan = PairStats {
        bit_exact: true,
        left_not_finite: 1,
        right_not_finite: 1,
        ..at(0.0)
    };
    assert_eq!(verdict(nan), PairVerdict::Diverged);
}

#[test]
fn an_exact_graph_has_the_same_bits_or_diverges() {
    let check = |bit_exact: bool, tolerance: f64, expected: PairVerdict| {
        let stats = PairStats {
            bit_exact,
            smallest_tolerance: tolerance,
            ..PairStats::default()
        };
        let verdict = Classes::built_in()
            .unwrap()
            .judge(PairClass::Exact, Activations::Exact, &stats);
        assert_eq!(verdict, expected, "{stats:?}");
    };
    check(true, 0.0, PairVerdict::BitExact);
    check(true, 1e-13, PairVerdict::BitExact);
    check(true, 1e-9, PairVerdict::Diverged);
    check(false, 0.0, PairVerdict::Diverged);
    let (here, there) = (fingerprint("1.30.0", &["avx2"]), fingerprint("1.24.0", &[]));
    assert_eq!(PairClass::of(Activations::Exact, &here, &there), PairClass::Exact);
    assert_eq!(
        PairClass::of(Activations::Float32, &here, &there),
        PairClass::OtherVersion
    );
}

#[test]
fn coded_log_probs_are_judged_by_the_same_tolerance() {
    let check = |stats: CodedStats, expected: PairVerdict| {
        let classes = Classes::built_in().unwrap();
        let verdict = classes.judge_coded(PairClass::SameBuild, Activations::Float32, &stats);
        assert_eq!(verdict, expected, "{stats:?}");
    };
    let same = CodedStats {
        positions: 2,
        identical: 2,
        ..CodedStats::default()
    };
    check(same, PairVerdict::BitExact);
    let off = |max_abs| CodedStats {
        identical: 1,
        max_abs,
        ..same
    };
    check(off(1e-5), PairVerdict::Within);
    check(off(1.01e-5), PairVerdict::Diverged);
    let nan = CodedStats {
        right_not_finite: 1,
        ..same
    };
    check(nan, PairVerdict::Diverged);
}

#[test]
fn a_class_that_is_missing_or_doubled_is_refused() {
    let text = include_str!("../classes.toml");
    for broken in [
        text.replace("other-cpu", "other-plan"),
        text.replace("\"same-build\"", "\"nonsense\""),
        text.replace("\nexact = ", "\nfloat16 = "),
    ] {
        assert_eq!(Classes::parse(&broken).unwrap_err().code, ErrorCode::Internal);
    }
}

#[test]
fn a_limit_lies_above_what_was_measured_but_not_far_above() {
    let classes = Classes::built_in().unwrap();
    for name in PairClass::ALL {
        for activations in [Activations::Float16, Activations::Float32, Activations::Exact] {
            let (limit, measured) = (
                classes.tolerance(name, activations),
                classes.measured(name, activations),
            );
            assert!(
                measured <= limit,
                "{name:?}, {activations:?}: {measured} was seen, {limit} is allowed"
            );
            if !classes.expects_bit_exact(name) && name != PairClass::Exact {
                assert!(
                    limit <= 10.0 * measured,
                    "{name:?}, {activations:?}: {limit} is allowed where no more than {measured} was seen"
                );
            }
        }
    }
}

#[test]
fn the_default_eps_of_float32_variants_covers_what_other_machines_may_differ_by() {
    let classes = Classes::built_in().unwrap();
    let manifest: toml::Table = include_str!("../../../../models/manifest.toml").parse().unwrap();
    let models = manifest["model"].as_array().unwrap();
    let variants = models.iter().flat_map(|model| model["variant"].as_array().unwrap());
    let float32: Vec<_> = variants
        .filter(|variant| variant["activation"].as_str() == Some("float32"))
        .collect();
    assert_eq!(float32.len(), 2, "q4 of each model");
    for variant in float32 {
        let eps: f64 = variant["eps"].as_str().unwrap().parse().unwrap();
        for name in [PairClass::OtherCpu, PairClass::NativeWasm, PairClass::OtherVersion] {
            let limit = classes.tolerance(name, Activations::Float32);
            assert!(eps >= limit, "a container of eps {eps}, where {name:?} allows {limit}");
        }
    }
}
