//! What a message keeps of the buffer that it was read into, and how much is read at once.

use std::io::Write;
use std::time::Instant;

use super::*;

#[test]
fn a_small_message_does_not_keep_the_read_buffer() {
    let (mut websocket, waker, _server) = client(|mut stream| {
        stream.write_all(&frame(0x82, &[1; 200])).unwrap();
        stream
    });
    match next(&mut websocket, &waker).unwrap() {
        // The buffer lives, in the WebSocket: the bytes would be shared with it.
        Received::Frame(Frame::Binary(bytes)) => assert!(bytes.is_unique()),
        other => panic!("{other:?}"),
    }
}

/// Whether binary messages of these sizes, which come one after the other, have memory of their own
/// when they come. One of so many is kept.
fn have_their_own(read_size: usize, sizes: &[usize], one_of: usize) -> Vec<bool> {
    let (mut websocket, waker, server) = client(|stream| stream);
    let mut stream = server.join().unwrap();
    // So that the buffers stay.
    websocket.renew(read_size);
    let frames: Vec<Vec<u8>> = sizes.iter().map(|size| frame(0x82, &vec![1; *size])).collect();
    let written = spawn(move || stream.write_all(&frames.concat()).map(|()| stream));
    let mut kept = Vec::new();
    let mut receive = |number: usize| match next(&mut websocket, &waker).unwrap() {
        Received::Frame(Frame::Binary(bytes)) => {
            let is_unique = bytes.is_unique();
            kept.extend((number % one_of == 0).then_some(bytes));
            is_unique
        }
        other => panic!("{other:?}"),
    };
    let owns = (0..sizes.len()).map(&mut receive).collect();
    written.recv_timeout(LIMIT).unwrap().unwrap();
    owns
}

#[test]
fn with_little_traffic_a_message_stays_in_the_read_buffer_only_if_it_fills_half_of_it() {
    let half = SMALL_READ / 2;
    let sizes = [half - 1, 10, half, 200];
    assert_eq!(have_their_own(SMALL_READ, &sizes, 1), [true, true, false, true]);
}

#[test]
fn in_a_flood_messages_stay_where_they_were_read_unless_much_is_kept() {
    let hardly_kept = have_their_own(LARGE_READ, &vec![200; 10_000], 10_000);
    let in_chunks = hardly_kept.iter().filter(|owns| !**owns).count();
    // What is read while the socket is empty in between is copied.
    assert!(in_chunks > 5140, "{in_chunks}");
    let owns = have_their_own(LARGE_READ, &vec![200; 10_000], 1);
    let in_chunks = owns.iter().filter(|owns| !**owns).count();
    // 1 MiB would hold 5,140 messages, were all chunks full.
    assert!((100..=5140).contains(&in_chunks), "{in_chunks}");
}

/// A row of numbers that look like random ones.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

/// Messages of all sizes, each of which tells its number; and as frames, some of them in fragments, with pings
/// between and within.
fn all_sizes(seed: u64) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut random = random(seed);
    let mut sent = Vec::new();
    let mut message = |number: usize| {
        let most = [100, 2_000, 40_000, 300_000][random(20).saturating_sub(16)];
        let mut message = vec![u8::try_from(number % 251).unwrap(); random(most)];
        message.extend(number.to_be_bytes());
        match random(10) {
            0 => {
                let (first, last) = message.split_at(random(message.len()));
                sent.extend([frame(0x02, first), frame(0x89, b"?"), frame(0x80, last)].concat());
            }
            1 => sent.extend([frame(0x8a, b""), frame(0x82, &message)].concat()),
            _ => sent.extend(frame(0x82, &message)),
        }
        message
    };
    let messages = (0..400).map(&mut message).collect();
    (messages, sent)
}

