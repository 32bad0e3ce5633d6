//! Does something so often: `count NAME TIMES`; without arguments it prints the names. `benches/instructions` runs it in callgrind,
//! which counts in [`counted`] alone.

use siot_internals::{ALL, Workload, find};

/// How often it is done before: what is made once is made then.
const WARM: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => ALL.iter().for_each(|(name, _)| println!("{name}")),
        [name, times] => {
            let mut workload = find(name).expect("the name of a workload");
            repeat(&mut workload, WARM);
            counted(&mut workload, times.parse().expect("a number"));
        }
        _ => panic!("usage: count [NAME TIMES]"),
    }
}

#[inline(never)]
fn counted(workload: &mut Workload, times: usize) {
    repeat(workload, times);
}

fn repeat(workload: &mut Workload, times: usize) {
    for _ in 0..times {
        workload();
    }
}
