//! What follows from a change of the network.

use super::Driver;
use crate::core::client::Client;
use crate::core::engine::Loss;
#[cfg(target_os = "linux")]
use crate::driver::watching::HearOfNetwork;
#[cfg(target_os = "linux")]
use crate::error::{Error, ErrorKind};
use crate::net::NetworkChange;
use crate::sync::logging::log_later;

impl Driver {
    /// The network has changed: links that carry nothing any more are lost, and a wait for the next
    /// attempt ends soon, as it may be better now.
    pub(crate) fn network_changed(&self) {
        self.give_up_dead_links();
        self.run(Client::network_changed);
    }

    /// Gives up the links whose address on this side is gone, or to whose peer no way leads.
    fn give_up_dead_links(&self) {
        let mut ways = Vec::new();
        for (link, entry) in self.lock().links.iter() {
            ways.extend(entry.ways().map(|way| (*link, way)));
        }
        for (link, (local, peer)) in ways {
            if let Some(why) = self.net.cut_off(local, peer) {
                log_later!(Info, "the network has changed: {why}");
                let error =
                    Error::new(ErrorKind::Transport, format!("the network has changed: {why}"));
                self.lose(link, Loss::Closed(error));
            }
        }
    }
}

#[cfg(target_os = "linux")]
impl HearOfNetwork for Driver {
    fn on_network(&self, change: NetworkChange) {
        match change {
            NetworkChange::Better => self.network_changed(),
            NetworkChange::Worse => self.give_up_dead_links(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::client::testing::Played;
    use crate::options::Limits;

    #[test]
    fn a_link_whose_address_is_gone_is_lost_whatever_the_change() {
        for (local, is_lost) in [("127.0.0.1:1", false), ("192.0.2.1:1", true)] {
            for change in [NetworkChange::Better, NetworkChange::Worse] {
                let played = Played::joined(Limits::new());
                played.add_link();
                let way = (local.parse().unwrap(), "127.0.0.1:9".parse().unwrap());
                played.driver.lock().links.get_mut(played.link).unwrap().lead_by(way);
                played.driver.on_network(change);
                assert_eq!(played.driver.stats().disconnects, u64::from(is_lost), "{change:?}");
            }
        }
    }
}