#[test]
fn a_flood_in_whatever_pieces_it_comes_is_read_as_it_was_sent() {
    for seed in 0..8 {
        let (messages, sent) = all_sizes(seed);
        let (mut websocket, waker, server) = client(move |mut stream| {
            let mut random = random(seed);
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let most = [10, 1_000, 50_000, 1_000_000][random(4)];
                let (piece, behind) = rest.split_at(rest.len().min(1 + random(most)));
                stream.write_all(piece).unwrap();
                rest = behind;
            }
            // A message that does not end.
            stream.write_all(&frame(0x82, &vec![1; 70_000])[..50_000]).unwrap();
            stream
        });
        let (mut in_chunks, mut kept) = (0, Vec::new());
        for (number, message) in messages.iter().enumerate() {
            let Received::Frame(Frame::Binary(bytes)) = next(&mut websocket, &waker).unwrap()
            else {
                panic!("no message {number}")
            };
            assert!(bytes == message, "{seed}: {number} has {} bytes", bytes.len());
            in_chunks += usize::from(websocket.in_chunk);
            kept.extend((number % 7 == 0).then_some((number, bytes)));
            if number % 50 == 0 {
                websocket.rest();
            }
        }
        assert!(kept.iter().all(|(number, bytes)| bytes == &messages[*number]), "{seed}");
        assert!((1..400).contains(&in_chunks), "{seed}: {in_chunks}");
        drop(server.join().unwrap());
        let end = next(&mut websocket, &waker).unwrap();
        assert!(matches!(end, Received::Closed(_)), "{seed}: {end:?}");
    }
}

/// Waits until the socket has so many bytes, and leaves them there.
fn wait_for_bytes(websocket: &WebSocket, waker: &Waker, size: usize) {
    while websocket.stream.stream.socket().peek(&mut vec![0; size]).unwrap_or(0) < size {
        websocket.interest(true, true).wait(waker, None).unwrap();
    }
}

#[test]
fn a_chunk_has_whole_messages_and_room_for_the_largest_of_them() {
    let frames = [200, 9_000, 500].map(|size| frame(0x82, &vec![1; size])).concat();
    let begun = frame(0x82, &[2; 8_000]);
    let sent = [&frames[..], &begun[..6_000]].concat();
    let (mut websocket, waker, server) = client(|stream| stream);
    let mut stream = server.join().unwrap();
    stream.write_all(&sent).unwrap();
    let size = frames.len() + 6_000;
    wait_for_bytes(&websocket, &waker, size);
    let mut chunk = Vec::with_capacity(size);
    assert_eq!(websocket.stream.fill(&mut chunk, size).unwrap(), size);
    assert!(chunk.capacity() - chunk.len() >= 9_000);
    assert_eq!(chunk, frames);
    assert_eq!(websocket.stream.begun_message(), begun.len());
    stream.write_all(&begun[6_000..]).unwrap();
    let binary = Received::Frame(Frame::Binary(Bytes::from(vec![2; 8_000])));
    assert_eq!(next(&mut websocket, &waker).unwrap(), binary);
    assert_eq!(websocket.stream.begun_message(), 0);
}

#[test]
fn behind_a_message_that_fits_in_no_chunk_others_lie_in_chunks_again() {
    let mut sizes = [3_000; 500];
    (sizes[100], sizes[200]) = (400_000, 270_000);
    let owns = have_their_own(LARGE_READ, &sizes, 1_000);
    let owning: Vec<usize> = (0..500).filter(|number| owns[*number]).collect();
    // Those that its last read has brought too.
    let read_with_it = |number: &usize| number % 100 < LARGE_READ / 3_000;
    assert!(owning.iter().all(read_with_it), "{owning:?}");
}

