//! Memory for what comes bit by bit.

/// Makes room for `now` bytes more, of which `left` are to come in all. The memory doubles as more comes, but
/// is no larger in the end than what has come: it is not taken because it was announced, and nothing
/// of it has to be given back.
pub(super) fn grow(content: &mut Vec<u8>, now: usize, left: usize) {
    if content.capacity() - content.len() < now {
        content.reserve_exact(content.len().max(now).min(left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_doubles_up_to_what_comes() {
        let (mut content, mut steps) = (Vec::new(), Vec::new());
        let total = 100_000;
        while content.len() < total {
            let now = 4096.min(total - content.len());
            let left = total - content.len();
            grow(&mut content, now, left);
            assert!(content.capacity() <= total.min(2 * (content.len() + now)));
            if steps.last() != Some(&content.capacity()) {
                steps.push(content.capacity());
            }
            let end = content.len() + now;
            content.resize(end, 0);
        }
        assert_eq!(content.capacity(), total);
        assert_eq!(steps, [4096, 8192, 16_384, 32_768, 65_536, total]);
    }

    #[test]
    fn what_is_only_announced_takes_nothing() {
        let mut content = Vec::new();
        grow(&mut content, 1, usize::MAX);
        assert_eq!(content.capacity(), 1);
        content.push(7);
        grow(&mut content, 1, usize::MAX);
        assert_eq!(content.capacity(), 2);
    }
}
