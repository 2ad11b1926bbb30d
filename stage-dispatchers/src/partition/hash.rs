//! The stable hash, which sends a key to the same partition in every run.

use std::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;

/// An arbitrary constant. Changing it would move keys to other partitions.
const SEED: u64 = 0x5354_4147_4553;

/// Returns the partition of `key`, less than `partitions`.
///
/// The high bits of the hash select the partition; therefore this uses the
/// quality variant of foldhash, which mixes all bits.
pub(super) fn stable<Q: Hash>(key: &Q, partitions: usize) -> usize {
    let hash = FixedState::with_seed(SEED).hash_one(key);
    ((u128::from(hash) * partitions as u128) >> u64::BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::stable;

    #[test]
    #[cfg(all(target_endian = "little", target_pointer_width = "64"))]
    fn an_upgrade_moves_no_key() {
        let numbers: Vec<usize> = (0_u64..24).map(|key| stable(&key, 8)).collect();
        assert_eq!(
            numbers,
            [
                7, 3, 0, 6, 4, 1, 6, 0, 6, 5, 7, 3, 5, 1, 3, 4, 3, 2, 3, 0, 4, 5, 7, 0
            ]
        );

        let words = [
            "",
            "a",
            "order",
            "customer-17",
            "a key longer than sixteen bytes",
        ];
        let partitions: Vec<usize> = words.iter().map(|key| stable(key, 1000)).collect();
        assert_eq!(partitions, [445, 160, 522, 83, 672]);

        assert_eq!(stable(&(7_u32, "eu"), 1000), 629);
    }

    #[test]
    fn keys_spread_over_all_partitions() {
        for partitions in [1, 2, 3, 7, 64] {
            let mut counts = vec![0_usize; partitions];
            for key in 0..10_000_u64 {
                counts[stable(&key, partitions)] += 1;
            }
            let even = 10_000 / partitions;
            assert!(
                counts
                    .iter()
                    .all(|count| count.abs_diff(even) < 60 + even / 10),
                "{counts:?}"
            );
        }
    }
}