#[test]
fn what_a_message_that_has_not_ended_has_in_it_is_heard_in_a_flood_too() {
    let first = frame(0x02, b"abc");
    let (ping, close) = (frame(0x89, b"?"), frame(0x88, b"\x03\xe9bye"));
    for (tail, expected) in [
        ([&first[..], &ping].concat(), "Control"),
        ([&first[..], &close].concat(), "close code 1001: bye"),
        (frame(0x00, b"nothing before"), "broke the WebSocket protocol"),
        (frame(0x01, b"\xff\xff"), "is no UTF-8"),
        (vec![0x83, 100], "broke the WebSocket protocol"),
        (vec![0x82, 127, 0, 0, 0, 0, 0, 255, 0, 0], "the limit is"),
    ] {
        let (mut websocket, waker, server) = client(|mut stream| {
            stream.write_all(&[frame(0x82, &[1; 200]).repeat(200), tail].concat()).unwrap();
            stream
        });
        let _stream = server.join().unwrap();
        for _ in 0..200 {
            assert!(matches!(next(&mut websocket, &waker), Ok(Received::Frame(_))));
        }
        let deadline = Instant::now() + LIMIT;
        let heard = loop {
            match websocket.read() {
                // A wait for the socket might be for ever, if the WebSocket has it.
                Ok(Received::Nothing) => assert!(Instant::now() < deadline, "{expected}"),
                heard => break format!("{heard:?}"),
            }
        };
        assert!(heard.contains(expected), "{heard}");
    }
}

#[test]
fn what_came_before_a_connection_was_cut_is_heard_before_that() {
    let last_words = [frame(0x02, b"abc"), frame(0x88, b"\x03\xe9bye")].concat();
    let (mut websocket, waker, server) = client(|mut stream| {
        stream.write_all(&[frame(0x82, &[1; 200]).repeat(200), last_words].concat()).unwrap();
        stream
    });
    drop(server.join().unwrap());
    for _ in 0..200 {
        assert!(matches!(next(&mut websocket, &waker), Ok(Received::Frame(_))));
    }
    let heard = format!("{:?}", next(&mut websocket, &waker));
    assert!(heard.contains("close code 1001: bye"), "{heard}");
}

#[test]
fn a_message_that_fits_in_no_chunk_is_not_read_into_one() {
    let (mut websocket, waker, server) = client(|stream| stream);
    let mut stream = server.join().unwrap();
    websocket.renew(LARGE_READ);
    let large = vec![1; 100_000];
    let sent = [frame(0x82, b"small"), frame(0x82, &large)].concat();
    let written = spawn(move || stream.write_all(&sent).map(|()| stream));
    wait_for_bytes(&websocket, &waker, 40_000);
    assert!(matches!(next(&mut websocket, &waker), Ok(Received::Frame(_))));
    let read = websocket.stream.read;
    assert!(websocket.fill_chunk().unwrap().is_none());
    assert_eq!(websocket.stream.read, read);
    let binary = Received::Frame(Frame::Binary(Bytes::from(large)));
    assert_eq!(next(&mut websocket, &waker).unwrap(), binary);
    written.recv_timeout(LIMIT).unwrap().unwrap();
}

#[test]
fn a_message_that_came_in_no_chunk_has_little_more_memory_than_it_needs() {
    for size in [33_000, 50_000, 64_000, 66_000, 90_000] {
        let (mut websocket, waker, server) = client(|stream| stream);
        let mut stream = server.join().unwrap();
        websocket.renew(LARGE_READ);
        let message = frame(0x82, &vec![1; size]);
        stream.write_all(&[&frame(0x82, b"small"), &message[..20_000]].concat()).unwrap();
        assert!(matches!(next(&mut websocket, &waker), Ok(Received::Frame(_))));
        assert_eq!(websocket.read().unwrap(), Received::Nothing);
        stream.write_all(&message[20_000..]).unwrap();
        let Received::Frame(Frame::Binary(bytes)) = next(&mut websocket, &waker).unwrap() else {
            panic!("no message of {size} bytes")
        };
        // That nobody else has it any more.
        websocket.renew(LARGE_READ);
        let capacity = Vec::from(bytes).capacity();
        assert!((size..size + size / 10).contains(&capacity), "{size}: {capacity}");
    }
}

