//! What each workload takes in time: `cd benches/internals && cargo bench --features time [-- NAME]`.

use criterion::{Criterion, criterion_group, criterion_main};
use siot_internals::ALL;

fn all(criterion: &mut Criterion) {
    for (name, make) in ALL {
        criterion.bench_function(name, |bencher| bencher.iter(make()));
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
