//! The smallest stack that the limits allow is enough for all that siot's own threads do.

use std::iter::repeat_n;

use siot::{Binary, Limits, Socket, Tls};

use super::{LIMIT, Way, builder, for_all, start, trusting};
use crate::support::certs::Authority;
use crate::support::{Server, alone, recv_within};

/// What `Limits` takes at the least, in bytes.
const LEAST: usize = 256 * 1024;

fn connect(server: &Server, tls: Tls, way: Way) -> siot::Result<Socket> {
    let limits = Limits::new().stack_size(LEAST);
    let socket = builder(server, tls, way).limits(limits).build()?;
    socket.wait_connected(LIMIT)?;
    Ok(socket)
}

#[test]
fn the_smallest_stack_bears_every_handshake_and_the_deepest_input() {
    alone(|| {
        let (authority, stranger) = (Authority::new(), Authority::new());
        let server = start(&authority.issue("127.0.0.1").server());
        let deep: String = repeat_n('[', 400_000).chain(repeat_n(']', 400_000)).collect();
        for_all(trusting(&authority), |tls, way| {
            let socket = connect(&server, tls, way).unwrap();
            let any = socket.subscribe_any();
            socket.emit("raw", format!(r#"2["deep",{deep},"after"]"#)).unwrap();
            let event = recv_within(any.receiver(), LIMIT);
            assert_eq!(event.arg::<String>(1).unwrap(), "after");
            let sent = Binary::from(vec![1; 500_000]);
            let ack = socket.timeout(LIMIT).emit_with_ack("echo", &sent).unwrap();
            assert_eq!(ack.wait::<Binary>().unwrap(), sent);
        });
        for_all(trusting(&stranger), |tls, way| {
            assert!(connect(&server, tls, way).is_err());
        });
    });
}
