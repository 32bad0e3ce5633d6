//! Who is in which room of one namespace.
//!
//! Each socket is also in a room of its own, named by its id, which takes no memory until somebody
//! leaves it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The number of a socket in its namespace, which no other one there gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketKey(pub(crate) u64);

/// Those whom a broadcast is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Who is in one of these rooms; all, where there are none.
    pub(crate) rooms: Vec<Arc<str>>,
    /// But for those who are in one of these.
    pub(crate) except: Vec<Arc<str>>,
}

/// The sockets of one namespace and their rooms. `S` is what a socket is to the caller.
#[derive(Debug)]
pub(crate) struct Rooms<S> {
    sockets: BTreeMap<SocketKey, Occupant<S>>,
    by_id: HashMap<Arc<str>, SocketKey>,
    members: HashMap<Arc<str>, BTreeMap<SocketKey, S>>,
}

#[derive(Debug)]
struct Occupant<S> {
    id: Arc<str>,
    socket: S,
    /// There once it has joined a room, or has left its own.
    elsewhere: Option<Box<Elsewhere>>,
}

/// Where a socket is beside the room of its own.
#[derive(Debug, Default)]
struct Elsewhere {
    rooms: Vec<Arc<str>>,
    /// It is not in the room that is named by its id.
    has_left_home: bool,
}

impl<S> Occupant<S> {
    fn is_at_home(&self) -> bool {
        self.elsewhere.as_ref().is_none_or(|elsewhere| !elsewhere.has_left_home)
    }

    /// The rooms that it has joined.
    fn rooms(&self) -> &[Arc<str>] {
        self.elsewhere.as_ref().map_or(&[], |elsewhere| &elsewhere.rooms)
    }

    fn all_rooms(&self) -> Vec<Arc<str>> {
        let home = self.is_at_home().then_some(&self.id);
        home.into_iter().chain(self.rooms()).cloned().collect()
    }

    fn change(&mut self, change: impl FnOnce(&mut Elsewhere)) {
        change(self.elsewhere.get_or_insert_default());
        self.elsewhere.take_if(|elsewhere| elsewhere.rooms.is_empty() && !elsewhere.has_left_home);
    }
}

impl<S> Default for Rooms<S> {
    fn default() -> Self {
        Self { sockets: BTreeMap::new(), by_id: HashMap::new(), members: HashMap::new() }
    }
}

impl<S: Clone> Rooms<S> {
    /// Takes in a socket, whose id no other one has.
    pub(crate) fn enter(&mut self, key: SocketKey, id: Arc<str>, socket: S) {
        self.by_id.insert(Arc::clone(&id), key);
        self.sockets.insert(key, Occupant { id, socket, elsewhere: None });
    }

    /// Takes a socket out of all rooms, for good; gives the rooms that it was in.
    pub(crate) fn exit(&mut self, key: SocketKey) -> Vec<Arc<str>> {
        let Some(occupant) = self.sockets.remove(&key) else { return Vec::new() };
        self.by_id.remove(&occupant.id);
        give_back(&mut self.by_id);
        for room in occupant.rooms() {
            self.forget(room, key);
        }
        occupant.all_rooms()
    }

    /// The socket with this number.
    pub(crate) fn socket(&self, key: SocketKey) -> Option<&S> {
        self.sockets.get(&key).map(|occupant| &occupant.socket)
    }

    /// `false`: the socket is gone, and so joins nothing.
    pub(crate) fn join(&mut self, key: SocketKey, room: &str) -> bool {
        let Some(occupant) = self.sockets.get_mut(&key) else { return false };
        if *occupant.id == *room {
            occupant.change(|elsewhere| elsewhere.has_left_home = false);
            return true;
        }
        if occupant.rooms().iter().any(|joined| **joined == *room) {
            return true;
        }
        let known = self.members.get_key_value(room).map(|(name, _)| Arc::clone(name));
        let name = known.unwrap_or_else(|| room.into());
        occupant.change(|elsewhere| elsewhere.rooms.push(Arc::clone(&name)));
        self.members.entry(name).or_default().insert(key, occupant.socket.clone());
        true
    }

    pub(crate) fn leave(&mut self, key: SocketKey, room: &str) {
        let Some(occupant) = self.sockets.get_mut(&key) else { return };
        if *occupant.id == *room {
            occupant.change(|elsewhere| elsewhere.has_left_home = true);
        } else if let Some(at) = occupant.rooms().iter().position(|joined| **joined == *room) {
            occupant.change(|elsewhere| drop(elsewhere.rooms.remove(at)));
            self.forget(room, key);
        }
    }

    fn forget(&mut self, room: &str, key: SocketKey) {
        let Some(members) = self.members.get_mut(room) else { return };
        members.remove(&key);
        if members.is_empty() {
            self.members.remove(room);
            give_back(&mut self.members);
        }
    }

    /// The rooms that a socket is in.
    pub(crate) fn of(&self, key: SocketKey) -> Vec<Arc<str>> {
        self.sockets.get(&key).map(Occupant::all_rooms).unwrap_or_default()
    }

    /// How many sockets there are.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Those whom a selection names, each once, in the order in which they came.
    pub(crate) fn select(&self, selection: &Selection) -> Vec<S> {
        let wanted = |key: &SocketKey| !selection.except.iter().any(|room| self.is_in(*key, room));
        match selection.rooms.as_slice() {
            [] => {
                let all = self.sockets.iter().filter(|(key, _)| wanted(key));
                all.map(|(_, occupant)| occupant.socket.clone()).collect()
            }
            // Nobody is in it twice.
            [room] if !self.by_id.contains_key(room) => {
                let members = self.members(room).filter(|(key, _)| wanted(key));
                members.map(|(_, socket)| socket.clone()).collect()
            }
            rooms => {
                let members = rooms.iter().flat_map(|room| self.members(room));
                let once: BTreeMap<SocketKey, &S> =
                    members.filter(|(key, _)| wanted(key)).collect();
                once.into_values().cloned().collect()
            }
        }
    }

    /// Who is in a room: those who joined it, and the socket of that id.
    fn members<'a>(&'a self, room: &str) -> impl Iterator<Item = (SocketKey, &'a S)> + use<'a, S> {
        let home = self.by_id.get(room).and_then(|key| self.sockets.get_key_value(key));
        let home = home.filter(|(_, occupant)| occupant.is_at_home());
        let home = home.map(|(key, occupant)| (*key, &occupant.socket));
        let joined = self.members.get(room).into_iter().flatten();
        home.into_iter().chain(joined.map(|(key, socket)| (*key, socket)))
    }

    fn is_in(&self, key: SocketKey, room: &str) -> bool {
        let Some(occupant) = self.sockets.get(&key) else { return false };
        (occupant.is_at_home() && *occupant.id == *room)
            || self.members.get(room).is_some_and(|members| members.contains_key(&key))
    }

    /// Whether somebody is in a room of this name.
    pub(crate) fn is_room(&self, room: &str) -> bool {
        self.members(room).next().is_some()
    }

    /// The ids of those who are in the room of that name.
    pub(crate) fn homes(&self) -> impl Iterator<Item = &Arc<str>> {
        let at_home = self.sockets.values().filter(|occupant| occupant.is_at_home());
        at_home.map(|occupant| &occupant.id)
    }

    /// The names of all rooms that somebody has joined.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.members.keys()
    }
}

/// Gives memory back that is not needed any more, so seldom that it costs nothing.
fn give_back<V>(map: &mut HashMap<Arc<str>, V>) {
    if map.capacity() > 4 * map.len() + 64 {
        map.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests;
