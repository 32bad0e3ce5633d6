//! The events that the server of each example knows, in all namespaces:
//!
//! | event   | what the server does                                                              |
//! |---------|-----------------------------------------------------------------------------------|
//! | `echo`  | gives the arguments back: as the acknowledgement, or else as an event `echo`      |
//! | `sum`   | acknowledges with the sum of the numbers                                          |
//! | `news`  | tells everyone in the namespace, by an event `news` with the same arguments       |
//! | `ask`   | asks the client: an event `question` with the same arguments, for acknowledgement; its answer comes back as an event `answer` |
//! | `leave` | puts the client out of the namespace                                              |

use siot::ArgList;
use siot::server::{Server, ServerNamespace};

/// Adds them to a server.
pub fn add_to(server: &Server) {
    add_to_namespace(server);
    add_to_namespace(&server.of_dynamic(|_| true));
}

fn add_to_namespace(namespace: &ServerNamespace) {
    namespace.on("echo", |socket, event| {
        let args: ArgList = event.args()?;
        if event.wants_ack() { event.ack(args) } else { socket.emit("echo", args) }
    });
    namespace.on("sum", |_, event| {
        let numbers: ArgList<i64> = event.args()?;
        event.ack(numbers.0.iter().sum::<i64>())
    });
    namespace.on("news", |socket, event| {
        socket.namespace().emit("news", event.args::<ArgList>()?).map(drop)
    });
    namespace.on("ask", |socket, event| {
        let client = socket.clone();
        // A handler may wait, but what comes behind it waits too: here, maybe what the client asks before it answers.
        socket.emit_with_callback("question", event.args::<ArgList>()?, move |answer| {
            // Without an answer there is nothing to tell.
            let told = answer.and_then(|answer| client.emit("answer", answer.args::<ArgList>()?));
            drop(told);
        })
    });
    namespace.on("leave", |socket, _| socket.disconnect());
}
