use proptest::prelude::*;

use super::*;
use crate::net::server::frames::header::MOST_IN_CONTROL;

const LIMITS: FrameLimits = FrameLimits { message: 1000, fragments: 16 };

/// A frame with any first byte, as a client sends it.
fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match content.len() {
        length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0xff);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// What a reader gives for these pieces, up to a close.
fn read_pieces<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: FrameLimits,
    mut blocks: Option<&mut MessageBlocks>,
) -> (Vec<Inbound>, Option<FrameFault>, FrameReader) {
    let mut reader = FrameReader::new(limits);
    let mut found = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.next(&mut piece, blocks.as_deref_mut()) {
                Ok(None) => break assert!(piece.is_empty()),
                Ok(Some(inbound)) => found.push(inbound),
                Err(fault) => return (found, Some(fault), reader),
            }
            if let Some(Inbound::Close(_)) = found.last() {
                return (found, None, reader);
            }
        }
    }
    (found, None, reader)
}

/// What is read of these frames, at once and byte by byte.
#[track_caller]
fn read(frames: &[Vec<u8>]) -> (Vec<Inbound>, Option<FrameFault>) {
    let bytes = frames.concat();
    let (found, fault, _) = read_pieces([&*bytes], LIMITS, Some(&mut MessageBlocks::default()));
    let (singly, fault_singly, _) = read_pieces(bytes.chunks(1), LIMITS, None);
    assert_eq!((&singly, fault_singly), (&found, fault));
    (found, fault)
}

fn text(text: &str) -> Inbound {
    Inbound::Message(Frame::Text(text.into()))
}

fn binary(bytes: &[u8]) -> Inbound {
    Inbound::Message(Frame::Binary(Bytes::copy_from_slice(bytes)))
}

#[test]
fn messages_of_all_lengths_are_read() {
    for length in [0, 1, 125, 126, 127, 1000] {
        let content = vec![b'x'; length];
        let (found, fault) = read(&[frame(0x81, &content), frame(0x82, &content)]);
        let expected = [text(&"x".repeat(length)), binary(&content)];
        assert_eq!((&*found, fault), (&expected[..], None), "{length}");
    }
    let limits = FrameLimits { message: 100_000, fragments: 1 };
    let long = frame(0x82, &vec![7; 70_000]);
    let (found, ..) = read_pieces([&*long], limits, None);
    assert_eq!(found, [binary(&vec![7; 70_000])]);
    // Not as short as it could be.
    let (found, fault) =
        read(&[vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, b'x'], frame(0x81, b"y")]);
    assert_eq!((&*found, fault), (&[text("x"), text("y")][..], None));
}

#[test]
fn fragments_are_joined_and_control_frames_may_come_between() {
    let (found, fault) = read(&[
        frame(0x01, "4é".as_bytes().split_last().unwrap().1),
        frame(0x89, b"p"),
        frame(0x00, b""),
        frame(0x8a, b""),
        frame(0x80, &[0xa9]),
        frame(0x02, b"a"),
        frame(0x80, b"b"),
    ]);
    let longest = [b'p'; MOST_IN_CONTROL];
    let (alone, _) = read(&[frame(0x8a, &longest)]);
    assert_eq!(alone, [Inbound::Pong(Bytes::copy_from_slice(&longest))]);
    let ping = Inbound::Ping(Bytes::from_static(b"p"));
    let expected = [ping, Inbound::Pong(Bytes::new()), text("4é"), binary(b"ab")];
    assert_eq!((&*found, fault), (&expected[..], None));
}

#[test]
fn a_close_frame_has_a_code_and_a_reason_or_nothing() {
    for (content, close) in [
        (&b""[..], None),
        (b"\x03\xe8", Some((1000, ""))),
        (b"\x03\xe9going", Some((1001, "going"))),
        (b"\x0f\xa0x", Some((4000, "x"))),
    ] {
        let (found, fault) = read(&[frame(0x88, content), frame(0x81, b"late")]);
        let close = close.map(|(code, reason)| (code, reason.into()));
        assert_eq!((&*found, fault), (&[Inbound::Close(close)][..], None));
    }
}

