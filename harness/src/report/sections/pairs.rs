//! Owns the table of pairs: who was held against whom, how far apart they are, and where.

use super::{Section, Tone, class_name, difference, header, plain, toned};
use crate::compare::classes::PairVerdict;
use crate::compare::stats::Divergence;
use crate::report::{PairEntry, Report};

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
        for text in reason(pair).iter().chain(&pair.notes) {
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

/// Why a pair diverged, and where; nothing for one that did not.
pub fn reason(pair: &PairEntry) -> Option<String> {
    if pair.verdict != PairVerdict::Diverged {
        return None;
    }
    let stats = &pair.stats;
    let mut words = match &stats.first_divergence {
        Some(Divergence { place, left, right }) => format!(
            "first differs at position {}, token {} ({left:e} and {right:e})",
            place.position, place.token
        ),
        None => format!(
            "all logits have the same bits, the log-probs of coded tokens differ by up to {}",
            difference(stats.coded_max_abs)
        ),
    };
    if let Some(worst) = stats.worst {
        words += &format!(", most at position {}, token {}", worst.position, worst.token);
    }
    let (left, right) = (stats.left_not_finite, stats.right_not_finite);
    words += &format!("; {left} and {right} values are not finite");
    words += &match left + right {
        0 => format!(
            "; smallest tolerance that passes: {}",
            difference(stats.smallest_tolerance)
        ),
        _ => "; no tolerance passes".to_owned(),
    };
    Some(words)
}
