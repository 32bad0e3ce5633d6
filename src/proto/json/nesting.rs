//! The open arrays and objects of a scan, at one bit each.

/// A stack of bits.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    // The innermost levels: the lowest bit is the last.
    word: u64,
    // The levels outside those in `word`, 64 in each.
    full: Vec<u64>,
    depth: usize,
    deepest: usize,
}

impl Nesting {
    /// How many levels are open.
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The most levels that were ever open.
    pub(super) fn deepest(&self) -> usize {
        self.deepest
    }

    /// Whether the innermost level is an object; false where none is open.
    #[inline]
    pub(super) fn in_object(&self) -> bool {
        self.word & 1 == 1
    }

    /// Opens an object or an array.
    #[inline]
    pub(super) fn push(&mut self, object: bool) {
        if self.depth % 64 == 0 && self.depth > 0 {
            self.full.push(self.word);
        }
        self.word = self.word << 1 | u64::from(object);
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    /// Closes the innermost level.
    #[inline]
    pub(super) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.word >>= 1;
        if self.depth % 64 == 0 {
            self.word = self.full.pop().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_stack(steps in proptest::collection::vec((0..5_u8, any::<bool>()), 0..600)) {
            let mut nesting = Nesting::default();
            let mut model = Vec::new();
            let mut deepest = 0;
            for (step, object) in steps {
                if step > 0 {
                    nesting.push(object);
                    model.push(object);
                } else if model.pop().is_some() {
                    nesting.pop();
                }
                deepest = deepest.max(model.len());
                prop_assert_eq!(nesting.depth(), model.len());
                prop_assert_eq!(nesting.deepest(), deepest);
                prop_assert_eq!(nesting.in_object(), model.last().copied().unwrap_or(false));
            }
            while model.pop().is_some() {
                nesting.pop();
                prop_assert_eq!(nesting.in_object(), model.last().copied().unwrap_or(false));
            }
        }
    }
}
