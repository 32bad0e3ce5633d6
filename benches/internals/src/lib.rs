//! What is measured: one message, or one of what a message is made of. Each workload does one of it when it is called.

mod connection;
mod values;

/// A name and what makes the workload.
pub type Entry = (&'static str, fn() -> Workload);

/// Does one of what is measured.
pub type Workload = Box<dyn FnMut()>;

/// All of them. What a name has behind `/` is how much else there is: such a one is compared with the one before the `/`.
pub const ALL: &[Entry] = &[
    ("encode", values::encode),
    ("encode-binary", values::encode_binary),
    ("decode", values::decode),
    ("decode-binary", values::decode_binary),
    ("decode-struct", values::decode_struct),
    ("state-machines", values::reconnect),
    ("emit", || connection::emit(1)),
    ("emit/100-namespaces", || connection::emit(100)),
    ("round-trip", || connection::round_trip(1, 0)),
    ("round-trip/100-namespaces", || connection::round_trip(100, 0)),
    ("round-trip/10000-pending", || connection::round_trip(1, 10_000)),
    ("round-trip/1000-connections", || connection::among(1000, || connection::round_trip(1, 0))),
    ("deliver", || connection::deliver(1, 1)),
    ("deliver/100-namespaces", || connection::deliver(100, 1)),
    ("deliver/1000-subscriptions", || connection::deliver(1, 1000)),
    ("deliver/1000-connections", || connection::among(1000, || connection::deliver(1, 1))),
    ("deliver-many", connection::deliver_many),
];

/// Finds one by its name.
pub fn find(name: &str) -> Option<Workload> {
    ALL.iter().find(|(own, _)| *own == name).map(|(_, make)| make())
}
