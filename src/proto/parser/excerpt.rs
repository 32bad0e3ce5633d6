//! What a log needs to know of a packet.

use crate::proto::socket_packet::Kind;

/// The most bytes of data that are kept for it: more than a snippet shows.
pub(super) const DATA: usize = 100;

/// The parts of a packet, as they were written.
#[derive(Debug)]
pub(super) struct Excerpt {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) id: Option<u64>,
    /// How many attachments follow.
    pub(super) attachments: usize,
    /// The start of the JSON.
    pub(super) data: String,
}

/// The start of JSON.
pub(super) fn start(json: &str) -> String {
    let mut end = json.len().min(DATA);
    while !json.is_char_boundary(end) {
        end -= 1;
    }
    json.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_text_ends_between_characters() {
        for length in 90..110 {
            let text = format!("{}€😀é{}", "x".repeat(length), "y".repeat(100));
            let start = start(&text);
            assert!(text.starts_with(&start) && (DATA - 3..=DATA).contains(&start.len()));
        }
        assert_eq!(start("é"), "é");
    }
}
