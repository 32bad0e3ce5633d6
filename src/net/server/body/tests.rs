use super::*;

/// The body in these bytes, and what is behind it, however they are cut; `None`: not whole.
#[track_caller]
fn read(length: BodyLength, max: usize, bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let whole = read_in(length, max, bytes, bytes.len().max(1));
    for size in [1, 2, 3, 7] {
        assert_eq!(read_in(length, max, bytes, size), whole, "in pieces of {size}");
    }
    whole
}

fn read_in(
    length: BodyLength,
    max: usize,
    bytes: &[u8],
    size: usize,
) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let status = |refusal: HttpRefusal| refusal.status.as_u16();
    let mut reader = BodyReader::new(length, max).map_err(status)?;
    let mut taken = 0;
    for chunk in bytes.chunks(size).chain([&[][..]]) {
        let mut rest = chunk;
        let body = reader.take_in(&mut rest).map_err(status)?;
        taken += chunk.len() - rest.len();
        if let Some(body) = body {
            return Ok(Some((body, bytes.len() - taken)));
        }
        assert!(rest.is_empty());
        assert!(reader.kept() <= max);
    }
    Ok(None)
}

fn chunked(text: &str) -> Result<Option<(String, usize)>, u16> {
    let found = read(BodyLength::Chunked, 20, text.as_bytes())?;
    Ok(found.map(|(body, behind)| (String::from_utf8(body).unwrap(), behind)))
}

#[test]
fn a_body_of_known_length_ends_there() {
    let found = read(BodyLength::Known(3), 3, b"abcGET");
    assert_eq!(found, Ok(Some((b"abc".to_vec(), 3))));
    assert_eq!(read(BodyLength::Known(0), 0, b"GET"), Ok(Some((Vec::new(), 3))));
    assert_eq!(read(BodyLength::Known(3), 3, b"ab"), Ok(None));
}

#[test]
fn a_body_that_is_announced_too_long_is_refused_before_it_comes() {
    assert_eq!(read(BodyLength::Known(4), 3, b""), Err(413));
    assert_eq!(read(BodyLength::Known(u64::MAX), 3, b""), Err(413));
}

#[test]
fn chunks_are_joined() {
    for (text, body, behind) in [
        ("0\r\n\r\nGET", "", 3),
        ("3\r\nabc\r\n0\r\n\r\n", "abc", 0),
        ("003\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\nx", "abc0123456789", 1),
        ("a\r\n0123456789\r\n0\r\nTrailer: x\r\nB:\r\n\r\nx", "0123456789", 1),
        ("3;ext=\"1\"\r\nabc\r\n0;\r\n\r\n", "abc", 0),
    ] {
        assert_eq!(chunked(text), Ok(Some((body.to_owned(), behind))), "{text:?}");
    }
    for text in ["", "3", "3\r", "3\r\nab", "3\r\nabc\r\n", "0\r\n", "0\r\n\r", "0\r\nA: b\r\n"] {
        assert_eq!(chunked(text), Ok(None), "{text:?}");
    }
}

#[test]
fn what_is_no_chunk_is_refused() {
    let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(MOST_IN_SIZE_LINE));
    for text in [
        "\r\n",
        "x\r\n",
        "0x3\r\nabc",
        "+3\r\nabc",
        "-3\r\nabc",
        " 3\r\nabc",
        "3 \r\nabc",
        "3 ;x\r\nabc",
        "3\nabc",
        "3\r\r\nabc",
        "3\rabc",
        "3;a\nbc\r\n",
        "3;\0\r\nabc",
        "3\r\nabcd",
        "3\r\nabc\n0",
        "3\r\nabc0\r\n",
        "3\r\nabc\r0",
        "0\r\n\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\rc",
        "0\r\nA\0",
        ";\r\n",
        &long,
    ] {
        assert_eq!(chunked(text), Err(400), "{text:?}");
    }
}

#[test]
fn chunks_together_have_at_most_so_many_bytes() {
    assert_eq!(chunked("15\r\n"), Err(413));
    assert_eq!(chunked("fffffffffffffffff\r\n"), Err(413));
    assert_eq!(chunked("14\r\n"), Ok(None));
    assert_eq!(chunked("a\r\n0123456789\r\nb"), Err(413));
}

#[test]
fn what_is_passed_over_has_an_end_too() {
    // Each chunk alone is allowed.
    let one = format!("1;{}\r\na\r\n", "x".repeat(200));
    let most = MOST_IGNORED / 200;
    let read = |text: &str| read_in(BodyLength::Chunked, 1000, text.as_bytes(), 4096);
    assert_eq!(read(&one.repeat(most)), Ok(None));
    assert_eq!(read(&one.repeat(most + 1)), Err(400));
    assert_eq!(read(&format!("0\r\n{}", "A: b\r\n".repeat(MOST_IGNORED))), Err(400));
    let trailer = |length: usize| format!("0\r\n{}\r\n\r\n", "x".repeat(length));
    assert_eq!(read(&trailer(MOST_IGNORED)), Ok(Some((Vec::new(), 0))));
    assert_eq!(read(&trailer(MOST_IGNORED + 1)), Err(400));
    // As long as a whole head may be.
    assert_eq!(read(&trailer(16_000)), Ok(Some((Vec::new(), 0))));
}

#[test]
fn nothing_is_taken_for_what_is_only_announced() {
    let mut reader = BodyReader::new(BodyLength::Known(1 << 31), usize::MAX).unwrap();
    assert_eq!(reader.take_in(&mut &b"abc"[..]).unwrap(), None);
    assert_eq!(reader.kept(), 3);
    assert!(reader.content.capacity() < 100);
}
