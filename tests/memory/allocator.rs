//! An allocator that counts what is in use, but for the threads of the server.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::server::serves;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, watched.
pub(crate) struct Counting;

/// The bytes in use.
pub(crate) fn live() -> usize {
    LIVE.load(Ordering::SeqCst)
}

/// The most bytes in use since the last [`reset_peak`].
pub(crate) fn peak() -> usize {
    PEAK.load(Ordering::SeqCst)
}

/// Forgets the past.
pub(crate) fn reset_peak() {
    PEAK.store(live(), Ordering::SeqCst);
}

fn grown(bytes: usize) {
    if !serves() {
        PEAK.fetch_max(LIVE.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
    }
}

fn shrunk(bytes: usize) {
    if !serves() {
        LIVE.fetch_sub(bytes, Ordering::SeqCst);
    }
}

// SAFETY: everything is done by the system's allocator; this only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        shrunk(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // As if it moved: while it does, both are in use.
        grown(size);
        // SAFETY: the caller's promise.
        let moved = unsafe { System.realloc(block, layout, size) };
        shrunk(layout.size());
        moved
    }
}
