//! WebSocket messages: what is read is written so that the same is read again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use siot::internal::{Frame, dialect};

fuzz_target!(|data: &[u8]| {
    let [choice, content @ ..] = data else { return };
    let dialect = dialect(if choice & 1 == 0 { "3" } else { "4" }).expect("both are known");
    let frame = match std::str::from_utf8(content) {
        Ok(text) if choice & 2 == 0 => Frame::Text(text.into()),
        _ => Frame::Binary(Bytes::copy_from_slice(content)),
    };
    let Ok(packet) = dialect.decode_frame(frame) else { return };
    for base64 in [false, true] {
        let frame = dialect.encode_frame(packet.clone(), base64);
        let length = match &frame {
            Frame::Text(text) => text.len(),
            Frame::Binary(bytes) => bytes.len(),
        };
        assert_eq!(dialect.frame_len(&packet, base64), length);
        assert_eq!(dialect.decode_frame(frame).expect("what was written"), packet);
    }
});
