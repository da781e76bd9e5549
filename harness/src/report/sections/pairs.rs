//! Owns the table of pairs: who was held against whom, how far apart they are, and where.

use super::{Section, Tone, class_name, difference, header, plain, toned};
use crate::compare::classes::PairVerdict;
use crate::report::Report;

pub fn pairs(report: &Report) -> Section {
    let rows = report.pairs.iter().map(|pair| {
        let (verdict, tone) = match pair.verdict {
            PairVerdict::BitExact => ("bit-exact", Tone::Good),
            PairVerdict::Within if pair.notes.is_empty() => ("within", Tone::Good),
            PairVerdict::Within => ("within", Tone::Fair),
            PairVerdict::Diverged => ("DIVERGED", Tone::Bad),
        };
        vec![
            plain(&pair.model),
            plain(format!("{} ~ {}", pair.left, pair.right)),
            plain(&pair.plan),
            plain(class_name(pair.class)),
            plain(difference(pair.stats.max_abs)),
            plain(difference(pair.stats.coded_max_abs)),
            plain(difference(pair.tolerance)),
            toned(verdict, tone),
        ]
    });
    let mut remarks = Vec::new();
    for pair in &report.pairs {
        let place = match (pair.verdict, pair.stats.first_divergence, pair.stats.worst) {
            (PairVerdict::Diverged, Some(first), worst) => Some(format!(
                "first differs at position {}, token {} ({:e} and {:e}){}; {} and {} values are not finite; smallest tolerance that passes: {}",
                first.place.position,
                first.place.token,
                first.left,
                first.right,
                worst.map_or_else(String::new, |w| format!(
                    ", most at position {}, token {}",
                    w.position, w.token
                )),
                pair.stats.left_not_finite,
                pair.stats.right_not_finite,
                difference(pair.stats.smallest_tolerance),
            )),
            _ => None,
        };
        for text in place.iter().chain(&pair.notes) {
            remarks.push(format!(
                "{} {} ~ {} ({}): {text}",
                pair.model, pair.left, pair.right, pair.plan
            ));
        }
    }
    Section {
        title: "Pairs: largest difference of a log-prob, in nats",
        header: header(&[
            "model",
            "pair",
            "plan",
            "class",
            "vocabulary",
            "coded",
            "allowed",
            "verdict",
        ]),
        rows: rows.collect(),
        remarks,
    }
}
