//! What a message keeps of the buffer that it was read into, and how much is read at once.

use std::io::Write;

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
fn in_a_flood_messages_stay_in_the_read_buffers_unless_much_is_kept() {
    let hardly_kept = have_their_own(LARGE_READ, &vec![200; 10_000], 10_000);
    assert!(hardly_kept.iter().all(|owns| !owns));
    for one_of in [1, 50] {
        let owns = have_their_own(LARGE_READ, &vec![200; 10_000], one_of);
        // 512 KiB would hold 2,570 messages, were they full.
        assert!(owns[..1500].iter().all(|owns| !owns), "one of {one_of}");
        assert!(owns[2570..].iter().all(|owns| *owns), "one of {one_of}");
    }
}

/// Reads a flood, in which something is unsent from the given message on; how large the reads have
/// become.
fn read_flood(unsent_from: usize) -> usize {
    let sizes: Vec<usize> = (0..200).map(|number| number * 37 % 1500).collect();
    let frames = |size: &usize| [frame(0x82, &vec![1; *size]), frame(0x8a, b"")].concat();
    let sent: Vec<u8> = sizes.iter().flat_map(frames).collect();
    let (mut websocket, waker, server) = client(move |mut stream| {
        stream.write_all(&sent).unwrap();
        stream
    });
    let _stream = server.join().unwrap();
    for (number, size) in sizes.iter().enumerate() {
        websocket.unsent |= number >= unsent_from;
        let binary = Received::Frame(Frame::Binary(Bytes::from(vec![1; *size])));
        assert_eq!(next(&mut websocket, &waker).unwrap(), binary, "{number}");
    }
    websocket.read_size
}

#[test]
fn in_a_flood_the_reads_grow_and_nothing_is_lost() {
    assert_eq!(read_flood(200), LARGE_READ);
    for unsent_from in 0..50 {
        read_flood(unsent_from);
    }
    assert_eq!(read_flood(0), SMALL_READ);
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
    let mut sizes = [300; 500];
    sizes[0] = 600_000;
    assert_eq!(have_their_own(LARGE_READ, &sizes, 1).iter().filter(|owns| !**owns).count(), 1);
}