#[test]
fn what_the_protocol_does_not_allow_closes_with_its_code() {
    let mut unmasked = frame(0x81, b"x");
    unmasked[1] &= 0x7f;
    for (what, frames, code) in [
        ("the first reserved bit", vec![frame(0xc1, b"x")], 1002),
        ("the second", vec![frame(0xa1, b"x")], 1002),
        ("the third", vec![frame(0x91, b"x")], 1002),
        ("a reserved bit of a control frame", vec![frame(0xc9, b"x")], 1002),
        ("opcode 3", vec![frame(0x83, b"x")], 1002),
        ("opcode 7", vec![frame(0x87, b"x")], 1002),
        ("opcode 11", vec![frame(0x8b, b"x")], 1002),
        ("opcode 15", vec![frame(0x8f, b"x")], 1002),
        ("no mask", vec![unmasked], 1002),
        ("a long ping", vec![frame(0x89, &[0; 126])], 1002),
        ("a ping in fragments", vec![frame(0x09, b"x")], 1002),
        ("a close in fragments", vec![frame(0x08, b"")], 1002),
        ("a continuation of nothing", vec![frame(0x80, b"x")], 1002),
        ("a continuation behind a message", vec![frame(0x81, b"x"), frame(0x00, b"x")], 1002),
        ("a message in a message", vec![frame(0x01, b"x"), frame(0x81, b"x")], 1002),
        ("a message of another kind", vec![frame(0x01, b"x"), frame(0x02, b"x")], 1002),
        ("half a close code", vec![frame(0x88, b"\x03")], 1002),
        ("close code 0", vec![frame(0x88, b"\0\0")], 1002),
        ("close code 999", vec![frame(0x88, b"\x03\xe7")], 1002),
        ("close code 1005", vec![frame(0x88, b"\x03\xed")], 1002),
        ("close code 1006", vec![frame(0x88, b"\x03\xee")], 1002),
        ("close code 1015", vec![frame(0x88, b"\x03\xf7")], 1002),
        ("close code 5000", vec![frame(0x88, b"\x13\x88")], 1002),
        ("a reason that is no text", vec![frame(0x88, b"\x03\xe8\xff")], 1007),
        ("a text that is none", vec![frame(0x81, b"\xff")], 1007),
        ("half a character", vec![frame(0x81, b"\xc3")], 1007),
        ("a surrogate", vec![frame(0x81, b"\xed\xa0\x80")], 1007),
        ("a text that is none in fragments", vec![frame(0x01, b"\xc3"), frame(0x80, b"x")], 1007),
        ("too long", vec![frame(0x82, &[0; 1001])], 1009),
        ("too long together", vec![frame(0x02, &[0; 600]), frame(0x00, &[0; 401])], 1009),
        (
            "too long by its header",
            vec![vec![0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]],
            1009,
        ),
        ("2^63 bytes", vec![vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]], 1002),
    ] {
        let (found, fault) = read(&frames);
        assert_eq!(fault.map(FrameFault::close_code), Some(code), "{what}: {found:?}");
    }
}

/// CVE-2026-62389, CVE-2014-0193.
#[test]
fn a_message_has_so_many_fragments_and_no_more_also_if_they_are_empty() {
    for content in [&b""[..], b"x"] {
        let mut frames = vec![frame(0x01, content)];
        frames.resize(LIMITS.fragments as usize, frame(0x00, content));
        assert_eq!(read(&frames), (Vec::new(), None));
        frames.push(frame(0x80, content));
        let (_, fault) = read(&frames);
        assert_eq!(fault, Some(FrameFault::TooManyFragments { max: LIMITS.fragments }));
        assert_eq!(fault.unwrap().close_code(), 1008);
        // Each message is counted by itself.
        frames.truncate(2);
        frames[1][0] = 0x80;
        let (found, fault) = read(&vec![frames; 20].concat());
        assert_eq!((found.len(), fault), (20, None));
    }
}

