//! The other nodes of a Redis Cluster. What is published at one comes to the subscribers of all; but each knows only
//! how many it has itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::{Client, Connection};

use super::dialling::{dial, failed, moved};
use crate::error::{Error, Result};

/// How long a node may take to be connected to, and to answer: others wait to be told something meanwhile.
const LIMIT: Duration = Duration::from_secs(1);

/// What failed is not tried again sooner.
const PAUSE: Duration = Duration::from_secs(1);

/// A host and a port.
type NodeAddress = (String, u16);

/// Connections to them, for questions.
pub(super) struct OtherNodes {
    /// One that differs from theirs by its address alone.
    like: Client,
    connections: HashMap<NodeAddress, Connection>,
    /// When and why they could not be asked.
    failed: Option<(Instant, Error)>,
}

impl OtherNodes {
    pub(super) fn new(like: Client) -> Self {
        Self { like, connections: HashMap::new(), failed: None }
    }

    /// How many subscribers each of these channels has at the nodes other than this one.
    pub(super) fn count(
        &mut self,
        here: &mut Connection,
        channels: [&str; 2],
    ) -> Result<[usize; 2]> {
        if let Some(error) = self.failed_before(Instant::now()) {
            return Err(error);
        }
        self.try_count(here, channels).inspect_err(|error| {
            self.connections.clear();
            self.failed = Some((Instant::now(), error.clone()));
        })
    }

    /// Why they could not be asked, if that was just before.
    fn failed_before(&self, now: Instant) -> Option<Error> {
        let (at, error) = self.failed.as_ref()?;
        (now.duration_since(*at) < PAUSE).then(|| error.clone())
    }

    fn try_count(&mut self, here: &mut Connection, channels: [&str; 2]) -> Result<[usize; 2]> {
        let listed: String = redis::cmd("CLUSTER")
            .arg("NODES")
            .query(here)
            .map_err(|error| failed("the nodes of the Redis Cluster are not known", &error))?;
        let addresses: Vec<NodeAddress> = listed.lines().filter_map(other_node).collect();
        self.connections.retain(|address, _| addresses.contains(address));
        let mut counts = [0; 2];
        for address in addresses {
            let mut connection = match self.connections.remove(&address) {
                Some(connection) => connection,
                None => dial(&moved(&self.like, &address.0, address.1)?, LIMIT, LIMIT)?,
            };
            let [one, other]: [(String, usize); 2] =
                redis::cmd("PUBSUB").arg("NUMSUB").arg(&channels).query(&mut connection).map_err(
                    |error| failed("a node of the Redis Cluster does not answer", &error),
                )?;
            counts = [counts[0] + one.1, counts[1] + other.1];
            self.connections.insert(address, connection);
        }
        Ok(counts)
    }
}

/// The address in a line of `CLUSTER NODES`, if it is of a node that is another one, and there.
fn other_node(line: &str) -> Option<NodeAddress> {
    let mut columns = line.split(' ');
    let (address, flags) = (columns.nth(1)?, columns.next()?);
    let is_away = |flag| matches!(flag, "myself" | "fail" | "noaddr" | "handshake");
    if flags.split(',').any(is_away) {
        return None;
    }
    // The second is a name, if the node has one.
    let mut parts = address.split(',');
    let (host, port) = parts.next()?.split('@').next()?.rsplit_once(':')?;
    let host = parts.next().filter(|name| !name.is_empty() && !name.contains('=')).unwrap_or(host);
    Some((host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::server::redis::dialling::{nowhere, open};

    #[test]
    fn what_failed_is_not_tried_again_within_a_second() {
        let mut nodes = OtherNodes::new(open("redis://127.0.0.1:1").unwrap());
        let at = Instant::now();
        assert!(nodes.failed_before(at).is_none());
        nodes.failed = Some((at, nowhere("x")));
        assert!(nodes.failed_before(at + PAUSE.saturating_sub(Duration::from_nanos(1))).is_some());
        assert!(nodes.failed_before(at + PAUSE).is_none());
    }

    #[test]
    fn those_are_asked_that_are_others_and_there() {
        let of = |line: &str| other_node(line).map(|(host, port)| format!("{host} {port}"));
        for (line, expected) in [
            (
                "07c3 127.0.0.1:30004@31004 slave e7d1 0 1426238317239 4 connected",
                Some("127.0.0.1 30004"),
            ),
            (
                "67ed ::1:30002@31002,,shard-id=6 master - 0 142 2 connected 5461-10922",
                Some("::1 30002"),
            ),
            (
                "67ed 10.0.0.2:6379@16379,two.example master - 0 142 2 connected",
                Some("two.example 6379"),
            ),
            ("67ed 10.0.0.2:6379@16379 master,fail? - 0 142 2 connected", Some("10.0.0.2 6379")),
            ("67ed 10.0.0.2:6379@16379 master,fail - 0 142 2 disconnected", None),
            ("e7d1 127.0.0.1:30001@31001 myself,master - 0 0 1 connected 0-5460", None),
            ("67ed :0@0 master,noaddr - 0 142 2 disconnected", None),
            ("67ed", None),
            ("", None),
        ] {
            assert_eq!(of(line).as_deref(), expected, "{line}");
        }
    }
}
