//! The smallest stack that the limits allow is enough for all that siot's own threads do.

use std::iter::repeat_n;

use siot::{Binary, Limits, Socket, Tls};

use super::{LIMIT, builder, for_all, start, trusting};
use crate::support::certs::CertAuthority;
use crate::support::{Server, Via, alone, recv_within};

/// What `Limits` takes at the least, in bytes.
const LEAST: usize = 256 * 1024;

fn connect(server: &Server, tls: Tls, via: Via) -> siot::Result<Socket> {
    let limits = Limits::new().stack_size(LEAST);
    let socket = builder(server, tls, via).limits(limits).build()?;
    socket.wait_connected(LIMIT)?;
    Ok(socket)
}

#[test]
fn the_smallest_stack_bears_every_handshake_and_the_deepest_input() {
    alone(|| {
        let (authority, stranger) = (CertAuthority::new(), CertAuthority::new());
        let server = start(&authority.issue("127.0.0.1").server());
        let deep: String = repeat_n('[', 400_000).chain(repeat_n(']', 400_000)).collect();
        for_all(trusting(&authority), |tls, via| {
            let socket = connect(&server, tls, via).unwrap();
            let any = socket.subscribe_any();
            socket.emit("raw", format!(r#"2["deep",{deep},"after"]"#)).unwrap();
            let event = recv_within(any.receiver(), LIMIT);
            assert_eq!(event.arg::<String>(1).unwrap(), "after");
            let sent = Binary::from(vec![1; 500_000]);
            let ack = socket.timeout(LIMIT).emit_with_ack("echo", &sent).unwrap();
            assert_eq!(ack.wait::<Binary>().unwrap(), sent);
        });
        for_all(trusting(&stranger), |tls, via| {
            assert!(connect(&server, tls, via).is_err());
        });
    });
}
