//! Things that are found by their numbers.

/// Things by their numbers, in the order of these. Adding one whose number is higher than all others is
/// cheap.
#[derive(Debug)]
pub(crate) struct Numbered<K, T>(Vec<(K, T)>);

impl<K: Copy + Ord, T> Numbered<K, T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, number: K) -> Option<&T> {
        let index = self.find(number).ok()?;
        self.0.get(index).map(|(_, thing)| thing)
    }

    pub(crate) fn get_mut(&mut self, number: K) -> Option<&mut T> {
        let index = self.find(number).ok()?;
        self.0.get_mut(index).map(|(_, thing)| thing)
    }

    /// The thing of this number, in place of which a new one is put where there is none.
    pub(crate) fn get_or_add(&mut self, number: K, new: impl FnOnce() -> T) -> &mut T {
        let index = self.find(number).unwrap_or_else(|index| {
            self.0.insert(index, (number, new()));
            index
        });
        &mut self.0[index].1
    }

    pub(crate) fn remove(&mut self, number: K) -> Option<T> {
        self.find(number).ok().map(|index| self.0.remove(index).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, T)> {
        self.0.iter()
    }

    pub(crate) fn things_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, thing)| thing)
    }

    /// Where the number is, or would be.
    fn find(&self, number: K) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_there_once_and_in_its_place() {
        let mut things = Numbered::new();
        assert!(things.is_empty());
        for number in [2, 7, 5, 2, 9] {
            *things.get_or_add(number, || 0) += number;
        }
        assert!(things.iter().eq(&[(2, 4), (5, 5), (7, 7), (9, 9)]));
        assert_eq!((things.get(7), things.get(3)), (Some(&7), None));
        assert_eq!([5, 99].map(|number| things.get_mut(number).copied()), [Some(5), None]);
        assert_eq!([5, 5, 1].map(|number| things.remove(number)), [Some(5), None, None]);
        things.things_mut().for_each(|thing| *thing += 1);
        assert!(things.iter().eq(&[(2, 5), (7, 8), (9, 10)]));
    }
}