/// CVE-2022-35922, CVE-2026-48779.
#[test]
fn memory_is_taken_for_what_has_come_and_given_back_behind_each_message() {
    assert!(size_of::<FrameReader>() <= 24, "{} bytes", size_of::<FrameReader>());
    let limits = FrameLimits { message: usize::MAX, fragments: u32::MAX };
    let huge = [0x82, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0, 0, 1, 2, 3, 4, 5];
    let (_, fault, reader) = read_pieces([&huge[..]], limits, None);
    assert_eq!((fault, reader.kept(), reader.is_amid_message()), (None, 1, true));
    assert!(reader.partial.unwrap().content.capacity() < 100);

    let mut reader = FrameReader::new(limits);
    let mut piece: &[u8] = &frame(0x02, b"x");
    let mut crumb = frame(0x00, b"x");
    assert_eq!(reader.next(&mut piece, None), Ok(None));
    for _ in 0..10_000 {
        assert_eq!(reader.next(&mut &*crumb, None), Ok(None));
    }
    assert_eq!(reader.kept(), 10_001);
    assert!(reader.partial.as_ref().unwrap().content.capacity() < 20_002);
    // A part of a control frame beside it.
    assert_eq!(reader.next(&mut &frame(0x89, b"ping")[..8], None), Ok(None));
    assert_eq!(reader.kept(), 10_001 + 2);
    let ping = Inbound::Ping(Bytes::from_static(b"ping"));
    assert_eq!(reader.next(&mut &frame(0x89, b"ping")[8..], None), Ok(Some(ping)));
    crumb[0] = 0x80;
    assert_eq!(reader.next(&mut &*crumb, None), Ok(Some(binary(&[b'x'; 10_002]))));
    assert!(!reader.is_amid_message() && reader.partial.is_none());
}

#[test]
fn a_whole_frame_leaves_nothing_behind() {
    let bytes = [frame(0x81, b"one"), frame(0x82, b"two")].concat();
    let mut piece = &*bytes;
    let mut reader = FrameReader::new(LIMITS);
    assert_eq!(reader.next(&mut piece, None), Ok(Some(text("one"))));
    assert!(reader.partial.is_none());
    assert_eq!(piece.len(), frame(0x82, b"two").len());
    assert_eq!(reader.next(&mut piece, None), Ok(Some(binary(b"two"))));
    assert_eq!(reader.next(&mut piece, None), Ok(None));
    assert!(reader.partial.is_none());
}

#[test]
fn small_messages_lie_side_by_side_in_a_block() {
    let bytes = [frame(0x82, b"one"), frame(0x82, b"two")].concat();
    let mut blocks = MessageBlocks::default();
    let (found, ..) = read_pieces([&*bytes], LIMITS, Some(&mut blocks));
    let [Inbound::Message(Frame::Binary(one)), Inbound::Message(Frame::Binary(two))] = &found[..]
    else {
        panic!("{found:?}")
    };
    assert_eq!((&**one, &**two), (&b"one"[..], &b"two"[..]));
    assert_eq!(one.as_ptr().wrapping_add(one.len()), two.as_ptr());
}

/// Frames that may follow each other in any order.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => Just(0x81_u8),
        4 => Just(0x82),
        4 => Just(0x02),
        4 => Just(0x00),
        4 => Just(0x80),
        2 => Just(0x89),
        1 => Just(0x8a),
        1 => any::<u8>(),
    ];
    let content = proptest::collection::vec(prop_oneof![9 => Just(b'x'), 1 => any::<u8>()], 0..300);
    (first, content).prop_map(|(first, content)| frame(first, &content))
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_the_messages_are_the_same(
        frames in proptest::collection::vec(any_frame(), 0..8),
        cuts in proptest::collection::vec(0..2500_usize, 0..12),
    ) {
        let bytes = frames.concat();
        let (whole, fault, reader) = read_pieces([&*bytes], LIMITS, None);
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        let (found, fault_in_pieces, in_pieces) = read_pieces(pieces, LIMITS, Some(&mut MessageBlocks::default()));
        prop_assert_eq!(found, whole);
        prop_assert_eq!(fault_in_pieces, fault);
        if fault.is_none() {
            prop_assert_eq!(in_pieces.kept(), reader.kept());
            prop_assert_eq!(in_pieces.is_amid_message(), reader.is_amid_message());
        }
    }
}
