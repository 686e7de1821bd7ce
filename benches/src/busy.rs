//! Busy loops beside what is measured.
use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// Has so many threads want a core each for this long.
pub fn beside(loops: usize, span: Duration) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..loops {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    black_box(&over);
                }
            });
        }
        thread::sleep(span); // waits: for what only time brings
        over.store(true, Ordering::Relaxed);
    });
}
