//! Bounds, order and policies against a model.

use proptest::prelude::*;

use super::*;

/// What a user does to two consumers of one mailbox.
#[derive(Clone, Debug)]
enum Act {
    Bring(usize, usize),
    /// So many of this size.
    BringAll(usize, usize, usize),
    Take,
    Clear(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..2_usize, 0..40_usize).prop_map(|(account, size)| Act::Bring(account, size)),
        2 => (0..2_usize, 0..5_usize, 0..20_usize).prop_map(|(account, count, size)| {
            Act::BringAll(account, count, size)
        }),
        6 => Just(Act::Take),
        1 => (0..2_usize).prop_map(Act::Clear),
    ]
}

fn policy() -> impl Strategy<Value = WhenFull> {
    prop_oneof![Just(WhenFull::Wait), Just(WhenFull::DropOldest), Just(WhenFull::DropNewest)]
}

/// The same, as simple as it can be said.
struct Model {
    queue: Vec<(usize, Item)>,
    bounds: [Bounds; 2],
    lost: [usize; 2],
}

impl Model {
    fn of(&self, account: usize) -> Vec<&Item> {
        self.queue.iter().filter(|(of, _)| *of == account).map(|(_, item)| item).collect()
    }

    fn fits(&self, account: usize, size: usize) -> bool {
        let waiting = self.of(account);
        let bytes: usize = waiting.iter().map(|item| item.size).sum();
        let bounds = self.bounds[account];
        waiting.is_empty() || (waiting.len() < bounds.events && bytes + size <= bounds.bytes)
    }

    fn bring(&mut self, account: usize, item: Item) {
        while !self.fits(account, item.size) {
            match self.bounds[account].when_full {
                WhenFull::Wait => break,
                WhenFull::DropNewest => {
                    self.lost[account] += 1;
                    return;
                }
                WhenFull::DropOldest => {
                    let oldest = self.queue.iter().position(|(of, _)| *of == account).unwrap();
                    self.queue.remove(oldest);
                    self.lost[account] += 1;
                }
            }
        }
        self.queue.push((account, item));
    }
}

proptest! {
    #[test]
    fn bounds_order_and_policies_are_as_the_model_has_them(
        acts in proptest::collection::vec(act(), 0..200),
        limits in proptest::array::uniform2((1..6_usize, 1..100_usize, policy())),
    ) {
        let gate = Arc::new(Gate::new(usize::MAX, usize::MAX, || ()));
        let mailbox = Mailbox::new(&gate);
        let bounds = limits.map(|(events, bytes, when_full)| Bounds { events, bytes, when_full });
        let accounts = bounds.map(|bounds| mailbox.open_account(bounds, &gate));
        let mut model = Model { queue: Vec::new(), bounds, lost: [0; 2] };
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Bring(account, size) => {
                    bring(&mailbox, accounts[account], Item { number, size });
                    model.bring(account, Item { number, size });
                }
                Act::BringAll(account, count, size) => {
                    let items = (0..count).map(|_| Item { number, size });
                    drop(mailbox.bring_all(accounts[account], &mut items.clone()));
                    items.for_each(|item| model.bring(account, item));
                }
                Act::Take => {
                    let first = (!model.queue.is_empty()).then(|| model.queue.remove(0).1);
                    prop_assert_eq!(mailbox.try_take(), first);
                }
                Act::Clear(account) => {
                    mailbox.clear(accounts[account]);
                    model.queue.retain(|(of, _)| *of != account);
                }
            }
            for (index, account) in accounts.into_iter().enumerate() {
                let waiting = model.of(index);
                let bytes: usize = waiting.iter().map(|item| item.size).sum();
                let seen = mailbox.look(account, |a| (a.len(), a.bytes(), a.lost())).unwrap();
                prop_assert_eq!(seen, (waiting.len(), bytes, model.lost[index]));
                let full = bounds[index].when_full == WhenFull::Wait
                    && (waiting.len() >= bounds[index].events || bytes >= bounds[index].bytes);
                prop_assert_eq!(mailbox.look(account, Account::pushes_back), Some(full));
                // There is room for what neither drops anything nor makes it push back.
                for size in 0..20 {
                    let mut room = mailbox.look(account, Account::room).unwrap();
                    let bounds = bounds[index];
                    let fits = waiting.len() + 1 < bounds.events && bytes + size < bounds.bytes;
                    prop_assert_eq!(room.take(size), fits);
                }
            }
        }
        while mailbox.try_take().is_some() {}
        prop_assert!(gate.has_room(usize::MAX) && gate.has_reserve());
    }
}
