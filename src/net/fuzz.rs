//! What has to hold of what a server says before the protocol begins.

#[cfg(feature = "polling")]
use super::answer::Beginning;
use super::answer::HeadReader;

/// How an answer comes in pieces changes nothing.
pub(crate) fn check_head(answer: &[u8], piece: usize) {
    let whole = read(answer.chunks(answer.len().max(1)));
    let in_pieces = read(answer.chunks(piece));
    assert_eq!(in_pieces, whole);
    #[cfg(feature = "polling")]
    if let Beginning::Interim(length) = Beginning::of(answer) {
        assert!(length <= answer.len());
    }
}

/// The status, and how many headers there are; an error as nothing.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<(u16, usize)> {
    let mut reader = HeadReader::default();
    for piece in pieces {
        if let Some(head) = reader.take_in(piece).ok()? {
            return Some((head.status, head.headers.len()));
        }
    }
    None
}