#[test]
fn chunks_grow_until_messages_fit_in_them() {
    let (mut websocket, waker, server) = client(|stream| stream);
    let mut stream = server.join().unwrap();
    websocket.renew(LARGE_READ);
    let sent = frame(0x82, &vec![1; 40_000]).repeat(100);
    let written = spawn(move || stream.write_all(&sent).map(|()| stream));
    let mut in_chunks = 0;
    for _ in 0..100 {
        assert!(matches!(next(&mut websocket, &waker), Ok(Received::Frame(_))));
        in_chunks += usize::from(websocket.in_chunk);
    }
    assert!(in_chunks > 0);
    written.recv_timeout(LIMIT).unwrap().unwrap();
}

#[test]
fn what_a_read_has_failed_with_is_said_behind_what_came_before() {
    let (mut websocket, waker, server) = client(|stream| stream);
    let mut stream = server.join().unwrap();
    let begun = &frame(0x82, &[1; 200])[..100];
    stream.write_all(&[&frame(0x82, &[1; 200]).repeat(200)[..], begun].concat()).unwrap();
    for _ in 0..200 {
        assert!(matches!(next(&mut websocket, &waker), Ok(Received::Frame(_))));
    }
    websocket.stream.put_off = Some(io::ErrorKind::ConnectionReset.into());
    let heard = format!("{:?}", websocket.read());
    assert!(heard.contains("reset"), "{heard}");
}

#[test]
fn while_something_is_unsent_a_flood_is_read_in_chunks_all_the_same() {
    let (mut websocket, waker, _server) = client(|mut stream| {
        let pings = |_| [frame(0x82, &[1; 500]), frame(0x89, b"?")].concat();
        stream.write_all(&(0..300).flat_map(pings).collect::<Vec<u8>>()).unwrap();
        stream
    });
    websocket.unsent = true;
    let mut in_chunks = 0;
    for _ in 0..300 {
        let binary = Received::Frame(Frame::Binary(Bytes::from(vec![1; 500])));
        assert_eq!(next(&mut websocket, &waker).unwrap(), binary);
        in_chunks += usize::from(websocket.in_chunk);
    }
    // Not all: one of which a part had come is read without.
    assert!(in_chunks > 0);
}

#[test]
fn reads_are_as_large_as_what_comes_between_two_rests_calls_for() {
    let (mut websocket, waker, server) = client(|stream| stream);
    let mut stream = server.join().unwrap();
    let sizes = [200, 2_000, 10_000, 200, 10_000, 2_000, 200];
    let reads = sizes.map(|size| {
        stream.write_all(&frame(0x82, &vec![1; size])).unwrap();
        let binary = Received::Frame(Frame::Binary(Bytes::from(vec![1; size])));
        assert_eq!(next(&mut websocket, &waker).unwrap(), binary);
        while !websocket.drained {
            assert_eq!(websocket.read().unwrap(), Received::Nothing);
        }
        websocket.rest();
        websocket.read_size
    });
    let (small, medium) = (SMALL_READ, MEDIUM_READ);
    assert_eq!(reads, [small, medium, medium, small, medium, medium, small]);
}

#[test]
fn after_a_short_read_the_socket_is_not_asked_again_and_nothing_is_lost() {
    let (mut websocket, waker, server) = client(|stream| stream);
    let mut stream = server.join().unwrap();
    stream.write_all(&frame(0x81, b"one")).unwrap();
    assert_eq!(next(&mut websocket, &waker).unwrap(), text("one"));
    stream.write_all(&frame(0x81, b"two")).unwrap();
    assert!(websocket.interest(true, true).wait(&waker, None).unwrap().readable);
    assert_eq!(websocket.read().unwrap(), Received::Nothing);
    assert!(websocket.interest(true, true).wait(&waker, None).unwrap().readable);
    assert_eq!(websocket.read().unwrap(), text("two"));
}

#[test]
fn a_small_message_behind_a_large_one_does_not_keep_its_buffer() {
    let mut sizes = [300; 30];
    sizes[0] = 20_000;
    let owns = have_their_own(MEDIUM_READ, &sizes, 1);
    assert_eq!(owns.iter().filter(|owns| !**owns).count(), 1);
}
