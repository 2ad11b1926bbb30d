//! Which hash a partition uses by default: what each costs on a number and on
//! a word, with a fixed seed, spread over eight partitions.
//!
//! ```sh
//! cargo bench -p benches --bench hash
//! ```
#![allow(
    missing_docs,
    reason = "criterion's macro makes a function without any"
)]

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

const KEYS: u64 = 500;
const PARTITIONS: u128 = 8;

fn compare<K: Hash>(group: &mut BenchmarkGroup<'_, WallTime>, keys: &[K]) {
    group.throughput(Throughput::Elements(KEYS));
    let seed = black_box(42);
    measure(
        group,
        "foldhash-quality",
        keys,
        &foldhash::quality::FixedState::with_seed(seed),
    );
    measure(
        group,
        "foldhash-fast",
        keys,
        &foldhash::fast::FixedState::with_seed(seed),
    );
    measure(
        group,
        "rapidhash-quality",
        keys,
        &rapidhash::quality::SeedableState::fixed(),
    );
    measure(
        group,
        "xxh3",
        keys,
        &xxhash_rust::xxh3::Xxh3Builder::new().with_seed(seed),
    );
    measure(
        group,
        "siphash",
        keys,
        &BuildHasherDefault::<DefaultHasher>::default(),
    );
}

fn measure<K: Hash>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    keys: &[K],
    hash: &impl BuildHasher,
) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut counts = [0_u32; PARTITIONS as usize];
            for key in black_box(keys) {
                let partition = (u128::from(hash.hash_one(key)) * PARTITIONS) >> u64::BITS;
                counts[partition as usize] += 1;
            }
            counts
        });
    });
}

fn numbers(criterion: &mut Criterion) {
    let keys: Vec<u64> = (0..KEYS).collect();
    compare(&mut criterion.benchmark_group("hash_u64"), &keys);
}

fn words(criterion: &mut Criterion) {
    let keys: Vec<String> = (0..KEYS).map(|key| format!("customer-{key}")).collect();
    compare(&mut criterion.benchmark_group("hash_word"), &keys);
}

criterion_group!(hash, numbers, words);
criterion_main!(hash);
