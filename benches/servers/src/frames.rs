//! Frames of WebSockets, as far as they are needed here: whole texts.

/// Appends a text frame. Clients mask, here with zeros.
pub(crate) fn write_text(text: &[u8], masked: bool, to: &mut Vec<u8>) {
    let mask = if masked { 0x80 } else { 0 };
    to.push(0x81);
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(length @ 0..126), _) => to.push(mask | length),
        (_, Ok(length)) => {
            to.push(mask | 126);
            to.extend(length.to_be_bytes());
        }
        _ => {
            to.push(mask | 127);
            to.extend((text.len() as u64).to_be_bytes());
        }
    }
    if masked {
        to.extend([0; 4]);
    }
    to.extend(text);
}

/// A frame at the front of what was read: its content, and how long it is in all. Its mask is taken off.
pub(crate) fn read(bytes: &mut [u8]) -> Option<(std::ops::Range<usize>, usize)> {
    let second = *bytes.get(1)?;
    let (length, mut at) = match second & 0x7F {
        126 => (u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?).into(), 4),
        127 => (usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?, 10),
        length => (length.into(), 2),
    };
    if second & 0x80 == 0 {
        let end = at + length;
        return (bytes.len() >= end).then_some((at..end, end));
    }
    let mask: [u8; 4] = *bytes.get(at..)?.first_chunk()?;
    at += 4;
    let content = bytes.get_mut(at..at + length)?;
    for (byte, mask) in content.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Some((at..at + length, at + length))
}
