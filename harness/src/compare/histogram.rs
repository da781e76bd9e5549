//! Owns a quantile of very many differences in a fixed amount of memory.

/// Bits of the binary64 that name a bucket: the exponent and the first mantissa bits, so that a bucket is 0.4 % wide.
const BUCKET_SHIFT: u32 = 44;

/// Counts non-negative finite numbers in buckets of equal relative width.
#[derive(Clone, Debug)]
pub struct Histogram {
    zeros: u64,
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            zeros: 0,
            counts: vec![0; 1 << (63 - BUCKET_SHIFT)],
            total: 0,
        }
    }
}

impl Histogram {
    /// Counts one number; what is not finite is not counted.
    pub fn add(&mut self, value: f64) {
        if value == 0.0 {
            self.zeros += 1;
        } else if value.is_finite() {
            self.counts[(value.abs().to_bits() >> BUCKET_SHIFT) as usize] += 1;
        } else {
            return;
        }
        self.total += 1;
    }

    /// Counts `times` zeros at once.
    pub fn add_zeros(&mut self, times: u64) {
        self.zeros += times;
        self.total += times;
    }

    /// The smallest bucket bound that at least `fraction` of the numbers do not exceed; 0 when there are none.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts stay below 2^53"
        )]
        let wanted = (self.total as f64 * fraction).ceil() as u64;
        let mut seen = self.zeros;
        if seen >= wanted {
            return 0.0;
        }
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return f64::from_bits((bucket as u64 + 1) << BUCKET_SHIFT);
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_half_a_percent_above() {
        let mut histogram = Histogram::default();
        for i in 1..=1000_u32 {
            histogram.add(f64::from(i) * 1e-6);
        }
        for (fraction, exact) in [(0.5, 500e-6), (0.9, 900e-6), (0.999, 999e-6), (1.0, 1000e-6)] {
            let found = histogram.quantile(fraction);
            assert!(
                found >= exact && found <= exact * 1.005,
                "{fraction}: {found} for {exact}"
            );
        }
    }

    #[test]
    fn zeros_count() {
        let mut histogram = Histogram::default();
        histogram.add_zeros(999);
        histogram.add(1.0);
        assert_eq!(histogram.quantile(0.999), 0.0);
        assert!(histogram.quantile(1.0) >= 1.0);
        assert_eq!(Histogram::default().quantile(0.999), 0.0);
    }
}
